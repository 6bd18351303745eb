//! Who gave what an invite brought: whoever had sent it.

use std::sync::Arc;

use event_log::{Append, NewEvent};
use event_schemas::{
    Actor, InviteId, MemberId, OrganizationEvent, OrganizationId, OrganizationRole, PersonId,
    ProjectEvent, ProjectId, ProjectRole, StreamEvent,
};
use projectors::{all, catch_up, rebuild};
use uuid::Uuid;

use crate::support::history::minute;
use crate::support::{House, metadata};

const ACME: Uuid = Uuid::from_u128(1);
const PROD: Uuid = Uuid::from_u128(2);
const OLGA: MemberId = MemberId(Uuid::from_u128(3));
const EVE: MemberId = MemberId(Uuid::from_u128(4));
const INVITE: InviteId = InviteId(Uuid::from_u128(5));

fn by<E: StreamEvent>(actor: &Actor, at: i64, stream: Uuid, event: &E) -> NewEvent {
    let stream: Arc<str> = stream.to_string().into();
    let organization = Some(OrganizationId(ACME));
    NewEvent::new(event, stream, organization, metadata(actor), minute(at)).unwrap()
}

/// Olga invites Eve, and Eve accepts with the invite's token.
async fn eve_accepts(house: &House) {
    let (ops, eve) = (Actor::operator("ops"), Actor::invite(INVITE));
    let created = OrganizationEvent::Created {
        organization_id: OrganizationId(ACME),
        name: "Acme".to_owned(),
        seat_limit: None,
    };
    let project = ProjectEvent::Created {
        project_id: ProjectId(PROD),
        organization_id: OrganizationId(ACME),
        name: "Prod".to_owned(),
        environment: None,
    };
    let sent = OrganizationEvent::InviteSent {
        invite_id: INVITE,
        person_id: PersonId(INVITE.0),
        email: "eve@example.com".to_owned(),
        role: OrganizationRole::Member,
        projects: vec![],
        expires_at: minute(1_000),
        token_hash: None,
        invited_by: Some(OLGA),
    };
    let accepted = OrganizationEvent::InviteAccepted { invite_id: INVITE, member_id: EVE };
    let added = OrganizationEvent::MemberAdded {
        member_id: EVE,
        person_id: PersonId(INVITE.0),
        login: "eve".to_owned(),
        email: None,
        role: OrganizationRole::Member,
    };
    let assigned = ProjectEvent::MemberAssigned { member_id: EVE, role: ProjectRole::Member };
    let events = vec![
        by(&ops, 1, ACME, &created),
        by(&ops, 2, PROD, &project),
        by(&Actor::member(OLGA), 3, ACME, &sent),
        by(&eve, 4, ACME, &accepted),
        by(&eve, 4, ACME, &added),
        by(&eve, 4, PROD, &assigned),
    ];
    house.log.append(Append { events, ..Append::default() }).await.unwrap();
}

async fn who_gave(house: &House, view: &str) -> Vec<String> {
    let sql = format!("select granted_by from read.{view} where member_id = $1");
    sqlx::query_scalar(&sql).bind(EVE.0).fetch_all(&house.reader).await.unwrap()
}

#[tokio::test]
async fn who_accepts_an_invite_got_it_from_whoever_sent_it() {
    let olga = Actor::member(OLGA).to_string();
    // However the events fall into pages, and built anew, it is the same.
    for page in [1, 2, 4, 100] {
        let house = House::new().await;
        eve_accepts(&house).await;
        let feed = house.feed_in_pages_of(page);
        catch_up(&house.read, &feed, &all(), house.head().await).await.unwrap();
        for view in ["members", "project_members"] {
            assert_eq!(
                who_gave(&house, view).await,
                std::slice::from_ref(&olga),
                "{view}, pages of {page}"
            );
        }
        let live = house.fingerprints().await;
        for projection in all() {
            rebuild(&house.read, &house.feed(), &projection, &mut |_| {}).await.unwrap();
        }
        assert_eq!(house.fingerprints().await, live, "pages of {page}");
    }
}
