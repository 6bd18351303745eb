//! What people may come to ask: something of every kind, of anything that they have heard of.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Ask, Dice, Known};

pub(super) const PERMISSION_SETS: &[&[&str]] = &[
    &["api_keys.read", "api_keys.update", "api_keys.own"],
    &["members.read", "members.invite", "members.update", "members.remove"],
    &["credits.update"],
    &["projects.read", "projects.update", "project_members.update"],
    &["service_accounts.update", "projects.create", "projects.archive"],
];
const ROLES: &[&str] = &["owner", "admin", "billing", "member", "reader", "auditor"];
pub(super) const PROJECT_ROLES: &[&str] = &["owner", "member", "reader"];

/// Fills in what is asked; answers the path within the organization.
pub(super) fn anything(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    match dice.below(10) {
        0 | 1 => members(ask, dice, known),
        2 => invites(ask, dice, known),
        3 | 4 => groups(ask, dice, known),
        5 => roles(ask, dice, known),
        6 => projects(ask, dice, known),
        7 => assignments(ask, dice, known),
        8 => keys(ask, dice, known),
        _ => the_rest(ask, dice, known),
    }
}

fn members(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let member = dice.of(&known.members);
    match dice.below(9) {
        0 => {
            let n = dice.below(12);
            // Names that differ in case alone are the same.
            let login =
                if dice.below(2) == 0 { format!("login-{n}") } else { format!("LOGIN-{n}") };
            let email = format!("person-{}@example.com", dice.below(12));
            ask.body = json!({"login": login, "email": email, "role": dice.of(&ROLES[1..])});
            "/members".to_owned()
        }
        1 | 2 => {
            ask.method = Method::PUT;
            ask.body = json!({"role": dice.of(ROLES)});
            format!("/members/{member}/role")
        }
        3 => format!("/members/{member}/suspend"),
        4 | 5 => format!("/members/{member}/reinstate"),
        6 => {
            ask.method = Method::DELETE;
            format!("/members/{member}")
        }
        7 => {
            ask.method = Method::PUT;
            ask.body = json!({"login": format!("login-{}", dice.below(12))});
            format!("/members/{member}/login")
        }
        _ if dice.below(3) == 0 => "/leave".to_owned(),
        _ => format!("/members/{member}/transfer-ownership"),
    }
}

fn invites(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let what = dice.below(6);
    if what < 2 || known.invites.is_empty() {
        let project = json!({"project_id": dice.of(&known.projects),
            "role": dice.of(PROJECT_ROLES)});
        let email = format!("person-{}@example.com", dice.below(12));
        ask.body = json!({"email": email, "role": dice.of(&ROLES[1..]), "projects": [project]});
        return "/invites".to_owned();
    }
    let (invite, token) = dice.of(&known.invites);
    match what {
        2 | 3 => {
            ask.credential = token;
            ask.body = json!({"login": format!("login-{}", dice.below(12))});
            format!("/invites/{invite}/accept")
        }
        4 => {
            ask.invite = Some(invite.clone());
            format!("/invites/{invite}/resend")
        }
        _ => format!("/invites/{invite}/revoke"),
    }
}

fn groups(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let (group, member) = (dice.of(&known.groups), dice.of(&known.members));
    let role = if dice.below(3) == 0 { Value::Null } else { json!(dice.of(ROLES)) };
    match dice.below(8) {
        0 => {
            ask.body = json!({"name": format!("group {}", dice.below(6)), "role": role});
            "/groups".to_owned()
        }
        1 | 2 => {
            ask.method = Method::PATCH;
            ask.body = json!({ "role": role });
            format!("/groups/{group}")
        }
        3 if dice.below(3) == 0 => {
            ask.method = Method::DELETE;
            format!("/groups/{group}")
        }
        4 => {
            ask.method = Method::DELETE;
            format!("/groups/{group}/members/{member}")
        }
        _ => {
            ask.method = Method::PUT;
            format!("/groups/{group}/members/{member}")
        }
    }
}

fn roles(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let role = dice.of(&known.roles);
    let permissions = dice.of(PERMISSION_SETS);
    match dice.below(7) {
        0 => {
            let name = format!("role {}", dice.below(8));
            ask.body = json!({"name": name, "permissions": permissions});
            return "/roles".to_owned();
        }
        1 => {
            ask.method = Method::PATCH;
            ask.body = json!({ "permissions": permissions });
            return format!("/roles/{role}");
        }
        2 if dice.below(3) == 0 => {
            ask.method = Method::DELETE;
            return format!("/roles/{role}");
        }
        _ => {}
    }
    ask.body = if dice.below(2) == 0 {
        json!({"member_id": dice.of(&known.members)})
    } else {
        json!({"group_id": dice.of(&known.groups)})
    };
    if dice.below(2) == 0 {
        ask.body["project_id"] = json!(dice.of(&known.projects));
    }
    let verb = if dice.below(3) == 0 { "grants/withdraw" } else { "grants" };
    format!("/roles/{role}/{verb}")
}

fn projects(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let project = dice.of(&known.projects);
    match dice.below(5) {
        0 => {
            ask.body = json!({"name": format!("project {}", dice.below(6))});
            "/projects".to_owned()
        }
        1 | 2 => {
            ask.method = Method::PATCH;
            ask.body = json!({"name": format!("Project {}", dice.below(6))});
            format!("/projects/{project}")
        }
        3 if dice.below(3) == 0 => format!("/projects/{project}/archive"),
        _ => {
            let name = format!("account {}", dice.below(4));
            ask.body = json!({"project_id": project, "name": name});
            "/service-accounts".to_owned()
        }
    }
}

fn assignments(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let project = dice.of(&known.projects);
    let whom = if dice.below(2) == 0 {
        format!("members/{}", dice.of(&known.members))
    } else {
        format!("groups/{}", dice.of(&known.groups))
    };
    if dice.below(3) == 0 {
        ask.method = Method::DELETE;
    } else {
        ask.method = Method::PUT;
        ask.body = json!({"role": dice.of(PROJECT_ROLES)});
    }
    format!("/projects/{project}/{whom}")
}

fn keys(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let key = dice.of(&known.keys);
    match dice.below(6) {
        0 | 1 => {
            ask.body = json!({"name": "a-key"});
            if dice.below(4) == 0 {
                ask.body["service_account_id"] = json!(dice.of(&known.accounts));
            } else {
                ask.body["member_id"] = json!(dice.of(&known.members));
            }
            if dice.below(2) == 0 {
                ask.body["project_id"] = json!(dice.of(&known.projects));
            }
            if dice.below(3) == 0 {
                ask.body["scopes"] = json!(dice.of(PERMISSION_SETS));
            }
            "/api-keys".to_owned()
        }
        2 => {
            ask.method = Method::PATCH;
            ask.body = json!({"name": format!("key-{}", dice.below(4))});
            format!("/api-keys/{key}")
        }
        3 => format!("/api-keys/{key}/rotate"),
        4 => format!("/api-keys/{key}/revoke"),
        _ if dice.below(3) == 0 => {
            format!("/members/{}/api-keys/revoke", dice.of(&known.members))
        }
        _ => format!("/api-keys/{key}/rotate"),
    }
}

fn the_rest(ask: &mut Ask, dice: &mut Dice, known: &Known) -> String {
    let account = dice.of(&known.accounts);
    match dice.below(8) {
        0 => format!("/service-accounts/{account}/disable"),
        1 => {
            ask.method = Method::DELETE;
            format!("/service-accounts/{account}")
        }
        2 | 3 => {
            ask.body = json!({"amount": "1", "currency": "EUR"});
            "/credits/purchases".to_owned()
        }
        4 => {
            ask.body = json!({"amount": "1", "currency": "EUR"});
            "/credits/grants".to_owned()
        }
        5 if dice.below(20) == 0 => "/archive".to_owned(),
        _ => {
            ask.method = Method::PATCH;
            ask.body = json!({"seat_limit": 10 + dice.below(8)});
            String::new()
        }
    }
}
