//! Commands a second, and how long one takes: orgledger's whole command path against stock cqrs-es
//! on postgres-es doing the same command on the same streams.
//!
//! The command renames an API key. orgledger's side authorises against the organization, stores an
//! idempotency key and orders the log; stock does none of that and gets its evidence for free. Every
//! turn takes another stream, and no stream is renamed more than a few times, so that stock never
//! replays a long one. orgledger's cache is warm, as it is in a process that has run for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use command_api::api_keys::{CreateApiKey, CreateApiKeyRequest, RenameApiKey, RenameApiKeyRequest};
use command_api::members::{AddMember, AddMemberRequest};
use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use domain::Root;
use domain::api_key::{ApiKey, ApiKeyCommand};
use embedded::testing::TestDatabase;
use event_schemas::{ApiKeyId, OrganizationRole, OrganizationSettings};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::callers::{Measured, work};
use crate::figure::{Figures, median, percentile};
use crate::world::{World, context};

/// How many keys there are to rename.
const KEYS: usize = 40_000;

/// Connections that stock may hold: as many as it could use on two cores, and more.
const STOCK_CONNECTIONS_MAX: u32 = 32;

type Stock =
    CqrsFramework<Root<ApiKey>, PersistedEventStore<PostgresEventRepository, Root<ApiKey>>>;

/// One side: what it came to in each round.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
}

impl Side {
    fn add(&mut self, mut measured: Measured) {
        self.rates.push(measured.rate);
        self.p50_ms.push(percentile(&mut measured.latencies_ms, 0.5));
        self.p99_ms.push(percentile(&mut measured.latencies_ms, 0.99));
    }
}

/// Measures with 1, 32 and 256 callers.
pub(crate) async fn measure(
    database: &TestDatabase,
    figures: &mut Figures,
    seconds: f64,
    rounds: usize,
) -> anyhow::Result<()> {
    let world = World::on(database).await?;
    let keys: Arc<[ApiKeyId]> = keys(&world).await?.into();
    let pool = PgPoolOptions::new()
        .max_connections(STOCK_CONNECTIONS_MAX)
        .connect_with(database.connect_options())
        .await?;
    prepare_stock(&pool).await?;
    let stock = Arc::new(stock(&pool));
    let turns = Turns::default();
    for (callers, aim) in [(1, ""), (32, "ratio ≥ 5"), (256, "ratio ≥ 8")] {
        let (mut ours, mut theirs) = (Side::default(), Side::default());
        for _ in 0..rounds {
            ours.add(rename_with_orgledger(&world, &keys, &turns, callers, seconds).await?);
            theirs.add(rename_with_stock(&stock, &keys, &turns, callers, seconds).await?);
        }
        let plural = if callers == 1 { "" } else { "s" };
        let name = |what: &str| format!("{what}_{callers}_caller{plural}");
        figures.compared(&name("commands"), median(ours.rates), "/s", median(theirs.rates), aim);
        let aim = if callers == 1 { "ratio ≤ 1.3" } else { "" };
        let (p50, stock_p50) = (median(ours.p50_ms), median(theirs.p50_ms));
        figures.compared(&name("command_p50"), p50, "ms", stock_p50, aim);
        let (p99, stock_p99) = (median(ours.p99_ms), median(theirs.p99_ms));
        figures.compared(&name("command_p99"), p99, "ms", stock_p99, "");
    }
    Ok(())
}

/// Hands out streams so that each turn of either side takes another one.
#[derive(Clone, Default)]
struct Turns {
    ours: Arc<AtomicUsize>,
    stock: Arc<AtomicUsize>,
}

async fn rename_with_orgledger(
    world: &World,
    keys: &Arc<[ApiKeyId]>,
    turns: &Turns,
    callers: usize,
    seconds: f64,
) -> anyhow::Result<Measured> {
    let (world, keys, turns) = (world.clone(), Arc::clone(keys), Arc::clone(&turns.ours));
    work(callers, seconds, move |_, _| {
        let (world, keys) = (world.clone(), Arc::clone(&keys));
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        async move {
            let command = RenameApiKey {
                organization_id: world.organization_id,
                api_key_id: keys[turn % keys.len()],
                request: RenameApiKeyRequest { name: format!("renamed-{turn}") },
            };
            world.executor.execute(&context(Some(format!("turn-{turn}"))), &command).await?;
            Ok(true)
        }
    })
    .await
}

async fn rename_with_stock(
    stock: &Arc<Stock>,
    keys: &Arc<[ApiKeyId]>,
    turns: &Turns,
    callers: usize,
    seconds: f64,
) -> anyhow::Result<Measured> {
    let (stock, keys, turns) = (Arc::clone(stock), Arc::clone(keys), Arc::clone(&turns.stock));
    work(callers, seconds, move |_, _| {
        let (stock, keys) = (Arc::clone(&stock), Arc::clone(&keys));
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        async move {
            let id = keys[turn % keys.len()].to_string();
            let rename = ApiKeyCommand::Rename {
                rules: OrganizationSettings::default(),
                name: format!("renamed-{turn}"),
            };
            stock.execute(&id, rename).await?;
            Ok(true)
        }
    })
    .await
}

/// Creates the keys, of one member.
async fn keys(world: &World) -> anyhow::Result<Vec<ApiKeyId>> {
    let organization_id = world.organization_id;
    let request = AddMemberRequest {
        login: "benchmark".to_owned(),
        email: None,
        role: Some(OrganizationRole::Member),
    };
    let member = world.all(&[AddMember { organization_id, request }]).await?;
    let member_id = member.first().map(|added| added.member_id);
    let creates: Vec<CreateApiKey> = (0..KEYS)
        .map(|number| CreateApiKey {
            organization_id,
            request: CreateApiKeyRequest {
                project_id: Some(world.project_id),
                member_id,
                name: format!("key-{number}"),
                ..CreateApiKeyRequest::default()
            },
        })
        .collect();
    Ok(world.all(&creates).await?.into_iter().map(|created| created.api_key_id).collect())
}

/// The table that postgres-es is documented with, with the same keys in it.
async fn prepare_stock(pool: &PgPool) -> anyhow::Result<()> {
    for statement in [
        "create table events (
             aggregate_type text not null, aggregate_id text not null,
             sequence bigint check (sequence >= 0) not null, event_type text not null,
             event_version text not null, payload json not null, metadata json not null,
             timestamp timestamptz default current_timestamp,
             primary key (aggregate_type, aggregate_id, sequence))",
        "insert into events
         select aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata
         from log.events where aggregate_type = 'api_key'",
        "vacuum (analyze) events",
        "vacuum (analyze) log.events",
        "checkpoint",
    ] {
        sqlx::query(statement).execute(pool).await?;
    }
    Ok(())
}

fn stock(pool: &PgPool) -> Stock {
    let repository = PostgresEventRepository::new(pool.clone());
    CqrsFramework::new(PersistedEventStore::new_event_store(repository), vec![], ())
}
