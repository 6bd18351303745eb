//! An organization that has one of everything, with a word of its own in each text.

use embedded::testing::unique_name;
use reqwest::Method;
use serde_json::{Value, json};

use super::asker::Asker;
use super::operations::Ids;

/// An organization, and those who ask for it.
pub(super) struct Tenant {
    /// Stands in every text that somebody of the organization wrote, and nowhere else.
    pub(super) canary: String,
    /// Its path.
    pub(super) base: String,
    pub(super) ids: Ids,
    /// Everything that was shown once and is to be nowhere else.
    pub(super) secrets: Vec<String>,
    pub(super) owner: Asker,
    /// A reader of the organization, by a key of theirs.
    pub(super) reader: Asker,
    /// A service account that is confined to a project.
    pub(super) account: Asker,
    /// Somebody invited, by the token.
    pub(super) invited: Asker,
    /// Where the log was when all this was there.
    pub(super) position: i64,
    /// Where an event of the organization stands.
    pub(super) entry: i64,
}

/// An organization while it is set up.
struct Founding {
    canary: String,
    base: String,
    ids: Ids,
    secrets: Vec<String>,
    operator: Asker,
    owner: Asker,
    position: i64,
    entry: i64,
}

impl Tenant {
    /// Sets one up. `side` is what the ids of its requests begin with; `issuer` vouches for its people.
    pub(super) async fn found(operator: &Asker, side: &'static str, issuer: &str) -> Self {
        let mut founding = Founding::begin(operator, side).await;
        founding.people().await;
        founding.projects().await;
        let (reader, account) = founding.keys().await;
        founding.groups_and_roles().await;
        founding.money().await;
        let invited = founding.invite().await;
        founding.settings(issuer).await;
        founding.oversight(&reader).await;
        founding.review().await;
        founding.audited().await;
        let Founding { canary, base, ids, secrets, owner, position, entry, .. } = founding;
        let at = |secret: &str| owner.presenting(secret);
        let (reader, account, invited) = (at(&reader), at(&account), at(&invited));
        Self { canary, base, ids, secrets, owner, reader, account, invited, position, entry }
    }
}

impl Founding {
    async fn begin(operator: &Asker, side: &'static str) -> Self {
        let canary = format!("canary-{side}-{}", unique_name());
        let made = json!({ "name": format!("{canary} Ltd") });
        let made = operator.command(Method::POST, "/v1/organizations", Some(&made)).await.done();
        let organization = made["organization_id"].as_str().unwrap().to_owned();
        let mut founding = Self {
            canary,
            base: format!("/v1/organizations/{organization}"),
            ids: ["organization_id", "to_organization_id"]
                .map(|gap| (gap.to_owned(), organization.clone()))
                .into(),
            secrets: Vec::new(),
            operator: operator.clone(),
            owner: operator.clone(),
            position: 0,
            entry: 0,
        };
        let invite = json!({ "email": founding.address("olga"), "role": "owner" });
        let invite = founding.make("/invites", &invite).await;
        let token = founding.shown(&invite);
        let accept = format!("/invites/{}/accept", invite["invite_id"].as_str().unwrap());
        founding.owner = operator.presenting(&token);
        let login = json!({ "login": founding.word("olga") });
        let accepted = founding.make(&accept, &login).await;
        let secret = founding.shown(&accepted);
        founding.keep("owner_id", &accepted["member_id"]);
        founding.owner = operator.presenting(&secret);
        founding
    }

    /// A text of the organization.
    fn word(&self, word: &str) -> String {
        format!("{word}-{}", self.canary)
    }

    fn address(&self, name: &str) -> String {
        format!("{name}@{}.example", self.canary)
    }

    fn id(&self, name: &str) -> String {
        self.ids[name].clone()
    }

    fn keep(&mut self, name: &str, id: &Value) {
        let id = id.as_str().unwrap_or_else(|| panic!("no {name}"));
        self.ids.insert(name.to_owned(), id.to_owned());
    }

    fn shown(&mut self, made: &Value) -> String {
        let secret = made["secret"].as_str().unwrap_or_else(|| panic!("no secret in {made}"));
        self.secrets.push(secret.to_owned());
        secret.to_owned()
    }

    async fn command(&mut self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let path = format!("{}{path}", self.base);
        let done = self.owner.command(method, &path, body).await.done();
        self.position = self.position.max(done["position"].as_i64().unwrap_or(0));
        done
    }

    async fn make(&mut self, path: &str, body: &Value) -> Value {
        self.command(Method::POST, path, Some(body)).await
    }

    async fn member(&mut self, name: &str, role: &str) -> String {
        let member = json!({ "login": self.word(name), "email": self.address(name), "role": role });
        let made = self.make("/members", &member).await;
        made["member_id"].as_str().unwrap().to_owned()
    }

    /// One of every role, and a second owner, who may approve; two who are no longer as they were.
    async fn people(&mut self) {
        for role in ["owner", "admin", "billing", "auditor"] {
            self.member(role, role).await;
        }
        let reason = json!({ "reason": self.word("reason") });
        let suspended = self.member("sam", "member").await;
        self.make(&format!("/members/{suspended}/suspend"), &reason).await;
        let removed = self.member("rita", "member").await;
        let path = format!("/members/{removed}?reason={}", self.word("left"));
        self.command(Method::DELETE, &path, None).await;
        for (name, role) in [("member_id", "member"), ("reader_id", "reader")] {
            let member = self.member(role, role).await;
            self.ids.insert(name.to_owned(), member);
        }
        let export = format!("/members/{}/personal-data/export", self.id("member_id"));
        let export = self.command(Method::POST, &export, None).await;
        self.keep("export_id", &export["export_id"]);
    }

    async fn projects(&mut self) {
        let project = json!({ "name": self.word("project"), "environment": "production" });
        let project = self.make("/projects", &project).await;
        self.keep("project_id", &project["project_id"]);
        let path = format!("/projects/{}/members/{}", self.id("project_id"), self.id("member_id"));
        self.command(Method::PUT, &path, Some(&json!({ "role": "owner" }))).await;
        let account = json!({ "project_id": self.id("project_id"), "name": self.word("account"),
                              "purpose": self.word("purpose") });
        let account = self.make("/service-accounts", &account).await;
        self.keep("service_account_id", &account["service_account_id"]);
    }

    /// The secrets of a reader's key and a service account's.
    async fn keys(&mut self) -> (String, String) {
        let key = json!({ "member_id": self.id("reader_id"), "name": self.word("reader") });
        let reader = self.make("/api-keys", &key).await;
        let reader = self.shown(&reader);
        let key = json!({ "project_id": self.id("project_id"), "name": self.word("account"),
                          "service_account_id": self.id("service_account_id") });
        let account = self.make("/api-keys", &key).await;
        let account = self.shown(&account);
        for name in ["api_key_id", "gone"] {
            let key = json!({ "project_id": self.id("project_id"), "name": self.word(name),
                              "member_id": self.id("member_id") });
            let key = self.make("/api-keys", &key).await;
            self.shown(&key);
            self.keep(name, &key["api_key_id"]);
        }
        let reason = json!({ "reason": self.word("found") });
        let gone = self.ids.remove("gone").unwrap();
        self.make(&format!("/api-keys/{gone}/revoke"), &reason).await;
        (reader, account)
    }

    async fn groups_and_roles(&mut self) {
        let group = json!({ "name": self.word("group"), "role": "reader" });
        let group = self.make("/groups", &group).await;
        self.keep("group_id", &group["group_id"]);
        let (group, project) = (self.id("group_id"), self.id("project_id"));
        let path = format!("/groups/{group}/members/{}", self.id("member_id"));
        self.command(Method::PUT, &path, None).await;
        let path = format!("/projects/{project}/groups/{group}");
        self.command(Method::PUT, &path, Some(&json!({ "role": "reader" }))).await;
        let role = json!({ "name": self.word("role"), "permissions": ["usage.read"] });
        let role = self.make("/roles", &role).await;
        self.keep("role_id", &role["role_id"]);
        let path = format!("/roles/{}/grants", self.id("role_id"));
        self.make(&path, &json!({ "group_id": group })).await;
        let grant = json!({ "member_id": self.id("member_id"), "project_id": project });
        self.make(&path, &grant).await;
    }

    async fn money(&mut self) {
        let bought =
            json!({ "amount": "50", "currency": "USD", "reference": self.word("invoice") });
        let bought = self.make("/credits/purchases", &bought).await;
        self.keep("lot_id", &bought["lot_id"]);
        let granted = json!({ "amount": "5", "currency": "USD", "reason": self.word("trial") });
        self.make("/credits/grants", &granted).await;
        let budget = json!({ "name": self.word("budget"), "currency": "USD", "period": "monthly",
            "amount": "50", "scope": { "kind": "feature", "feature": self.word("feature") } });
        let budget = self.make("/budgets", &budget).await;
        self.keep("budget_id", &budget["budget_id"]);
        let webhook = json!({ "url": format!("https://192.0.2.1/{}", self.canary),
            "description": self.word("alerts"), "event_types": ["budget.exhausted"] });
        let webhook = self.make("/webhooks", &webhook).await;
        self.keep("webhook_id", &webhook["webhook_id"]);
        self.shown(&webhook);
        let usage = json!({ "records": [{
            "project_id": self.id("project_id"), "api_key_id": self.id("api_key_id"),
            "feature": self.word("feature"), "provider": self.word("provider"),
            "model": self.word("model"), "request_id": self.word("request"),
            "end_user": self.word("end"), "tags": { self.word("tag"): self.word("value") },
            "occurred_at": "2026-01-31T12:00:00Z", "input_tokens": 10, "output_tokens": 5,
        }, {
            "project_id": self.id("project_id"), "provider": self.word("provider"),
            "model": self.word("model"), "request_id": self.id("api_key_id"),
            "occurred_at": "2026-01-31T12:00:00Z", "input_tokens": 1,
        }]});
        // A request that is named by an id, to ask about.
        self.ids.insert("request_id".to_owned(), self.id("api_key_id"));
        let done = self.make("/usage", &usage).await;
        assert_eq!(done["records"][0]["fate"], "recorded", "{done}");
    }

    async fn invite(&mut self) -> String {
        let invite = json!({ "email": self.address("ivy"), "role": "member",
            "projects": [{ "project_id": self.id("project_id"), "role": "member" }] });
        let invite = self.make("/invites", &invite).await;
        self.keep("invite_id", &invite["invite_id"]);
        self.shown(&invite)
    }

    async fn settings(&mut self, issuer: &str) {
        let domain = format!("{}.example", self.canary);
        let settings = json!({ "default_role": "member", "default_project_role": "member",
            "invite_domains": [domain, "example.com"], "admins_max": 1,
            "api_key_name_pattern": format!("^(.*{}|.*)$", self.canary) });
        self.replace("/settings", &settings).await;
        let security = json!({ "approvals": ["grant_owner"],
            "identity_provider": { "issuer": issuer, "email_domains": [domain] } });
        self.replace("/security", &security).await;
    }

    async fn replace(&mut self, path: &str, document: &Value) {
        let path = format!("{}{path}", self.base);
        let request = self.owner.request(Method::PUT, &path).header("if-match", "*").json(document);
        self.owner.ask(request).await.done();
    }

    /// What waits for a second person, what the operator asks for, and what was refused.
    async fn oversight(&mut self, reader: &str) {
        let path = format!("/members/{}/role", self.id("member_id"));
        let asked = self.command(Method::PUT, &path, Some(&json!({ "role": "owner" }))).await;
        self.keep("approval_id", &asked["approval_id"]);
        let path = format!("{}/break-glass", self.base);
        let emergency = json!({ "reason": self.word("emergency"), "minutes": 60 });
        let asked = self.operator.command(Method::POST, &path, Some(&emergency)).await.done();
        self.keep("break_glass_id", &asked["break_glass_id"]);
        let path = format!("{}/projects", self.base);
        let body = json!({ "name": self.word("refused") });
        let reader = self.owner.presenting(reader);
        reader.command(Method::POST, &path, Some(&body)).await.assert_refused("a reader's command");
    }

    async fn review(&mut self) {
        let review = json!({ "title": self.word("review"), "scope": { "kind": "organization" },
                             "due_at": "2999-01-01T00:00:00Z" });
        let review = self.make("/access-reviews", &review).await;
        self.keep("access_review_id", &review["access_review_id"]);
        let path = format!("/access-reviews/{}/lines", self.id("access_review_id"));
        let lines = format!("{path}?min_position={}", self.position);
        let lines = self.command(Method::GET, &lines, None).await;
        let is_of = |kind: &str| {
            let lines = lines["items"].as_array().unwrap();
            let line = lines.iter().find(|line| line.to_string().contains(kind));
            line.unwrap_or_else(|| panic!("no line of {kind}: {lines:?}"))["line_id"].clone()
        };
        // The first is said something of; the other stays open.
        let (said, open) = (is_of(&self.id("reader_id")), is_of(&self.id("api_key_id")));
        let attest = format!("{path}/{}/attest", said.as_str().unwrap());
        let attested = json!({ "decision": "revoke", "reason": self.word("moved") });
        self.make(&attest, &attested).await;
        self.keep("line_id", &open);
    }

    /// A line of the audit log, and a batch of usage records in it.
    async fn audited(&mut self) {
        for (name, kind) in [("event_id", "api_key.created"), ("batch_id", "usage.recorded")] {
            let path = format!("/audit-log?type={kind}&min_position={}", self.position);
            let lines = self.command(Method::GET, &path, None).await;
            self.keep(name, &lines["items"][0]["event_id"]);
            self.entry = lines["items"][0]["position"].as_i64().unwrap();
        }
        self.ids.insert("subject_id".to_owned(), self.id("api_key_id"));
    }
}
