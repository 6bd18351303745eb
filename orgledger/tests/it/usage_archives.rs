//! Archiving a month of usage, beside a running server: totals stay, what needs the records says so, a
//! killed command goes on, and a restored month is as it was.

use std::time::Duration;

use embedded::testing::TestServers;
use serde_json::{Value, json};
use sqlx::{Executor as _, PgPool};

use crate::support::log::{assert_sound, database_of, fingerprints, pool};
use crate::support::{CREDENTIAL, Client, Place, Service, installation, until};

const MONTH: [&str; 2] = ["--month", "2026-01"];

/// A server with an organization that has used something in December, January and February.
struct World {
    _servers: TestServers,
    place: Place,
    dev: Service,
    owner: Client,
    base: String,
    project: String,
    log: PgPool,
    archives: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let (servers, place) = installation().await;
        let place = place.with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL);
        let dev = place.start(&["dev"]).await;
        let operator = dev.client(CREDENTIAL);
        let prices = json!({ "catalogue": "c", "provider": "p", "currency": "USD", "models": [
            { "model": "m", "matches": { "equals": "m" }, "rates": { "input_tokens": "3" } }] });
        operator.post("/v1/price-lists", "prices", &prices).await.expect(200);
        let made = operator.post("/v1/organizations", "o", &json!({ "name": "Acme" })).await;
        let made = made.expect(201);
        let base = format!("/v1/organizations/{}", made["organization_id"].as_str().unwrap());
        let owner = operator.found(&base, "ada").await.client;
        let project = owner.post(&format!("{base}/projects"), "p", &json!({ "name": "P" })).await;
        let project = project.expect(201)["project_id"].as_str().unwrap().to_owned();
        let bought = json!({ "amount": "100", "currency": "USD" });
        owner.post(&format!("{base}/credits/purchases"), "b", &bought).await.expect(201);
        let log = database_of(servers.postgres()).await;
        let archives = tempfile::tempdir().unwrap();
        let world = Self { _servers: servers, place, dev, owner, base, project, log, archives };
        for batch in 0..4 {
            let records: Vec<Value> = (0..300).map(|n| world.record(batch, n)).collect();
            let sent = world.send(&records).await;
            assert!(sent.iter().all(|one| one["fate"] == "recorded"), "{sent:?}");
        }
        world.reprice().await;
        world.read_models_are_there().await;
        world
    }

    /// Some of January costs something else afterwards.
    async fn reprice(&self) {
        let own = json!({ "provider": "p", "currency": "USD", "models": [
            { "model": "m", "matches": { "equals": "m" }, "rates": { "input_tokens": "4" } }],
            "effective_from": "2020-01-01T00:00:00Z" });
        self.owner.post(&format!("{}/price-lists", self.base), "own", &own).await.expect(200);
        let scope = json!({ "from": "2026-01-05T00:00:00Z", "to": "2026-01-20T00:00:00Z" });
        let done = self.owner.post(&format!("{}/usage/reprice", self.base), "again", &scope).await;
        assert!(done.expect(200)["changed"].as_i64() > Some(100));
    }

    /// A request of one of the days from 20 December to 10 February.
    fn record(&self, batch: i64, n: i64) -> Value {
        let begin = chrono::DateTime::from_timestamp(1_766_188_800, 0).unwrap();
        let at = begin + chrono::TimeDelta::minutes((n * 250 + batch * 31) % (52 * 1_440));
        json!({ "project_id": self.project, "request_id": format!("r{batch}-{n}"), "provider": "p",
                "model": if n % 9 == 0 { "unknown" } else { "m" }, "feature": format!("f{}", n % 3),
                "end_user": format!("u{}", n % 5), "input_tokens": 1_000 + n,
                "occurred_at": at.to_rfc3339() })
    }

    async fn send(&self, records: &[Value]) -> Vec<Value> {
        let body = json!({ "records": records });
        let sent = self.owner.post(&format!("{}/usage", self.base), "u", &body).await.expect(200);
        sent["records"].as_array().unwrap().clone()
    }

    async fn read_models_are_there(&self) -> i64 {
        let head: i64 =
            sqlx::query_scalar("select position from log.head").fetch_one(&self.log).await.unwrap();
        until("the read models are at the head", || async {
            fingerprints(&self.log).await.iter().all(|one| one.position >= head)
        })
        .await;
        head
    }

    async fn get(&self, route: &str) -> Value {
        self.owner.get(&format!("{}{route}", self.base)).await.expect(200)
    }

    /// Everything that is read from totals, without the position that it is of.
    async fn totals(&self) -> Vec<Value> {
        self.read_models_are_there().await;
        let mut all = Vec::new();
        for route in [
            "/costs?by=feature,month",
            "/costs?by=model,day",
            "/costs?by=member,api_key,week&time_zone=Asia/Kolkata",
            "/costs?by=project&as_of=2100-01-01",
            "/balance",
            "/statement?currency=USD&from=2025-12-01T00:00:00Z&to=2026-03-01T00:00:00Z",
        ] {
            let mut answer = self.get(route).await;
            answer.as_object_mut().unwrap().remove("position");
            all.push(answer);
        }
        all
    }

    fn archive<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let to = ["--to", self.archives.path().to_str().unwrap()];
        [&["usage", "archive"][..], &MONTH, &to, more].concat()
    }

    fn restore(&self) -> Vec<&str> {
        let from = ["--from", self.archives.path().to_str().unwrap()];
        [&["usage", "restore"][..], &MONTH, &from].concat()
    }

    async fn state(&self) -> Value {
        let listed = self.place.json(&["usage", "archives", "--format", "json"]).await;
        let archives = listed["archives"].as_array().unwrap();
        assert!(archives.len() <= 1, "{listed}");
        archives.first().map_or(json!("open"), |one| one["state"].clone())
    }

    /// A usage record of no batch, in February: as a superuser puts one in.
    async fn put_in_a_stray(&self) {
        let put_in = r#"set local session_replication_role = replica;
            insert into log.usage_records
            select (jsonb_populate_record(u, '{
                "batch_id": "ffffffff-0000-4000-8000-000000000001",
                "request_key": "ffffffff-0000-4000-8000-000000000002"}')).*
            from log.usage_records u where occurred_at >= '2026-02-05' limit 1"#;
        let mut tx = self.log.begin().await.unwrap();
        tx.execute(put_in).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn take_out_the_stray(&self) {
        let take_out = "set local session_replication_role = replica;
            delete from log.usage_records where batch_id = 'ffffffff-0000-4000-8000-000000000001'";
        let mut tx = self.log.begin().await.unwrap();
        tx.execute(take_out).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The events of the month's own stream, with the manifest that each names.
    async fn on_record(&self) -> Vec<(String, Option<String>)> {
        sqlx::query_as(
            "select event_type, payload ->> 'manifest_sha256' from log.events
             where aggregate_type = 'usage_month' order by position",
        )
        .fetch_all(&self.log)
        .await
        .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_stay_what_needs_records_is_refused_and_a_restored_month_is_as_it_was() {
    let world = World::new().await;
    let before = world.totals().await;
    let by_end_user = world.get("/costs?by=end_user").await["rows"].clone();
    let explained = world.get("/usage/r0-100/explanation").await;
    let what_if = "/usage/what-if?from=2026-01-01&to=2026-02-01&as_provider=p&as_model=m&by=day";
    let would_cost = world.get(what_if).await["rows"].clone();

    let archived = world.place.json(&world.archive(&["--drop", "--json"])).await;
    assert_eq!(archived["state"], "dropped", "{archived}");
    assert!(archived["totals"]["records"].as_i64().unwrap() > 600, "{archived}");
    let manifest = archived["manifest_sha256"].as_str().unwrap().to_owned();
    let recorded = |kind: &str| (kind.to_owned(), Some(manifest.clone()));
    let on_record = [recorded("usage.archived"), recorded("usage.dropped")];
    assert_eq!(world.on_record().await, on_record);
    let gone: i64 = sqlx::query_scalar(
        "select count(*) from pg_class where relname in ('usage_records_2026_01', 'usage_archived_2026_01')",
    )
    .fetch_one(&world.log)
    .await
    .unwrap();
    assert_eq!((gone, world.state().await), (0, json!("dropped")));
    // The balances' own sum of the month is that of the archive.
    assert_eq!(world.totals().await, before);

    let refused = |route: String| {
        let (owner, base) = (world.owner.clone(), world.base.clone());
        async move {
            owner.get(&format!("{base}{route}")).await.assert_problem(409, "usage-archived");
        }
    };
    refused("/costs?by=end_user".to_owned()).await;
    refused("/costs?by=feature,end_user&from=2026-01-31&to=2026-02-03".to_owned()).await;
    refused("/usage/r0-100/explanation".to_owned()).await;
    let nowhere = world.owner.get(&format!("{}{what_if}", world.base)).await;
    nowhere.assert_problem(409, "usage-archived");
    let february = world.get("/costs?by=end_user&from=2026-02-01").await;
    assert!(!february["rows"].as_array().unwrap().is_empty(), "{february}");
    let unbuilt = world.place.run(&["rebuild", "cost_per_feature"]).await.refused();
    assert!(unbuilt.contains("2026-01") && unbuilt.contains("usage restore"), "{unbuilt}");
    world.place.json(&["rebuild", "access_register", "--json"]).await;
    assert_eq!(world.totals().await, before, "after a rebuild that could not be");

    // What is there is verified, and what is not is named.
    let verified = world.place.print(&["verify"]).await;
    assert!(verified.contains("more may be in archives"), "{verified}");
    assert!(
        verified.contains("balances (not compared: usage of 2026-01 is archived)"),
        "{verified}"
    );

    // A record that somebody put into another month is found all the same.
    world.put_in_a_stray().await;
    let refused = world.place.run(&["verify"]).await.refused();
    assert!(refused.contains("some were put in"), "{refused}");
    world.take_out_the_stray().await;
    world.place.print(&["verify"]).await;

    // Sent again, nothing of the month counts.
    let again: Vec<Value> = (0..300).map(|n| world.record(2, n)).collect();
    let sent = world.send(&again).await;
    let invalid = sent.iter().filter(|one| one["fate"] == "invalid").count();
    let duplicates = sent.iter().filter(|one| one["fate"] == "duplicate").count();
    assert!(invalid > 150 && invalid + duplicates == 300, "{invalid} and {duplicates}");
    let one = sent.iter().find(|one| one["fate"] == "invalid").unwrap();
    assert_eq!(one["field"], "occurred_at", "{one}");
    assert!(one["reason"].as_str().unwrap().contains("2026-01 is archived"), "{one}");
    assert_eq!(world.totals().await, before);

    let nowhere = world.place.run(&["usage", "restore", "--month", "2026-01"]).await.refused();
    assert!(nowhere.contains("--from"), "{nowhere}");
    let nothing = ["usage", "restore", "--month", "2026-02"];
    assert!(world.place.run(&nothing).await.refused().contains("2026-02"));
    world.place.print(&world.restore()).await;
    assert_eq!(world.on_record().await[2].0, "usage.restored");
    assert_eq!(world.state().await, "open");
    assert_sound(&world.log).await;
    assert_eq!(world.get("/costs?by=end_user").await["rows"], by_end_user);
    assert_eq!(world.get("/usage/r0-100/explanation").await, explained);
    assert_eq!(world.get(what_if).await["rows"], would_cost);
    world.read_models_are_there().await;
    let kept = fingerprints(&world.log).await;
    for name in ["cost_per_feature", "balances", "last_use"] {
        world.place.json(&["rebuild", name, "--json"]).await;
    }
    assert_eq!(fingerprints(&world.log).await, kept, "rebuilt from what was restored");
    let sent = world.send(&again).await;
    assert!(sent.iter().all(|one| one["fate"] == "duplicate"), "{sent:?}");
    world.place.print(&["verify"]).await;
    let said = world.dev.log();
    assert!(!said.contains("not sealed any more"), "{said}");
    world.dev.stop().await;
}

/// Killed after some milliseconds, more each time, until one gets through; then back again in the same
/// way, and once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_came_twice_is_proven_by_its_position() {
    let world = World::new().await;
    let mut again = world.record(0, 0);
    again["occurred_at"] = json!("2026-02-05T00:00:00Z");
    again["error_type"] = json!("timeout");
    let sent = world.send(&[again]).await;
    assert_eq!(sent[0]["fate"], "recorded", "{sent:?}");
    let position = sent[0]["position"].to_string();
    let file = world.archives.path().join("record.tar");
    let export = ["evidence", "export", "--organization", "Acme", "--request", "r0-0"];
    let export = [&export[..], &["--out", file.to_str().unwrap()]].concat();
    let refused = world.place.run(&export).await.refused();
    assert!(refused.contains("more than once") && refused.contains(&position), "{refused}");
    assert!(!file.exists());
    world.place.print(&[&export[..], &["--position", &position]].concat()).await;
    let key = world.place.print(&["signing-key", "show"]).await;
    let said = world.place.print(&["verify", file.to_str().unwrap(), "--key", key.trim()]).await;
    // What a person has to know of it: it failed, and nothing was to be paid.
    for what in [&format!("position {position}"), "timeout", "nothing was to be paid"] {
        assert!(said.contains(what), "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_command_loses_nothing_and_goes_on_when_it_is_run_again() {
    let world = World::new().await;
    let before = world.totals().await;
    let mut kills = 0;
    let drop = world.archive(&["--drop"]);
    let restore = world.restore();
    for (command, done) in
        [(&drop, "dropped"), (&restore, "open"), (&drop, "dropped"), (&restore, "open")]
    {
        let mut patience = Duration::from_millis(40);
        while world.state().await != done {
            let mut running = world.place.command(command).spawn().unwrap();
            if tokio::time::timeout(patience, running.wait()).await.is_err() {
                running.kill().await.unwrap();
                kills += 1;
            }
            patience += Duration::from_millis(50);
            assert_eq!(world.totals().await, before, "after {patience:?}");
        }
    }
    // The last may have been killed before it could say so: the next command does.
    until("nothing is left to restore", || async {
        world.place.run(&restore).await.refused().contains("is not archived")
    })
    .await;
    assert!(kills >= 8, "{kills} were killed");
    assert_sound(&world.log).await;
    let on_record: Vec<String> =
        world.on_record().await.into_iter().map(|(kind, _)| kind).collect();
    let rounds: Vec<&str> = on_record.iter().map(String::as_str).collect();
    let round = ["usage.archived", "usage.dropped", "usage.restored"];
    let without_drops =
        |round: &[&str]| round.iter().filter(|kind| **kind != "usage.dropped").count();
    assert_eq!(without_drops(&rounds), 2 * without_drops(&round), "{rounds:?}");
    world.dev.stop().await;
}

#[tokio::test]
async fn what_cannot_be_archived_is_refused_and_goes_on_as_before() {
    let world = World::new().await;
    let before = world.totals().await;
    let to = world.archives.path().to_str().unwrap();
    let now = event_log::clock::now().format("%Y-%m").to_string();
    for (month, said) in
        [(now.as_str(), "is not over"), ("2031-01", "is not over"), ("2025-06", "no usage")]
    {
        let refused =
            world.place.run(&["usage", "archive", "--month", month, "--to", to]).await.refused();
        assert!(refused.contains(said), "{month}: {refused}");
    }
    // A full disk.
    let directory = world.archives.path().join("usage-2026-01");
    std::fs::create_dir(&directory).unwrap();
    let part = directory.join("records-0001.parquet.part");
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let refused = world.place.run(&world.archive(&[])).await.refused();
    assert!(refused.contains("the disk is full") && refused.contains("records-0001"), "{refused}");
    assert_eq!(world.state().await, "open", "it takes records again");
    std::fs::remove_file(&part).unwrap();
    // Kept in the database, and back from there without the archive.
    world.place.print(&world.archive(&[])).await;
    assert_eq!((world.state().await, world.totals().await == before), (json!("detached"), true));
    let refused = world.place.run(&world.archive(&[])).await.refused();
    assert!(refused.contains("archived already"), "{refused}");
    // An archive that lost a byte is not all that is kept.
    let file = directory.join("records-0001.parquet");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    world.place.run(&world.archive(&["--drop"])).await.refused();
    assert_eq!(world.state().await, "detached");
    world.place.print(&["usage", "restore", "--month", "2026-01"]).await;
    assert_eq!((world.state().await, world.totals().await == before), (json!("open"), true));
    // What is there is another archive than that of the month as it is now.
    std::fs::write(&file, &whole).unwrap();
    let mut late = world.record(9, 100);
    late["occurred_at"] = json!("2026-01-10T00:00:00Z");
    world.send(&[late]).await;
    let refused = world.place.run(&world.archive(&[])).await.refused();
    assert!(refused.contains("name another directory"), "{refused}");
    assert_eq!(world.state().await, "open");
    assert_sound(&world.log).await;
    world.dev.stop().await;
}

/// A service's user owns nothing, so it moves no month. The owner, who is no superuser and sees no rows
/// of the log as such, moves them all.
#[tokio::test]
async fn archiving_is_for_the_owner() {
    let servers = TestServers::start_postgres_only().await.unwrap();
    let admin = pool(&servers.postgres().url("postgres")).await;
    admin.execute("create role ledger_owner login createrole").await.unwrap();
    admin.execute("create database ledger owner ledger_owner").await.unwrap();
    let url = servers.postgres().url("ledger");
    let as_user = |user: &str| url.replacen("postgres@", &format!("{user}@"), 1);
    let place = Place::database(&as_user("ledger_owner"));
    place.print(&["migrate"]).await;
    let archives = tempfile::tempdir().unwrap();
    let requests = archives.path().join("requests.csv");
    let rows = "occurred_at,input_tokens,output_tokens,feature\n2026-01-05T12:00:00Z,5,6,chat\n";
    std::fs::write(&requests, rows).unwrap();
    let import = [
        &["import", "usage", requests.to_str().unwrap(), "--create"][..],
        &["--organization", "Acme", "--project", "P", "--model", "m", "--provider", "p"],
        &["--feature-column", "feature"],
    ]
    .concat();
    place.print(&import).await;
    let users = "create role commands login noinherit;
        grant orgledger_writer, orgledger_operator, orgledger_projector to commands";
    admin.execute(users).await.unwrap();
    let service = as_user("commands");
    let to = archives.path().to_str().unwrap();
    let archive = [&["usage", "archive", "--to", to][..], &MONTH].concat();
    let refused = Place::database(&service).run(&archive).await.refused();
    assert!(refused.contains("owner of the log's tables"), "{refused}");
    let listed = place.json(&["usage", "archives", "--format", "json"]).await;
    assert_eq!(listed, json!({ "archives": [] }));
    let costs = ["costs", "--organization", "Acme", "--by", "end_user", "--format", "json"];
    let before = place.json(&costs).await["rows"].clone();
    for drop in [&[][..], &["--drop"]] {
        place.print(&[&archive[..], drop].concat()).await;
        place.run(&costs).await.refused();
        place.print(&[&["usage", "restore", "--from", to][..], &MONTH].concat()).await;
        assert_eq!(place.json(&costs).await["rows"], before, "{drop:?}");
    }
}
