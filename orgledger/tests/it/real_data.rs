//! Importing what really happened elsewhere. It is not part of the repository: where
//! `ORGLEDGER_REAL_DATA` does not name it, these tests say so and pass.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use event_schemas::Amount;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::imports::{amount, cost_pico, import_again, import_membership, register_as_of};
use crate::support::histories::{assert_same, expected, registered};
use crate::support::{CREDENTIAL, Place, installation};

const VARIABLE: &str = "ORGLEDGER_REAL_DATA";

/// A file or folder of the real data; none, said plainly, where there is none. Relative paths are
/// taken from the root of the checkout.
pub(crate) fn real_data(path: &str) -> Option<PathBuf> {
    let Some(directory) = std::env::var_os(VARIABLE) else {
        eprintln!("SKIPPED: {VARIABLE} is not set, so there is no {path} to test with");
        return None;
    };
    let path = crate::support::workspace_root().join(directory).join(path);
    let found = path.canonicalize();
    Some(found.unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", path.display())))
}

fn json_of(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn the_membership_of_a_real_organization() {
    let Some(file) = real_data("membership/rust-lang.jsonl") else { return };
    let Some(folder) = real_data("membership/rust-lang-expected") else { return };
    let (_servers, place) = installation().await;
    let report = import_membership(&place, &file).await;
    assert_eq!(report["read"], 6_194);
    let reason = |login: &str| format!("'{login}' is not a member of the organization 'rust-lang'");
    assert_eq!(
        report["rejected"],
        json!([
            { "line": 2_642, "reason": reason("mbwxzltku2") },
            { "line": 3_033, "reason": reason("mh2bhfmkym") },
        ])
    );
    let kinds: Vec<_> = report["skipped"].as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["team_repo_granted", "team_repo_revoked", "team_updated"]);

    let mut files: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let file = json_of(&path);
        let as_of = file["as_of"].as_str().unwrap();
        let register = register_as_of(&place, as_of).await;
        assert_same(
            &registered(&register),
            &expected(&file),
            &format!("{} ({as_of})", path.display()),
        );
    }
    import_again(&place, &file, &report).await;
}

/// Rates of a model in pico-units for a million tokens, out of the decimal text in the file.
fn rates(prices: &Value, provider: &str, model: &str) -> [i128; 3] {
    let named = |list: &'_ Value, id: &str| -> Value {
        list.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
    };
    let model = named(&named(prices, provider)["models"], model);
    ["input_mtok", "cache_read_mtok", "output_mtok"].map(|unit| {
        let text = model["prices"][unit].to_string();
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        assert!(part.len() <= 12 && !text.contains(['e', 'n']), "{unit} is {text}");
        format!("{whole}{part:0<12}").parse().unwrap()
    })
}

#[derive(Default, PartialEq, Debug)]
struct Used {
    requests: i128,
    input: i128,
    cached: i128,
    output: i128,
    pico: i128,
}

/// What each source used and what it cost, added up from the file.
fn used(file: &std::path::Path, rates: [i128; 3]) -> BTreeMap<String, Used> {
    let mut reader = csv::Reader::from_reader(GzDecoder::new(File::open(file).unwrap()));
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        ["source", "seq", "ts_utc", "input_tokens", "cached_input_tokens", "output_tokens"]
    );
    let mut sources: BTreeMap<String, Used> = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        let tokens = |column: usize| match &row[column] {
            "" => 0,
            text => text.parse::<i128>().unwrap(),
        };
        let (input, cached, output) = (tokens(3), tokens(4), tokens(5));
        let source = sources.entry(row[0].to_owned()).or_default();
        source.requests += 1;
        source.input += input;
        source.cached += cached;
        source.output += output;
        source.pico += cost_pico(rates, input, cached, output);
    }
    sources
}

#[tokio::test]
async fn a_month_of_real_requests_costs_what_it_costs() {
    let Some(requests) = real_data("usage/requests.csv.gz") else { return };
    let Some(prices) = real_data("prices/genai-prices.json") else { return };
    let (_servers, place) = installation().await;
    let report = place.json(&["import", "prices", prices.to_str().unwrap(), "--json"]).await;
    assert_eq!(report["rejected"], json!([]), "{report:#}");
    let left_out: u64 =
        report["left_out"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let [models, priced] = ["models", "priced"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(models, priced + left_out, "a model is in two counts or in none");

    let mut import = vec!["import", "usage", requests.to_str().unwrap(), "--json"];
    import.extend(["--organization", "Traces", "--project", "Replay", "--provider", "openai"]);
    import.extend(["--model", "gpt-4o-mini", "--feature-column", "source"]);
    let refused = place.run(&import).await.refused();
    assert!(refused.contains("no organization 'Traces'; --create"), "{refused}");
    import.push("--create");
    let report = place.json(&import).await;
    assert_eq!((&report["read"], &report["recorded"]), (&json!(40_216), &json!(40_216)));

    let rates = rates(&json_of(&prices), "openai", "gpt-4o-mini");
    let costs = ["costs", "--organization", "Traces", "--by", "feature", "--format"];
    let ours = place.json(&[&costs[..], &["json"]].concat()).await;
    let rows = ours["rows"].as_array().unwrap();
    let sources = used(&requests, rates);
    assert_eq!(rows.len(), sources.len());
    for row in rows {
        let source = &sources[row["feature"].as_str().unwrap()];
        assert_eq!(row["cost"], amount(source.pico), "{row}");
        let number = |name: &str| i128::from(row[name].as_i64().unwrap());
        assert_eq!(number("requests"), source.requests);
        assert_eq!(number("input_tokens"), source.input);
        assert_eq!(number("cached_input_tokens"), source.cached);
        assert_eq!(number("output_tokens"), source.output);
        assert_eq!(row["unpriced_requests"], 0);
        assert_eq!(row["currency"], "USD");
    }

    let again = place.json(&import).await;
    assert_eq!((&again["recorded"], &again["duplicates"]), (&json!(0), &json!(40_216)));
    assert_eq!(place.json(&[&costs[..], &["json"]].concat()).await["rows"], ours["rows"]);
    let csv = place.print(&[&costs[..], &["csv"]].concat()).await;
    for source in sources.values() {
        assert!(csv.contains(&amount(source.pico)), "{csv}");
    }
}

/// A month of real requests as another model's: what the files say it would have cost.
#[tokio::test]
async fn a_month_of_real_requests_as_another_models() {
    let Some(requests) = real_data("usage/requests.csv.gz") else { return };
    let Some(prices) = real_data("prices/genai-prices.json") else { return };
    let (_servers, place) = installation().await;
    let place = place.with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL);
    place.json(&["import", "prices", prices.to_str().unwrap(), "--json"]).await;
    let mut import = vec!["import", "usage", requests.to_str().unwrap(), "--json", "--create"];
    import.extend(["--organization", "Traces", "--project", "Replay", "--provider", "openai"]);
    import.extend(["--model", "gpt-4o-mini", "--feature-column", "source"]);
    place.json(&import).await;
    let dev = place.start(&["dev"]).await;
    let operator = dev.client(CREDENTIAL);
    let organizations = operator.get("/v1/organizations").await.expect(200);
    let organization = organizations["items"][0]["organization_id"].as_str().unwrap().to_owned();
    let founder = operator.found(&format!("/v1/organizations/{organization}"), "ada").await;
    let caller = Place::default()
        .with("ORGLEDGER_SERVER", dev.base())
        .with("ORGLEDGER_CREDENTIAL", &founder.secret)
        .with("ORGLEDGER_ORGANIZATION", &organization);
    let json = json_of(&prices);
    let now = used(&requests, rates(&json, "openai", "gpt-4o-mini"));
    let pico = |value: &Value| value.as_str().unwrap().parse::<Amount>().unwrap().pico();
    for (provider, model) in [("openai", "gpt-5"), ("anthropic", "claude-3-5-haiku-latest")] {
        let mut what_if = vec!["usage", "what-if", "--from", "2000-01-01", "--to", "2100-01-01"];
        what_if.extend(["--by", "feature", "--as-provider", provider, "--as-model", model]);
        let told = caller.json(&what_if).await;
        assert_eq!(
            (&told["records"], &told["without_price"], &told["continue_after"]),
            (&json!(40_216), &json!(0), &Value::Null)
        );
        let would = used(&requests, rates(&json, provider, model));
        let rows = told["rows"].as_array().unwrap();
        assert_eq!(rows.len(), would.len());
        let mut sum = 0;
        for row in rows {
            let feature = row["feature"].as_str().unwrap();
            let (now, would) = (&now[feature], &would[feature]);
            assert_eq!(pico(&row["cost_now"]), now.pico, "{row}");
            assert_eq!(pico(&row["cost_what_if"]), would.pico, "{model}: {row}");
            assert_eq!(pico(&row["difference"]), would.pico - now.pico, "{row}");
            assert_eq!(i128::from(row["records_compared"].as_i64().unwrap()), now.requests);
            assert_eq!(row["currency"], "USD");
            sum += would.pico;
        }
        assert_eq!(pico(&told["totals"][0]["cost_what_if"]), sum);
    }
    dev.stop().await;
}
