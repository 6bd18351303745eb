//! `/v1/organizations/{organization_id}/usage/reprice`

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{App, Client, Reply};

/// An organization with a project, whose usage is priced again.
pub(super) struct World {
    pub(super) app: App,
    pub(super) organization: String,
    pub(super) project: String,
}

impl World {
    pub(super) async fn new() -> Self {
        let app = App::new().await;
        let organization = app.organization().await;
        let project = app.project(&organization, "alpha").await;
        Self { app, organization, project }
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.organization)
    }

    /// Publishes prices of all: that much a million input tokens of each model.
    pub(super) async fn publish(
        &self,
        provider: &str,
        currency: &str,
        prices: &[(&str, &str)],
    ) -> i64 {
        let model = |(model, price): &(&str, &str)| json!({"model": model, "matches": {"equals": model}, "rates": {"input_tokens": price}});
        let models: Vec<Value> = prices.iter().map(model).collect();
        let list = json!({"catalogue": "c", "provider": provider, "currency": currency,
            "effective_from": "2026-01-01T00:00:00Z", "models": models});
        let published = self.app.admin().post("/v1/price-lists", list).await;
        published.ok()["position"].as_i64().expect("a position")
    }

    /// A record of a million input tokens.
    pub(super) fn record(&self, request_id: &str, model: &str) -> Value {
        json!({"project_id": self.project, "provider": "openai", "model": model,
            "request_id": request_id, "occurred_at": "2026-05-01T12:00:00Z",
            "input_tokens": 1_000_000})
    }

    pub(super) async fn send(&self, records: &[Value]) {
        let asking = self.app.admin().ask(Method::POST, &self.path("/usage"));
        let answer = asking.json(&json!({"records": records})).await.ok();
        let fates = answer["records"].as_array().expect("fates");
        assert!(fates.iter().all(|fate| fate["fate"] == "recorded"), "{answer}");
    }

    fn asked(fields: Value) -> Value {
        let mut asked = json!({"from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"});
        let Value::Object(fields) = fields else { panic!("{fields} are no fields") };
        asked.as_object_mut().expect("a request").extend(fields);
        asked
    }

    pub(super) async fn reprice(&self, fields: Value) -> Reply {
        self.app.admin().post(&self.path("/usage/reprice"), Self::asked(fields)).await
    }

    async fn reprice_with(&self, key: &str, fields: Value) -> Reply {
        let asking = self.app.admin().ask(Method::POST, &self.path("/usage/reprice")).key(key);
        asking.json(&Self::asked(fields)).await
    }

    async fn explained(&self, request_id: &str) -> Value {
        let path = self.path(&format!("/usage/{request_id}/explanation"));
        let reply = self.app.admin().ask(Method::GET, &path).empty().await;
        assert_eq!(reply.status.as_u16(), 200, "{reply:?}");
        reply.body
    }

    /// How many corrections each record has that has any.
    async fn corrections(&self) -> Vec<i64> {
        sqlx::query_scalar(
            "select count(*) from log.usage_corrections group by batch_id, record_ordinal",
        )
        .fetch_all(self.app.pool())
        .await
        .expect("they can be read")
    }
}

fn counts(repriced: &Value) -> [i64; 4] {
    ["records", "changed", "unchanged", "without_price"]
        .map(|field| repriced[field].as_i64().expect("a count"))
}

fn costs(lines: &Value) -> Vec<(&str, i64, &str, i64, &str)> {
    let lines = lines.as_array().expect("lines").iter();
    lines
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or("none");
            let number = |field: &str| line[field].as_i64().expect("a number");
            let before = (number("records_before"), text("cost_before"));
            let after = (number("records_after"), text("cost_after"));
            (text("currency"), before.0, before.1, after.0, after.1)
        })
        .collect()
}

#[tokio::test]
async fn a_dry_run_tells_what_would_change_and_then_it_changes_once() {
    let world = World::new().await;
    world.publish("openai", "USD", &[("m", "3"), ("n", "1")]).await;
    world.send(&[world.record("a", "m"), world.record("b", "n"), world.record("c", "late")]).await;
    let prices_at =
        world.publish("openai", "USD", &[("m", "2.5"), ("n", "1"), ("late", "7")]).await;
    let head = world.app.head().await;
    let would = world.reprice(json!({"dry_run": true})).await.ok();
    assert_eq!((counts(&would), &would["repricing_id"]), ([3, 2, 1, 0], &Value::Null));
    assert_eq!(world.app.head().await, head, "a dry run records nothing");
    assert_eq!(would["prices_at"], prices_at);

    let repriced = world.reprice(json!({"reason": "published late"})).await.ok();
    assert!(repriced["repricing_id"].is_string());
    for repriced in [&would, &repriced] {
        let totals = costs(&repriced["totals"]);
        let expected = [
            ("none", 1, "0.000000000000", 0, "0.000000000000"),
            ("USD", 1, "3.000000000000", 2, "9.500000000000"),
        ];
        assert_eq!((totals.as_slice(), &repriced["continue_after"]), (&expected[..], &Value::Null));
    }
    let models = &repriced["models"];
    assert_eq!(costs(models).len(), 3, "{models}");
    assert_eq!(
        (&models[2]["model"], &models[2]["cost_after"]),
        (&json!("m"), &json!("2.500000000000"))
    );
    assert_eq!(world.app.count("usage.repriced").await, 1);
    assert_eq!(world.app.head().await, head + 1);

    let again = world.reprice(json!({})).await.ok();
    assert_eq!(counts(&again), [3, 0, 3, 0]);
    assert_eq!(world.app.head().await, head + 1, "nothing changes any more");
    let unpriced = world.reprice(json!({"only_unpriced": true})).await.ok();
    assert_eq!(counts(&unpriced), [0, 0, 0, 0], "what got a price is not unpriced");

    let explained = world.explained("c").await;
    let correction = &explained["corrections"][0];
    assert_eq!((&explained["cost"], &correction["cost"]), (&Value::Null, &json!("7.000000000000")));
    assert_eq!(
        (&correction["agrees"], &correction["reason"]),
        (&json!(true), &json!("published late"))
    );
    assert_eq!(correction["price"]["price_version"], prices_at);
    assert_eq!(correction["repricing_id"], repriced["repricing_id"]);
    assert_eq!(world.explained("b").await["corrections"], json!([]));
}

#[tokio::test]
async fn a_price_moves_between_currencies_and_lists_and_never_goes_away() {
    let world = World::new().await;
    let first = world.publish("openai", "USD", &[("m", "3"), ("n", "1")]).await;
    world.send(&[world.record("a", "m"), world.record("b", "n")]).await;
    // Another list: only one of the models, in another currency, and of all providers.
    let own = json!({"provider": "*", "currency": "EUR", "effective_from": "2026-01-01T00:00:00Z",
        "models": [{"model": "m", "matches": {"equals": "m"}, "rates": {"input_tokens": "2"}}]});
    let own = world.app.admin().post(&world.path("/price-lists"), own).await.ok();
    let list = own["price_list_id"].clone();
    let by_list = world.reprice(json!({"price_list_id": list})).await.ok();
    assert_eq!(counts(&by_list), [2, 1, 0, 1]);
    let moved = [
        ("EUR", 0, "0.000000000000", 1, "2.000000000000"),
        ("USD", 1, "3.000000000000", 0, "0.000000000000"),
    ];
    assert_eq!(costs(&by_list["totals"]), moved);
    let b = world.explained("b").await;
    assert_eq!((&b["cost"], &b["corrections"]), (&json!("1.000000000000"), &json!([])));

    // Back to what was known first, and by a version that is named.
    world.publish("openai", "USD", &[("m", "9"), ("n", "9")]).await;
    let back = world.reprice(json!({"prices_at": first, "model": "m"})).await.ok();
    assert_eq!((counts(&back), costs(&back["totals"])[1].4), ([1, 1, 0, 0], "3.000000000000"));
    let named = json!({"price_list_id": "c/openai", "price_list_version": 2, "model": "n"});
    let named = world.reprice(named).await.ok();
    assert_eq!(costs(&named["totals"]), [("USD", 1, "1.000000000000", 1, "9.000000000000")]);
    let a = world.explained("a").await;
    let told: Vec<&Value> =
        a["corrections"].as_array().expect("two").iter().map(|told| &told["currency"]).collect();
    assert_eq!(told, [&json!("EUR"), &json!("USD")]);
    assert!(
        a["corrections"].as_array().expect("two").iter().all(|told| told["agrees"] == true),
        "{a}"
    );
}

#[tokio::test]
async fn what_was_cut_off_goes_on_where_it_was_and_counts_once() {
    let world = World::new().await;
    let records: Vec<Value> = (0..10_500).map(|n| world.record(&format!("r{n}"), "m")).collect();
    for records in records.chunks(5_250) {
        world.send(records).await;
    }
    world.publish("openai", "USD", &[("m", "2")]).await;
    // The disk is full, say, when the first page is in.
    let fail = "create function log.fail() returns trigger language plpgsql as $$ begin
            if (select count(*) from log.usage_corrections) > 10000 then
                raise exception 'no space left on device' using errcode = 'disk_full';
            end if;
            return null;
        end $$;
        create trigger fail after insert on log.usage_corrections
            for each statement execute function log.fail()";
    sqlx::raw_sql(fail).execute(world.app.pool()).await.expect("it is planted");
    let failed = world.reprice_with("once", json!({})).await;
    assert!(failed.status.is_server_error(), "{failed:?}");
    let done = world.corrections().await;
    assert!(!done.is_empty() && done.len() < 10_500, "{}", done.len());
    let mend = "drop trigger fail on log.usage_corrections";
    sqlx::raw_sql(mend).execute(world.app.pool()).await.expect("there is space again");

    let other = world.reprice_with("once", json!({"model": "m"})).await;
    other.refused(422, "idempotency-key-reused");
    let repriced = world.reprice_with("once", json!({})).await;
    assert!(!repriced.is_replayed());
    let repriced = repriced.ok();
    assert_eq!(counts(&repriced), [10_500, 10_500, 0, 0]);
    assert_eq!(costs(&repriced["totals"])[1].4, "21000.000000000000");
    let again = world.reprice_with("once", json!({})).await;
    assert!(again.is_replayed());
    assert_eq!(again.ok(), repriced);
    let corrections = world.corrections().await;
    assert_eq!(corrections, vec![1; 10_500], "each once");
}

#[tokio::test]
async fn two_at_once_are_decided_one_on_the_other() {
    let world = World::new().await;
    let records: Vec<Value> = (0..40).map(|n| world.record(&format!("r{n}"), "m")).collect();
    world.send(&records).await;
    let first = world.publish("openai", "USD", &[("m", "2")]).await;
    world.publish("openai", "USD", &[("m", "3")]).await;
    let (one, other) =
        tokio::join!(world.reprice(json!({"prices_at": first})), world.reprice(json!({})),);
    let changed = counts(&one.ok())[1] + counts(&other.ok())[1];
    let chained: i64 = sqlx::query_scalar(
        "select count(*) from (
             select cost_pico_before, lag(cost_pico) over (
                 partition by batch_id, record_ordinal order by position) as left_by_the_one_before
             from log.usage_corrections) c
         where cost_pico_before is not distinct from left_by_the_one_before",
    )
    .fetch_one(world.app.pool())
    .await
    .expect("they can be read");
    assert_eq!(chained, changed, "each takes away what stood");
    assert_eq!(world.corrections().await, vec![2; 40]);
}

#[tokio::test]
async fn who_may_not_and_what_cannot_be_is_refused() {
    let world = World::new().await;
    world.send(&[world.record("a", "m")]).await;
    let (app, organization) = (&world.app, &world.organization);
    let path = world.path("/usage/reprice");
    for (login, role, may) in
        [("bill", "billing", true), ("ada", "admin", false), ("eve", "auditor", false)]
    {
        let member = app.member(organization, login, role).await;
        let key = json!({"member_id": member, "name": login});
        let key = app.admin().post(&world.path("/api-keys"), key).await.ok();
        let client: Client = app.stranger(key["secret"].as_str());
        for dry_run in [true, false] {
            let reply = client.post(&path, World::asked(json!({"dry_run": dry_run}))).await;
            if may {
                assert_eq!(counts(&reply.ok()), [1, 0, 0, 1], "{role}");
            } else {
                assert_eq!(
                    reply.refused(403, "forbidden")["permission"],
                    "prices.update",
                    "{role}"
                );
            }
        }
    }
    let elsewhere = app.organization().await;
    let theirs = app.project(&elsewhere, "theirs").await;
    world.reprice(json!({"project_id": theirs})).await.refused(404, "not-found");
    let head = app.head().await;
    for (fields, field) in [
        (json!({"to": "2026-05-01T00:00:00Z"}), "to"),
        (json!({"price_list_id": "c/nobody"}), "price_list_id"),
        (json!({"price_list_version": 1}), "price_list_version"),
        (json!({"prices_at": head + 100}), "prices_at"),
        (json!({"prices_at": -1}), "prices_at"),
        (json!({"after_position": -1}), "after_position"),
        (json!({"reason": "x".repeat(2_000)}), "reason"),
    ] {
        for dry_run in [true, false] {
            let mut fields = fields.clone();
            fields["dry_run"] = json!(dry_run);
            world.reprice(fields).await.refused_field(422, "invalid-value", field);
        }
    }
    assert_eq!(app.count("usage.repriced").await, 0);
}

#[tokio::test]
async fn an_archived_project_is_priced_again_and_an_archived_month_is_not() {
    let world = World::new().await;
    world.send(&[world.record("a", "m")]).await;
    let archive = world.path(&format!("/projects/{}/archive", world.project));
    world.app.admin().post(&archive, json!({})).await.ok();
    world.publish("openai", "USD", &[("m", "2")]).await;
    let detach = "alter table log.usage_records detach partition log.usage_records_2026_05";
    let attach = "alter table log.usage_records attach partition log.usage_records_2026_05
        for values from ('2026-05-01') to ('2026-06-01')";
    sqlx::raw_sql(detach).execute(world.app.pool()).await.expect("it is detached");
    for dry_run in [true, false] {
        let refused = world.reprice(json!({"dry_run": dry_run})).await;
        let refused = refused.refused(409, "usage-archived");
        assert!(refused["detail"].to_string().contains("2026-05"), "{refused}");
    }
    sqlx::raw_sql(attach).execute(world.app.pool()).await.expect("it is back");
    let project = json!({"project_id": world.project});
    assert_eq!(counts(&world.reprice(project).await.ok()), [1, 1, 0, 0]);
}

#[tokio::test]
async fn what_is_archived_of_other_days_is_not_needed() {
    let world = World::new().await;
    // One batch, of April and May.
    let mut april = world.record("april", "m");
    april["occurred_at"] = json!("2026-04-20T12:00:00Z");
    world.send(&[april, world.record("may", "m")]).await;
    world.publish("openai", "USD", &[("m", "2")]).await;
    let mut owner = world.app.pool().acquire().await.expect("a connection").detach();
    sqlx::raw_sql("reset role").execute(&mut owner).await.expect("the owner");
    let month = "2026-04".parse().expect("a month");
    event_log::usage::months::close(&mut owner, month).await.expect("it is open");
    event_log::usage::months::detach(&mut owner, month).await.expect("it is closed");
    assert_eq!(
        counts(&world.reprice(json!({"from": "2026-05-01T00:00:00Z"})).await.ok()),
        [1, 1, 0, 0]
    );
    let from = json!({"from": "2026-04-01T00:00:00Z"});
    let refused = world.reprice(from).await.refused(409, "usage-archived");
    assert!(refused["detail"].to_string().contains("2026-04"), "{refused}");
}
