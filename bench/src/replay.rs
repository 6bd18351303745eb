//! How fast history is folded again from the first event, and what a register of an earlier date costs
//! beside the current one.

use std::time::Instant;

use chrono::{DateTime, Utc};
use command_api::members::{
    AddMember, AddMemberRequest, ChangeMemberRole, ChangeMemberRoleRequest,
};
use embedded::testing::test_database;
use event_log::database::{self, Role};
use event_schemas::{MemberId, OrganizationRole};
use projectors::replay::Replay;
use projectors::{Feed, PostgresFeed};
use query_api::access_register::{AccessRegisterQuery, access_register};
use query_api::{OrganizationRef, Projection, Rows, Snapshot, Temporal};

use crate::figure::{Figures, median};
use crate::rebuild;
use crate::world::World;

/// How often each is done; the median counts.
const ROUNDS: usize = 5;

/// Members of the organization whose register is read.
const MEMBERS: usize = 10_000;

/// Folds a history of access in a scratch space: who may do what, from zero.
pub(crate) async fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    rebuild::history(&world).await?;
    let options = database.connect_options();
    let head = world.executor.log().head().await?;
    for (figure, names, aim) in
        [("replay_control", &["access_register"][..], "≥ 50,000"), ("replay_all", &[][..], "")]
    {
        let mut projections = projectors::all();
        projections.retain(|one| names.is_empty() || names.contains(&one.name));
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let vault = world.executor.log().vault().clone();
            let started = Instant::now();
            let mut replay = Replay::begin(&options, vault, &projections).await?;
            replay.advance(head, &mut |_| {}).await?;
            #[allow(clippy::cast_precision_loss)] // Far below 2^53.
            rates.push(head as f64 / started.elapsed().as_secs_f64());
        }
        figures.alone(figure, median(rates), "events/s", aim);
    }
    Ok(())
}

/// Reads the register of many members, each of whom has had several roles: now, and as of a time in the
/// middle of that.
pub(crate) async fn as_of(figures: &mut Figures) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let middle = roles(&world).await?;
    let options = database.connect_options();
    let read = database::pool(&options, Role::Projector, 8).await?;
    let log = database::pool(&options, Role::Projector, 8).await?;
    let feed = Feed::Postgres(PostgresFeed::of(log, world.executor.log().vault().clone()));
    let register = projectors::named("access_register")?;
    let head = world.executor.log().head().await?;
    projectors::catch_up(&read, &feed, std::slice::from_ref(&register), head).await?;
    sqlx::query("vacuum analyze").execute(&database.pool().await).await?;
    let pool = database::pool(&options, Role::Reader, 2).await?;
    let (mut now, mut then) = (Vec::new(), Vec::new());
    // One that does not count, for what is read for the first time.
    read_once(&world, &pool, None).await?;
    for _ in 0..ROUNDS {
        now.push(read_once(&world, &pool, None).await?);
        then.push(read_once(&world, &pool, Some(middle)).await?);
    }
    let (now, then) = (median(now), median(then));
    figures.compared("register_as_of", then, "ms", now, "≤ 1.3 of the current one");
    Ok(())
}

/// Many join, and change their role twice; answers a time between the two.
async fn roles(world: &World) -> anyhow::Result<DateTime<Utc>> {
    let organization_id = world.organization_id;
    let members: Vec<AddMember> = (0..MEMBERS)
        .map(|number| AddMember {
            organization_id,
            request: AddMemberRequest {
                login: format!("member-{number}"),
                email: None,
                role: Some(OrganizationRole::Member),
            },
        })
        .collect();
    let members: Vec<MemberId> =
        world.all(&members).await?.iter().map(|member| member.member_id).collect();
    let change = |role| -> Vec<ChangeMemberRole> {
        let request = || ChangeMemberRoleRequest { role };
        members
            .iter()
            .map(|member_id| ChangeMemberRole {
                organization_id,
                member_id: *member_id,
                request: request(),
            })
            .collect()
    };
    world.all(&change(OrganizationRole::Reader)).await?;
    let middle = event_log::clock::now();
    world.all(&change(OrganizationRole::Auditor)).await?;
    Ok(middle)
}

/// How long one register takes, in milliseconds.
async fn read_once(
    world: &World,
    pool: &sqlx::PgPool,
    as_of: Option<DateTime<Utc>>,
) -> anyhow::Result<f64> {
    let started = Instant::now();
    let rows = Rows::Of(world.organization_id);
    let mut snapshot = Snapshot::open(pool, rows, &[Projection::AccessRegister], 0).await?;
    let query = AccessRegisterQuery {
        organization: Some(OrganizationRef::Id(world.organization_id)),
        temporal: Temporal { as_of, at_position: None },
    };
    let register = access_register(&mut snapshot, &query).await?;
    let people = register.organizations.first().map_or(0, |one| one.people.len());
    anyhow::ensure!(people == MEMBERS, "{people} people");
    Ok(started.elapsed().as_secs_f64() * 1_000.0)
}
