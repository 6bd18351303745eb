//! `kill -9`, fifty times over, in the middle of concurrent commands: what was acknowledged is there
//! once, everything else at most once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use embedded::testing::TestServers;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::log::{READ_MODELS, assert_sound, database_of, fingerprints};
use crate::support::{CREDENTIAL, Client, PATIENCE, Place, Service, until, within};

const ROUNDS: usize = 50;
const CLIENTS: usize = 8;
/// How many commands are acknowledged before the next kill.
const ACKNOWLEDGED_A_ROUND: usize = 24;
/// How soon a client tries again what was not acknowledged.
const PAUSE: Duration = Duration::from_millis(10);

/// Whose turn it is to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Orgledger,
    Postgres,
    Both,
    OrgledgerAndNats,
}

impl Victim {
    fn of(round: usize) -> Self {
        match round % 10 {
            3 => Self::OrgledgerAndNats,
            8 => Self::Both,
            even if even % 2 == 0 => Self::Orgledger,
            _ => Self::Postgres,
        }
    }
}

/// A command that was sent, and what is known of it.
#[derive(Debug)]
struct Sent {
    /// Its idempotency key, and what its event is known by.
    name: String,
    what: What,
    /// The secret of the key of who sends it.
    owner: String,
    path: String,
    body: Value,
    acknowledged: Option<Acknowledged>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// By its name: a member's login stands in the log for nobody to find.
    Group,
    Project,
    Usage,
}

#[derive(Debug)]
struct Acknowledged {
    position: i64,
    /// Whether the answer was that to an earlier try.
    replayed: bool,
}

/// Where commands go to.
struct Target {
    /// The secret of its owner's key.
    owner: String,
    organization: String,
    project: String,
}

/// What the clients of a round share.
struct Round {
    number: usize,
    targets: Arc<Vec<Target>>,
    acknowledged: AtomicUsize,
    enough: Notify,
    killed: AtomicBool,
    /// Why something was not acknowledged, last.
    why_not: Mutex<String>,
}

impl Round {
    fn command(&self, client: usize, n: usize) -> Sent {
        let name = format!("r{}-c{client}-n{n}", self.number);
        let Target { owner, organization, project } =
            &self.targets[(client + n) % self.targets.len()];
        let (what, path, body) = match n % 4 {
            0 => (What::Project, "projects", json!({ "name": name })),
            1 => {
                let record = |half: &str| {
                    json!({ "project_id": project, "request_id": format!("{name}-{half}"),
                            "provider": "p", "model": "m", "feature": "f", "input_tokens": 1,
                            "occurred_at": "2026-01-31T12:00:00Z" })
                };
                (What::Usage, "usage", json!({ "records": [record("a"), record("b")] }))
            }
            _ => (What::Group, "groups", json!({ "name": name })),
        };
        let path = format!("/v1/organizations/{organization}/{path}");
        Sent { name, what, owner: owner.clone(), path, body, acknowledged: None }
    }
}

/// Sends a command once; where it was not acknowledged, why. A refusal fails the test.
async fn send(client: &Client, sent: &mut Sent) -> Result<(), String> {
    let owner = client.presenting(&sent.owner);
    let answer = owner.try_post(&sent.path, &sent.name, &sent.body).await;
    let answer = answer.map_err(|error| format!("{}: {error:?}", sent.path))?;
    match answer.status {
        200 | 201 => {
            let body = answer.json();
            let mut replayed = answer.headers.contains_key("idempotent-replayed");
            if sent.what == What::Usage {
                let fates: Vec<&str> = body["records"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|r| r["fate"].as_str().unwrap())
                    .collect();
                assert!(
                    matches!(fates[..], ["recorded", "recorded"] | ["duplicate", "duplicate"]),
                    "{body}"
                );
                replayed = fates[0] == "duplicate";
            }
            let position = body["position"].as_i64().unwrap();
            sent.acknowledged = Some(Acknowledged { position, replayed });
            Ok(())
        }
        // Not there, not known, or overtaken: each says to send it again.
        status @ (503 | 409) => Err(format!("{}: {status} {}", sent.path, answer.text)),
        other => panic!("{}: {other} {}", sent.name, answer.text),
    }
}

/// Sends commands one after the other until the kill; what it sent. First comes one that was not
/// acknowledged before.
async fn send_until_killed(
    client: Client,
    number: usize,
    round: Arc<Round>,
    mut again: Option<Sent>,
) -> Vec<Sent> {
    let mut done = Vec::new();
    while !round.killed.load(Ordering::SeqCst) {
        let mut sent = again.take().unwrap_or_else(|| round.command(number, done.len()));
        let mut answered = send(&client, &mut sent).await;
        while let Err(why) = &answered
            && !round.killed.load(Ordering::SeqCst)
        {
            why.clone_into(&mut round.why_not.lock().expect("nobody panics with it"));
            tokio::time::sleep(PAUSE).await;
            answered = send(&client, &mut sent).await;
        }
        let acknowledged = answered.is_ok();
        done.push(sent);
        let before = round.acknowledged.fetch_add(usize::from(acknowledged), Ordering::SeqCst);
        if acknowledged && before + 1 == ACKNOWLEDGED_A_ROUND {
            round.enough.notify_one();
        }
    }
    done.extend(again);
    done
}

async fn set_up(client: &Client) -> Vec<Target> {
    let mut targets = Vec::new();
    for n in 0..3 {
        let name = json!({ "name": format!("Target {n}") });
        let made =
            client.post("/v1/organizations", &format!("target-{n}"), &name).await.expect(201);
        let organization = made["organization_id"].as_str().unwrap().to_owned();
        let base = format!("/v1/organizations/{organization}");
        let founder = client.found(&base, "ada").await;
        let path = format!("{base}/projects");
        let made = founder.client.post(&path, &format!("project-{n}"), &name).await.expect(201);
        let project = made["project_id"].as_str().unwrap().to_owned();
        targets.push(Target { owner: founder.secret, organization, project });
    }
    targets
}

/// Fifty rounds on one data directory.
struct Trial {
    servers: TestServers,
    place: Place,
    dev: Option<Service>,
    client: Client,
    targets: Arc<Vec<Target>>,
    /// Acknowledged, or given up.
    settled: Vec<Sent>,
    /// Not acknowledged: to be sent again.
    again: Vec<Sent>,
    /// How many commands were under way when something was killed.
    interrupted: usize,
}

impl Trial {
    async fn begin() -> Self {
        let servers = TestServers::start().await.unwrap();
        let place = Place::data_dir(servers.data_dir().path())
            .with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL);
        let dev = place.start(&["dev"]).await;
        let client = dev.client(CREDENTIAL);
        let targets = Arc::new(set_up(&client).await);
        let (settled, again) = (Vec::new(), Vec::new());
        Self { servers, place, dev: Some(dev), client, targets, settled, again, interrupted: 0 }
    }

    async fn round(&mut self, number: usize) {
        let round = Arc::new(Round {
            number,
            targets: Arc::clone(&self.targets),
            acknowledged: AtomicUsize::new(0),
            enough: Notify::new(),
            killed: AtomicBool::new(false),
            why_not: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (client, again) = (self.client.clone(), self.again.pop());
            clients.spawn(send_until_killed(client, number, Arc::clone(&round), again));
        }
        let enough = tokio::time::timeout(PATIENCE, round.enough.notified()).await;
        enough.unwrap_or_else(|_| {
            let acknowledged = round.acknowledged.load(Ordering::SeqCst);
            let why_not = round.why_not.lock().expect("nobody panics with it");
            let said = self.dev.as_ref().map(Service::log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(30).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            panic!(
                "round {number}: {acknowledged} acknowledged, the last not: {why_not}\n{}",
                last.join("\n")
            )
        });
        let victim = Victim::of(number);
        self.kill(victim).await;
        round.killed.store(true, Ordering::SeqCst);
        if victim == Victim::Postgres {
            // Requests under way wait for it.
            self.servers.start_postgres().await.unwrap();
        }
        while let Some(sent) = within("clients end", clients.join_next()).await {
            sent.unwrap().into_iter().for_each(|sent| self.settle(sent));
        }
        self.recover(victim).await;
    }

    async fn kill(&mut self, victim: Victim) {
        if matches!(victim, Victim::Postgres | Victim::Both) {
            self.servers.kill_postgres().await.unwrap();
        }
        if victim != Victim::Postgres
            && let Some(dev) = self.dev.take()
        {
            dev.kill().await;
        }
        if victim == Victim::OrgledgerAndNats {
            self.servers.kill_nats().await.unwrap();
        }
    }

    async fn recover(&mut self, victim: Victim) {
        if victim == Victim::Postgres {
            return; // `dev` goes on by itself.
        }
        // Whatever else is dead is started by `dev`.
        let dev = self.place.start(&["dev"]).await;
        self.client = self.client.at(dev.base());
        self.dev = Some(dev);
        // Held by this test, too, so that it stays when `dev` is killed.
        match victim {
            Victim::Both => drop(self.servers.start_postgres().await.unwrap()),
            Victim::OrgledgerAndNats => drop(self.servers.start_nats().await.unwrap()),
            Victim::Orgledger | Victim::Postgres => {}
        }
    }

    /// Every fifth command that was not acknowledged is never sent again.
    fn settle(&mut self, sent: Sent) {
        if sent.acknowledged.is_some() {
            self.settled.push(sent);
            return;
        }
        self.interrupted += 1;
        if self.interrupted.is_multiple_of(5) {
            self.settled.push(sent);
        } else {
            self.again.push(sent);
        }
    }

    /// Sends what is left until it is acknowledged.
    async fn finish(&mut self) {
        for mut sent in std::mem::take(&mut self.again) {
            while within("an answer", send(&self.client, &mut sent)).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
            self.settled.push(sent);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let mut trial = Trial::begin().await;
    let began = Instant::now();
    for number in 0..ROUNDS {
        trial.round(number).await;
    }
    trial.finish().await;
    let log = database_of(trial.servers.postgres()).await;
    let counts = check_commands(&log, &trial.settled).await;
    eprintln!(
        "{ROUNDS} kills in {:?}: {counts:?}, {} commands interrupted",
        began.elapsed(),
        trial.interrupted
    );
    assert!(trial.interrupted >= ROUNDS, "hardly anything was under way when it was killed");
    assert!(counts.replayed > 0, "no answer was lost, so nothing was tested");

    let head = assert_sound(&log).await;
    // Nothing more is written. The read models and the relay come up to the head.
    let client = &trial.client;
    until("the read models are at the head", || async {
        let status = client.get("/v1/status").await.expect(200);
        let projections = status["projections"].as_array().unwrap();
        projections.len() == READ_MODELS.len()
            && projections.iter().all(|one| one["position"] == head)
    })
    .await;
    until("the relay is at the head", || async {
        let metrics = client.get("/metrics").await.text;
        metrics.lines().any(|line| line == format!("orgledger_relay_position {head}"))
    })
    .await;
    let kept = fingerprints(&log).await;
    trial.dev.take().unwrap().stop().await;
    for name in READ_MODELS {
        let rebuilt = trial.place.json(&["rebuild", name, "--json"]).await;
        assert_eq!(rebuilt["position"], head, "{rebuilt}");
    }
    assert_eq!(kept, fingerprints(&log).await, "a read model is not what a rebuild gives");
}

#[derive(Debug, Default)]
struct Counts {
    acknowledged: usize,
    /// Acknowledged at last, after an earlier try had succeeded unheard.
    replayed: usize,
    /// Never acknowledged, and yet there.
    unheard: usize,
    /// Never acknowledged, and not there.
    lost: usize,
}

/// Compares what clients know with what the log has.
async fn check_commands(log: &PgPool, sent: &[Sent]) -> Counts {
    let events: Vec<(String, i64)> = sqlx::query_as(
        "select payload ->> 'name', position from log.events
         where event_type in ('group.created', 'project.created')",
    )
    .fetch_all(log)
    .await
    .unwrap();
    let records: Vec<(String, i64)> = sqlx::query_as(
        "select request_id, first_position + ordinal
         from log.usage_records join log.usage_batches using (batch_id)",
    )
    .fetch_all(log)
    .await
    .unwrap();
    let keys: Vec<(String, i64)> = sqlx::query_as("select key, position from log.idempotency_keys")
        .fetch_all(log)
        .await
        .unwrap();
    let mut there: HashMap<String, Vec<i64>> = HashMap::new();
    for (name, position) in events.into_iter().chain(records) {
        there.entry(name).or_default().push(position);
    }
    let mut answered: HashMap<String, Vec<i64>> = HashMap::new();
    for (key, position) in keys {
        answered.entry(key).or_default().push(position);
    }
    let at = |names: &HashMap<String, Vec<i64>>, name: &str| -> Option<i64> {
        let positions = names.get(name)?;
        assert_eq!(positions.len(), 1, "{name} is there more than once: {positions:?}");
        Some(positions[0])
    };
    let mut counts = Counts::default();
    for one in sent {
        // Where its (last) event is, and where the log says that the key was answered with.
        let (event, key) = if one.what == What::Usage {
            let halves = ["a", "b"].map(|half| at(&there, &format!("{}-{half}", one.name)));
            let whole = halves[0].is_some() == halves[1].is_some();
            assert!(whole, "{}: half a batch is there: {halves:?}", one.name);
            let last = halves.into_iter().max().flatten();
            (last, last)
        } else {
            (at(&there, &one.name), at(&answered, &one.name))
        };
        assert_eq!(event.is_some(), key.is_some(), "{}: event and key", one.name);
        match (&one.acknowledged, key) {
            (Some(Acknowledged { position, replayed }), Some(key)) => {
                counts.acknowledged += 1;
                counts.replayed += usize::from(*replayed);
                // A repeated usage batch is answered with a position that has it.
                let fits = if one.what == What::Usage && *replayed {
                    *position >= key
                } else {
                    *position == key
                };
                assert!(fits, "{}: acknowledged at {position}, is at {key}", one.name);
                // A project's name is claimed beside it.
                let event = event.unwrap_or_default();
                assert!((key - 1..=key).contains(&event), "{}: at {event}, not {key}", one.name);
            }
            (Some(lost), None) => panic!("{} was acknowledged and is lost: {lost:?}", one.name),
            (None, Some(_)) => counts.unheard += 1,
            (None, None) => counts.lost += 1,
        }
    }
    // Nothing is there that nobody sent: the targets' own events aside.
    let names: usize = there.keys().filter(|name| name.starts_with('r')).count();
    let usage = |one: &&Sent| one.what == What::Usage && one.acknowledged.is_some();
    let expected = counts.acknowledged + counts.unheard;
    let halves = sent.iter().filter(usage).count();
    assert!(names >= expected && names <= expected + halves + counts.unheard, "{names} {counts:?}");
    counts
}
