//! A person who is erased is nowhere any more: not in any table, message, answer, export or log. Before
//! that, they are in the read models alone, and never in the log.

use std::collections::BTreeMap;

use embedded::testing::TestServers;
use event_log::relay::{JetStreamConfig, JetStreamReader};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Executor as _, PgPool};

use crate::support::log::{assert_sound, fingerprints, pool};
use crate::support::{CREDENTIAL, Client, Place, Service, send, until};

/// Parts of the person's names and addresses, in small letters, that nothing else has in it.
const TRACES: [&str; 4] = ["zephyrine", "quux", "vardo", "zq-7431"];

/// The person's login in the system that the history comes from.
const LOGIN: &str = "Zephyrine-Quux";

/// The person's address.
const ADDRESS: &str = "ZQ-7431@quux.example";

/// What seals the log.
fn signing_key() -> proofs::SigningKey {
    proofs::SigningKey::of("ledger.example/erasure", [5; 32]).unwrap()
}

/// Everything that runs: the roles beside the log, and read models that live on NATS.
struct Deployment {
    servers: TestServers,
    place: Place,
    services: BTreeMap<&'static str, Service>,
    ledger: PgPool,
    elsewhere: PgPool,
}

impl Deployment {
    async fn start() -> Self {
        let servers = TestServers::start().await.unwrap();
        let admin = pool(&servers.postgres().url("postgres")).await;
        admin.execute("create database ledger").await.unwrap();
        admin.execute("create database elsewhere").await.unwrap();
        let [ledger_url, elsewhere_url] =
            ["ledger", "elsewhere"].map(|name| servers.postgres().url(name));
        let place = Place::database(&ledger_url)
            .with("NATS_URL", &servers.nats().url())
            .with("ORGLEDGER_SIGNING_KEY", &signing_key().reveal());
        let both = place.clone().with("ORGLEDGER_READ_DATABASE_URL", &elsewhere_url);
        both.print(&["migrate"]).await;
        let far = both
            .clone()
            .without("DATABASE_URL")
            .with("ORGLEDGER_VAULT_DATABASE_URL", &ledger_url)
            .with("ORGLEDGER_FEED", "nats");
        let mut services = BTreeMap::new();
        for (name, place, role) in [
            ("commands", &place, "command-api"),
            ("queries", &place, "query-api"),
            ("projectors", &place, "projectors"),
            ("relay", &place, "relay"),
            ("far projectors", &far, "projectors"),
            ("far queries", &both, "query-api"),
        ] {
            services.insert(name, place.start(&["serve", role]).await);
        }
        let (ledger, elsewhere) = (pool(&ledger_url).await, pool(&elsewhere_url).await);
        Self { servers, place, services, ledger, elsewhere }
    }

    /// Evidence of the organization, as it is now.
    async fn evidence(&self, ids: &Ids, name: &str) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join(name);
        let organization_id = &ids.0["organization_id"][0];
        let out_text = out.to_str().unwrap();
        let export = ["evidence", "export", "--organization", organization_id, "--out", out_text];
        self.place.print(&export).await;
        std::fs::read(out).unwrap()
    }

    fn commands(&self) -> Client {
        self.services["commands"].client(CREDENTIAL)
    }

    /// Waits until both sides have come to a position.
    async fn project(&self, position: i64) {
        for name in ["queries", "far queries"] {
            let client = self.services[name].client(CREDENTIAL);
            let path = format!("/v1/organizations?min_position={position}");
            until("the projectors are there", || async { client.get(&path).await.status == 200 })
                .await;
        }
    }

    /// What the schemas that match hold, on either side.
    async fn tables(&self, schemas: &str) -> String {
        tables(&self.ledger, schemas).await + &tables(&self.elsewhere, schemas).await
    }

    /// What the stream carries, from its beginning to a position.
    async fn stream(&self, upto: i64) -> String {
        let config = JetStreamConfig::new(self.servers.nats().url());
        let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
        let mut text = String::new();
        loop {
            let page = reader.next_page(1_000).await.unwrap();
            text += &serde_json::to_string(&page.events).unwrap();
            if page.upto >= upto {
                return text;
            }
        }
    }

    /// Every answer of every query on both sides: now, as of then, and as was known before.
    async fn answers(&self, ids: &Ids, owner: &Client, at_position: i64) -> String {
        let mut text = String::new();
        let [near, far] = ["queries", "far queries"].map(|name| self.services[name].base());
        for client in [owner.at(near), owner.at(far), self.commands().at(near)] {
            let document = client.get("/v1/openapi.json").await.expect(200);
            let paths = document["paths"].as_object().unwrap();
            assert!(paths.len() > 10, "{} queries", paths.len());
            for path in paths.keys() {
                for path in ids.fill(path) {
                    for point in ["", "?as_of=2024-06-30", &format!("?at_position={at_position}")] {
                        text += &client.get(&format!("{path}{point}")).await.text;
                    }
                    text += &pages(&client, &path).await;
                    if path.ends_with("/audit-log") {
                        for format in ["ndjson", "csv", "ocsf"] {
                            text += &client
                                .get(&format!("{path}?limit=500&format={format}"))
                                .await
                                .text;
                        }
                    }
                }
            }
        }
        text
    }

    /// What the command line prints of the register, and of what happened.
    async fn exports(&self, at_position: i64) -> String {
        let mut text = String::new();
        for format in ["table", "json", "markdown", "csv"] {
            let at_position = at_position.to_string();
            for point in [&[][..], &["--as-of", "2024-06-30"], &["--at-position", &at_position]] {
                let register = [&["access-register", "--format", format][..], point].concat();
                text += &self.place.print(&register).await;
            }
        }
        let of = ["--organization", "Imported Ltd", "--format"];
        for format in ["table", "json", "ndjson", "csv", "ocsf"] {
            text += &self.place.print(&[&["audit-log"][..], &of, &[format]].concat()).await;
        }
        for format in ["table", "json", "markdown"] {
            text += &self.place.print(&[&["diff"][..], &of, &[format]].concat()).await;
        }
        text
    }

    /// What the processes have said of themselves.
    async fn said(&self) -> String {
        let mut text = String::new();
        for service in self.services.values() {
            text += &service.log();
            text += &service.client(CREDENTIAL).get("/metrics").await.text;
        }
        text
    }
}

/// A list read one item at a time, with the addresses of its pages.
async fn pages(client: &Client, path: &str) -> String {
    let mut text = String::new();
    let mut next = format!("{path}?limit=1");
    loop {
        let answer = client.get(&next).await;
        let cursor = (answer.status == 200)
            .then(|| answer.json()["next_cursor"].as_str().map(str::to_owned))
            .flatten();
        let Some(cursor) = cursor else { return text };
        text += &decoded(&cursor);
        next = format!("{path}?limit=1&cursor={cursor}");
    }
}

/// A cursor with what its digits spell: whoever sees an address can read that.
fn decoded(cursor: &str) -> String {
    let digits: Vec<u32> = cursor[1..].chars().map(|c| c.to_digit(16).unwrap()).collect();
    let bytes = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}

async fn tables(database: &PgPool, schemas: &str) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p', 'm') and n.nspname like $1
             and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
         order by 1",
    )
    .bind(schemas)
    .fetch_all(database)
    .await
    .unwrap();
    let mut text = String::new();
    for table in tables {
        let rows = format!(
            "select {} || coalesce(string_agg(t::text, chr(10)), '') from {table} t",
            format_args!("'{table}' || chr(10)")
        );
        text += &sqlx::query_scalar::<_, String>(&rows).fetch_one(database).await.unwrap();
    }
    text
}

/// The ids that paths are filled with, several for each.
#[derive(Default)]
struct Ids(BTreeMap<&'static str, Vec<String>>);

impl Ids {
    fn add(&mut self, name: &'static str, id: &Value) -> String {
        let id = id.as_str().unwrap_or_else(|| panic!("no {name}: {id}")).to_owned();
        self.0.entry(name).or_default().push(id.clone());
        id
    }

    fn fill(&self, path: &str) -> Vec<String> {
        let mut paths = vec![path.to_owned()];
        for (name, ids) in &self.0 {
            let placeholder = format!("{{{name}}}");
            let filled = |path: &String| -> Vec<String> {
                if !path.contains(&placeholder) {
                    return vec![path.clone()];
                }
                ids.iter().map(|id| path.replace(&placeholder, id)).collect()
            };
            paths = paths.iter().flat_map(filled).collect();
        }
        paths.retain(|path| !path.contains('{'));
        paths
    }
}

fn traces_in(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    TRACES.into_iter().filter(|trace| text.contains(trace)).collect()
}

#[track_caller]
fn assert_no_trace(text: &str, of: &str) {
    assert!(!text.is_empty(), "{of}: nothing was looked at");
    let text = text.to_lowercase();
    for trace in TRACES {
        if let Some(at) = text.find(trace) {
            let around: String = text
                .chars()
                .skip(text[..at].chars().count().saturating_sub(300))
                .take(500)
                .collect();
            panic!("{of} has '{trace}': …{around}…");
        }
    }
}

/// A history in which the person joins, acts, and is renamed; one line of it cannot be recorded.
fn history() -> String {
    let line = |day: u32, kind: &str, more: Value| {
        let mut line = json!({ "ts": format!("2024-05-{day:02}T00:00:00Z"), "actor": LOGIN,
                               "kind": kind, "org": "Imported Ltd" });
        line.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        line.to_string()
    };
    [
        line(1, "org_created", json!({ "actor": "somebody-else" })),
        line(
            2,
            "member_added",
            json!({ "actor": "somebody-else", "subject": LOGIN, "role": "admin" }),
        ),
        line(3, "member_added", json!({ "subject": "bystander", "role": "member" })),
        line(4, "team_created", json!({ "team": "search" })),
        line(
            5,
            "team_member_added",
            json!({ "team": "search", "subject": "bystander", "role": "lead" }),
        ),
        line(
            6,
            "team_member_added",
            json!({ "team": "search", "subject": LOGIN, "role": "member" }),
        ),
        line(7, "role_changed", json!({ "subject": "bystander", "role": "admin" })),
        line(8, "member_renamed", json!({ "subject": LOGIN, "new_subject": "zephyrine-vardo" })),
        line(9, "role_changed", json!({ "subject": LOGIN, "role": "admin" })),
        line(
            10,
            "member_renamed",
            json!({ "subject": "bystander", "new_subject": "Zephyrine-Vardo" }),
        ),
    ]
    .join("\n")
}

/// The person acts and is acted on in every way; answers the last position, and an owner.
async fn live(deployment: &Deployment, ids: &mut Ids) -> (i64, Client) {
    let file = deployment.servers.data_dir().path().join("history.jsonl");
    std::fs::write(&file, history()).unwrap();
    let import = ["import", "membership", file.to_str().unwrap(), "--json"];
    let first = deployment.place.json(&import).await;
    assert_eq!((&first["recorded"], first["rejected"].as_array().unwrap().len()), (&json!(8), 2));
    let again = deployment.place.json(&import).await;
    assert_eq!((&again["already_imported"], &again["rejected"]), (&json!(8), &first["rejected"]));
    deployment.project(assert_sound(&deployment.ledger).await).await;

    let operator = deployment.commands();
    let queries = deployment.services["queries"].base();
    let organizations = operator.at(queries).get("/v1/organizations").await.expect(200);
    let organization = ids.add("organization_id", &organizations["items"][0]["organization_id"]);
    let base = format!("/v1/organizations/{organization}");
    let client = operator.found(&base, "founder").await.client;
    let queries = client.at(queries);
    let projects = queries.get(&format!("{base}/projects")).await.expect(200);
    let project = ids.add("project_id", &projects["items"][0]["project_id"]);
    let members = queries.get(&format!("{base}/members")).await.expect(200);
    let imported = members["items"].as_array().unwrap();
    let imported = imported.iter().find(|one| one["login"] == "zephyrine-vardo").unwrap();
    ids.add("member_id", &imported["member_id"]);

    let invite = json!({ "email": ADDRESS, "role": "admin",
                         "projects": [{ "project_id": project, "role": "member" }] });
    let path = format!("{base}/invites");
    let sent = client.post(&path, "invite", &invite).await.expect(201);
    let replayed = client.post(&path, "invite", &invite).await.expect(201);
    assert_eq!(replayed["invite_id"], sent["invite_id"]);
    let spare = json!({ "email": "zq-7431+spare@quux.example", "role": "reader" });
    let spare = client.post(&path, "spare", &spare).await.expect(201);
    let spare = ids.add("invite_id", &spare["invite_id"]);
    client.post(&format!("{path}/{spare}/revoke"), "revoke", &json!({})).await.expect(200);
    let accept = format!("{path}/{}/accept", sent["invite_id"].as_str().unwrap());
    let invited = client.presenting(sent["secret"].as_str().unwrap());
    let accepted = invited.post(&accept, "accept", &json!({ "login": "zephyrine-web" })).await;
    let accepted = accepted.expect(201);
    let member = ids.add("member_id", &accepted["member_id"]);
    let taken = client
        .post(
            &format!("{base}/members"),
            "taken",
            &json!({ "login": "Zephyrine-Web", "role": "admin" }),
        )
        .await;
    assert_eq!(taken.expect(409)["type"], "/problems/login-taken");
    let renamed = json!({ "login": "zephyrine-web-2" });
    client.put(&format!("{base}/members/{member}/login"), &renamed).await.expect(200);
    let key = json!({ "project_id": project, "member_id": member, "name": "search-ui" });
    let key = client.post(&format!("{base}/api-keys"), "key", &key).await.expect(201);
    ids.add("api_key_id", &key["api_key_id"]);
    (key["position"].as_i64().unwrap(), client)
}

/// The person leaves and is erased; answers the last position.
async fn erase(client: &Client, ids: &Ids) -> i64 {
    let base = format!("/v1/organizations/{}", ids.0["organization_id"][0]);
    let mut position = 0;
    for member in &ids.0["member_id"] {
        let path = format!("{base}/members/{member}");
        let early = format!("early-{member}");
        let early = client.post(&format!("{path}/erase"), &early, &json!({})).await;
        early.assert_problem(409, "member-present");
        send(client.request(Method::DELETE, &path)).await.unwrap().expect(200);
        let why = json!({ "reason": "asked for" });
        let key = format!("erase-{member}");
        let erased = client.post(&format!("{path}/erase"), &key, &why).await.expect(200);
        position = erased["position"].as_i64().unwrap();
        // Again, with the same key and with another: nothing is left to be done.
        client.post(&format!("{path}/erase"), &key, &why).await.expect(200);
        let again = client.post(&format!("{path}/erase"), &format!("again-{member}"), &why).await;
        assert_eq!(again.expect(200)["position"], position);
    }
    let invite = format!("{base}/invites/{}/erase", ids.0["invite_id"][0]);
    let erased = client.post(&invite, "erase-invite", &json!({})).await.expect(200);
    assert_eq!(erased["position"], position + 1);
    position + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_is_nowhere_any_more() {
    let deployment = Deployment::start().await;
    let mut ids = Ids::default();
    let (before, owner) = live(&deployment, &mut ids).await;
    deployment.project(before).await;
    deployment.place.print(&["rebuild", "access_register"]).await;

    // The log, its keys and its stream never had the person in the clear; who asks sees them.
    for schemas in ["log", "vault", "public"] {
        assert_no_trace(&deployment.tables(schemas).await, schemas);
    }
    assert_no_trace(&deployment.stream(before).await, "the stream");
    let seen = [
        ("the read models", deployment.tables("read%").await),
        ("the answers", deployment.answers(&ids, &owner, before).await),
        ("the exports", deployment.exports(before).await),
    ];
    for (what, text) in &seen {
        let expected = if *what == "the exports" { &TRACES[..3] } else { &TRACES[..] };
        assert!(expected.iter().all(|trace| traces_in(text).contains(trace)), "{what} show nobody");
    }
    assert!(seen[1].1.contains(&format!("external:{LOGIN}")), "who acted is told");
    let entries = entries(&deployment.ledger, before).await;

    let evidence = deployment.evidence(&ids, "before.tar").await;
    let erased = erase(&owner, &ids).await;
    deployment.project(erased).await;
    // What was proven stays so, and says as little of the person as before.
    let after = deployment.evidence(&ids, "after.tar").await;
    let mut sizes = Vec::new();
    for bundle in [evidence, after] {
        assert_no_trace(&String::from_utf8_lossy(&bundle), "evidence");
        let found = proofs::bundle::verify(&bundle[..], &[signing_key().verifying_key()]).unwrap();
        assert!(found.is_complete());
        sizes.push(found.size);
    }
    assert!(sizes[0] < sizes[1], "the erasure is on record: {sizes:?}");
    // Nothing of the log has changed but what was added.
    assert_eq!(entries, self::entries(&deployment.ledger, before).await);
    assert_sound(&deployment.ledger).await;

    let live = fingerprints(&deployment.ledger).await;
    assert_eq!(live, fingerprints(&deployment.elsewhere).await, "the feeds give other tables");
    nowhere(&deployment, &ids, &owner, before, erased).await;
    // The same from zero, with what can be read now.
    deployment.place.print(&["rebuild", "access_register"]).await;
    assert_eq!(live, fingerprints(&deployment.ledger).await, "a rebuild gives other tables");
    nowhere(&deployment, &ids, &owner, before, erased).await;

    // A process that starts now finds everybody else, and the person's roles still have a holder.
    let fresh = deployment.place.start(&["serve", "command-api"]).await;
    let base = format!("/v1/organizations/{}", ids.0["organization_id"][0]);
    let body = json!({ "login": "BYSTANDER", "role": "admin" });
    let there = owner.at(fresh.base()).post(&format!("{base}/members"), "b", &body).await;
    assert_eq!(there.expect(409)["type"], "/problems/login-taken", "the bystander is a member");
    let register = deployment.exports(before).await;
    assert!(register.contains("bystander") && register.contains("erased:"), "{register}");
    assert_no_trace(&deployment.said().await, "what the processes say");
    // It fails where anything is otherwise.
    deployment.place.print(&["replay"]).await;
}

/// What the log holds up to a position, all columns of it.
async fn entries(log: &PgPool, upto: i64) -> Vec<String> {
    sqlx::query_scalar("select e::text from log.events e where position <= $1 order by position")
        .bind(upto)
        .fetch_all(log)
        .await
        .unwrap()
}

async fn nowhere(deployment: &Deployment, ids: &Ids, owner: &Client, before: i64, erased: i64) {
    assert_no_trace(&deployment.tables("%").await, "a table");
    assert_no_trace(&deployment.stream(erased).await, "the stream");
    assert_no_trace(&deployment.answers(ids, owner, before).await, "an answer");
    assert_no_trace(&deployment.exports(before).await, "an export");
    assert_no_trace(&deployment.said().await, "what the processes say");
}
