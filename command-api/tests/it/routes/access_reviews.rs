//! `/v1/organizations/{organization_id}/access-reviews`

use serde_json::{Value, json};

use crate::support::{App, Client};

const DUE: &str = "2999-01-01T00:00:00Z";

/// An organization with somebody in each role, and what they hold.
struct House {
    app: App,
    organization: String,
    /// An owner, two admins and a member, each with who presents their key.
    boss: (String, Client),
    ada: (String, Client),
    bea: (String, Client),
    cyd: (String, Client),
    project: String,
}

impl House {
    async fn new() -> Self {
        let app = App::new().await;
        let (organization, boss) = app.founded("boss").await;
        let ada = app.joined(&organization, "ada", "admin").await;
        let bea = app.joined(&organization, "bea", "admin").await;
        let cyd = app.joined(&organization, "cyd", "member").await;
        let project = app.project(&organization, "chat").await;
        Self { app, organization, boss, ada, bea, cyd, project }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.organization)
    }

    async fn open(&self, scope: Value) -> Review<'_> {
        let body = json!({"title": "First quarter", "scope": scope, "due_at": DUE});
        let opened = self.ada.1.post(&self.path("/access-reviews"), body).await;
        let id = opened.id("access_review_id");
        let lines = self.app.review_lines(&id).await;
        Review { house: self, path: self.path(&format!("/access-reviews/{id}")), lines }
    }
}

/// A review that is open, as the log has it.
struct Review<'a> {
    house: &'a House,
    path: String,
    lines: Vec<(String, Value)>,
}

impl Review<'_> {
    /// The line of which all of this is so.
    fn line(&self, of: &Value) -> &str {
        let of = of.as_object().expect("an object");
        let is_it = |held: &Value| of.iter().all(|(name, value)| held[name] == *value);
        let line = self.lines.iter().find(|(_, held)| is_it(held));
        &line.unwrap_or_else(|| panic!("{of:?} of {:?}", self.lines)).0
    }

    fn member(&self, member: &str) -> &str {
        self.line(&json!({"kind": "member_role", "member_id": member}))
    }

    async fn attest(&self, by: &Client, line: &str, body: Value) -> crate::support::Reply {
        by.post(&format!("{}/lines/{line}/attest", self.path), body).await
    }

    /// Keeps all lines, each attested by somebody else than whose it is.
    async fn keep_all(&self) {
        let House { ada, bea, .. } = self.house;
        let of = |member: &str| {
            let lines = self
                .lines
                .iter()
                .filter(|(_, held)| (held.to_string().contains(&ada.0)) == (member == ada.0));
            let said = lines.map(|(line, _)| json!({"line_id": line, "decision": "keep"}));
            json!({"attestations": said.collect::<Vec<_>>()})
        };
        bea.1.post(&format!("{}/attest", self.path), of(&ada.0)).await.ok();
        ada.1.post(&format!("{}/attest", self.path), of(&bea.0)).await.ok();
    }

    async fn close(&self, by: &Client) -> crate::support::Reply {
        by.post(&format!("{}/close", self.path), json!({})).await
    }
}

#[tokio::test]
async fn a_review_is_opened_attested_and_closed_and_what_was_to_end_has_ended() {
    let house = House::new().await;
    let House { app, ada, bea, cyd, project, .. } = &house;
    let operator = app.admin();
    // Of each kind something that will be revoked.
    let in_project = house.path(&format!("/projects/{project}/members/{}", cyd.0));
    operator.put(&in_project, json!({"role": "member"})).await.ok();
    let group = operator.post(&house.path("/groups"), json!({"name": "support"})).await;
    let group = group.id("group_id");
    operator.put(&house.path(&format!("/groups/{group}/members/{}", bea.0)), json!({})).await.ok();
    let role = json!({"name": "readers", "permissions": ["usage.read"]});
    let role = operator.post(&house.path("/roles"), role).await.id("role_id");
    let grant = json!({"group_id": group});
    operator.post(&house.path(&format!("/roles/{role}/grants")), grant).await.ok();
    let key = app.api_key(&house.organization, project, ("member_id", &bea.0)).await;
    let (leaver, _) = app.joined(&house.organization, "dan", "reader").await;

    let review = house.open(json!({"kind": "organization"})).await;
    review.keep_all().await;
    let because = json!({"decision": "revoke", "reason": "not needed any more"});
    let ends = [
        review.member(&leaver),
        review.line(&json!({"kind": "project_role", "project_id": project})),
        review.line(&json!({"kind": "group_membership", "member_id": bea.0})),
        review.line(&json!({"kind": "role_grant", "role_id": role})),
        review.line(&json!({"kind": "api_key", "api_key_id": key["api_key_id"]})),
    ];
    for line in ends {
        review.attest(&ada.1, line, because.clone()).await.ok();
    }
    let before = app.head().await;
    let closed = review.close(&ada.1).await.ok();
    assert_eq!((closed["revoked"].as_i64(), closed["already_ended"].as_i64()), (Some(5), Some(0)));
    for event in [
        "access_review.closed",
        "member.removed",
        "project_member.removed",
        "group_member.removed",
        "role.withdrawn",
        "api_key.revoked",
    ] {
        assert_eq!(app.count(event).await, 1, "{event}");
    }
    assert_eq!(app.head().await, before + 6, "all in one append");
    let reasons: Vec<String> = sqlx::query_scalar(
        "select payload ->> 'reason' from log.events
         where event_type in ('member.removed', 'api_key.revoked')",
    )
    .fetch_all(app.pool())
    .await
    .expect("the log answers");
    assert_eq!(reasons, ["not needed any more"; 2]);
    // Again changes nothing; and it is over.
    review.close(&ada.1).await.ok();
    let late = review.attest(&ada.1, ends[0], json!({"decision": "keep"})).await;
    late.refused(409, "access-review-closed");
}

#[tokio::test]
async fn a_closed_review_is_one_in_which_every_line_was_dealt_with() {
    let house = House::new().await;
    let House { app, ada, bea, boss, cyd, .. } = &house;
    let review = house.open(json!({"kind": "members"})).await;
    let refused = review.close(&ada.1).await.refused(409, "lines-unattested");
    assert_eq!(refused["lines"], 4);
    for member in [boss, bea] {
        let keep = json!({"decision": "keep"});
        review.attest(&ada.1, review.member(&member.0), keep).await.ok();
    }
    let unattested = json!({"revoke_unattested": true});
    let close = format!("{}/close", review.path);
    // Ada's own line is left: she does not end it by leaving it out, and Bea may.
    ada.1.post(&close, unattested.clone()).await.refused(403, "own-access");
    let keep = json!({"decision": "keep"});
    review.attest(&bea.1, review.member(&ada.0), keep).await.ok();
    let closed = ada.1.post(&close, unattested).await.ok();
    assert_eq!(closed["revoked"], 1);
    let removed: String = sqlx::query_scalar(
        "select payload ->> 'member_id' from log.events where event_type = 'member.removed'",
    )
    .fetch_one(app.pool())
    .await
    .expect("one");
    assert_eq!(removed, cyd.0);
}

#[tokio::test]
async fn nobody_speaks_about_themselves_or_reaches_above_themselves() {
    let house = House::new().await;
    let House { ada, boss, .. } = &house;
    let review = house.open(json!({"kind": "admins"})).await;
    assert_eq!(review.lines.len(), 3);
    let keep = json!({"decision": "keep"});
    let own = review.attest(&ada.1, review.member(&ada.0), keep.clone()).await;
    own.refused(403, "own-access");
    let line = review.member(&boss.0);
    let revoke = json!({"decision": "revoke", "reason": "x"});
    let above = review.attest(&ada.1, line, revoke).await.refused(403, "member-above-own");
    assert_eq!(above["line_id"], line);
    review.attest(&ada.1, line, keep).await.ok();
    let no_reason = review.attest(&ada.1, line, json!({"decision": "revoke"})).await;
    no_reason.refused_field(422, "invalid-value", "reason");
}

#[tokio::test]
async fn who_has_risen_since_is_not_removed_by_somebody_below() {
    let house = House::new().await;
    let House { app, ada, cyd, .. } = &house;
    let review = house.open(json!({"kind": "members"})).await;
    review.keep_all().await;
    let line = review.member(&cyd.0);
    let revoke = json!({"decision": "revoke", "reason": "left us"});
    review.attest(&ada.1, line, revoke).await.ok();
    let role = house.path(&format!("/members/{}/role", cyd.0));
    app.admin().put(&role, json!({"role": "owner"})).await.ok();
    let refused = review.close(&ada.1).await.refused(403, "member-above-own");
    assert_eq!(refused["line_id"], line);
    assert_eq!(app.count("access_review.closed").await, 0);
    house.boss.1.post(&format!("{}/close", review.path), json!({})).await.ok();
    assert_eq!(app.count("member.removed").await, 1);
}

#[tokio::test]
async fn the_last_owner_stays_and_the_refusal_says_which_line() {
    let house = House::new().await;
    let House { app, ada, bea, boss, cyd, .. } = &house;
    // Cyd is an owner, too, and each speaks about the other.
    let role = house.path(&format!("/members/{}/role", cyd.0));
    app.admin().put(&role, json!({"role": "owner"})).await.ok();
    let review = house.open(json!({"kind": "admins"})).await;
    for (by, of) in [(boss, cyd), (cyd, boss)] {
        let revoke = json!({"decision": "revoke", "reason": "left us"});
        review.attest(&by.1, review.member(&of.0), revoke).await.ok();
    }
    for (by, of) in [(ada, bea), (bea, ada)] {
        let keep = json!({"decision": "keep"});
        review.attest(&by.1, review.member(&of.0), keep).await.ok();
    }
    let refused = review.close(&boss.1).await.refused(409, "last-owner");
    // One's own line ends last.
    assert_eq!(refused["line_id"], review.member(&boss.0));
    assert_eq!(app.count("member.removed").await, 0, "nothing of it has happened");
    let keep = json!({"decision": "keep"});
    review.attest(&cyd.1, review.member(&boss.0), keep).await.ok();
    review.close(&boss.1).await.ok();
    assert_eq!(app.count("member.removed").await, 1);
}

#[tokio::test]
async fn what_ended_meanwhile_is_skipped() {
    let house = House::new().await;
    let House { app, ada, cyd, .. } = &house;
    let review = house.open(json!({"kind": "organization"})).await;
    review.keep_all().await;
    let revoke = json!({"decision": "revoke", "reason": "left us"});
    review.attest(&ada.1, review.member(&cyd.0), revoke.clone()).await.ok();
    let key = json!({"kind": "api_key", "owner": {"kind": "member", "member_id": cyd.0}});
    review.attest(&ada.1, review.line(&key), revoke).await.ok();
    app.admin().delete(&house.path(&format!("/members/{}", cyd.0))).await.ok();
    let closed = review.close(&ada.1).await.ok();
    assert_eq!((closed["revoked"].as_i64(), closed["already_ended"].as_i64()), (Some(0), Some(2)));
    assert_eq!(app.count("member.removed").await, 1);
}

#[tokio::test]
async fn who_closes_a_review_can_end_themselves_by_it() {
    let house = House::new().await;
    let House { app, ada, bea, .. } = &house;
    let review = house.open(json!({"kind": "organization"})).await;
    review.keep_all().await;
    let revoke = json!({"decision": "revoke", "reason": "moves on"});
    review.attest(&bea.1, review.member(&ada.0), revoke.clone()).await.ok();
    let key = json!({"kind": "api_key", "owner": {"kind": "member", "member_id": ada.0}});
    review.attest(&bea.1, review.line(&key), revoke.clone()).await.ok();
    review.attest(&ada.1, review.member(&house.cyd.0), revoke).await.ok();
    assert_eq!(review.close(&ada.1).await.ok()["revoked"], 3);
    assert_eq!(app.count("member.removed").await, 2);
    let after = ada.1.post(&house.path("/groups"), json!({"name": "x"})).await;
    assert_eq!(after.status, 401);
}

#[tokio::test]
async fn a_cancelled_review_has_ended_nothing() {
    let house = House::new().await;
    let review = house.open(json!({"kind": "members"})).await;
    let line = review.member(&house.cyd.0);
    let revoke = json!({"decision": "revoke", "reason": "left us"});
    review.attest(&house.ada.1, line, revoke).await.ok();
    let cancel = format!("{}/cancel", review.path);
    house.ada.1.post(&cancel, json!({"reason": "opened twice"})).await.ok();
    assert_eq!(house.app.count("member.removed").await, 0);
    review.close(&house.ada.1).await.refused(409, "access-review-closed");
}

#[tokio::test]
async fn scopes_and_bounds() {
    let house = House::new().await;
    let House { app, ada, cyd, project, .. } = &house;
    let reviews = house.path("/access-reviews");
    let open = async |scope: Value, due: &str| {
        let body = json!({"title": "x", "scope": scope, "due_at": due});
        ada.1.post(&reviews, body).await
    };
    let of_project = json!({"kind": "project", "project_id": project});
    open(of_project.clone(), DUE).await.refused_field(422, "invalid-value", "scope");
    app.api_key(&house.organization, project, ("member_id", &cyd.0)).await;
    let lines = async |scope: Value| house.open(scope).await.lines.len();
    assert_eq!(lines(of_project).await, 1);
    assert_eq!(lines(json!({"kind": "members"})).await, 4);
    assert_eq!(lines(json!({"kind": "api_keys"})).await, 5, "each has a first key");
    let past = "2026-01-01T00:00:00Z";
    let members = json!({"kind": "members"});
    open(members.clone(), past).await.refused_field(422, "invalid-value", "due_at");
    let nothing = json!({"kind": "project", "project_id": cyd.0});
    open(nothing, DUE).await.refused(404, "not-found");
    for _ in 3..20 {
        open(members.clone(), DUE).await.id("access_review_id");
    }
    let refused = open(members, DUE).await.refused(409, "too-many");
    assert_eq!(refused["max"], 20);
}

/// Whoever sent the invite could have accepted it, and speak about themselves.
#[tokio::test]
async fn nobody_attests_the_access_of_who_let_them_in() {
    let house = House::new().await;
    let House { app, ada, bea, .. } = &house;
    let invite = json!({"email": "puppet@example.com", "role": "admin"});
    let invite = ada.1.post(&house.path("/invites"), invite).await.ok();
    let puppet = app.accept(&house.organization, &invite, "puppet").await.ok();
    let puppet = app.first().presenting(&puppet);
    let review = house.open(json!({"kind": "admins"})).await;
    let keep = json!({"decision": "keep"});
    let line = review.member(&ada.0);
    review.attest(&puppet, line, keep.clone()).await.refused(403, "own-access");
    review.attest(&puppet, review.member(&bea.0), keep.clone()).await.ok();
    review.attest(&bea.1, line, keep).await.ok();
}

/// Else who holds access says by another's key that it stays.
#[tokio::test]
async fn nobody_attests_with_a_key_that_another_can_know() {
    let house = House::new().await;
    let House { app, ada, bea, .. } = &house;
    let key = json!({"member_id": bea.0, "name": "made-by-ada"});
    let key = ada.1.post(&house.path("/api-keys"), key).await.ok();
    let with_it = app.first().presenting(&key);
    let review = house.open(json!({"kind": "admins"})).await;
    let keep = json!({"decision": "keep"});
    let line = review.member(&ada.0);
    let refused = review.attest(&with_it, line, keep.clone()).await;
    refused.refused(403, "second-person-needed");
    review.attest(&bea.1, line, keep).await.ok();
}
