//! Which permission each of these commands needs, asked by every role of the organization

use axum::http::Method;
use event_schemas::permission::organization_role_allows;
use event_schemas::{OrganizationRole, Permission};
use serde_json::{Value, json};

use super::groups::Acme;

type Need = (Method, &'static str, Value, Permission);

/// What is asked, of the things of [`stage`], and what it needs.
fn needs() -> Vec<Need> {
    use Permission as P;
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let settings =
        json!({"default_role": "member", "default_project_role": "member", "invite_domains": []});
    let role = json!({"name": "Meters", "permissions": ["usage.read"]});
    vec![
        (put.clone(), "/settings", settings, P::SettingsUpdate),
        (put.clone(), "/security", json!({"approvals": []}), P::SecurityUpdate),
        (post.clone(), "/groups", json!({"name": "g"}), P::GroupsUpdate),
        (patch.clone(), "/groups/{group}", json!({"role": null}), P::GroupsUpdate),
        (put.clone(), "/groups/{group}/members/{member}", json!({}), P::GroupsUpdate),
        (delete.clone(), "/groups/{group}/members/{member}", json!({}), P::GroupsUpdate),
        (post.clone(), "/roles", role, P::RolesUpdate),
        (patch, "/roles/{role}", json!({}), P::RolesUpdate),
        (post.clone(), "/roles/{role}/grants", json!({"member_id": "{member}"}), P::RolesUpdate),
        (
            post.clone(),
            "/roles/{role}/grants/withdraw",
            json!({"member_id": "{member}"}),
            P::RolesUpdate,
        ),
        (
            post.clone(),
            "/invites/bulk",
            json!({"invites": [{"email": "a@example.com"}]}),
            P::MembersInvite,
        ),
        (post.clone(), "/invites/{invite}/resend", json!({}), P::MembersInvite),
        (post.clone(), "/members/{member}/transfer-ownership", json!({}), P::MembersUpdate),
        (post, "/members/{member}/api-keys/revoke", json!({}), P::ApiKeysUpdate),
        (delete.clone(), "/groups/{group}", json!({}), P::GroupsUpdate),
        (delete, "/roles/{role}", json!({}), P::RolesUpdate),
    ]
}

/// An organization with one of each, and their ids by the names in [`needs`].
async fn stage() -> (Acme, Vec<(&'static str, String)>) {
    let acme = Acme::new().await;
    let group = acme.group(json!({"name": "support"})).await;
    let member = acme.app.member(&acme.organization, "bob", "member").await;
    let role = json!({"name": "Readers", "permissions": ["projects.read"]});
    let role = acme.olga.post(&format!("{}/roles", acme.path), role).await.id("role_id");
    let invite = json!({"email": "eve@example.com"});
    let invite = acme.olga.post(&format!("{}/invites", acme.path), invite).await.id("invite_id");
    let ids =
        vec![("{group}", group), ("{member}", member), ("{role}", role), ("{invite}", invite)];
    (acme, ids)
}

#[tokio::test]
async fn each_needs_its_permission_and_no_other() {
    for role in OrganizationRole::ALL {
        let (acme, ids) = stage().await;
        let (_, asking) = acme.member("asking", role.as_str(), None).await;
        for (method, path, body, permission) in needs() {
            let fill =
                |text: String| ids.iter().fold(text, |text, (name, id)| text.replace(name, id));
            let path = fill(format!("{}{path}", acme.path));
            let body: Value = serde_json::from_str(&fill(body.to_string())).expect("JSON");
            let key = embedded::testing::unique_name();
            let sent = asking.ask(method.clone(), &path).key(&key).if_match("*").json(&body);
            let reply = sent.await;
            if organization_role_allows(*role, permission) {
                assert_eq!(reply.body["permission"], Value::Null, "{role} {method} {path}");
                assert_ne!(reply.status.as_u16(), 404, "{role} {method} {path}");
            } else {
                let refused = reply.refused(403, "forbidden");
                assert_eq!(refused["permission"], permission.as_str(), "{role} {method} {path}");
            }
        }
    }
}
