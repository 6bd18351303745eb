//! An application: a database of the test's own, and processes that serve it.

use std::sync::Arc;

use api_conventions::sign_in::Issuers;
use api_conventions::{Authenticator, Limits, OperatorCredential, limits};
use axum::Router;
use command_api::api_keys::secret::Pepper;
use command_api::break_glass::{ApproveBreakGlass, RequestBreakGlass, RequestBreakGlassRequest};
use command_api::credentials::CredentialRegister;
use command_api::credits::{LeftOfLot, LotsLeft};
use command_api::{CommandApi, CommandContext, Executor};
use domain::credit_account::LotLeft;
use domain::organization::Authority;
use embedded::testing::{TestDatabase, test_database, unique_name};
use event_log::EventLog;
use event_log::database::{Holds, migrate};
use event_schemas::{Actor, CreditAccountId, Currency, EventMetadata, LotId, OrganizationId};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Client, Owners, Reply};

const OPERATOR_SECRET: &str = "operator-credential-of-the-tests";

/// Whose tokens are taken. Nothing is fetched from there: nobody signs in.
pub(crate) const ISSUER: &str = "https://login.example.com";

/// A database, and a first process that serves it.
pub(crate) struct App {
    process: Process,
    pool: PgPool,
    database: TestDatabase,
}

/// One command-api process: its own log, cache and locks.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) router: Router,
    pub(crate) executor: Executor,
    pub(crate) openapi: utoipa::openapi::OpenApi,
    owners: Owners,
}

impl App {
    pub(crate) async fn new() -> Self {
        let database = test_database().await;
        let options = database.connect_options();
        migrate(&options, Holds::LogAndReadModels).await.expect("the database is migrated");
        let process = Process::start(&database, None).await;
        Self { process, pool: database.pool().await, database }
    }

    /// A further process on the same database.
    pub(crate) async fn process(&self) -> Process {
        Process::start(&self.database, Some(&self.process.owners)).await
    }

    /// The first process.
    pub(crate) fn first(&self) -> &Process {
        &self.process
    }

    pub(crate) fn executor(&self) -> &Executor {
        &self.process.executor
    }

    /// Whoever may, at the first process: the operator, and in an organization its owner.
    pub(crate) fn admin(&self) -> Client {
        self.process.admin()
    }

    /// The operator, at the first process.
    pub(crate) fn operator(&self) -> Client {
        self.process.operator()
    }

    /// Somebody without, or with another, credential.
    pub(crate) fn stranger(&self, credential: Option<&str>) -> Client {
        Client::new(self.process.router.clone(), credential)
    }

    /// The database, as its owner.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How many events of a type the log has.
    pub(crate) async fn count(&self, event_type: &str) -> i64 {
        sqlx::query_scalar("select count(*) from log.events where event_type = $1")
            .bind(event_type)
            .fetch_one(&self.pool)
            .await
            .expect("the log answers")
    }

    /// How many entries the log has, but for refusals that are on record.
    pub(crate) async fn changes(&self) -> i64 {
        self.head().await - self.count("refusal.recorded").await
    }

    /// The head of the log.
    pub(crate) async fn head(&self) -> i64 {
        self.executor().log().head().await.expect("the log answers")
    }

    /// A new organization's id.
    pub(crate) async fn organization(&self) -> String {
        let body = json!({"name": unique_name()});
        let organization = self.admin().post("/v1/organizations", body).await;
        let organization = organization.id("organization_id");
        self.with_owner(&organization).await;
        organization
    }

    /// A new organization's id, and its only owner, who asks in it where nobody in particular does: the
    /// member's id, and who presents their key.
    pub(crate) async fn founded(&self, login: &str) -> (String, (String, Client)) {
        let body = json!({"name": unique_name(), "owner": {"login": login}});
        let founded = self.operator().post("/v1/organizations", body).await.ok();
        let id = |value: &Value| value.as_str().expect("an id").to_owned();
        let organization = id(&founded["organization_id"]);
        let key = founded["secret"].as_str().expect("a secret").to_owned();
        self.process.owners.are(organization.parse().expect("an id"), key);
        (organization, (id(&founded["owner"]["member_id"]), self.first().presenting(&founded)))
    }

    /// Brings an owner into the organization, who asks from then on where nobody in particular does.
    pub(crate) async fn with_owner(&self, organization: &str) {
        let organization_id = organization.parse().expect("an organization's id");
        self.process.owners.bring_in(self.executor(), organization_id).await;
    }

    /// Lets the operator into the organization, as a second one may: they do in it what its owners
    /// may.
    pub(crate) async fn let_operator_in(&self, organization: &str) {
        let organization_id = organization.parse().expect("an organization's id");
        let request = RequestBreakGlassRequest { reason: "a test".to_owned(), minutes: 60 };
        let request = RequestBreakGlass { organization_id, request };
        let asked = self.executor().execute(&by_operator(None), &request).await;
        let break_glass_id = asked.expect("the operator may ask").outcome.break_glass_id;
        let mut second = by_operator(None);
        second.metadata.actor = Actor::operator("second");
        let approve = ApproveBreakGlass { organization_id, break_glass_id };
        self.executor().execute(&second, &approve).await.expect("a second operator approves");
    }

    /// A new member's id.
    pub(crate) async fn member(&self, organization: &str, login: &str, role: &str) -> String {
        let path = format!("/v1/organizations/{organization}/members");
        let body = json!({"login": login, "role": role});
        self.admin().post(&path, body).await.id("member_id")
    }

    /// A new invite, as it is answered.
    pub(crate) async fn invite(&self, organization: &str, email: &str, role: &str) -> Value {
        let path = format!("/v1/organizations/{organization}/invites");
        self.admin().post(&path, json!({"email": email, "role": role})).await.ok()
    }

    /// Takes an invite up, with its token.
    pub(crate) async fn accept(&self, organization: &str, invite: &Value, login: &str) -> Reply {
        let id = invite["invite_id"].as_str().expect("an id");
        let path = format!("/v1/organizations/{organization}/invites/{id}/accept");
        let client = self.stranger(invite["secret"].as_str());
        client.post(&path, json!({"login": login})).await
    }

    /// Who has joined by an invite, with their first key: the member's id, and who presents it.
    pub(crate) async fn joined(
        &self,
        organization: &str,
        login: &str,
        role: &str,
    ) -> (String, Client) {
        let email = format!("{login}@example.com");
        let invite = self.invite(organization, &email, role).await;
        let accepted = self.accept(organization, &invite, login).await.ok();
        let member_id = accepted["member_id"].as_str().expect("an id").to_owned();
        (member_id, self.stranger(accepted["secret"].as_str()))
    }

    /// The lines of an access review, each with what is held.
    pub(crate) async fn review_lines(&self, access_review: &str) -> Vec<(String, Value)> {
        sqlx::query_as(
            "select line ->> 'line_id', (line -> 'held')::jsonb
             from log.events, json_array_elements(payload -> 'lines') as line
             where aggregate_id = $1
                 and event_type in ('access_review.opened', 'access_review.lines_added')
             order by position",
        )
        .bind(access_review)
        .fetch_all(&self.pool)
        .await
        .expect("the log answers")
    }

    /// A new project's id.
    pub(crate) async fn project(&self, organization: &str, name: &str) -> String {
        let path = format!("/v1/organizations/{organization}/projects");
        self.admin().post(&path, json!({"name": name})).await.id("project_id")
    }

    /// A new service account's id.
    pub(crate) async fn service_account(&self, organization: &str, project: &str) -> String {
        let path = format!("/v1/organizations/{organization}/service-accounts");
        let body = json!({"project_id": project, "name": unique_name()});
        self.admin().post(&path, body).await.id("service_account_id")
    }

    /// A new API key, as it is answered; `owner` is `member_id` or `service_account_id`.
    pub(crate) async fn api_key(
        &self,
        organization: &str,
        project: &str,
        owner: (&str, &str),
    ) -> Value {
        let path = format!("/v1/organizations/{organization}/api-keys");
        let body = json!({"project_id": project, owner.0: owner.1, "name": "production-search"});
        self.admin().post(&path, body).await.ok()
    }
}

impl Process {
    async fn start(database: &TestDatabase, owners: Option<&Owners>) -> Self {
        let log = EventLog::open(&database.connect_options(), master_keys())
            .await
            .expect("the log opens");
        let pepper = Pepper::new(vec![7; 32]).expect("long enough");
        let lots_left = Arc::new(AllLeft { pool: database.pool().await });
        let executor = Executor::new(log, pepper).with_lots_left(lots_left);
        let owners = owners.cloned().unwrap_or_default();
        let credential = OperatorCredential::new("ops", OPERATOR_SECRET).expect("long enough");
        let authenticator = Arc::new(Authenticator::new(credential));
        let issuers = Issuers::new(vec![format!("{ISSUER}=orgledger").parse().expect("an issuer")]);
        let register = CredentialRegister::new(executor.clone())
            .with_issuers(issuers.expect("they can be configured"));
        let api = CommandApi::with_credentials(register, authenticator);
        let (router, openapi) = command_api::routes(api).split_for_parts();
        Self { router: limits::apply(router, Limits::default()), executor, openapi, owners }
    }

    /// Who presents a key's secret, at this process.
    pub(crate) fn presenting(&self, key: &Value) -> Client {
        Client::new(self.router.clone(), key["secret"].as_str())
    }

    /// The operator, at this process.
    pub(crate) fn operator(&self) -> Client {
        Client::new(self.router.clone(), Some(OPERATOR_SECRET))
    }

    /// Whoever may, at this process: the operator, and in an organization its owner.
    pub(crate) fn admin(&self) -> Client {
        Client::new(self.router.clone(), Some(OPERATOR_SECRET)).with_owners(self.owners.clone())
    }
}

/// Balances of organizations that have used nothing: what did not leave a lot is left of it.
struct AllLeft {
    pool: PgPool,
}

impl LotsLeft for AllLeft {
    fn left(
        &self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
    ) -> LeftOfLot<'_> {
        Box::pin(async move {
            let (events, position, left): (i64, Option<i64>, Option<String>) = sqlx::query_as(
                "select count(*), max(position), (sum(
                     case when event_type in ('credits.refunded', 'credits.transferred_out')
                          then -(payload ->> 'amount')::numeric
                          else (payload ->> 'amount')::numeric end)
                     filter (where payload ->> 'lot_id' = $2))::text
                 from log.events where aggregate_type = 'credit_account' and aggregate_id = $1",
            )
            .bind(CreditAccountId::of(organization_id, currency).to_string())
            .bind(lot_id.to_string())
            .fetch_one(&self.pool)
            .await?;
            Ok(left.map(|left| LotLeft {
                amount: left.parse().expect("an amount"),
                events,
                position: position.unwrap_or(0),
            }))
        })
    }
}

/// The context of a command that the operator gives now.
pub(crate) fn by_operator(key: Option<&str>) -> CommandContext {
    let now = event_log::clock::now();
    CommandContext {
        metadata: EventMetadata {
            actor: Actor::operator("ops"),
            correlation_id: "a test".to_owned(),
            causation_id: None,
            traceparent: None,
            source_address: None,
            credential: None,
        },
        authority: Authority::Operator,
        now,
        occurred_at: now,
        idempotency_key: key.map(str::to_owned),
        expected_sequence: None,
        presented: None,
    }
}

/// The context of a command now that nothing limits.
pub(crate) fn unlimited(key: Option<&str>) -> CommandContext {
    CommandContext { authority: Authority::System, ..by_operator(key) }
}

/// The context of a command that a member gives now.
pub(crate) fn by_member(member_id: &str) -> CommandContext {
    let member_id = member_id.parse().expect("a member's id");
    CommandContext { authority: Authority::Member(member_id), ..by_operator(None) }
}

/// What keys of persons are wrapped with.
pub(crate) fn master_keys() -> event_log::MasterKeys {
    event_log::MasterKeys::parse(&"07".repeat(32)).expect("a key")
}
