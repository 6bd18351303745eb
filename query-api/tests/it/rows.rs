//! What a picture can show is bounded by more than the query.

use event_schemas::OrganizationId;
use query_api::access_register::{AccessRegisterQuery, access_register};
use query_api::organizations::{OrganizationRef, find};
use query_api::{Projection, QueryError, Rows, Snapshot};

use crate::support::{World, id};

const ACME: u128 = 1;
const OTHER: u128 = 2;
const READS: &[Projection] = &[Projection::AccessRegister];

async fn two_organizations() -> World {
    let world = World::new().await;
    for (organization, name) in [(ACME, "Acme"), (OTHER, "Other")] {
        world.organization(organization, "2026-01-01T00:00:00Z", name).await;
        world.member(organization, organization + 10, "2026-01-01T00:00:00Z", "someone").await;
    }
    world.project_all().await;
    world
}

async fn names(snapshot: &mut Snapshot) -> Vec<String> {
    let register = access_register(snapshot, &AccessRegisterQuery::default()).await;
    let register = register.expect("it answers");
    register.organizations.into_iter().map(|organization| organization.name).collect()
}

#[tokio::test]
async fn a_picture_of_an_organization_has_nothing_of_another_whatever_is_asked_of_it() {
    let world = two_organizations().await;
    let acme = Rows::Of(OrganizationId(id(ACME)));
    let open = async |rows| Snapshot::open(&world.pool, rows, READS, 0).await.expect("a picture");
    // This query names no organization at all.
    assert_eq!(names(&mut open(acme).await).await, ["Acme"]);
    assert_eq!(names(&mut open(Rows::All).await).await, ["Acme", "Other"]);
    let mut snapshot = open(acme).await;
    for other in
        [OrganizationRef::Id(OrganizationId(id(OTHER))), OrganizationRef::Name("Other".to_owned())]
    {
        let found = find(&mut snapshot, &other).await;
        assert!(matches!(found, Err(QueryError::NotFound("organization"))), "{other:?}");
    }
}

#[tokio::test]
async fn what_one_picture_may_show_the_next_one_on_its_connection_may_not() {
    let world = two_organizations().await;
    // More than the pool has connections, so that each is used by both kinds.
    for _ in 0..10 {
        drop(Snapshot::open(&world.pool, Rows::All, READS, 0).await.expect("a picture"));
        let seen: i64 = sqlx::query_scalar("select count(*) from read.organizations")
            .fetch_one(&world.pool)
            .await
            .expect("a count");
        assert_eq!(seen, 0);
    }
}
