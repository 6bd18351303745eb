//! An organization with somebody of every kind in it, and what they may come to ask.

mod asks;

use std::sync::Mutex;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{App, Client};
use asks::{PERMISSION_SETS, PROJECT_ROLES};

/// Numbers that look random and are the same for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of the numbers below `n`; the mixing is that of `SplitMix64`.
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

impl Town {
    /// An organization of somebody of every role, in groups, projects and with custom roles, each
    /// with an admin key and some with keys that are for less; all made by the operator.
    pub(super) async fn founded(app: &App) -> Self {
        let organization = app.organization().await;
        let town = Self { organization, known: Mutex::default() };
        let operator = app.admin();
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
        let rest = asks::anything(&mut ask, dice, &known);
        ask.path = self.path(&rest);
        ask
    }
}
