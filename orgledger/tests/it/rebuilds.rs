//! Rebuilding read models while commands run and readers read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::histories::{self, Times, World, assert_same, registered};
use crate::support::log::{READ_MODELS, assert_sound, database_of, fingerprints};
use crate::support::{CREDENTIAL, Client, Place, installation, until, within};

/// What readers and writers share.
struct Traffic {
    place: Place,
    operator: Client,
    /// Whose organization it is that is busy.
    owner: Client,
    base: String,
    project: String,
    /// What an untouched part of the register always says.
    steady: World,
    over: AtomicBool,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Traffic {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// Writes and reads back at once: what was written is there, whatever is being rebuilt.
async fn write(traffic: Arc<Traffic>, writer: usize) {
    for n in 0.. {
        if traffic.is_over() {
            return;
        }
        let Traffic { owner: client, base, project, .. } = &*traffic;
        let name = format!("w{writer}-{n}");
        let member = json!({ "login": name, "role": "member" });
        let added = client.post(&format!("{base}/members"), &name, &member).await.expect(201);
        let path = format!("{base}/members/{}", added["member_id"].as_str().unwrap());
        let found =
            client.get(&format!("{path}?min_position={}", added["position"])).await.expect(200);
        assert_eq!(found["login"], name.as_str());

        let record = json!({ "project_id": project, "request_id": name, "provider": "p", "model": "m",
                             "feature": format!("w{writer}"), "input_tokens": n,
                             "occurred_at": "2026-01-31T12:00:00Z" });
        let body = json!({ "records": [record] });
        let used = client.post(&format!("{base}/usage"), &name, &body).await.expect(200);
        let path = format!("{base}/costs?by=feature&min_position={}", used["position"]);
        let costs = client.get(&path).await.expect(200);
        let rows = costs["rows"].as_array().unwrap();
        let mine = rows.iter().find(|row| row["feature"] == format!("w{writer}").as_str()).unwrap();
        assert_eq!(mine["requests"], n + 1, "{costs}");

        let body = json!({ "amount": "1", "currency": "EUR" });
        client
            .post(&format!("{base}/credits/grants"), &format!("{name}-g"), &body)
            .await
            .expect(201);
        traffic.writes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Reads as fast as it can. No error, nothing missing, never an older picture than before.
async fn read(traffic: Arc<Traffic>) {
    let mut seen: BTreeMap<&str, i64> = BTreeMap::new();
    while !traffic.is_over() {
        let Traffic { place, operator, owner: client, base, steady, .. } = &*traffic;
        let register = client.get(&format!("{base}/access-register")).await;
        operator.get("/v1/organizations").await.expect(200);
        let costs = client.get(&format!("{base}/costs")).await;
        let balance = client.get(&format!("{base}/balance")).await;
        for (name, answer) in [("register", &register), ("costs", &costs), ("balance", &balance)] {
            let body = answer.expect(200);
            let position = body["position"].as_i64().unwrap();
            let before = seen.insert(name, position).unwrap_or(0);
            assert!(position >= before, "{name} went back from {before} to {position}");
        }
        let world = registered(&register.json());
        assert_eq!(world["Busy"].members["founder"], "owner");
        let mut world = registered(&place.json(&["access-register", "--format", "json"]).await);
        world.remove("Busy").unwrap_or_else(|| panic!("{:?}", world.keys()));
        assert_same(&world, steady, "the untouched organizations");
        let row = &costs.json()["rows"][0];
        assert_eq!((&row["feature"], &row["requests"]), (&json!("before"), &json!(1_000)), "{row}");
        assert_eq!(balance.json()["balances"][0]["currency"], "EUR", "{}", balance.text);
        traffic.reads.fetch_add(1, Ordering::SeqCst);
    }
}

async fn set_up(operator: &Client) -> (Client, String, String) {
    let made = operator.post("/v1/organizations", "o", &json!({ "name": "Busy" })).await;
    let made = made.expect(201);
    let base = format!("/v1/organizations/{}", made["organization_id"].as_str().unwrap());
    let client = operator.found(&base, "founder").await.client;
    let project = client.post(&format!("{base}/projects"), "p", &json!({ "name": "P" })).await;
    let project = project.expect(201)["project_id"].as_str().unwrap().to_owned();
    let record = |n: i64| {
        json!({ "project_id": project, "request_id": format!("before-{n}"), "provider": "p",
                "model": "m", "feature": "before", "input_tokens": n,
                "occurred_at": format!("2026-01-{:02}T12:00:00Z", 1 + n % 28) })
    };
    let body = json!({ "records": (0..1_000).map(record).collect::<Vec<Value>>() });
    client.post(&format!("{base}/usage"), "u", &body).await.expect(200);
    let body = json!({ "amount": "1000", "currency": "EUR" });
    client.post(&format!("{base}/credits/grants"), "g", &body).await.expect(201);
    (client, base, project)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_is_the_same_and_no_reader_notices() {
    let (servers, place) = installation().await;
    let place = place.with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL);
    let history = histories::generate(3, 3_000, Times::InOrder);
    let file = servers.data_dir().path().join("history.jsonl");
    std::fs::write(&file, histories::lines(&history)).unwrap();
    place.print(&["import", "membership", file.to_str().unwrap()]).await;
    let dev = place.start(&["dev"]).await;
    let client = dev.client(CREDENTIAL);
    let (owner, base, project) = set_up(&client).await;
    let log = database_of(servers.postgres()).await;
    let at_head = || async {
        let head = assert_sound(&log).await;
        until("the read models are at the head", || async {
            let status = client.get("/v1/status").await.expect(200);
            status["projections"].as_array().unwrap().iter().all(|one| one["position"] == head)
        })
        .await;
        fingerprints(&log).await
    };

    // Kept live from the beginning.
    let (steady, _) = histories::fold(&history, "9");
    let traffic = Arc::new(Traffic {
        place: place.clone(),
        operator: client.clone(),
        owner,
        base,
        project,
        steady,
        over: AtomicBool::new(false),
        reads: AtomicUsize::new(0),
        writes: AtomicUsize::new(0),
    });
    at_head().await;
    let mut busy = JoinSet::new();
    for writer in 0..3 {
        busy.spawn(write(Arc::clone(&traffic), writer));
    }
    for _ in 0..2 {
        busy.spawn(read(Arc::clone(&traffic)));
    }
    // A failed reader or writer ends the test at once, not at its end.
    let rebuilds = async {
        for _ in 0..2 {
            for name in READ_MODELS {
                let before = traffic.reads.load(Ordering::SeqCst);
                let rebuilt = place.json(&["rebuild", name, "--json"]).await;
                assert!(rebuilt["entries"].as_i64().unwrap() >= 1_500, "{rebuilt}");
                // Somebody has read since.
                until("reads go on", || async { traffic.reads.load(Ordering::SeqCst) > before })
                    .await;
            }
        }
    };
    tokio::select! {
        () = rebuilds => {}
        ended = busy.join_next() => panic!("traffic ended before the rebuilds: {ended:?}"),
    }
    traffic.over.store(true, Ordering::SeqCst);
    while let Some(ended) = within("traffic ends", busy.join_next()).await {
        ended.unwrap();
    }
    let [reads, writes] = [&traffic.reads, &traffic.writes].map(|n| n.load(Ordering::SeqCst));
    eprintln!("{reads} reads and {writes} writes beside {} rebuilds", 2 * READ_MODELS.len());
    assert!(writes >= 10 && reads >= 10, "hardly any traffic: {reads} reads, {writes} writes");

    // Rebuilt in the middle of it and kept live since, against rebuilt now.
    let kept = at_head().await;
    for name in READ_MODELS {
        place.json(&["rebuild", name, "--json"]).await;
    }
    assert_eq!(
        kept,
        at_head().await,
        "a read model that was kept live is not what a rebuild gives"
    );
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_live_from_the_beginning_is_what_a_rebuild_gives() {
    let (servers, place) = installation().await;
    let place = place.with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL);
    let dev = place.start(&["dev"]).await;
    let client = dev.client(CREDENTIAL);
    set_up(&client).await;
    // In two parts: the read models live through the second.
    let history = histories::generate(5, 2_000, Times::OutOfOrder);
    let file = servers.data_dir().path().join("history.jsonl");
    for upto in [1_000, 2_000] {
        std::fs::write(&file, histories::lines(&history[..upto])).unwrap();
        place.print(&["import", "membership", file.to_str().unwrap()]).await;
    }
    let log = database_of(servers.postgres()).await;
    let head = assert_sound(&log).await;
    client.get(&format!("/v1/organizations?min_position={head}")).await.expect(200);
    until("the read models are at the head", || async {
        fingerprints(&log).await.iter().all(|one| one.position == head)
    })
    .await;
    let kept = fingerprints(&log).await;
    for name in READ_MODELS {
        let rebuilt = place.json(&["rebuild", name, "--json"]).await;
        assert_eq!(rebuilt["position"], head, "{rebuilt}");
    }
    assert_eq!(kept, fingerprints(&log).await);
    dev.stop().await;
}
