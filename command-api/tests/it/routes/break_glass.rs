//! `/v1/organizations/{organization_id}/break-glass`: what an access leaves behind.

use axum::http::Method;
use command_api::CommandContext;
use command_api::break_glass::{EndBreakGlass, ReviewBreakGlass, ReviewBreakGlassRequest};
use embedded::testing::unique_name;
use event_schemas::Actor;
use serde_json::{Value, json};

use crate::support::{App, Client, by_operator};

/// An organization with an owner, and the operator let in.
struct Opened {
    app: App,
    organization: String,
    path: String,
    olga: (String, Client),
    operator: Client,
}

impl Opened {
    async fn new() -> Self {
        let app = App::new().await;
        let (organization, olga) = app.founded("olga").await;
        app.let_operator_in(&organization).await;
        let operator = app.operator();
        let path = format!("/v1/organizations/{organization}");
        Self { app, organization, path, olga, operator }
    }

    async fn access(&self) -> String {
        sqlx::query_scalar(
            "select payload ->> 'break_glass_id' from log.events
             where event_type = 'break_glass.requested' order by position desc limit 1",
        )
        .fetch_one(self.app.pool())
        .await
        .expect("one")
    }

    async fn end(&self) {
        let break_glass_id = self.access().await.parse().expect("an id");
        let organization_id = self.organization.parse().expect("an id");
        let end = EndBreakGlass { organization_id, break_glass_id };
        self.app.executor().execute(&by_operator(None), &end).await.expect("it ends");
    }

    async fn review(&self, by: &Client) -> crate::support::Reply {
        let path = format!("{}/break-glass/{}/review", self.path, self.access().await);
        by.post(&path, json!({"note": "in order"})).await
    }

    async fn key(&self, by: &Client, member: &str) -> Client {
        let body = json!({"member_id": member, "name": "a-key"});
        let key = by.post(&format!("{}/api-keys", self.path), body).await.ok();
        self.app.first().presenting(&key)
    }

    /// Whether the one who asks may act.
    async fn acts(&self, who: &Client) -> bool {
        let path = format!("{}/members", self.path);
        let body = json!({"login": unique_name(), "role": "member"});
        let reply = who.post(&path, body).await;
        assert!([201, 401].contains(&reply.status.as_u16()), "{reply:?}");
        reply.status == 201
    }
}

#[tokio::test]
async fn a_key_that_it_made_or_rotated_rests_until_the_review() {
    let opened = Opened::new().await;
    let Opened { app, path, olga, operator, .. } = &opened;
    let made = opened.key(operator, &olga.0).await;
    let with_made = opened.key(&made, &olga.0).await;
    let own = json!({"member_id": olga.0, "name": "k"});
    let own = olga.1.post(&format!("{path}/api-keys"), own).await.ok();
    let key = own["api_key_id"].as_str().expect("an id").to_owned();
    let rotated = operator.post(&format!("{path}/api-keys/{key}/rotate"), json!({})).await.ok();
    let rotated = app.first().presenting(&rotated);
    for key in [&made, &with_made, &rotated] {
        assert!(opened.acts(key).await);
    }
    opened.end().await;
    for key in [&made, &with_made, &rotated] {
        assert!(!opened.acts(key).await);
        let refused = opened.review(key).await.refused(401, "unauthorized");
        let detail = refused["detail"].as_str().expect("text");
        assert!(detail.starts_with("This credential rests"), "{detail}");
    }
    opened.review(operator).await.refused(403, "second-person-needed");
    assert!(opened.acts(&olga.1).await);
    opened.review(&olga.1).await.ok();
    for key in [&made, &with_made, &rotated] {
        assert!(opened.acts(key).await);
    }
}

#[tokio::test]
async fn whom_it_took_in_or_raised_rests_until_the_review() {
    let opened = Opened::new().await;
    let Opened { app, organization, path, olga, operator } = &opened;
    let (bob, bobs) = app.joined(organization, "bob", "reader").await;
    operator.put(&format!("{path}/members/{bob}/role"), json!({"role": "owner"})).await.ok();
    let puppet = json!({"login": "puppet", "role": "owner"});
    let puppet = operator.post(&format!("{path}/members"), puppet).await.id("member_id");
    let puppets = opened.key(operator, &puppet).await;
    let invites = format!("{path}/invites");
    let invite = |email: &str| json!({"email": email, "role": "owner"});
    let early = operator.post(&invites, invite("early@example.com")).await.ok();
    let late = puppets.post(&invites, invite("late@example.com")).await.ok();
    let accepted = app.accept(organization, &early, "early").await.ok();
    let early = app.first().presenting(&accepted);
    for who in [&bobs, &puppets, &early] {
        assert!(opened.acts(who).await);
    }
    opened.end().await;
    let accepted = app.accept(organization, &late, "late").await.ok();
    let late = app.first().presenting(&accepted);
    for who in [&bobs, &puppets, &early, &late] {
        assert!(!opened.acts(who).await);
        opened.review(who).await.refused(401, "unauthorized");
    }
    opened.review(&olga.1).await.ok();
    for who in [&bobs, &puppets, &early, &late] {
        assert!(opened.acts(who).await);
    }
}

#[tokio::test]
async fn what_no_emergency_needs_is_refused_under_it() {
    let opened = Opened::new().await;
    let Opened { app, organization, path, olga, operator } = &opened;
    let project = app.project(organization, "alpha").await;
    let made = opened.key(operator, &olga.0).await;
    let place = format!("{path}/projects/{project}/members/{}", olga.0);
    for who in [operator, &made] {
        let refuse = async |method: Method, path: &str, body: Value, permission: &str| {
            let asking = who.ask(method, path).key(&unique_name()).if_match("*");
            let refused = asking.json(&body).await.refused(403, "not-for-emergencies");
            assert_eq!(refused["permission"], permission);
        };
        let security = format!("{path}/security");
        refuse(Method::PUT, &security, json!({"approvals": []}), "security.update").await;
        let archive = format!("{path}/archive");
        refuse(Method::POST, &archive, json!({}), "organization.archive").await;
        let group = json!({"name": "g"});
        refuse(Method::POST, &format!("{path}/groups"), group, "groups.update").await;
        let role = json!({"name": "r", "permissions": ["usage.read"]});
        refuse(Method::POST, &format!("{path}/roles"), role, "roles.update").await;
        let owner = json!({"role": "owner"});
        refuse(Method::PUT, &place, owner, "project_members.update").await;
        let review =
            json!({"title": "x", "scope": {"kind": "members"}, "due_at": "2999-01-01T00:00:00Z"});
        let reviews = format!("{path}/access-reviews");
        refuse(Method::POST, &reviews, review, "access_reviews.update").await;
    }
    // A second access is not let in by what the first has made.
    let again = json!({"reason": "once more", "minutes": 5});
    let again = operator.post(&format!("{path}/break-glass"), again).await.id("break_glass_id");
    let approve = format!("{path}/break-glass/{again}/approve");
    made.post(&approve, json!({})).await.refused(403, "not-for-emergencies");
    olga.1.post(&approve, json!({})).await.ok();
}

#[tokio::test]
async fn where_nobody_of_the_organization_can_another_operator_reviews() {
    let opened = Opened::new().await;
    let made = opened.key(&opened.operator, &opened.olga.0).await;
    opened.end().await;
    assert!(!opened.acts(&made).await);
    let mut context: CommandContext = by_operator(None);
    let review = ReviewBreakGlass {
        organization_id: opened.organization.parse().expect("an id"),
        break_glass_id: opened.access().await.parse().expect("an id"),
        request: ReviewBreakGlassRequest { note: "a lost key was replaced".to_owned() },
    };
    assert!(opened.app.executor().execute(&context, &review).await.is_err(), "it is their own");
    context.metadata.actor = Actor::operator("night shift");
    opened.app.executor().execute(&context, &review).await.expect("another may");
    assert!(opened.acts(&made).await);
}

#[tokio::test]
async fn an_invite_that_it_sent_is_not_open_after_the_review() {
    let opened = Opened::new().await;
    let Opened { app, organization, path, olga, operator } = &opened;
    let invites = format!("{path}/invites");
    let owner = json!({"email": "late@example.com", "role": "owner"});
    let sent = operator.post(&invites, owner).await.ok();
    let admin = json!({"email": "eve@example.com", "role": "admin"});
    let eves = olga.1.post(&invites, admin).await.ok();
    let resend = format!("{invites}/{}/resend", eves["invite_id"].as_str().expect("an id"));
    let resent = operator.post(&resend, json!({})).await.ok();
    opened.end().await;
    opened.review(&olga.1).await.ok();
    for invite in [&sent, &resent] {
        app.accept(organization, invite, "late").await.refused(401, "unauthorized");
    }
    assert_eq!(app.count("invite.revoked").await, 2);
}

#[tokio::test]
async fn who_gets_the_role_that_they_have_was_not_taken_in() {
    let opened = Opened::new().await;
    let role = format!("{}/members/{}/role", opened.path, opened.olga.0);
    opened.operator.put(&role, json!({"role": "owner"})).await.ok();
    opened.end().await;
    assert!(opened.acts(&opened.olga.1).await);
    opened.review(&opened.olga.1).await.ok();
}
