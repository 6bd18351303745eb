//! Two organizations on one installation, each with one of everything. What is the other's is to each
//! of them as if it were not there: in no answer, log, metric or message, by no id, cursor or date.

mod asker;
mod hostile;
mod operations;
mod sight;
mod tenant;

use embedded::testing::{TestIssuer, TestServers};
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

use self::asker::{Asker, Reply};
use self::operations::{Filled, Ids, Operation, operations};
use self::tenant::Tenant;
use crate::support::log::pool;
use crate::support::{CREDENTIAL, Place, Service};

/// What people's tokens are made out to.
const AUDIENCE: &str = "orgledger";

/// Commands that succeed though what they name is not there: some answer item by item, and what is not
/// in a group or project need not be taken out.
const DONE_WITHOUT: [&str; 6] = [
    "record_usage",
    "record_litellm_usage",
    "send_invites_in_bulk",
    "remove_group_member",
    "remove_project_group",
    "remove_project_member",
];

/// What an owner may not do, whatever they name: it is the operator's.
const OPERATORS: [&str; 3] = ["create_organization", "publish_price_list", "request_break_glass"];

/// Conditions under which a command, or a read, is asked for; each could tell that something is there.
const COMMANDED: [Option<Condition>; 3] =
    [None, Some(("if-match", "*")), Some(("if-match", "\"1\""))];
const READ: [Option<Condition>; 2] = [None, Some(("if-none-match", "*"))];

/// A header, and what it says.
type Condition = (&'static str, &'static str);

/// What their log is sealed with.
fn signing_key() -> proofs::SigningKey {
    proofs::SigningKey::of("ledger.example/tenants", [6; 32]).unwrap()
}

/// An installation that two organizations share.
struct Shared {
    servers: TestServers,
    dev: Service,
    issuer: TestIssuer,
    log: PgPool,
    operator: Asker,
    a: Tenant,
    b: Tenant,
}

impl Shared {
    async fn start() -> Self {
        let servers = TestServers::start().await.unwrap();
        let admin = pool(&servers.postgres().url("postgres")).await;
        admin.execute("create database ledger").await.unwrap();
        let url = servers.postgres().url("ledger");
        let issuer = TestIssuer::start().await;
        let place = Place::database(&url)
            .with("NATS_URL", &servers.nats().url())
            .with("ORGLEDGER_OIDC_ISSUERS", &format!("{}={AUDIENCE}", issuer.url()))
            .with("ORGLEDGER_SIGNING_KEY", &signing_key().reveal())
            .with("RUST_LOG", "debug");
        place.print(&["migrate"]).await;
        let rate = ["--rate-limit-per-second", "100000", "--rate-burst", "100000"];
        let dev = place.start(&[&["dev"][..], &rate].concat()).await;
        let operator = Asker::new(dev.client(CREDENTIAL), "operator");
        let side = |tag| Asker::new(dev.client(CREDENTIAL), tag);
        let a = Tenant::found(&side("a"), "a", issuer.url()).await;
        let b = Tenant::found(&side("b"), "b", issuer.url()).await;
        let log = pool(&url).await;
        Self { servers, dev, issuer, log, operator, a, b }
    }

    async fn operations(&self) -> Vec<Operation> {
        let document = self.operator.get("/v1/openapi.json").await.done();
        let operations = operations(&document);
        assert!(operations.len() > 110, "{} requests", operations.len());
        operations
    }

    /// How much the log has of an organization.
    async fn recorded_of(&self, tenant: &Tenant) -> i64 {
        sqlx::query_scalar(
            "select (select count(*) from log.events where organization_id = $1::uuid)
                  + (select coalesce(sum(count), 0)::bigint from log.usage_batches
                     where organization_id = $1::uuid)",
        )
        .bind(&tenant.ids["organization_id"])
        .fetch_one(&self.log)
        .await
        .unwrap()
    }

    async fn head(&self) -> i64 {
        sqlx::query_scalar("select position from log.head").fetch_one(&self.log).await.unwrap()
    }
}

impl Operation {
    async fn ask(&self, asker: &Asker, ids: &Ids, condition: Option<Condition>) -> Reply {
        let Filled { path, body } = self.fill(ids);
        let mut request = asker.request(self.method.clone(), &path);
        if let Some((header, value)) = condition {
            request = request.header(header, value);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        asker.ask(request).await
    }
}

/// An id that looks like that one, of nothing.
fn unknown(id: &str) -> String {
    const OTHER_BITS: u128 = 0x0a5a_5a5a_5a5a_5a5a;
    Uuid::from_u128(id.parse::<Uuid>().unwrap().as_u128() ^ OTHER_BITS).to_string()
}

/// Ids with those of `gaps` another's.
fn swapped(ids: &Ids, gaps: &[String], of: impl Fn(&str) -> String) -> Ids {
    let mut ids = ids.clone();
    ids.extend(gaps.iter().map(|gap| (gap.clone(), of(gap))));
    ids
}

/// Asks with ids of the other organization in some gaps, and with ids of nothing; both must look the
/// same.
async fn compare(
    operation: &Operation,
    condition: Option<Condition>,
    asker: &Asker,
    [own, other]: [&Tenant; 2],
    gaps: &[String],
) {
    let theirs = swapped(&own.ids, gaps, |gap| other.ids[gap].clone());
    let nobodys = swapped(&own.ids, gaps, |gap| unknown(&other.ids[gap]));
    let mut seen = Vec::new();
    for ids in [&theirs, &nobodys] {
        let reply = operation.ask(asker, ids, condition).await;
        let may_succeed = operation.reads() || DONE_WITHOUT.contains(&&*operation.id);
        let is_refused = (401..500).contains(&reply.status);
        let what = format!("{} with {gaps:?}: {} {}", operation.id, reply.status, reply.text);
        assert!(is_refused || (may_succeed && matches!(reply.status, 200 | 304)), "{what}");
        let sent: Vec<String> = gaps.iter().map(|gap| ids[gap].clone()).collect();
        seen.push(reply.seen_by_who_sent(&sent));
    }
    let what = format!("{} ({condition:?}) shows whether {gaps:?} is there", operation.id);
    assert_eq!(seen[0], seen[1], "{what}");
}

/// Every operation with each id swapped alone, all of them, and all but the organization's.
async fn sweep(operations: &[Operation], asker: &Asker, own: &Tenant, other: &Tenant) {
    for operation in operations {
        let asker = if operation.id == "accept_invite" { &own.invited } else { asker };
        // A number is no id: whose a position is, the organization beside it says.
        let gaps: Vec<String> =
            operation.gaps().into_iter().filter(|gap| gap != "position").collect();
        let inner: Vec<String> =
            gaps.iter().filter(|gap| *gap != "organization_id").cloned().collect();
        let mut sets: Vec<Vec<String>> = gaps.iter().map(|gap| vec![gap.clone()]).collect();
        sets.extend([gaps, inner]);
        sets.sort();
        sets.dedup();
        let conditions = if operation.reads() { &READ[..] } else { &COMMANDED[..] };
        for gaps in sets.iter().filter(|gaps| !gaps.is_empty()) {
            for condition in conditions {
                compare(operation, *condition, asker, [own, other], gaps).await;
            }
        }
    }
}

/// Every command with one's own ids, which are found: what the sweep was refused was refused for its
/// ids.
async fn carry_out(commands: &[Operation], own: &Tenant) {
    let mut refused = Vec::new();
    for operation in commands {
        let asker = match &*operation.id {
            "accept_invite" => &own.invited,
            // The owner has more to do.
            "leave_organization" => &own.reader,
            _ => &own.owner,
        };
        let condition = operation.wants_version.then_some(("if-match", "*"));
        let reply = operation.ask(asker, &own.ids, condition).await;
        let is_found = match reply.status {
            // What is over, or somebody else's to decide, is there.
            200..=299 | 409 | 412 => true,
            // A key is good for one organization: to its holder there is no other to transfer to.
            422 => operation.id == "transfer_credits",
            403 => {
                let is_operators = OPERATORS.contains(&&*operation.id);
                is_operators || !reply.text.contains("/problems/forbidden")
            }
            _ => false,
        };
        if !is_found {
            refused.push(format!("{}: {} {}", operation.id, reply.status, reply.text));
        }
    }
    assert!(refused.is_empty(), "not found by their owner:\n{}", refused.join("\n"));
}

#[tokio::test]
async fn nothing_of_one_organization_is_in_anothers_sight() {
    let shared = Shared::start().await;
    let Shared { a, b, .. } = &shared;
    let operations = shared.operations().await;
    let (reads, commands): (Vec<_>, Vec<_>) =
        operations.iter().cloned().partition(Operation::reads);
    sight::repeat_their_keys(b, a).await;
    for tenant in [a, b] {
        sight::wait_for_seals(tenant).await;
    }
    let before = shared.recorded_of(a).await;
    sight::assert_seen_by_its_own(&reads, a, b).await;
    for asker in [&b.owner, &b.reader, &b.account] {
        sweep(&operations, asker, b, a).await;
        sight::read_everything(&reads, asker, b, a).await;
        sight::use_their_cursors(&reads, asker, b, a).await;
    }
    carry_out(&commands, b).await;
    assert_eq!(shared.recorded_of(a).await, before, "B has done something in A");
    sight::assert_blind(&shared).await;
    shared.dev.stop().await;
}
