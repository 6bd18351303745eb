//! Webhooks, from the event to who receives it: in order, again until it is taken, whoever else is down,
//! and whatever is killed in between.

mod receiver;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::support::log::database_of;
use crate::support::{Client, Place, Service, installation, send, until, within, workspace_root};
use receiver::{Came, Receiver};

/// Tries at once, and often enough to outlast a test.
const SOON: &str =
    "0,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";

/// An organization that has webhooks.
struct Business {
    owner: Client,
    secret: String,
    base: String,
}

fn operator(dev: &Service, place: &str) -> Client {
    dev.client(std::fs::read_to_string(place).unwrap().trim())
}

impl Business {
    async fn new(dev: &Service, name: &str) -> Self {
        let said = |line: &str| line.strip_prefix("operator credential: in ").map(str::to_owned);
        let operator = operator(dev, &dev.printed(said).await);
        let made = operator.post("/v1/organizations", name, &json!({ "name": name })).await;
        let id = made.expect(201)["organization_id"].as_str().unwrap().to_owned();
        let base = format!("/v1/organizations/{id}");
        let founder = operator.found(&base, "ada").await;
        Self { owner: founder.client, secret: founder.secret, base }
    }

    fn at(&self, dev: &Service) -> Self {
        let owner = self.owner.at(dev.base());
        Self { owner, secret: self.secret.clone(), base: self.base.clone() }
    }

    /// A webhook for what happens to projects: its path, and its secret.
    async fn webhook(&self, url: &str) -> (String, String) {
        let webhook = json!({ "url": url, "event_types": ["project.*"] });
        let made = self.owner.post(&format!("{}/webhooks", self.base), url, &webhook).await;
        let made = made.expect(201);
        let path = format!("{}/webhooks/{}", self.base, made["webhook_id"].as_str().unwrap());
        (path, made["secret"].as_str().unwrap().to_owned())
    }

    /// Something that happens, of which webhooks are told: the position.
    async fn project(&self, name: &str) -> i64 {
        let path = format!("{}/projects", self.base);
        let made = self.owner.post(&path, name, &json!({ "name": name })).await.expect(201);
        made["position"].as_i64().unwrap()
    }

    async fn command(&self, path: &str, key: &str, body: &Value) -> Value {
        self.owner.post(path, key, body).await.expect(200)
    }

    async fn get(&self, path: &str) -> Value {
        self.owner.get(path).await.expect(200)
    }

    /// The ids of what has happened to projects, in the log's order.
    async fn events(&self, log: &PgPool) -> Vec<String> {
        let id = self.base.rsplit('/').next().unwrap();
        sqlx::query_scalar(
            "select event_id::text from log.events
             where organization_id::text = $1 and event_type like 'project.%' order by position",
        )
        .bind(id)
        .fetch_all(log)
        .await
        .unwrap()
    }

    /// How often a webhook was disabled.
    async fn disabled(&self, log: &PgPool, path: &str) -> i64 {
        sqlx::query_scalar(
            "select count(*) from log.events
             where aggregate_id = $1 and event_type = 'webhook.disabled'",
        )
        .bind(path.rsplit('/').next().unwrap())
        .fetch_one(log)
        .await
        .unwrap()
    }

    async fn until_disabled(&self, path: &str, because: &str) {
        until("the webhook is disabled", async || {
            let webhook = self.get(path).await;
            webhook["state"] == "disabled" && webhook["disabled_because"] == because
        })
        .await;
    }
}

#[tokio::test]
async fn events_come_in_order_and_again_whatever_fails_and_is_killed() {
    let (servers, place) = installation().await;
    let place = place.with("ORGLEDGER_WEBHOOKS_RETRY_SECONDS", SOON);
    let receiver = Receiver::start().await;
    let dev = place.start(&["dev"]).await;
    let (acme, other) = (Business::new(&dev, "Acme").await, Business::new(&dev, "Other").await);
    let log = database_of(servers.postgres()).await;
    acme.project("before").await;
    let (path, secret) = acme.webhook(&receiver.url("acme")).await;
    other.webhook(&receiver.url("other")).await;
    for name in ["one", "two", "three"] {
        acme.project(name).await;
        other.project(name).await;
    }
    let taken = receiver.has_taken("acme", 3).await;
    assert_eq!(taken, acme.events(&log).await[1..], "in the log's order, from its creation on");
    let first = &receiver.came("acme")[0];
    assert!(first.is_signed_by(&secret) && !first.is_signed_by(&format!("whsec_{}", "AA==")));
    let body = first.json();
    assert_eq!(
        (&body["type"], &body["data"]["payload"]["name"]),
        (&json!("project.created"), &json!("one"))
    );
    assert_eq!(body["data"]["event_id"], json!(first.id));

    // What is not taken is tried again, and nothing overtakes it; not even a killed process.
    receiver.answer("acme", 500);
    let before = receiver.came("acme").len();
    for name in ["four", "five", "six"] {
        acme.project(name).await;
    }
    receiver.has("acme", before + 2).await;
    dev.kill().await;
    let dev = place.start(&["dev"]).await;
    let (acme, other) = (acme.at(&dev), other.at(&dev));
    let seen = receiver.came("acme").len();
    receiver.has("acme", seen + 1).await;
    receiver.answer("acme", 204);
    let taken = receiver.has_taken("acme", 6).await;
    let events = acme.events(&log).await;
    assert_eq!(taken, events[1..], "none is lost, none overtakes another");
    let tried: Vec<String> = receiver.came("acme")[before..].iter().map(|c| c.id.clone()).collect();
    let waited = tried.iter().take_while(|id| **id == events[4]).count();
    assert!(waited >= 4, "the fourth was tried again under its own id: {tried:?}");
    assert_eq!(tried.len(), waited + 2, "{tried:?}");

    // Who receives nothing of another organization's, receives all of its own.
    assert_eq!(receiver.has_taken("other", 3).await, other.events(&log).await);

    // What was sent is listed, the newest first.
    let deliveries = format!("{path}/deliveries");
    until("all is noted", async || {
        let progress = acme.get(&path).await["progress"].clone();
        progress["attempts"] == 0 && acme.get(&deliveries).await["items"][0]["state"] == "delivered"
    })
    .await;
    let listed = acme.get(&deliveries).await["items"].clone();
    let ids: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|one| one["event_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, events[1..]);
    let fourth = &listed[2];
    assert_eq!((&fourth["state"], &fourth["status"]), (&json!("delivered"), &json!(204)));
    assert!(fourth["attempts"].as_i64().unwrap() >= 4, "{fourth}");
    assert_eq!(acme.get(&format!("{deliveries}?state=failed")).await["items"], json!([]));

    // One is sent again, then all, those from before the webhook included.
    let before = receiver.came("acme").len();
    let replay = format!("{path}/replay");
    acme.command(&replay, "again-one", &json!({ "position": listed[4]["position"] })).await;
    let came = receiver.has("acme", before + 1).await;
    assert_eq!(came[before].id, events[2]);
    acme.command(&replay, "again-all", &json!({ "after_position": 0 })).await;
    let came = receiver.has("acme", before + 1 + events.len()).await;
    let again: Vec<&String> = came[before + 1..].iter().map(|came| &came.id).collect();
    assert_eq!(again, events.iter().collect::<Vec<_>>());
    dev.stop().await;
}

/// An endpoint that takes connections and says nothing.
async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn a_dead_endpoint_harms_nobody_else() {
    let (_servers, place) = installation().await;
    let dev = place.start(&["dev"]).await;
    let acme = Business::new(&dev, "Acme").await;
    let receiver = Receiver::start().await;
    let (dead, url) = silent().await;
    let (dead_path, _) = acme.webhook(&url).await;
    acme.webhook(&receiver.url("live")).await;
    acme.project("first").await;
    // It is being sent to, and will be for as long as it may take to answer.
    let _held = dead.accept().await.unwrap();
    for name in ["second", "third", "fourth"] {
        acme.project(name).await;
    }
    receiver.has_taken("live", 4).await;
    let progress = &acme.get(&dead_path).await["progress"];
    assert_eq!(progress["attempts"], 0, "all was taken before the dead one gave up: {progress}");
    let metrics = dev.client("").get("/metrics").await.text;
    assert!(
        metrics.contains("orgledger_webhook_attempts_total{outcome=\"delivered\"} 4"),
        "{metrics}"
    );
    dev.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_takes_nothing_is_disabled_and_goes_on_where_it_stopped() {
    let (servers, place) = installation().await;
    let place = place.with("ORGLEDGER_WEBHOOKS_RETRY_SECONDS", "0,0");
    let dev = place.start(&["dev"]).await;
    let acme = Business::new(&dev, "Acme").await;
    let log = database_of(servers.postgres()).await;
    let receiver = Receiver::start().await;
    receiver.answer("failing", 503);
    receiver.answer("gone", 410);
    let (failing, _) = acme.webhook(&receiver.url("failing")).await;
    let (gone, _) = acme.webhook(&receiver.url("gone")).await;
    for name in ["one", "two"] {
        acme.project(name).await;
    }
    acme.until_disabled(&failing, "failing").await;
    acme.until_disabled(&gone, "gone").await;
    let tried = |path: &str| receiver.came(path).len();
    assert_eq!((tried("failing"), tried("gone")), (3, 1), "three tries, and one where it is gone");
    let failed = acme.get(&format!("{failing}/deliveries?state=failed")).await["items"].clone();
    assert_eq!(
        (&failed[0]["attempts"], &failed[0]["status"]),
        (&json!(3), &json!(503)),
        "{failed}"
    );
    acme.project("three").await;
    // Enabled while nothing is better, it is disabled again, after as many tries.
    acme.command(&format!("{failing}/enable"), "e1", &json!({})).await;
    until("it is disabled again", async || acme.disabled(&log, &failing).await == 2).await;
    assert_eq!(tried("failing"), 6);
    receiver.answer("failing", 200);
    acme.command(&format!("{failing}/enable"), "e2", &json!({})).await;
    let events = acme.events(&log).await;
    assert_eq!(receiver.has_taken("failing", 3).await, events);
    // Who moves goes on at the new place, once enabled.
    let patch = acme.owner.request(Method::PATCH, &gone);
    let moved = json!({ "url": receiver.url("moved") });
    send(patch.json(&moved)).await.unwrap().expect(200);
    acme.command(&format!("{gone}/enable"), "e3", &json!({})).await;
    assert_eq!(receiver.has_taken("moved", 3).await, events);
    // Removed, it is there no more.
    send(acme.owner.request(Method::DELETE, &gone)).await.unwrap().expect(200);
    acme.project("four").await;
    receiver.has_taken("failing", 4).await;
    assert_eq!(receiver.taken("moved").len(), 3);
    until("it is gone", async || acme.owner.get(&gone).await.status == 404).await;
    dev.stop().await;
}

/// Whether the function that `docs/for-finance.md` shows takes a message.
async fn is_taken_in_python(came: &Came, secret: &str) -> bool {
    let page = std::fs::read_to_string(workspace_root().join("docs/for-finance.md")).unwrap();
    let shown = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let headers = json!({ "webhook-id": came.id, "webhook-timestamp": came.timestamp,
        "webhook-signature": came.signature });
    let body = String::from_utf8(came.body.clone()).unwrap();
    let program = format!(
        "{shown}\nimport json, sys\nsecret, headers, body = sys.argv[1:]\n\
         assert verify(secret, json.loads(headers), body.encode()) == body\n"
    );
    let mut python = tokio::process::Command::new("python3");
    python.args(["-c", &program, secret, &headers.to_string(), &body]);
    within("python ends", python.output()).await.unwrap().status.success()
}

#[tokio::test]
async fn the_secret_before_signs_beside_the_new_one() {
    let (_servers, place) = installation().await;
    let dev = place.start(&["dev"]).await;
    let acme = Business::new(&dev, "Acme").await;
    let receiver = Receiver::start().await;
    let (path, old) = acme.webhook(&receiver.url("in")).await;
    let rotate = format!("{path}/rotate-secret");
    let rotated = acme.command(&rotate, "r", &json!({})).await;
    let new = rotated["secret"].as_str().unwrap();
    let again = acme.owner.post(&rotate, "r", &json!({})).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.expect(200)["secret"], Value::Null, "a secret is shown once");
    acme.project("one").await;
    let came = receiver.has("in", 1).await;
    assert!(came[0].is_signed_by(new) && came[0].is_signed_by(&old), "{came:?}");
    assert_eq!(came[0].signature.split(' ').count(), 2);
    let other = format!("whsec_{}", "AA".repeat(22));
    for (secret, is_taken) in [(new, true), (old.as_str(), true), (other.as_str(), false)] {
        assert_eq!(is_taken_in_python(&came[0], secret).await, is_taken, "{secret}");
    }
    dev.stop().await;
}

#[tokio::test]
async fn a_test_is_sent_once_before_all_else_and_to_a_disabled_webhook_too() {
    let (_servers, place) = installation().await;
    // What is not taken is not tried again while this test lasts.
    let place = place.with("ORGLEDGER_WEBHOOKS_RETRY_SECONDS", "86400");
    let dev = place.start(&["dev"]).await;
    let acme = Business::new(&dev, "Acme").await;
    let receiver = Receiver::start().await;
    let (path, secret) = acme.webhook(&receiver.url("in")).await;
    let deliveries = format!("{path}/deliveries");
    let noted = async |position: &Value| {
        let listed = acme.get(&deliveries).await["items"].clone();
        listed.as_array().unwrap().iter().find(|one| one["position"] == *position).cloned()
    };
    let test = async |key: &str, state: &str, status: u16| {
        let asked = acme.command(&format!("{path}/test"), key, &json!({})).await;
        let position = asked["position"].clone();
        until("the test is noted", async || noted(&position).await.is_some()).await;
        let one = noted(&position).await.unwrap();
        assert_eq!(one["event_type"], "webhook.test", "{one}");
        assert_eq!((&one["state"], &one["status"]), (&json!(state), &json!(status)), "{one}");
        assert_eq!(one["attempts"], 1, "{one}");
        one["event_id"].as_str().unwrap().to_owned()
    };
    let of_tests = || {
        let tests = receiver.came("in").into_iter();
        tests.filter(|came| came.json()["type"] == "webhook.test").collect::<Vec<_>>()
    };
    let first = test("t1", "delivered", 204).await;
    let came = of_tests();
    assert!(came.len() == 1 && came[0].id == first && came[0].is_signed_by(&secret), "{came:?}");
    assert_eq!(
        acme.command(&format!("{path}/test"), "t1", &json!({})).await["position"],
        noted_position(&acme.get(&deliveries).await),
        "the same key is the same test"
    );

    // What waits for its next try does not hold up a test, and a test that fails holds up nothing.
    receiver.answer("in", 500);
    acme.project("one").await;
    until("it waits", async || acme.get(&path).await["progress"]["attempts"] == 1).await;
    test("t2", "failed", 500).await;
    let is_enabled = acme.get(&path).await["state"].clone();
    assert_eq!(is_enabled, "enabled");
    assert_eq!(of_tests().len(), 2);

    // Disabled, it takes a test and nothing else.
    acme.command(&format!("{path}/disable"), "d", &json!({})).await;
    receiver.answer("in", 410);
    test("t3", "failed", 410).await;
    receiver.answer("in", 204);
    test("t4", "delivered", 204).await;
    assert_eq!(receiver.taken("in").len(), 2, "the tests alone: {:?}", receiver.came("in"));
    acme.command(&format!("{path}/enable"), "e", &json!({})).await;
    receiver.has_taken("in", 3).await;
    assert_eq!(of_tests().len(), 4, "none was sent again");
    dev.stop().await;
}

fn noted_position(deliveries: &Value) -> Value {
    deliveries["items"][0]["position"].clone()
}

#[tokio::test]
async fn who_wants_everything_hears_of_others_tests_and_not_of_its_own() {
    let (_servers, place) = installation().await;
    let dev = place.start(&["dev"]).await;
    let acme = Business::new(&dev, "Acme").await;
    let receiver = Receiver::start().await;
    let webhook = async |of: &str| {
        let all = json!({ "url": receiver.url(of), "event_types": ["webhook.test_requested", "project.*"] });
        let made = acme.owner.post(&format!("{}/webhooks", acme.base), of, &all).await.expect(201);
        format!("{}/webhooks/{}", acme.base, made["webhook_id"].as_str().unwrap())
    };
    let (mine, _other) = (webhook("mine").await, webhook("other").await);
    acme.command(&format!("{mine}/test"), "t", &json!({})).await;
    acme.project("one").await;
    receiver.has_taken("mine", 2).await;
    receiver.has_taken("other", 2).await;
    let types = |of: &str| -> Vec<Value> {
        receiver.came(of).iter().map(|came| came.json()["type"].clone()).collect()
    };
    assert_eq!(types("mine"), ["webhook.test", "project.created"]);
    assert_eq!(types("other"), ["webhook.test_requested", "project.created"]);
    // Again from the beginning: a test is not sent again.
    acme.command(&format!("{mine}/replay"), "r", &json!({ "after_position": 0 })).await;
    receiver.has("mine", 3).await;
    acme.project("two").await;
    receiver.has_taken("mine", 3).await;
    assert_eq!(types("mine")[2..], ["project.created", "project.created"]);
    dev.stop().await;
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is() {
    let (_servers, place) = installation().await;
    let place = place.with("ORGLEDGER_WEBHOOKS_RETRY_SECONDS", SOON);
    let dev = place.start(&["dev"]).await;
    let acme = Business::new(&dev, "Acme").await;
    let receiver = Receiver::start().await;
    for (of, status, pause) in
        [("busy", 429, "3600"), ("down", 503, "3600"), ("broken", 500, "3600")]
    {
        receiver.answer(of, status);
        receiver.ask_for(of, pause);
    }
    let (busy, _) = acme.webhook(&receiver.url("busy")).await;
    let (down, _) = acme.webhook(&receiver.url("down")).await;
    acme.webhook(&receiver.url("broken")).await;
    let before = event_log::clock::now();
    acme.project("one").await;
    // Of an error of its own it says nothing that counts.
    receiver.has("broken", 3).await;
    for path in [&busy, &down] {
        until("it was tried", async || acme.get(path).await["progress"]["attempts"] == 1).await;
        let progress = acme.get(path).await["progress"].clone();
        let next: chrono::DateTime<chrono::Utc> =
            serde_json::from_value(progress["next_attempt_at"].clone()).unwrap();
        assert!(next >= before + chrono::TimeDelta::hours(1), "{progress}");
    }
    assert_eq!((receiver.came("busy").len(), receiver.came("down").len()), (1, 1));
    // Whoever has mended it need not wait.
    receiver.answer("busy", 204);
    acme.command(&format!("{busy}/test"), "t", &json!({})).await;
    receiver.has_taken("busy", 2).await;
    dev.stop().await;
}

#[tokio::test]
async fn what_is_private_is_not_asked_where_that_is_refused() {
    let (_servers, place) = installation().await;
    let dev = place.start(&["dev"]).await;
    let acme = Business::new(&dev, "Acme").await;
    let receiver = Receiver::start().await;
    // It was allowed when it was made, over TLS or not.
    let (path, _) = acme.webhook(&receiver.url("in")).await;
    dev.stop().await;
    let strict: Place = place.with("ORGLEDGER_WEBHOOKS_PRIVATE_ADDRESSES", "refuse");
    let dev = strict.start(&["dev"]).await;
    let acme = acme.at(&dev);
    acme.project("one").await;
    until("it is tried", async || acme.get(&path).await["progress"]["attempts"] == 1).await;
    let said = acme.get(&path).await["progress"]["error"].clone();
    assert!(said.as_str().unwrap().contains("private, local or reserved address"), "{said}");
    assert_eq!(receiver.came("in").len(), 0);
    let webhooks = format!("{}/webhooks", acme.base);
    for url in
        ["http://127.0.0.1:1/", "https://127.0.0.1/", "https://localhost/", "https://10.0.0.1/"]
    {
        let webhook = json!({ "url": url, "event_types": ["*"] });
        let refused = acme.owner.post(&webhooks, url, &webhook).await;
        refused.assert_problem(422, "invalid-value");
        assert_eq!(refused.json()["field"], "url", "{url}");
    }
    dev.stop().await;
}

#[tokio::test]
async fn of_two_processes_one_sends_and_the_other_takes_over() {
    let (servers, place) = installation().await;
    let place = place.with("ORGLEDGER_WEBHOOKS_RETRY_SECONDS", SOON);
    let receiver = Receiver::start().await;
    let first = place.start(&["dev"]).await;
    let acme = Business::new(&first, "Acme").await;
    let log = database_of(servers.postgres()).await;
    first.logged("events are sent to webhooks from here").await;
    let second = place.start(&["dev"]).await;
    acme.webhook(&receiver.url("in")).await;
    for number in 0..20 {
        acme.project(&format!("p{number}")).await;
    }
    receiver.has_taken("in", 20).await;
    assert_eq!(receiver.came("in").len(), 20, "nothing was sent twice");
    assert!(!second.log().contains("events are sent to webhooks from here"), "{}", second.log());
    first.kill().await;
    let acme = acme.at(&second);
    for number in 20..30 {
        acme.project(&format!("p{number}")).await;
    }
    assert_eq!(receiver.has_taken("in", 30).await, acme.events(&log).await);
    second.stop().await;
}
