//! `/v1/organizations/{organization_id}/approvals`: two persons are two.

use axum::http::Method;
use embedded::testing::unique_name;
use serde_json::{Value, json};

use crate::support::{App, Client, Reply};

/// An organization with two owners and an admin, which wants two people for some things.
struct Careful {
    app: App,
    organization: String,
    path: String,
    olga: (String, Client),
    zoe: (String, Client),
    ada: (String, Client),
}

impl Careful {
    async fn new(approvals: Value) -> Self {
        let app = App::new().await;
        let (organization, olga) = app.founded("olga").await;
        let zoe = app.joined(&organization, "zoe", "owner").await;
        let ada = app.joined(&organization, "ada", "admin").await;
        let path = format!("/v1/organizations/{organization}");
        let security = json!({ "approvals": approvals });
        olga.1.replace(&format!("{path}/security"), security).await.ok();
        Self { app, organization, path, olga, zoe, ada }
    }

    async fn ask_export(&self, by: &Client) -> Reply {
        let path = format!("{}/members/{}/personal-data/export", self.path, self.ada.0);
        by.ask(Method::POST, &path).key(&unique_name()).empty().await
    }

    async fn approve(&self, by: &Client, asked: &Value) -> Reply {
        let approval = asked["approval_id"].as_str().expect("it waits");
        let path = format!("{}/approvals/{approval}/approve", self.path);
        by.ask(Method::POST, &path).key(&unique_name()).empty().await
    }

    async fn read_export(&self, by: &Client, asked: &Value) -> Reply {
        let export = asked["export_id"].as_str().expect("an id");
        let of = format!("{}/members/{}/personal-data", self.path, self.ada.0);
        let path = format!("{of}/exports/{export}/read");
        by.ask(Method::POST, &path).key(&unique_name()).empty().await
    }

    async fn key(&self, by: &Client, member: &str, scopes: Option<Value>) -> (String, Client) {
        let mut body = json!({"member_id": member, "name": "a-key"});
        if let Some(scopes) = scopes {
            body["scopes"] = scopes;
        }
        let key = by.post(&format!("{}/api-keys", self.path), body).await.ok();
        let id = key["api_key_id"].as_str().expect("an id").to_owned();
        (id, self.app.first().presenting(&key))
    }

    async fn role(&self, by: &Client, member: &str, role: &str) -> Reply {
        by.put(&format!("{}/members/{member}/role", self.path), json!({ "role": role })).await
    }
}

#[tokio::test]
async fn nobody_is_the_second_person_with_a_key_that_they_made_for_another() {
    let careful = Careful::new(json!(["export_personal_data"])).await;
    let Careful { path, app, olga, zoe, .. } = &careful;
    let (made, with_made) = careful.key(&olga.1, &zoe.0, None).await;
    // Whatever is made with it is no more Zoe's alone than it is.
    let (_, made_with_it) = careful.key(&with_made, &zoe.0, None).await;
    let (own, before) = careful.key(&zoe.1, &zoe.0, None).await;
    let rotate = |key: &str| format!("{path}/api-keys/{key}/rotate");
    let grace = json!({"grace_seconds": 600});
    let rotated = olga.1.post(&rotate(&own), grace).await.ok();
    let rotated = app.first().presenting(&rotated);
    let by_itself = with_made.post(&rotate(&made), json!({"grace_seconds": 600})).await.ok();
    let by_itself = app.first().presenting(&by_itself);

    let asked = careful.ask_export(&olga.1).await.ok();
    for shared in [&with_made, &made_with_it, &rotated, &by_itself] {
        careful.approve(shared, &asked).await.refused(403, "second-person-needed");
        careful.ask_export(shared).await.refused(403, "second-person-needed");
    }
    // The secret before Olga's rotation was Zoe's alone, and still is.
    careful.approve(&before, &asked).await.ok();
    let asked = careful.ask_export(&olga.1).await.ok();
    careful.approve(&olga.1, &asked).await.refused(403, "second-person-needed");
    careful.approve(&zoe.1, &asked).await.ok();
}

#[tokio::test]
async fn an_owner_decides_and_nobody_else() {
    let careful = Careful::new(json!(["export_personal_data"])).await;
    let asked = careful.ask_export(&careful.ada.1).await.ok();
    let (_, bobs) = careful.app.joined(&careful.organization, "bob", "admin").await;
    let refused = careful.approve(&bobs, &asked).await.refused(403, "forbidden");
    assert_eq!(refused["permission"], "approvals.decide");
    // Nor with a key that is for deciding alone: who approves must be able to do as much.
    let scopes = json!(["approvals.decide", "organization.read"]);
    let (_, limited) = careful.key(&careful.zoe.1, &careful.zoe.0, Some(scopes)).await;
    careful.approve(&limited, &asked).await.refused(403, "forbidden");
    careful.approve(&careful.zoe.1, &asked).await.ok();
}

#[tokio::test]
async fn whatever_needs_approval_owners_and_the_end_need_it_too() {
    let careful = Careful::new(json!(["export_personal_data"])).await;
    let Careful { path, olga, zoe, ada, .. } = &careful;
    let invite = json!({"email": "puppet@example.com", "role": "owner"});
    let invited = olga.1.post(&format!("{path}/invites"), invite).await;
    invited.refused(403, "owners-need-approval");
    let raised = careful.role(&olga.1, &ada.0, "owner").await.ok();
    assert!(raised["approval_id"].is_string(), "{raised}");
    let archive = format!("{path}/archive");
    let closed = olga.1.post(&archive, json!({})).await.ok();
    assert_eq!(careful.app.count("organization.archived").await, 0);
    careful.approve(&olga.1, &closed).await.refused(403, "second-person-needed");
    careful.approve(&zoe.1, &closed).await.ok();
    assert_eq!(careful.app.count("organization.archived").await, 1);
    olga.1.post(&archive, json!({})).await.refused(401, "unauthorized");
    // Its name is free again.
    assert_eq!(careful.app.count("name.released").await, 1);
}

#[tokio::test]
async fn what_was_asked_by_who_may_no_more_is_not_done() {
    let careful = Careful::new(json!(["export_personal_data", "erase_personal_data"])).await;
    let Careful { app, organization, path, olga, zoe, ada } = &careful;
    let (leaver, leavers) = app.joined(organization, "eve", "member").await;
    leavers.post(&format!("{path}/leave"), json!({})).await.ok();
    let by_ada = careful.ask_export(&ada.1).await.ok();
    let erase = format!("{path}/members/{leaver}/erase");
    let by_olga = olga.1.post(&erase, json!({})).await.ok();
    careful.role(&zoe.1, &ada.0, "reader").await.ok();
    careful.role(&zoe.1, &olga.0, "admin").await.ok();
    for asked in [&by_ada, &by_olga] {
        careful.approve(&zoe.1, asked).await.refused(403, "forbidden");
    }
    assert_eq!(app.count("person.erased").await + app.count("person.export_granted").await, 0);
}

#[tokio::test]
async fn an_export_is_read_by_who_may_still() {
    let careful = Careful::new(json!([])).await;
    let Careful { app, organization, olga, .. } = &careful;
    let (bob, bobs) = app.joined(organization, "bob", "admin").await;
    let asked = careful.ask_export(&bobs).await.ok();
    let scopes = Some(json!(["usage.read", "organization.read"]));
    let (_, limited) = careful.key(&bobs, &bob, scopes).await;
    let refused = careful.read_export(&limited, &asked).await.refused(403, "forbidden");
    assert_eq!(refused["permission"], "personal_data.export");
    let project = app.project(organization, "alpha").await;
    let key = app.api_key(organization, &project, ("member_id", &bob)).await;
    let confined = app.first().presenting(&key);
    careful.read_export(&confined, &asked).await.refused(403, "forbidden");
    careful.read_export(&bobs, &asked).await.ok();
    careful.role(&olga.1, &bob, "reader").await.ok();
    careful.read_export(&bobs, &asked).await.refused(403, "forbidden");
}

/// Whoever sent an invite could have accepted it themselves.
#[tokio::test]
async fn an_owner_does_not_approve_what_they_may_have_asked_for() {
    let careful = Careful::new(json!(["export_personal_data"])).await;
    let Careful { app, path, olga, zoe, .. } = &careful;
    let joins = async |by: &Client, login: &str| {
        let body = json!({"email": format!("{login}@example.com"), "role": "admin"});
        let invite = by.post(&format!("{path}/invites"), body).await.ok();
        let accepted = app.accept(&careful.organization, &invite, login).await.ok();
        app.first().presenting(&accepted)
    };
    let puppet = joins(&olga.1, "puppet").await;
    let puppets_puppet = joins(&puppet, "puppets-puppet").await;
    for asker in [&puppet, &puppets_puppet] {
        let asked = careful.ask_export(asker).await.ok();
        careful.approve(&olga.1, &asked).await.refused(403, "second-person-needed");
        careful.approve(&zoe.1, &asked).await.ok();
        careful.read_export(asker, &asked).await.ok();
    }
    // An owner has been let in by another one already: theirs is for whoever else owns.
    let asked = careful.ask_export(&zoe.1).await.ok();
    careful.approve(&olga.1, &asked).await.ok();
}

/// Whoever knows the key that it was sent with could have accepted it, too.
#[tokio::test]
async fn nor_what_somebody_asks_who_came_in_by_a_key_that_they_know() {
    let careful = Careful::new(json!(["export_personal_data"])).await;
    let Careful { app, organization, path, olga, zoe, ada } = &careful;
    let (bob, _) = app.joined(organization, "bob", "admin").await;
    let (_, made_for_bob) = careful.key(&olga.1, &bob, None).await;
    let invite = |name: &str| json!({"email": format!("{name}@example.com"), "role": "admin"});
    let sent = made_for_bob.post(&format!("{path}/invites"), invite("puppet")).await.ok();
    let accepted = app.accept(organization, &sent, "puppet").await.ok();
    let puppet = app.first().presenting(&accepted);
    // One that somebody else sent, and that was sent again with it.
    let first = ada.1.post(&format!("{path}/invites"), invite("second")).await.ok();
    let again = format!("{path}/invites/{}/resend", first["invite_id"].as_str().unwrap());
    let mut again = made_for_bob.post(&again, json!({})).await.ok();
    again["invite_id"] = first["invite_id"].clone();
    let accepted = app.accept(organization, &again, "second").await.ok();
    let second = app.first().presenting(&accepted);
    for puppet in [&puppet, &second] {
        let asked = careful.ask_export(puppet).await.ok();
        careful.approve(&olga.1, &asked).await.refused(403, "second-person-needed");
        careful.approve(&zoe.1, &asked).await.ok();
    }
    assert_eq!(app.count("invite.token_shared").await, 2);
    // Who was let in with Bob's key is no more his than hers when he has gone.
    olga.1.delete(&format!("{path}/members/{bob}")).await.ok();
    let asked = careful.ask_export(&puppet).await.ok();
    careful.approve(&olga.1, &asked).await.refused(403, "second-person-needed");
}

/// Else an admin who made a key for somebody would have, with it, whatever that one is given later, and
/// would keep it when they are gone.
#[tokio::test]
async fn a_secret_opens_only_what_all_may_do_who_were_shown_it() {
    let careful = Careful::new(json!([])).await;
    let Careful { app, organization, path, olga, ada, .. } = &careful;
    let (bob, bobs) = app.joined(organization, "bob", "admin").await;
    let (made, with_made) = careful.key(&ada.1, &bob, None).await;
    let (_, made_with_it) = careful.key(&with_made, &bob, None).await;
    let grace = json!({"grace_seconds": 600});
    let rotated = with_made.post(&format!("{path}/api-keys/{made}/rotate"), grace).await.ok();
    let rotated = app.first().presenting(&rotated);
    careful.role(&olga.1, &bob, "owner").await.ok();
    // What it takes an admin for is open to both; what it takes an owner for to Bob alone.
    let project = |name: &str| json!({"name": name});
    let settings = format!("{path}/security");
    let security = || json!({"approvals": []});
    for (number, known) in [&with_made, &made_with_it, &rotated].into_iter().enumerate() {
        known.post(&format!("{path}/projects"), project(&format!("p{number}"))).await.ok();
        known.replace(&settings, security()).await.refused(403, "forbidden");
        careful.role(known, &ada.0, "owner").await.refused(403, "role-above-own");
        // Who ranks above one of them is beyond it, too.
        careful.role(known, &olga.0, "reader").await.refused(403, "member-above-own");
        let remove = format!("{path}/members/{}", olga.0);
        known.delete(&remove).await.refused(403, "member-above-own");
        let for_owner = json!({"member_id": olga.0, "name": "a-key"});
        let made = known.post(&format!("{path}/api-keys"), for_owner).await;
        made.refused(403, "member-above-own");
    }
    bobs.replace(&settings, security()).await.ok();
    let (_, own) = careful.key(&bobs, &bob, None).await;
    own.replace(&settings, security()).await.ok();
    // Ada may do less from now on; so does what she knows.
    careful.role(&olga.1, &ada.0, "reader").await.ok();
    for known in [&with_made, &made_with_it, &rotated] {
        known.post(&format!("{path}/projects"), project("q")).await.refused(403, "forbidden");
    }
    let member = format!("{path}/members/{}", ada.0);
    olga.1.post(&format!("{member}/suspend"), json!({})).await.ok();
    for known in [&with_made, &made_with_it, &rotated] {
        let refused = known.post(&format!("{path}/leave"), json!({})).await;
        let refused = refused.refused(401, "unauthorized");
        let detail = refused["detail"].as_str().expect("text");
        assert!(detail.contains("somebody else was shown its secret"), "{detail}");
    }
    olga.1.post(&format!("{member}/reinstate"), json!({})).await.ok();
    with_made.post(&format!("{path}/projects"), project("q")).await.refused(403, "forbidden");
    olga.1.delete(&member).await.ok();
    for known in [&with_made, &made_with_it, &rotated] {
        known.post(&format!("{path}/leave"), json!({})).await.refused(401, "unauthorized");
    }
    own.post(&format!("{path}/projects"), project("q")).await.ok();
}

/// In a project too: whoever made the key is what they are there.
#[tokio::test]
async fn a_projects_secret_opens_what_who_made_it_may_do_there() {
    let careful = Careful::new(json!([])).await;
    let Careful { app, organization, path, olga, .. } = &careful;
    let (bob, bobs) = app.joined(organization, "bob", "member").await;
    let (eve, _) = app.joined(organization, "eve", "member").await;
    let project = app.project(organization, "alpha").await;
    let place = |member: &str| format!("{path}/projects/{project}/members/{member}");
    olga.1.put(&place(&bob), json!({"role": "owner"})).await.ok();
    olga.1.put(&place(&eve), json!({"role": "owner"})).await.ok();
    let body = json!({"project_id": project, "member_id": eve, "name": "a-key"});
    let key = bobs.post(&format!("{path}/api-keys"), body).await.ok();
    let eves = app.first().presenting(&key);
    let account = |name: &str| json!({"project_id": project, "name": name});
    let accounts = format!("{path}/service-accounts");
    eves.post(&accounts, account("one")).await.ok();
    olga.1.put(&place(&bob), json!({"role": "reader"})).await.ok();
    eves.post(&accounts, account("two")).await.refused(403, "forbidden");
}

/// Both were asked for when the same settings stood: who approves the second would undo the first.
#[tokio::test]
async fn nothing_that_was_changed_since_is_overwritten_by_an_approval() {
    let careful = Careful::new(json!(["update_security"])).await;
    let Careful { app, path, olga, zoe, .. } = &careful;
    let ask = async |by: &Client, also: &str| {
        let security = json!({"approvals": ["update_security", also]});
        by.replace(&format!("{path}/security"), security).await.ok()
    };
    let first = ask(&olga.1, "export_personal_data").await;
    let second = ask(&zoe.1, "erase_personal_data").await;
    careful.approve(&zoe.1, &first).await.ok();
    careful.approve(&olga.1, &second).await.refused(409, "conflict");
    assert_eq!(app.count("organization.security_changed").await, 2);
    // It was not decided; asked for anew it counts.
    let decline = second["approval_id"].as_str().expect("it waits");
    let decline = format!("{path}/approvals/{decline}/decline");
    olga.1.post(&decline, json!({})).await.ok();
    let again = ask(&zoe.1, "erase_personal_data").await;
    // What else happens in the organization overtakes nothing.
    app.member(&careful.organization, "bob", "member").await;
    careful.approve(&olga.1, &again).await.ok();
    assert_eq!(app.count("organization.security_changed").await, 3);
}

#[tokio::test]
async fn a_limited_key_takes_back_only_what_it_could_have_asked_for() {
    let careful = Careful::new(json!(["export_personal_data"])).await;
    let Careful { app, organization, path, olga, .. } = &careful;
    let withdraw = async |by: &Client, asked: &Value| {
        let approval = asked["approval_id"].as_str().expect("it waits");
        by.post(&format!("{path}/approvals/{approval}/withdraw"), json!({})).await
    };
    let project = app.project(organization, "alpha").await;
    let of_project = app.api_key(organization, &project, ("member_id", &olga.0)).await;
    let of_project = app.stranger(of_project["secret"].as_str());
    let reading = Some(json!(["organization.read"]));
    let (_, reading) = careful.key(&olga.1, &olga.0, reading).await;
    let exporting = Some(json!(["organization.read", "personal_data.export"]));
    let (_, exporting) = careful.key(&olga.1, &olga.0, exporting).await;
    let asked = careful.ask_export(&olga.1).await.ok();
    for limited in [&of_project, &reading] {
        let refused = withdraw(limited, &asked).await.refused(403, "forbidden");
        assert_eq!(refused["permission"], "personal_data.export");
    }
    withdraw(&exporting, &asked).await.ok();
    // Who asked takes it back whatever they may do since.
    let asked = careful.ask_export(&careful.ada.1).await.ok();
    careful.role(&olga.1, &careful.ada.0, "reader").await.ok();
    withdraw(&careful.ada.1, &asked).await.ok();
}
