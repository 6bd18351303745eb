//! Importing what the tests write themselves: broken files, long histories, odd prices.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::histories::{self, Times, assert_same, registered};
use crate::support::{Place, installation};

/// Imports a history; asserts that every line read is in exactly one count.
pub(crate) async fn import_membership(place: &Place, file: &Path) -> Value {
    let report = place.json(&["import", "membership", file.to_str().unwrap(), "--json"]).await;
    let skipped: u64 = report["skipped"].as_object().unwrap().values().map(number).sum();
    let rejected = report["rejected"].as_array().unwrap().len() as u64;
    let counted = ["recorded", "unchanged", "already_imported"].map(|name| number(&report[name]));
    assert_eq!(
        number(&report["read"]),
        counted.iter().sum::<u64>() + skipped + rejected,
        "a line is in two counts or in none: {report}"
    );
    report
}

/// Imports it again: nothing is recorded, and what was rejected is rejected again.
pub(crate) async fn import_again(place: &Place, file: &Path, first: &Value) {
    let second = import_membership(place, file).await;
    assert_eq!(second["recorded"], 0);
    assert_eq!(second["unchanged"], 0);
    let before = number(&first["recorded"]) + number(&first["unchanged"]);
    assert_eq!(number(&second["already_imported"]), before);
    for same in ["read", "skipped", "rejected"] {
        assert_eq!(second[same], first[same], "{same}");
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// The register as of a time, for programs.
pub(crate) async fn register_as_of(place: &Place, as_of: &str) -> Value {
    place.json(&["access-register", "--as-of", as_of, "--format", "json"]).await
}

/// A file whose lines are bytes, not all of them text.
struct BrokenFile {
    bytes: Vec<u8>,
    lines: u64,
    /// The lines that must be rejected, each with a word of the reason.
    rejected: Vec<(u64, &'static str)>,
    good: u64,
}

impl BrokenFile {
    fn line(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.lines += 1;
    }

    fn change(&mut self, change: &Value) {
        self.line(change.to_string().as_bytes());
    }

    /// A line that must be rejected, and after it one that must not.
    fn broken(&mut self, line: &[u8], reason: &'static str) {
        self.line(line);
        self.rejected.push((self.lines, reason));
        self.good += 1;
        self.change(&added(&format!("good-{}", self.good)));
    }
}

fn added(login: &str) -> Value {
    json!({ "ts": "2024-05-01T00:00:00Z", "actor": "a", "kind": "member_added", "org": "Broken Ltd",
            "subject": login, "role": "member" })
}

fn changed(with: &Value) -> Vec<u8> {
    let mut change = added("nobody");
    for (field, value) in with.as_object().unwrap() {
        change[field] = value.clone();
    }
    change.to_string().into_bytes()
}

fn broken_file() -> BrokenFile {
    let mut file = BrokenFile { bytes: Vec::new(), lines: 0, rejected: Vec::new(), good: 0 };
    file.change(
        &json!({ "ts": "2024-05-01T00:00:00Z", "kind": "org_created", "org": "Broken Ltd" }),
    );
    file.broken(br#"{"ts": "2024-05-01T00:00:00Z", "kind": "#, "not a change");
    file.broken(b"not JSON at all", "not a change");
    file.broken(b"[1, 2, 3]", "not a change");
    file.broken(b"null", "not a change");
    file.broken(br#"{"kind": "member_added", "org": "Broken Ltd"}"#, "ts");
    file.broken(&changed(&json!({ "kind": "member_teleported" })), "member_teleported");
    file.broken(b"{\"kind\": \"\xff\xfe\"}", "UTF-8");
    file.broken(&changed(&json!({ "subject": "x".repeat(2 << 20) })), "longer than");
    file.broken(&changed(&json!({ "subject": "x".repeat(101) })), "longer than");
    file.broken(&changed(&json!({ "subject": "" })), "empty");
    file.broken(&changed(&json!({ "subject": "a\u{0}b" })), "");
    file.broken(&changed(&json!({ "org": "B\u{0}" })), "B");
    file.broken(&changed(&json!({ "kind": "org_created", "org": "y".repeat(101) })), "longer than");
    file.broken(&changed(&json!({ "kind": "org_created", "org": "a\u{0}b" })), "control");
    file.broken(
        &changed(&json!({ "kind": "team_created", "team": "z".repeat(101) })),
        "longer than",
    );
    file.broken(&changed(&json!({ "subject": Value::Null })), "subject is missing");
    file.broken(&changed(&json!({ "subject": 7 })), "not a change");
    file.broken(&changed(&json!({ "role": "emperor" })), "emperor");
    file.broken(&changed(&json!({ "ts": "yesterday" })), "not a change");
    file.broken(&changed(&json!({ "ts": "9999-12-31T23:59:59Z" })), "future");
    file.broken(&changed(&json!({ "org": "Nowhere" })), "Nowhere");
    file.broken(&changed(&json!({ "kind": "team_member_added", "team": "none" })), "nobody");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    file.broken(deep.as_bytes(), "not a change");
    // Blank lines, and lines of other systems, count as lines but say nothing wrong.
    file.line(b"");
    file.line(b"   \t");
    file.line(b"\r");
    file.change(
        &json!({ "ts": "2024-05-01T00:00:00Z", "kind": "team_updated", "org": "Broken Ltd" }),
    );
    // The last line has no end.
    file.bytes.extend_from_slice(added("the-last").to_string().as_bytes());
    file
}

#[tokio::test]
async fn a_broken_line_is_named_and_costs_no_other() {
    let (servers, place) = installation().await;
    let file = broken_file();
    let path = servers.data_dir().path().join("broken.jsonl");
    std::fs::write(&path, &file.bytes).unwrap();

    let report = import_membership(&place, &path).await;
    let rejected = report["rejected"].as_array().unwrap();
    let lines: Vec<u64> = rejected.iter().map(|one| number(&one["line"])).collect();
    let expected: Vec<u64> = file.rejected.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, expected, "{report:#}");
    for (one, (line, word)) in rejected.iter().zip(&file.rejected) {
        let reason = one["reason"].as_str().unwrap();
        assert!(reason.contains(word), "line {line}: '{reason}' does not say '{word}'");
        assert!(reason.len() < 1_000, "line {line}: the reason is as long as the line");
    }
    // The organization, the good ones and the last.
    assert_eq!(number(&report["recorded"]), file.good + 2);
    assert_eq!(report["skipped"], json!({ "team_updated": 1 }));

    let register = place.json(&["access-register", "--format", "json"]).await;
    let world = registered(&register);
    let members: Vec<&String> = world["Broken Ltd"].members.keys().collect();
    let mut expected: Vec<String> = (1..=file.good).map(|n| format!("good-{n}")).collect();
    expected.push("the-last".to_owned());
    expected.sort();
    assert_eq!(members, expected.iter().collect::<Vec<_>>());
    assert_eq!(world.len(), 1);

    import_again(&place, &path, &report).await;
    // For a person the rejected lines are named, too.
    let text = place.print(&["import", "membership", path.to_str().unwrap()]).await;
    assert!(text.contains(&format!("line {}: ", expected_line(&file))), "{text}");
}

fn expected_line(file: &BrokenFile) -> u64 {
    file.rejected[0].0
}

#[tokio::test]
async fn a_file_that_grows_is_imported_from_where_it_was() {
    let (servers, place) = installation().await;
    let path = servers.data_dir().path().join("growing.jsonl");
    let history = histories::generate(7, 600, Times::InOrder);
    std::fs::write(&path, histories::lines(&history[..250])).unwrap();
    let first = import_membership(&place, &path).await;
    std::fs::write(&path, histories::lines(&history)).unwrap();
    let second = import_membership(&place, &path).await;
    let before = number(&first["recorded"]) + number(&first["unchanged"]);
    assert_eq!(number(&second["already_imported"]), before);
    let (world, _) = histories::fold(&history, "9");
    let register = place.json(&["access-register", "--format", "json"]).await;
    assert_same(&registered(&register), &world, "the grown file");
}

async fn a_long_history_is_what_a_fold_of_it_says(changes: usize, times: Times, dates: usize) {
    let (servers, place) = installation().await;
    let history = histories::generate(42, changes, times);
    let path = servers.data_dir().path().join("history.jsonl");
    std::fs::write(&path, histories::lines(&history)).unwrap();
    let began = Instant::now();
    let report = import_membership(&place, &path).await;
    eprintln!("{changes} changes were imported in {:?}", began.elapsed());

    let (world, refused) = histories::fold(&history, "9");
    let lines = report["rejected"].as_array().unwrap();
    let lines: Vec<usize> =
        lines.iter().map(|one| usize::try_from(number(&one["line"])).unwrap() - 1).collect();
    assert_eq!(lines, refused, "the rejected lines are others");
    assert!(refused.len() > changes / 100, "the history hardly tests refusals: {}", refused.len());
    let people: usize = world.values().map(|organization| organization.members.len()).sum();
    assert!(people > 100, "the history hardly has people: {people}");

    for part in 1..=dates {
        let as_of = history[(history.len() - 1) * part / dates]["ts"].as_str().unwrap();
        let (expected, _) = histories::fold(&history, as_of);
        let register = register_as_of(&place, as_of).await;
        assert_eq!(register["as_of"], as_of);
        assert_same(&registered(&register), &expected, &format!("as of {as_of}"));
    }
    let register = place.json(&["access-register", "--format", "json"]).await;
    assert_same(&registered(&register), &world, "now");
    import_again(&place, &path, &report).await;
}

#[tokio::test]
async fn a_history_of_26_000_changes_in_several_organizations() {
    a_long_history_is_what_a_fold_of_it_says(26_000, Times::InOrder, 5).await;
}

#[tokio::test]
async fn a_history_whose_times_go_back_and_forth() {
    a_long_history_is_what_a_fold_of_it_says(5_000, Times::OutOfOrder, 7).await;
}

/// A catalogue whose prices have more places than tokens can hide: every record must be rounded.
const ODD_PRICES: &str = r#"[{"id": "odd", "models": [
    {"id": "odd-1", "match": {"equals": "odd-1"},
     "prices": {"input_mtok": 0.1234567, "cache_read_mtok": 1.2e-6, "output_mtok": 7.000000000001}},
    {"id": "odd-free", "match": {"equals": "odd-free"}, "prices": {"input_mtok": 0, "output_mtok": 0}},
    {"id": "odd-unpriced", "match": {"equals": "odd-unpriced"}, "prices": {"smells_mtok": 1}}
]}]"#;

/// In pico-units for a million tokens.
const ODD_RATES: [i128; 3] = [123_456_700_000, 1_200_000, 7_000_000_000_001];

/// What a request costs in pico-units: exact, then rounded to the nearest, a half to the even.
pub(crate) fn cost_pico(rates: [i128; 3], input: i128, cached: i128, output: i128) -> i128 {
    let [input_rate, cached_rate, output_rate] = rates;
    let millionths = (input - cached) * input_rate + cached * cached_rate + output * output_rate;
    let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
    match rest.cmp(&500_000) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Equal => whole + whole % 2,
        std::cmp::Ordering::Greater => whole + 1,
    }
}

/// An amount with all its digits.
pub(crate) fn amount(pico: i128) -> String {
    format!("{}.{:012}", pico / 1_000_000_000_000, pico % 1_000_000_000_000)
}

async fn import_odd_usage(place: &Place, directory: &Path, model: &str, more: &[&str]) -> Value {
    let mut text = "what,timestamp,input_tokens,cached_input_tokens,output_tokens\n".to_owned();
    for n in 1..=3_000_i128 {
        let [input, cached, output] = odd_tokens(n);
        writeln!(text, "f{},2025-06-{:02}T10:00:00Z,{input},{cached},{output}", n % 2, 1 + n % 28)
            .unwrap();
    }
    let file = directory.join("odd.csv");
    std::fs::write(&file, text).unwrap();
    let mut arguments = vec!["import", "usage", file.to_str().unwrap(), "--json"];
    arguments.extend(["--organization", "Odd", "--project", "P", "--provider", "odd"]);
    arguments.extend(["--model", model, "--feature-column", "what"]);
    arguments.extend(more);
    place.json(&arguments).await
}

fn odd_tokens(n: i128) -> [i128; 3] {
    [n * 7 % 1_013, (n * 3 % 1_013).min(n * 7 % 1_013), n * 11 % 997]
}

#[tokio::test]
async fn costs_are_rounded_once_for_each_record_and_never_guessed() {
    let (servers, place) = installation().await;
    let directory = servers.data_dir().path();
    let prices = directory.join("odd-prices.json");
    std::fs::write(&prices, ODD_PRICES).unwrap();
    let report = place.json(&["import", "prices", prices.to_str().unwrap(), "--json"]).await;
    assert_eq!(report["priced"], 2);
    assert_eq!(report["left_out"], json!({ "no price that could be taken": 1 }));
    let smells = "smells_mtok: for something that usage records do not count";
    assert_eq!(report["prices_not_taken"], json!({ smells: 1 }));
    assert_eq!(report["skipped"][0]["model"], "odd-unpriced");
    let again = place.json(&["import", "prices", prices.to_str().unwrap(), "--json"]).await;
    assert_eq!((&again["published"], &again["unchanged"]), (&json!(0), &json!(1)));

    let report = import_odd_usage(&place, directory, "odd-1", &["--create"]).await;
    assert_eq!((&report["recorded"], &report["unpriced"]), (&json!(3_000), &json!(0)), "{report}");
    let costs = place.json(&["costs", "--organization", "odd", "--format", "json"]).await;
    for (feature, row) in (0_i128..).zip(costs["rows"].as_array().unwrap()) {
        let records = (1..=3_000).filter(|n| n % 2 == feature);
        let pico = records.map(|n| {
            let [input, cached, output] = odd_tokens(n);
            cost_pico(ODD_RATES, input, cached, output)
        });
        assert_eq!(row["feature"], format!("f{feature}"));
        assert_eq!(row["cost"], amount(pico.sum()), "{row}");
        assert_eq!(row["currency"], "USD");
    }

    // The same requests, told of another model: what was recorded first stays.
    let report = import_odd_usage(&place, directory, "odd-unpriced", &[]).await;
    assert_eq!((&report["recorded"], &report["conflicts"]), (&json!(0), &json!(3_000)), "{report}");
    let after = place.json(&["costs", "--organization", "Odd", "--format", "json"]).await;
    assert_eq!(after["rows"], costs["rows"]);
}

#[tokio::test]
async fn usage_without_a_price_is_unpriced_and_not_free() {
    let (servers, place) = installation().await;
    let directory = servers.data_dir().path();
    let prices = directory.join("odd-prices.json");
    std::fs::write(&prices, ODD_PRICES).unwrap();
    place.print(&["import", "prices", prices.to_str().unwrap()]).await;
    import_odd_usage(&place, directory, "odd-unpriced", &["--create"]).await;
    let costs = place.json(&["costs", "--organization", "Odd", "--format", "json"]).await;
    let row = &costs["rows"][0];
    assert_eq!(row["unpriced_requests"], row["requests"], "{row}");
    assert_eq!(row["cost"], Value::Null, "{row}");
}

#[tokio::test]
async fn bad_rows_of_usage_are_named_and_cost_no_other() {
    let (servers, place) = installation().await;
    let file = servers.data_dir().path().join("bad.csv");
    let rows = [
        "request_id,time,input_tokens,output_tokens,feature",
        "r1,2025-06-01T10:00:00Z,1,2,chat",
        "r2,yesterday,1,2,chat",
        "r3,2025-06-01T10:00:00Z,-1,2,chat",
        "r4,2025-06-01T10:00:00Z,1.5,2,chat",
        "r5,2025-06-01T10:00:00Z,1",
        "r1,2025-06-01T10:00:00Z,1,2,chat",
        "r1,2025-06-01T10:00:00Z,9,9,chat",
        // A comma that nobody quoted: what follows it is in the wrong columns.
        "2025-06-01T10:00:00Z,1,5,2,chat,r7",
        "r8,2025-06-01T10:00:00Z,9999999999999999999,2,chat",
        "r9,1999-06-01T10:00:00Z,1,2,chat",
        "r10,2025-06-01T10:00:00Z,1,2,chat",
    ];
    std::fs::write(&file, rows.join("\n")).unwrap();
    let import = |feature: &'static str| {
        let place = place.clone();
        let file = file.to_str().unwrap().to_owned();
        async move {
            let mut arguments = vec!["import", "usage", &file, "--json", "--create"];
            arguments.extend(["--organization", "O", "--project", "P", "--provider", "p"]);
            arguments.extend(["--model", "m", "--feature-column", feature]);
            place.run(&arguments).await
        }
    };
    let report: Value = serde_json::from_str(&import("feature").await.succeeded()).unwrap();
    let named = report["rejected"].as_array().unwrap().iter().map(|one| number(&one["line"]));
    assert_eq!(named.collect::<Vec<_>>(), [3, 4, 5, 6, 9, 10, 11], "{report:#}");
    assert_eq!(number(&report["recorded"]), 2, "{report}");
    assert_eq!(number(&report["duplicates"]), 1, "{report}");
    assert_eq!(number(&report["conflicts"]), 1, "{report}");
    assert_eq!(number(&report["read"]), 11, "{report}");
    assert_eq!(number(&report["unpriced"]), 2, "no price list was there: {report}");

    let refused = import("no_such_column").await.refused();
    assert!(refused.contains("no column 'no_such_column'"), "{refused}");
    assert!(refused.contains("input_tokens"), "it does not say which columns there are: {refused}");
}

#[tokio::test]
async fn a_file_that_breaks_off_is_recorded_up_to_there_and_says_so() {
    let (servers, place) = installation().await;
    let directory = servers.data_dir().path();
    let whole: String = (0..2_000).map(|n| added(&format!("m{n}")).to_string() + "\n").collect();
    let created =
        json!({ "ts": "2024-05-01T00:00:00Z", "kind": "org_created", "org": "Broken Ltd" });
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, format!("{created}\n{whole}").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let file = directory.join("broken-off.jsonl.gz");
    std::fs::write(&file, &packed[..packed.len() / 2]).unwrap();
    let ended = place.run(&["import", "membership", file.to_str().unwrap(), "--json"]).await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cannot be read on"), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let recorded = number(&report["recorded"]);
    assert!((100..2_001).contains(&recorded), "{report}");
    assert!(report["cut_off"].is_string(), "{report}");
    // The whole file afterwards brings the rest.
    std::fs::write(&file, &packed).unwrap();
    let report = import_membership(&place, &file).await;
    assert_eq!(number(&report["recorded"]), 2_001 - recorded, "{report}");
    assert_eq!(report.get("cut_off"), None);
}

#[tokio::test]
async fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let (servers, place) = installation().await;
    let file = servers.data_dir().path().join("marked.jsonl");
    let created = json!({ "ts": "2024-05-01T00:00:00Z", "kind": "org_created", "org": "Marked" });
    std::fs::write(&file, format!("\u{feff}{created}\r\n")).unwrap();
    let report = import_membership(&place, &file).await;
    assert_eq!(number(&report["recorded"]), 1, "{report}");
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_makes_nothing() {
    let (servers, place) = installation().await;
    let file = servers.data_dir().path().join("twice.csv");
    let missing = servers.data_dir().path().join("missing.csv");
    std::fs::write(&file, "time,input_tokens,output_tokens,input_tokens,feature\n").unwrap();
    for (file, why) in [(&file, "two columns 'input_tokens'"), (&missing, "cannot open")] {
        let mut arguments = vec!["import", "usage", file.to_str().unwrap(), "--create"];
        arguments.extend(["--organization", "Phantom", "--project", "P", "--provider", "p"]);
        arguments.extend(["--model", "m", "--feature-column", "feature"]);
        let refused = place.run(&arguments).await.refused();
        assert!(refused.contains(why), "{refused}");
    }
    let refused = place.run(&["balance", "--organization", "Phantom"]).await.refused();
    assert!(refused.contains("Phantom"), "{refused}");
}

#[tokio::test]
async fn a_question_begins_no_installation() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::data_dir(directory.path());
    for command in [&["status"][..], &["access-register"], &["balance", "--organization", "x"]] {
        let refused = place.run(command).await.refused();
        assert!(refused.contains("no installation"), "{refused}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
