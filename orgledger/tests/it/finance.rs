//! Credits from their purchase to their end, on a running server; and every command that
//! `docs/for-finance.md` shows.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::log::database_of;
use crate::support::{Client, Place, Service, installation, send, until, workspace_root};

/// A server, an organization on it, and a project in it.
struct Business {
    dev: Service,
    owner: Client,
    secret: String,
    base: String,
    project: String,
}

impl Business {
    async fn new(place: &Place) -> Self {
        let dev = place.start(&["dev"]).await;
        let said = |line: &str| line.strip_prefix("operator credential: in ").map(str::to_owned);
        let credential = std::fs::read_to_string(dev.printed(said).await).unwrap();
        let operator = dev.client(&credential);
        let made = operator.post("/v1/organizations", "o", &json!({ "name": "Acme" })).await;
        let made = made.expect(201);
        let base = format!("/v1/organizations/{}", made["organization_id"].as_str().unwrap());
        let founder = operator.found(&base, "ada").await;
        let (owner, secret) = (founder.client, founder.secret);
        let project = owner.post(&format!("{base}/projects"), "p", &json!({ "name": "P" })).await;
        let project = project.expect(201)["project_id"].as_str().unwrap().to_owned();
        // A dollar a million tokens.
        let prices = json!({ "catalogue": "c", "provider": "p", "currency": "USD", "models": [
            { "model": "m", "matches": { "equals": "m" }, "rates": { "input_tokens": "1" } }] });
        operator.post("/v1/price-lists", "prices", &prices).await.expect(200);
        Self { dev, owner, secret, base, project }
    }

    async fn post(&self, route: &str, key: &str, body: &Value) -> Value {
        self.owner.post(&format!("{}{route}", self.base), key, body).await.expect(201)
    }

    async fn get(&self, route: &str) -> Value {
        self.owner.get(&format!("{}{route}", self.base)).await.expect(200)
    }

    /// Uses that many dollars up; answers the position.
    async fn use_up(&self, request: &str, dollars: i64) -> i64 {
        let record = json!({ "project_id": self.project, "request_id": request, "provider": "p",
            "model": "m", "feature": "search", "input_tokens": dollars * 1_000_000,
            "occurred_at": event_log::clock::now().to_rfc3339() });
        let path = format!("{}/usage", self.base);
        let done = self.owner.post(&path, request, &json!({ "records": [record] })).await;
        done.expect(200)["position"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn credits_run_out_come_back_and_end() {
    let (servers, place) = installation().await;
    let business = Business::new(&place).await;
    let bought = json!({ "amount": "10", "currency": "USD" });
    let bought = business.post("/credits/purchases", "b", &bought).await;
    let lot = json!({ "lot_id": bought["lot_id"], "currency": "USD" });
    let policy = json!({ "currency": "USD", "policy": "block" });
    let path = format!("{}/credits/policy", business.base);
    business.owner.put(&path, &policy).await.expect(200);

    // A refund knows what was used, however short ago.
    let used = business.use_up("r-1", 4).await;
    business.get(&format!("/balance?min_position={used}")).await;
    let path = format!("{}/credits/refunds", business.base);
    let mut much = lot.clone();
    much["amount"] = json!("7");
    let refused = business.owner.post(&path, "much", &much).await;
    refused.assert_problem(409, "not-enough-left");
    assert_eq!(refused.json()["left"], "6.000000000000");
    let refunded = business.post("/credits/refunds", "r", &lot).await;
    assert_eq!(refunded["amount"], "6.000000000000");

    // The refund has emptied the account, usage overdraws it, a grant fills it up again.
    let told = business.use_up("r-2", 3).await;
    let asked = format!("/credits/authorization?min_position={told}");
    let told = business.get(&asked).await;
    assert_eq!(
        (&told["allowed"], &told["accounts"][0]["reason"]),
        (&json!(false), &json!("credits_exhausted"))
    );
    assert_eq!(told["accounts"][0]["available"], "-3.000000000000");
    let log = database_of(servers.postgres()).await;
    let crossings = async || -> Vec<(String, String, i64, i64)> {
        sqlx::query_as(
            "select event_type, payload ->> 'balance', (payload ->> 'crossed_at')::bigint, position
             from log.events where event_type in ('credits.exhausted', 'credits.restored')
             order by position",
        )
        .fetch_all(&log)
        .await
        .unwrap()
    };
    until("running out is on record", async || crossings().await.len() == 1).await;
    let ends = event_log::clock::now() + TimeDelta::seconds(4);
    let granted = json!({ "amount": "5", "currency": "USD", "expires_at": ends.to_rfc3339() });
    let granted = business.post("/credits/grants", "g", &granted).await;
    until("coming back is on record", async || crossings().await.len() == 2).await;
    let found = crossings().await;
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("credits.exhausted", "0.000000000000"));
    assert_eq!(found[0].2, refunded["position"].as_i64().unwrap(), "the refund crossed it");
    assert_eq!((found[1].0.as_str(), found[1].1.as_str()), ("credits.restored", "2.000000000000"));
    assert_eq!(found[1].2, granted["position"].as_i64().unwrap(), "the grant crossed it");

    // What ended while nothing ran is on record soon after the start.
    business.dev.stop().await;
    tokio::time::sleep((ends - event_log::clock::now()).to_std().unwrap_or_default()).await;
    let dev = place.start(&["dev"]).await;
    let owner = dev.client(&business.secret);
    let lots = format!("{}/credit-lots", business.base);
    until("the lot has expired", async || {
        let lots = owner.get(&lots).await.expect(200);
        lots["items"][1]["expired"] == "2.000000000000"
    })
    .await;
    until("running out again is on record", async || crossings().await.len() == 3).await;
    let statement = owner.get(&format!("{}/statement?currency=USD", business.base)).await;
    let statement = &statement.expect(200)["statements"][0];
    let amounts: Vec<&str> = statement["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["amount"].as_str().unwrap())
        .collect();
    let all = [
        "10.000000000000",
        "-6.000000000000",
        "5.000000000000",
        "-2.000000000000",
        "-7.000000000000",
    ];
    assert_eq!(amounts, all, "{statement}");
    assert_eq!(statement["closing"], "0.000000000000");
    let table = place.print(&["statement", "--organization", "acme", "--currency", "USD"]).await;
    assert!(table.contains("purchased") && table.contains("closing"), "{table}");
    // What was built live agrees with itself and with what is built anew.
    place.print(&["rebuild", "balances"]).await;
    assert_eq!(
        owner.get(&format!("{}/statement", business.base)).await.expect(200)["statements"][0],
        *statement
    );
    dev.stop().await;
}

#[tokio::test]
async fn a_budget_is_used_up_and_told_of_once() {
    type Told = (String, Option<i64>, String, i64);
    let (servers, place) = installation().await;
    let business = Business::new(&place).await;
    let on_project = json!({ "kind": "project", "project_id": business.project });
    let budget = json!({ "name": "P, a month", "scope": on_project, "currency": "USD",
        "period": "monthly", "amount": "10", "thresholds": [50, 90], "action": "block" });
    business.use_up("before", 2).await;
    let set = business.post("/budgets", "b", &budget).await;
    let log = database_of(servers.postgres()).await;
    let told = async || -> Vec<Told> {
        sqlx::query_as(
            "select event_type, (payload ->> 'threshold')::bigint, payload ->> 'spent',
                 (payload ->> 'crossed_at')::bigint
             from log.events
             where event_type in ('budget.threshold_reached', 'budget.exhausted')
             order by position",
        )
        .fetch_all(&log)
        .await
        .unwrap()
    };
    let reached = |threshold, spent: &str, at| -> Told {
        ("budget.threshold_reached".to_owned(), Some(threshold), spent.to_owned(), at)
    };
    let half = business.use_up("half", 3).await;
    until("half of it is on record", async || told().await.len() == 1).await;
    // A key of the project is told whether to go on, and not how much is left.
    let account = json!({ "project_id": business.project, "name": "gateway" });
    let account = business.post("/service-accounts", "a", &account).await;
    let key = json!({ "project_id": business.project, "name": "gateway",
        "service_account_id": account["service_account_id"] });
    let key = business.post("/api-keys", "k", &key).await;
    let gateway = business.dev.client(key["secret"].as_str().unwrap());
    let asked = format!(
        "{}/credits/authorization?api_key_id={}",
        business.base,
        key["api_key_id"].as_str().unwrap()
    );
    let at = key["position"].as_i64().unwrap();
    let answer = gateway.get(&format!("{asked}&min_position={at}")).await.expect(200);
    assert_eq!(answer["allowed"], true, "{answer}");
    assert_eq!(answer["budgets"][0]["left"], Value::Null, "{answer}");
    let over = business.use_up("over", 6).await;
    let answer = gateway.get(&format!("{asked}&min_position={over}")).await.expect(200);
    assert_eq!(
        (&answer["allowed"], &answer["budgets"][0]["reason"]),
        (&json!(false), &json!("budget_exhausted")),
        "{answer}"
    );
    until("all of it is on record", async || told().await.len() == 3).await;
    // Another server looks as well, from its start on.
    let other = place.start(&["dev"]).await;
    business.use_up("more", 6).await;
    let path = format!("/budgets/{}", set["budget_id"].as_str().unwrap());
    until("all is counted", async || {
        business.get(&path).await["current"]["spent"] == "17.000000000000"
    })
    .await;
    let all = [
        reached(50, "5.000000000000", half),
        reached(90, "11.000000000000", over),
        ("budget.exhausted".to_owned(), None, "11.000000000000".to_owned(), over),
    ];
    assert_eq!(told().await, all);
    // A larger amount is another budget: half of it is reached already, and nothing is blocked.
    let larger = json!({ "amount": "30" });
    let path = format!("{}{path}", business.base);
    let patch = business.owner.request(Method::PATCH, &path).header("idempotency-key", "larger");
    send(patch.json(&larger)).await.unwrap().expect(200);
    until("half of the larger is on record", async || told().await.len() == 4).await;
    let answer = gateway.get(&asked).await.expect(200);
    assert_eq!(answer["allowed"], true, "{answer}");
    place.print(&["rebuild", "budgets"]).await;
    assert_eq!(told().await.len(), 4);
    other.stop().await;
    business.dev.stop().await;
}

/// Usage is recorded before its price is right: what it costs then is spent in the period of its own, and
/// what that comes to is told of, once.
#[tokio::test]
async fn a_budget_follows_what_is_priced_again() {
    type Told = (String, Option<i64>, String, i64);
    let (servers, place) = installation().await;
    let business = Business::new(&place).await;
    let budget = json!({ "name": "all", "scope": { "kind": "organization" }, "currency": "USD",
        "period": "monthly", "amount": "10", "thresholds": [50], "action": "block" });
    let set = business.post("/budgets", "b", &budget).await;
    let path = format!("/budgets/{}", set["budget_id"].as_str().unwrap());
    let used = business.use_up("r-1", 3).await;
    assert_eq!(
        business.get(&format!("{path}?min_position={used}")).await["current"]["left"],
        "7.000000000000"
    );
    // The price of a million tokens, from long ago on, and what was recorded at it.
    let reprice = async |dollars: &str| -> i64 {
        let prices = json!({ "provider": "p", "currency": "USD", "models": [
            { "model": "m", "matches": { "equals": "m" },
              "rates": { "input_tokens": dollars } }],
            "effective_from": "2020-01-01T00:00:00Z" });
        let lists = format!("{}/price-lists", business.base);
        business.owner.post(&lists, &format!("p{dollars}"), &prices).await.expect(200);
        let scope = json!({ "from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
        let again = format!("{}/usage/reprice", business.base);
        let done = business.owner.post(&again, &format!("r{dollars}"), &scope).await.expect(200);
        assert_eq!(done["changed"], 1, "{done}");
        done["position"].as_i64().unwrap()
    };
    let authorized = async |position: i64| {
        let asked = format!("/credits/authorization?min_position={position}");
        business.get(&asked).await["allowed"].clone()
    };
    let dear = reprice("4").await;
    assert_eq!(authorized(dear).await, false);
    let log = database_of(servers.postgres()).await;
    let told = async || -> Vec<Told> {
        sqlx::query_as(
            "select event_type, (payload ->> 'threshold')::bigint, payload ->> 'spent',
                 (payload ->> 'crossed_at')::bigint
             from log.events
             where event_type in ('budget.threshold_reached', 'budget.exhausted')
             order by position",
        )
        .fetch_all(&log)
        .await
        .unwrap()
    };
    until("both are on record", async || told().await.len() == 2).await;
    let corrected: i64 = sqlx::query_scalar(
        "select max(position) from log.events where event_type = 'usage.repriced'",
    )
    .fetch_one(&log)
    .await
    .unwrap();
    let spent = "12.000000000000".to_owned();
    let both = [
        ("budget.threshold_reached".to_owned(), Some(50), spent.clone(), corrected),
        ("budget.exhausted".to_owned(), None, spent, corrected),
    ];
    assert_eq!(told().await, both);
    let cheap = reprice("2").await;
    assert_eq!(authorized(cheap).await, true);
    let current = business.get(&path).await["current"].clone();
    assert_eq!(
        (&current["spent"], &current["left"], &current["reached"], &current["exhausted"]),
        (&json!("6.000000000000"), &json!("4.000000000000"), &json!([50]), &json!(false)),
    );
    let known = business.get(&format!("{path}?at_position={used}")).await;
    assert_eq!(known["current"]["spent"], "3.000000000000");
    // It comes to all of it again, by usage: that was told of, and is not again.
    let over = business.use_up("r-2", 3).await;
    assert_eq!(authorized(over).await, false);
    let diff = place.print(&["diff", "--organization", "Acme", "--format", "markdown"]).await;
    assert!(diff.contains("## Budgets") && diff.contains("budget threshold began"), "{diff}");
    // Another crossing is told of later, so these would have been by now.
    let late = json!({ "name": "late", "scope": { "kind": "organization" }, "currency": "USD",
        "period": "total", "amount": "1", "thresholds": [] });
    business.post("/budgets", "late", &late).await;
    until("the late one is on record", async || told().await.len() > 2).await;
    assert_eq!(told().await.len(), 3);
    place.print(&["rebuild", "budgets"]).await;
    let again = business.get(&format!("{path}?min_position={over}")).await["current"].clone();
    assert_eq!(again["spent"], "12.000000000000");
    place.print(&["replay", "--only", "budgets"]).await;
    business.dev.stop().await;
}

/// A line of a shell as words: in quotes, or not.
fn words(line: &str, ids: &BTreeMap<&str, String>) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let filled = ids.iter().fold(line.to_owned(), |line, (name, id)| line.replace(name, id));
    for letter in filled.chars() {
        let last = words.last_mut().unwrap();
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if letter == open => quote = None,
            (None, ' ') => words.push(String::new()),
            (_, letter) => last.push(letter),
        }
    }
    words
}

#[tokio::test]
async fn every_command_for_finance_works() {
    let (_servers, place) = installation().await;
    let business = Business::new(&place).await;
    let caller = Place::default()
        .with("ORGLEDGER_SERVER", business.dev.base())
        .with("ORGLEDGER_CREDENTIAL", &business.secret)
        .with("ORGLEDGER_ORGANIZATION", business.base.rsplit('/').next().unwrap());
    let used = business.use_up("r-1", 4).await;
    business.get(&format!("/costs?min_position={used}")).await;
    let page = std::fs::read_to_string(workspace_root().join("docs/for-finance.md")).unwrap();
    let (mut ids, mut ran) = (BTreeMap::new(), 0);
    let blocks = page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    for line in blocks.flat_map(str::lines).filter(|line| !line.is_empty()) {
        let words = words(line.strip_prefix("orgledger ").unwrap(), &ids);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let printed = caller.print(&words).await;
        ran += 1;
        // The first of each that is made is what later lines are about.
        let made: Value = serde_json::from_str(&printed).unwrap_or_default();
        for (name, field) in
            [("$LOT", "lot_id"), ("$BUDGET", "budget_id"), ("$WEBHOOK", "webhook_id")]
        {
            if let Some(id) = made[field].as_str() {
                ids.entry(name).or_insert_with(|| id.to_owned());
            }
        }
    }
    assert!(ran > 18, "{ran}");
    let balance = business.get("/balance").await;
    assert_eq!(balance["balances"][0]["refunded"], "100.000000000000", "{balance}");
    business.dev.stop().await;
}
