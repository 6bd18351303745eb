//! Usage from two hundred senders at once, each batch sent one to five times in any order, while the
//! server is killed again and again: every record counts once, and the reports are what a fold of
//! what was sent gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use embedded::testing::TestServers;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::support::log::{assert_sound, database_of};
use crate::support::{CREDENTIAL, Client, Place, Service, until, within};

const SENDERS: usize = 200;
const RECORDS_A_BATCH: usize = 20;
const ORGANIZATIONS: usize = 3;
const KILLS: usize = 4;
/// How soon a sender tries again what was not acknowledged.
const PAUSE: Duration = Duration::from_millis(20);

/// Where batches go to.
struct Target {
    organization: String,
    project: String,
    owner: String,
}

/// What was sent adds up to, by organization and feature.
type Sums = BTreeMap<(String, String), (i64, i64, i64)>;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

async fn set_up(client: &Client) -> Vec<Target> {
    let prices = json!({"catalogue": "test", "provider": "p", "currency": "USD",
        "models": [{"model": "m", "matches": {"equals": "m"},
            "rates": {"input_tokens": "2", "output_tokens": "8"}}]});
    client.post("/v1/price-lists", "prices", &prices).await.expect(200);
    let mut targets = Vec::new();
    for n in 0..ORGANIZATIONS {
        let name = json!({ "name": format!("Target {n}") });
        let made =
            client.post("/v1/organizations", &format!("target-{n}"), &name).await.expect(201);
        let organization = made["organization_id"].as_str().unwrap().to_owned();
        let base = format!("/v1/organizations/{organization}");
        let founder = client.found(&base, "ada").await;
        let path = format!("{base}/projects");
        let made = founder.client.post(&path, &format!("project-{n}"), &name).await.expect(201);
        let project = made["project_id"].as_str().unwrap().to_owned();
        targets.push(Target { organization, project, owner: founder.secret });
    }
    targets
}

/// A batch, and its part of the sums.
fn batch(number: usize, targets: &[Target], dice: &mut Dice, sums: &mut Sums) -> Value {
    let Target { organization, project, .. } = &targets[number % targets.len()];
    let records: Vec<Value> = (0..RECORDS_A_BATCH)
        .map(|n| {
            let (input, output) = (dice.roll(5_000), dice.roll(900));
            let feature = format!("f{}", dice.roll(5));
            let sum = sums.entry((organization.clone(), feature.clone())).or_default();
            sum.0 += 1;
            sum.1 += i64::try_from(input).unwrap();
            // 2 and 8 a million tokens are as many pico-units times a million.
            sum.2 += i64::try_from(2 * input + 8 * output).unwrap() * 1_000_000;
            json!({"project_id": project, "request_id": format!("b{number}-{n}"), "provider": "p",
                "model": "m", "feature": feature, "input_tokens": input, "output_tokens": output,
                "occurred_at": format!("2026-01-{:02}T{:02}:30:00Z", 30 + n % 2, dice.roll(24))})
        })
        .collect();
    Value::Array(records)
}

/// Each batch one to five times, shuffled and dealt out to the senders.
fn deal(dice: &mut Dice) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = Vec::new();
    for number in 0..SENDERS {
        all.extend(std::iter::repeat_n(number, 1 + dice.roll(5)));
    }
    for place in (1..all.len()).rev() {
        all.swap(place, dice.roll(place + 1));
    }
    let mut dealt = vec![Vec::new(); SENDERS];
    for (place, number) in all.into_iter().enumerate() {
        dealt[place % SENDERS].push(number);
    }
    dealt
}

/// What senders share.
struct Work {
    targets: Vec<Target>,
    batches: Vec<Value>,
    clients: watch::Receiver<Client>,
    acknowledged: AtomicUsize,
    interrupted: AtomicUsize,
    more: Notify,
}

/// Sends one batch after another, each until it is acknowledged. How many records it was told of as
/// recorded, by batch.
async fn send(work: Arc<Work>, numbers: Vec<usize>) -> Vec<(usize, usize)> {
    let mut recorded = Vec::new();
    for number in numbers {
        let target = &work.targets[number % work.targets.len()];
        let path = format!("/v1/organizations/{}/usage", target.organization);
        loop {
            let client = work.clients.borrow().presenting(&target.owner);
            let answer = client.try_post(&path, "none", &work.batches[number]).await;
            if let Ok(answer) = answer
                && answer.status == 200
            {
                let body = answer.json();
                let fates: Vec<&str> = body["records"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|fate| fate["fate"].as_str().unwrap())
                    .collect();
                assert!(
                    fates.iter().all(|fate| matches!(*fate, "recorded" | "duplicate")),
                    "{body}"
                );
                recorded.push((number, fates.iter().filter(|fate| **fate == "recorded").count()));
                work.acknowledged.fetch_add(1, Ordering::SeqCst);
                work.more.notify_one();
                break;
            }
            work.interrupted.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(PAUSE).await;
        }
    }
    recorded
}

async fn kill_now_and_then(
    place: &Place,
    mut dev: Service,
    work: &Work,
    clients: &watch::Sender<Client>,
    sends: usize,
) -> Service {
    for kill in 1..=KILLS {
        let enough = sends * kill / (KILLS + 1);
        while work.acknowledged.load(Ordering::SeqCst) < enough {
            within("more acknowledgements", work.more.notified()).await;
        }
        dev.kill().await;
        dev = place.start(&["dev"]).await;
        let client = clients.borrow().at(dev.base());
        clients.send_replace(client);
    }
    dev
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_counts_once_whoever_sends_it_how_often_and_whatever_is_killed() {
    let servers = TestServers::start().await.unwrap();
    let place = Place::data_dir(servers.data_dir().path())
        .with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL)
        .with("ORGLEDGER_RATE_LIMIT_PER_SECOND", "0");
    let dev = place.start(&["dev"]).await;
    let client = dev.client(CREDENTIAL);
    let targets = set_up(&client).await;
    let (mut dice, mut sums) = (Dice(7), Sums::new());
    let batches =
        (0..SENDERS).map(|number| batch(number, &targets, &mut dice, &mut sums)).collect();
    let dealt = deal(&mut dice);
    let sends = dealt.iter().map(Vec::len).sum();
    let (clients, current) = watch::channel(client);
    let work = Arc::new(Work {
        targets,
        batches,
        clients: current,
        acknowledged: AtomicUsize::new(0),
        interrupted: AtomicUsize::new(0),
        more: Notify::new(),
    });
    let mut senders = JoinSet::new();
    for numbers in dealt {
        senders.spawn(send(Arc::clone(&work), numbers));
    }
    let dev = kill_now_and_then(&place, dev, &work, &clients, sends).await;
    let mut told = vec![0; SENDERS];
    while let Some(sent) = within("senders end", senders.join_next()).await {
        sent.unwrap().into_iter().for_each(|(number, recorded)| told[number] += recorded);
    }
    let interrupted = work.interrupted.load(Ordering::SeqCst);
    assert!(interrupted >= KILLS, "hardly anything was under way when it was killed");
    assert!(told.iter().all(|recorded| *recorded <= RECORDS_A_BATCH), "told twice: {told:?}");

    let log = database_of(servers.postgres()).await;
    let head = assert_sound(&log).await;
    let requests: Vec<String> = sqlx::query_scalar("select request_id from log.usage_records")
        .fetch_all(&log)
        .await
        .unwrap();
    assert_eq!(requests.len(), SENDERS * RECORDS_A_BATCH);
    assert_eq!(requests.iter().collect::<BTreeSet<_>>().len(), requests.len());
    let client = clients.borrow().clone();
    until("the read models are at the head", || async {
        let status = client.get("/v1/status").await.expect(200);
        status["projections"].as_array().unwrap().iter().all(|one| one["position"] == head)
    })
    .await;
    let reported: Vec<(String, String, i64, i64, i64)> = sqlx::query_as(
        "select organization_id::text, feature, sum(requests)::bigint, sum(input_tokens)::bigint,
             (sum(cost) * 1000000000000)::bigint
         from read.usage_hourly group by 1, 2",
    )
    .fetch_all(&log)
    .await
    .unwrap();
    let reported: Sums = reported
        .into_iter()
        .map(|(of, feature, n, input, cost)| ((of, feature), (n, input, cost)))
        .collect();
    assert_eq!(reported, sums, "the report is not the fold of what was sent");
    eprintln!("{sends} sends, {KILLS} kills, {interrupted} sends interrupted");
    dev.stop().await;
}
