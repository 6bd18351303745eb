//! `/v1/organizations/{organization_id}/groups`, and groups of projects

use serde_json::{Value, json};

use crate::support::{App, Client};

/// An organization of Olga, an owner, with her client.
pub(super) struct Acme {
    pub(super) app: App,
    pub(super) path: String,
    pub(super) organization: String,
    pub(super) olga: Client,
}

impl Acme {
    pub(super) async fn new() -> Self {
        let app = App::new().await;
        let (organization, (_, olga)) = app.founded("olga").await;
        Self { path: format!("/v1/organizations/{organization}"), organization, olga, app }
    }

    /// A new member, and who presents their admin key, which opens only so much where scopes are
    /// given.
    pub(super) async fn member(
        &self,
        login: &str,
        role: &str,
        scopes: Option<&[&str]>,
    ) -> (String, Client) {
        let member = self.app.member(&self.organization, login, role).await;
        let mut body = json!({"member_id": member, "name": login});
        if let Some(scopes) = scopes {
            body["scopes"] = json!(scopes);
        }
        let keys = format!("{}/api-keys", self.path);
        let key = self.app.admin().post(&keys, body).await.ok();
        (member, self.app.first().presenting(&key))
    }

    /// A key that Olga has made for a member: its id, and who presents it.
    pub(super) async fn key_of(&self, member: &str) -> (String, Client) {
        let body = json!({"member_id": member, "name": "made-for-them"});
        let key = self.olga.post(&format!("{}/api-keys", self.path), body).await.ok();
        let id = key["api_key_id"].as_str().expect("an id").to_owned();
        (id, self.app.first().presenting(&key))
    }

    pub(super) async fn group(&self, body: Value) -> String {
        self.olga.post(&format!("{}/groups", self.path), body).await.id("group_id")
    }
}

#[tokio::test]
async fn a_group_is_made_changed_filled_emptied_and_removed() {
    let acme = Acme::new().await;
    let groups = format!("{}/groups", acme.path);
    let created = acme.olga.post(&groups, json!({"name": " Support ", "role": "reader"})).await;
    let location = created.header("location");
    let group = created.id("group_id");
    assert_eq!(location, format!("{groups}/{group}"));
    let same = acme.olga.post(&groups, json!({"name": "SUPPORT"})).await;
    same.refused_field(409, "name-taken", "name");
    acme.olga.patch(&location, json!({"name": "Helpdesk"})).await.ok();
    acme.group(json!({"name": "Support"})).await;
    acme.olga.patch(&location, json!({"name": "support"})).await.refused(409, "name-taken");
    // Left out it stays, null takes it away.
    acme.olga.patch(&location, json!({})).await.ok();
    assert_eq!(acme.app.count("group.role_changed").await, 0);
    acme.olga.patch(&location, json!({"role": null})).await.ok();
    acme.olga.patch(&location, json!({"role": null})).await.ok();
    assert_eq!(acme.app.count("group.role_changed").await, 1);

    let bob = acme.app.member(&acme.organization, "bob", "member").await;
    let place = format!("{location}/members/{bob}");
    for _ in 0..2 {
        acme.olga.ask(axum::http::Method::PUT, &place).empty().await.ok();
    }
    assert_eq!(acme.app.count("group_member.added").await, 1);
    for _ in 0..2 {
        acme.olga.delete(&place).await.ok();
    }
    assert_eq!(acme.app.count("group_member.removed").await, 1);
    acme.olga.delete(&location).await.ok();
    acme.olga.delete(&location).await.refused(404, "not-found");
    acme.olga.patch(&location, json!({"name": "x"})).await.refused(404, "not-found");
}

#[tokio::test]
async fn wrong_values_of_groups_are_named() {
    let acme = Acme::new().await;
    let groups = format!("{}/groups", acme.path);
    for name in ["", "  ", "two\nlines", &"x".repeat(101)] {
        let refused = acme.olga.post(&groups, json!({"name": name})).await;
        refused.refused_field(422, "invalid-value", "name");
    }
    let owners = acme.olga.post(&groups, json!({"name": "g", "role": "owner"})).await;
    owners.refused_field(422, "invalid-value", "role");
    let emperors = acme.olga.post(&groups, json!({"name": "g", "role": "emperor"})).await;
    emperors.refused_field(400, "invalid-request", "role");
    let group = acme.group(json!({"name": "g"})).await;
    let nobody = "00000000-0000-7000-8000-000000000009";
    let place = format!("{groups}/{group}/members/{nobody}");
    acme.olga.ask(axum::http::Method::PUT, &place).empty().await.refused(404, "not-found");
}

#[tokio::test]
async fn a_stale_if_match_changes_no_group() {
    let acme = Acme::new().await;
    let group = acme.group(json!({"name": "g"})).await;
    let path = format!("{}/groups/{group}", acme.path);
    let renamed = acme.olga.patch(&path, json!({"name": "h"})).await;
    let (before, now) = ("\"1\"", renamed.etag());
    let patch = |tag: &str| acme.olga.ask(axum::http::Method::PATCH, &path).if_match(tag);
    let stale = patch(before).json(&json!({"name": "i", "role": "reader"})).await;
    stale.refused(412, "precondition-failed");
    assert_eq!(acme.app.count("group.renamed").await, 1);
    patch(&now).json(&json!({"name": "i", "role": "reader"})).await.ok();
}

#[tokio::test]
async fn who_is_in_a_group_may_in_its_projects_what_it_may() {
    let acme = Acme::new().await;
    let project = acme.app.project(&acme.organization, "alpha").await;
    let (bob, bobs) = acme.member("bob", "member", None).await;
    let group = acme.group(json!({"name": "support"})).await;
    let project = format!("{}/projects/{project}", acme.path);
    let place = format!("{project}/groups/{group}");
    acme.olga.put(&place, json!({"role": "owner"})).await.ok();
    let rename = async |name: &str| bobs.patch(&project, json!({"name": name})).await;
    rename("a").await.refused(404, "not-found");
    let member = format!("{}/groups/{group}/members/{bob}", acme.path);
    acme.olga.ask(axum::http::Method::PUT, &member).empty().await.ok();
    rename("a").await.ok();
    acme.olga.put(&place, json!({"role": "reader"})).await.ok();
    rename("b").await.refused(403, "forbidden");
    acme.olga.put(&place, json!({"role": "owner"})).await.ok();
    rename("b").await.ok();
    acme.olga.delete(&member).await.ok();
    rename("c").await.refused(404, "not-found");
    acme.olga.ask(axum::http::Method::PUT, &member).empty().await.ok();
    acme.olga.delete(&place).await.ok();
    rename("c").await.refused(404, "not-found");
    assert_eq!(acme.app.count("project_group.removed").await, 1);
    acme.olga.put(&place, json!({"role": "owner"})).await.ok();
    acme.olga.delete(&format!("{}/groups/{group}", acme.path)).await.ok();
    rename("c").await.refused(404, "not-found");
    acme.olga.put(&place, json!({"role": "owner"})).await.refused(404, "not-found");
    // What is left of it can be taken out still.
    acme.olga.delete(&place).await.ok();
}

#[tokio::test]
async fn without_a_role_the_settings_name_it() {
    let acme = Acme::new().await;
    let project = acme.app.project(&acme.organization, "alpha").await;
    let bob = acme.app.member(&acme.organization, "bob", "member").await;
    let group = acme.group(json!({"name": "support"})).await;
    let settings = json!({"default_role": "member", "default_project_role": "reader",
        "invite_domains": []});
    acme.olga.replace(&format!("{}/settings", acme.path), settings).await.ok();
    let project = format!("{}/projects/{project}", acme.path);
    for place in [format!("{project}/members/{bob}"), format!("{project}/groups/{group}")] {
        acme.olga.put(&place, json!({})).await.ok();
    }
    let roles: Vec<String> = sqlx::query_scalar(
        "select payload ->> 'role' from log.events
         where event_type in ('project_member.assigned', 'project_group.assigned')",
    )
    .fetch_all(acme.app.pool())
    .await
    .expect("events");
    assert_eq!(roles, ["reader", "reader"]);
}

/// Ruth may say who is in projects, and no more: she cannot make owners of anybody, nor unmake them.
#[tokio::test]
async fn nobody_gives_or_takes_away_more_than_they_have_in_a_project() {
    let acme = Acme::new().await;
    let project = acme.app.project(&acme.organization, "alpha").await;
    let bob = acme.app.member(&acme.organization, "bob", "member").await;
    let group = acme.group(json!({"name": "support"})).await;
    let scopes = ["projects.read", "project_members.update", "service_accounts.read", "usage.read"];
    let (_, ruth) = acme.member("ruth", "admin", Some(&scopes)).await;
    let project = format!("{}/projects/{project}", acme.path);
    for place in [format!("{project}/members/{bob}"), format!("{project}/groups/{group}")] {
        let owner = ruth.put(&place, json!({"role": "owner"})).await.refused(403, "forbidden");
        assert_eq!(owner["permission"], "projects.update");
        ruth.put(&place, json!({"role": "reader"})).await.ok();
        acme.olga.put(&place, json!({"role": "owner"})).await.ok();
        ruth.put(&place, json!({"role": "reader"})).await.refused(403, "forbidden");
        ruth.delete(&place).await.refused(403, "forbidden");
        acme.olga.put(&place, json!({"role": "reader"})).await.ok();
        ruth.delete(&place).await.ok();
    }
}

/// Ruth's key is for groups, and for nothing in projects: what a group has there is not hers to give.
#[tokio::test]
async fn nobody_gives_or_takes_away_by_a_group_what_they_may_not_in_projects() {
    let acme = Acme::new().await;
    let project = acme.app.project(&acme.organization, "alpha").await;
    let bob = acme.app.member(&acme.organization, "bob", "member").await;
    let group = acme.group(json!({"name": "support"})).await;
    let place = format!("{}/projects/{project}/groups/{group}", acme.path);
    acme.olga.put(&place, json!({"role": "owner"})).await.ok();
    let (_, ruth) = acme.member("ruth", "admin", Some(&["groups.update", "members.read"])).await;
    let group = format!("{}/groups/{group}", acme.path);
    let member = format!("{group}/members/{bob}");
    let add = async |by: &Client| by.ask(axum::http::Method::PUT, &member).empty().await;
    let refused = add(&ruth).await.refused(403, "permission-above-own");
    assert_eq!(refused["permission"], "projects.read");
    add(&acme.olga).await.ok();
    ruth.delete(&member).await.refused(403, "permission-above-own");
    ruth.delete(&group).await.refused(403, "permission-above-own");
    let (_, ada) = acme.member("ada", "admin", None).await;
    ada.delete(&member).await.ok();
    add(&ada).await.ok();
    ada.delete(&group).await.ok();
}
