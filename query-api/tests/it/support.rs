//! A log to write to, projectors to fill the read models, and the API to ask.

use std::sync::Arc;
use std::time::Duration;

use api_conventions::permissions::Permissions;
use api_conventions::{Authenticator, Limits, OperatorCredential, limits};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use embedded::testing::{TestDatabase, test_database};
use event_log::database::{self, Holds, Role};
use event_log::usage::{NewUsage, UsageWrite, UsageWriter, UsageWritten};
use event_log::{Append, EventLog, NewEvent};
use event_schemas::{
    Actor, EventMetadata, MemberId, OrganizationEvent, OrganizationId, OrganizationRole, PersonId,
    ProjectEvent, ProjectId, ProjectRole, StreamEvent,
};
use projectors::{Feed, PostgresFeed, Registered};
use query_api::{Projection, QueryState, Rows, Snapshot};
use serde_json::Value;
use sqlx::PgPool;
use tower::ServiceExt as _;
use utoipa::openapi::OpenApi;
use uuid::Uuid;

pub(crate) const CREDENTIAL: &str = "an-operator-credential";

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("it is a time")
}

/// What seals the log.
pub(crate) fn sealing_key() -> proofs::SigningKey {
    proofs::SigningKey::of("ledger.example", [1; 32]).expect("a key")
}

/// An id that is the same in every run.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) struct World {
    pub(crate) log: EventLog,
    /// Reads as the API does: in the reader's role.
    pub(crate) pool: PgPool,
    pub(crate) owner: PgPool,
    usage: UsageWriter,
    wait_max: Duration,
    permissions: Option<Arc<dyn Permissions>>,
    database: TestDatabase,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body, where it is no text.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("it is JSON")
    }

    /// What stands at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_else(|| panic!("{pointer}: {}", self.text))
    }

    /// Asserts that it is a problem of that status and type.
    pub(crate) fn assert_problem(&self, status: u16, kind: &str, what: &str) {
        assert_eq!(self.status.as_u16(), status, "{what}: {}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{what}");
        assert_eq!(self.at("/type"), format!("/problems/{kind}"), "{what}");
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = test_database().await;
        let options = database.connect_options();
        database::migrate(&options, Holds::LogAndReadModels).await.expect("it migrates");
        let log = EventLog::open(&options, master_keys()).await.expect("the log opens");
        Self {
            usage: UsageWriter::new(&log),
            pool: database::pool(&options, Role::Reader, 4).await.expect("a reader"),
            owner: database.pool().await,
            log,
            wait_max: Duration::from_secs(30),
            permissions: None,
            database,
        }
    }

    /// How to reach its database.
    pub(crate) fn connect_options(&self) -> sqlx::postgres::PgConnectOptions {
        self.database.connect_options()
    }

    /// Seals what is there.
    pub(crate) async fn seal(&self) {
        let options = self.database.connect_options();
        let log = database::pool(&options, Role::Projector, 2).await.expect("a projector");
        projectors::seals::catch_up(&log, &[sealing_key()]).await.expect("it seals");
    }

    /// With another bound on waiting for a position.
    pub(crate) fn waiting_at_most(self, wait_max: Duration) -> Self {
        Self { wait_max, ..self }
    }

    /// With somebody who asks and does not see all.
    pub(crate) fn asked_by(self, permissions: impl Permissions + 'static) -> Self {
        Self { permissions: Some(Arc::new(permissions)), ..self }
    }

    /// Appends one event to a stream of an organization, by an actor with a credential.
    pub(crate) async fn append_by<E: StreamEvent>(
        &self,
        actor: &Actor,
        credential: Option<String>,
        (organization, stream): (u128, u128),
        at: &str,
        event: E,
    ) {
        let metadata = EventMetadata { actor: actor.clone(), credential, ..metadata() };
        let event = NewEvent::new(
            &event,
            id(stream).to_string().into(),
            Some(OrganizationId(id(organization))),
            serde_json::to_string(&metadata).expect("it serialises").into(),
            time(at),
        );
        let events = vec![event.expect("it serialises")];
        let appended = self.log.append(Append { events, ..Append::default() }).await;
        appended.expect("it appends");
    }

    /// Appends one event, by `ops`, and gives its position.
    pub(crate) async fn append<E: StreamEvent>(
        &self,
        organization: u128,
        stream: u128,
        at: &str,
        event: E,
    ) -> i64 {
        let event = NewEvent::new(
            &event,
            id(stream).to_string().into(),
            Some(OrganizationId(id(organization))),
            serde_json::to_string(&metadata()).expect("it serialises").into(),
            time(at),
        );
        let events = vec![event.expect("it serialises")];
        let appended = self.log.append(Append { events, ..Append::default() }).await;
        appended.expect("it appends").last_position
    }

    pub(crate) async fn organization(&self, organization: u128, at: &str, name: &str) -> i64 {
        let event = OrganizationEvent::Created {
            organization_id: OrganizationId(id(organization)),
            name: name.to_owned(),
            seat_limit: None,
        };
        self.append(organization, organization, at, event).await
    }

    pub(crate) async fn member(
        &self,
        organization: u128,
        member: u128,
        at: &str,
        login: &str,
    ) -> i64 {
        let event = OrganizationEvent::MemberAdded {
            member_id: MemberId(id(member)),
            person_id: PersonId(id(member)),
            login: login.to_owned(),
            email: Some(format!("{login}@example.com")),
            role: OrganizationRole::Member,
        };
        self.append(organization, organization, at, event).await
    }

    pub(crate) async fn project(
        &self,
        organization: u128,
        project: u128,
        at: &str,
        name: &str,
    ) -> i64 {
        let event = ProjectEvent::Created {
            project_id: ProjectId(id(project)),
            organization_id: OrganizationId(id(organization)),
            name: name.to_owned(),
            environment: None,
        };
        self.append(organization, project, at, event).await
    }

    pub(crate) async fn assign(
        &self,
        organization: u128,
        project: u128,
        member: u128,
        at: &str,
    ) -> i64 {
        let member_id = MemberId(id(member));
        let event = ProjectEvent::MemberAssigned { member_id, role: ProjectRole::Member };
        self.append(organization, project, at, event).await
    }

    /// Writes usage records.
    pub(crate) async fn usage(&self, organization: u128, records: Vec<NewUsage>) -> UsageWritten {
        let write = UsageWrite {
            organization_id: OrganizationId(id(organization)),
            records,
            expected: Vec::new(),
            prices_upto: self.log.head().await.expect("a head"),
            metadata: serde_json::to_string(&metadata()).expect("it serialises").into(),
            actor: "operator:ops".to_owned(),
        };
        self.usage.write(&write).await.expect("it is written")
    }

    /// Brings the read models up to the head of the log, and gives its position.
    pub(crate) async fn project_all(&self) -> i64 {
        self.project_these(&projectors::all()).await
    }

    /// The same for one of them.
    pub(crate) async fn project_only(&self, projection: Projection) -> i64 {
        let registered = projectors::named(projection.name()).expect("there is one");
        self.project_these(&[registered]).await
    }

    async fn project_these(&self, these: &[Registered]) -> i64 {
        let head = self.log.head().await.expect("a head");
        projectors::catch_up(&self.owner, &self.feed(), these, head).await.expect("they do");
        head
    }

    /// Builds one of them anew, and switches to that.
    pub(crate) async fn rebuild(&self, projection: Projection) {
        let registered = projectors::named(projection.name()).expect("there is one");
        let rebuilt =
            projectors::rebuild(&self.owner, &self.feed(), &registered, &mut |_| {}).await;
        rebuilt.expect("it is rebuilt");
    }

    /// Returns when somebody waits for a lock on a view.
    pub(crate) async fn somebody_waits_for_a_view(&self) {
        let waiting = "select exists (select from pg_locks l join pg_class c on c.oid = l.relation
                       where not l.granted and c.relkind = 'v')";
        while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&self.owner).await.expect("locks") {
            tokio::task::yield_now().await;
        }
    }

    fn feed(&self) -> Feed {
        Feed::Postgres(PostgresFeed::of(self.owner.clone(), self.log.vault().clone()))
    }

    /// A picture of all organizations.
    pub(crate) async fn snapshot(&self, projections: &'static [Projection]) -> Snapshot {
        Snapshot::open(&self.pool, Rows::All, projections, 0).await.expect("a picture")
    }

    fn routes(&self) -> (Router, OpenApi) {
        let operator = OperatorCredential::new("ops", CREDENTIAL).expect("it is long enough");
        let authenticator = Arc::new(Authenticator::new(operator));
        let state = QueryState::new(self.pool.clone(), authenticator, self.wait_max);
        let state = match &self.permissions {
            Some(permissions) => state.with_permissions(Arc::clone(permissions)),
            None => state,
        };
        query_api::routes(state).split_for_parts()
    }

    /// The description of every route.
    pub(crate) fn description(&self) -> OpenApi {
        self.routes().1
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        let limits = Limits { request_time_max: Duration::from_secs(60), ..Limits::default() };
        let router = limits::apply(self.routes().0, limits);
        let response = router.oneshot(request).await.expect("it answers");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, text, bytes: body.into() }
    }

    /// Asks as the operator.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {CREDENTIAL}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Asks for what is there.
    pub(crate) async fn found(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer
    }
}

pub(crate) fn metadata() -> EventMetadata {
    EventMetadata {
        actor: Actor::operator("ops"),
        correlation_id: "c".to_owned(),
        causation_id: None,
        traceparent: None,
        source_address: None,
        credential: None,
    }
}

/// The path of an organization's resource.
pub(crate) fn path(organization: u128, rest: &str) -> String {
    format!("/v1/organizations/{}{rest}", id(organization))
}

/// One column of a list's items.
pub(crate) fn column(items: &Value, field: &str) -> Vec<String> {
    let items = items.as_array().expect("an array");
    items.iter().map(|item| item[field].as_str().expect("text").to_owned()).collect()
}

/// What keys of persons are wrapped with.
pub(crate) fn master_keys() -> event_log::MasterKeys {
    event_log::MasterKeys::parse(&"07".repeat(32)).expect("a key")
}
