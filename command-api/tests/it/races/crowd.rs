//! An organization with somebody of every kind in it, and what they may come to ask.

use std::sync::Mutex;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{App, Client};

/// Numbers that look random and are the same for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of the numbers below `n`; the mixing is that of SplitMix64.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let n = u64::try_from(n).expect("fits");
        usize::try_from((z ^ (z >> 31)) % n).expect("below n")
    }

    pub(super) fn of<T: Clone>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())].clone()
    }
}

/// What can be named in a request, and what can be presented.
#[derive(Default)]
pub(super) struct Known {
    members: Vec<String>,
    groups: Vec<String>,
    roles: Vec<String>,
    projects: Vec<String>,
    accounts: Vec<String>,
    keys: Vec<String>,
    /// Invites with their latest token.
    invites: Vec<(String, String)>,
    credentials: Vec<String>,
}

/// An organization, and what its people know of it.
pub(super) struct Town {
    organization: String,
    known: Mutex<Known>,
}

/// A request to send.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) credential: String,
    invite: Option<String>,
}

const PERMISSION_SETS: &[&[&str]] = &[
    &["api_keys.read", "api_keys.update", "api_keys.own"],
    &["members.read", "members.invite", "members.update", "members.remove"],
    &["credits.update"],
    &["projects.read", "projects.update", "project_members.update"],
    &["service_accounts.update", "projects.create", "projects.archive"],
];
const ROLES: &[&str] = &["owner", "admin", "billing", "member", "reader", "auditor"];
const PROJECT_ROLES: &[&str] = &["owner", "member", "reader"];

impl Town {
    /// An organization of somebody of every role, in groups, projects and with custom roles, each
    /// with an admin key and some with keys that are for less; all made by the operator.
    pub(super) async fn founded(app: &App) -> Self {
        let organization = app.organization().await;
        let town = Self { organization, known: Mutex::default() };
        let operator = app.operator();
        for name in ["alpha", "beta", "gamma"] {
            town.tell(&operator, "/projects", json!({ "name": name })).await;
        }
        for (name, role) in [("admins", json!("admin")), ("money", json!("billing"))] {
            town.tell(&operator, "/groups", json!({"name": name, "role": role})).await;
        }
        town.tell(&operator, "/groups", json!({"name": "everybody"})).await;
        for (n, permissions) in PERMISSION_SETS.iter().enumerate() {
            let body = json!({"name": format!("role {n}"), "permissions": permissions});
            town.tell(&operator, "/roles", body).await;
        }
        let people = ["owner", "owner", "admin", "admin", "billing", "member", "member", "member"];
        for (n, role) in people.iter().chain(&["reader", "auditor"]).enumerate() {
            let login = format!("founder-{n}");
            town.tell(&operator, "/members", json!({"login": login, "role": role})).await;
        }
        town.settled(&operator).await;
        town
    }

    /// Places, roles and keys for those who are there.
    async fn settled(&self, operator: &Client) {
        let (members, groups, roles, projects) = {
            let known = self.known.lock().expect("nobody panicked");
            let lists = [&known.members, &known.groups, &known.roles, &known.projects];
            let [members, groups, roles, projects] = lists.map(Clone::clone);
            (members, groups, roles, projects)
        };
        for (n, member) in members.iter().enumerate() {
            let key = json!({"member_id": member, "name": "admin-key"});
            self.tell(operator, "/api-keys", key).await;
            let (project, role) = (&projects[n % 3], PROJECT_ROLES[n % 3]);
            let path = self.path(&format!("/projects/{project}/members/{member}"));
            operator.put(&path, json!({ "role": role })).await.ok();
            let limited = match n % 3 {
                0 => json!({"member_id": member, "name": "limited", "project_id": project}),
                1 => json!({"member_id": member, "name": "limited",
                    "scopes": PERMISSION_SETS[n % PERMISSION_SETS.len()]}),
                _ => continue,
            };
            self.tell(operator, "/api-keys", limited).await;
        }
        for (group, member) in groups.iter().zip(&members[5..]) {
            let path = self.path(&format!("/groups/{group}/members/{member}"));
            operator.ask(Method::PUT, &path).empty().await.ok();
        }
        for (n, role) in roles.iter().enumerate() {
            let path = format!("/roles/{role}/grants");
            let to = if n % 2 == 0 {
                json!({"group_id": groups[2]})
            } else {
                json!({"member_id": members[6 + n % 3]})
            };
            self.tell(operator, &path, to).await;
        }
        let path = self.path(&format!("/projects/{}/groups/{}", projects[1], groups[2]));
        operator.put(&path, json!({"role": "owner"})).await.ok();
        let account = json!({"project_id": projects[0], "name": "indexer"});
        let account = self.tell(operator, "/service-accounts", account).await;
        let key = json!({"service_account_id": account["service_account_id"], "name": "machine",
            "project_id": projects[0]});
        self.tell(operator, "/api-keys", key).await;
    }

    async fn tell(&self, operator: &Client, rest: &str, body: Value) -> Value {
        let answer = operator.post(&self.path(rest), body).await.ok();
        self.learn(None, &answer);
        answer
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.organization)
    }

    /// Everybody learns what was made.
    pub(super) fn learn(&self, ask: Option<&Ask>, answer: &Value) {
        let mut known = self.known.lock().expect("nobody panicked");
        let id = |field: &str| answer[field].as_str().map(str::to_owned);
        known.members.extend(id("member_id"));
        known.groups.extend(id("group_id"));
        known.roles.extend(id("role_id"));
        known.projects.extend(id("project_id"));
        known.accounts.extend(id("service_account_id"));
        known.keys.extend(id("api_key_id"));
        let Some(secret) = id("secret") else { return };
        let invite = id("invite_id").or_else(|| ask.and_then(|ask| ask.invite.clone()));
        match invite.filter(|_| id("api_key_id").is_none()) {
            Some(invite) => known.invites.push((invite, secret)),
            None => known.credentials.push(secret),
        }
    }

    /// Something that somebody may come to ask.
    pub(super) fn think_of(&self, dice: &mut Dice) -> Ask {
        let known = self.known.lock().expect("nobody panicked");
        // Those who were there first may do the most, so they are asked more often.
        let first = known.credentials.len().min(8);
        let among = if dice.below(2) == 0 { first } else { known.credentials.len() };
        let credential = dice.of(&known.credentials[..among]);
        let mut ask = Ask {
            method: Method::POST,
            path: String::new(),
            body: json!({}),
            credential,
            invite: None,
        };
        let rest = match dice.below(10) {
            0 | 1 => members(&mut ask, dice, &known),
            2 => invites(&mut ask, dice, &known),
            3 | 4 => groups(&mut ask, dice, &known),
            5 => roles(&mut ask, dice, &known),
            6 => projects(&mut ask, dice, &known),
            7 => assignments(&mut ask, dice, &known),
            8 => keys(&mut ask, dice, &known),
            _ => the_rest(&mut ask, dice, &known),
        };
        ask.path = self.path(&rest);
        ask
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
            return "/members".to_owned();
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
