//! `orgledger demo`, as the README has it.

use serde_json::Value;

use crate::support::histories::registered;
use crate::support::{Client, Directory, Service, workspace_root};

const FRESH: [&str; 5] = ["demo", "--fresh", "--exit", "--listen", "127.0.0.1:0"];

/// The part of the output from the line that begins so to the next empty line.
fn section<'a>(text: &'a str, beginning: &str) -> &'a str {
    let start = text.find(beginning).unwrap_or_else(|| panic!("no '{beginning}' in {text}"));
    text[start..].split("\n\n").next().unwrap()
}

fn curl_lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.starts_with("curl ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn it_shows_everything_and_tells_the_same_story_twice() {
    let directory = Directory::new();
    let place = directory.place();
    let mut stories = Vec::new();
    for _ in 0..2 {
        let shown = place.run(&FRESH).await;
        assert!(!shown.stderr.contains("was interrupted"), "its end is no fault: {}", shown.stderr);
        let text = shown.succeeded();
        let register = section(&text, "Acme Corp: access as of");
        assert!(register.contains("owner") && register.contains("Product-Prod"), "{register}");
        assert!(register.contains("billing") && register.contains("Research"), "{register}");
        let balance = section(&text, "Acme Corp: credits");
        assert!(balance.contains("USD") && balance.contains("consumed"), "{balance}");
        let costs = section(&text, "Acme Corp: usage and cost");
        assert!(costs.contains("summarization") && costs.contains("total"), "{costs}");
        assert!(text.contains("orgledger served on http://127.0.0.1:"), "{text}");
        assert!(text.contains("operator credential: in "), "{text}");
        assert!(text.contains("credential of Acme Corp's owner: in "), "{text}");
        // The register shows keys by the beginning and end of their secrets.
        let is_secret = |word: &str| {
            ["olo_", "olk_", "oli_"].iter().any(|kind| word.starts_with(kind)) && word.len() > 40
        };
        assert!(!text.split_whitespace().any(is_secret), "it prints a secret: {text}");
        assert_eq!(curl_lines(&text).len(), 3, "{text}");
        stories.push([balance.to_owned(), costs.to_owned()]);
    }
    assert_eq!(stories[0], stories[1], "another run tells another story");

    // The same directory, with nothing running on it.
    let named = ["--organization", "acme corp"];
    let costs = place.print(&[&["costs", "--by", "feature,model"][..], &named].concat()).await;
    assert_eq!(costs.trim(), stories[1][1].trim());
    let balance = place.print(&[&["balance"][..], &named].concat()).await;
    assert_eq!(balance.trim(), stories[1][0].trim());
    let register = place.json(&["access-register", "--format", "json"]).await;
    let world = registered(&register);
    let roles: Vec<&String> = world["Acme Corp"].members.values().collect();
    for role in ["owner", "admin", "member", "reader", "billing"] {
        assert!(roles.iter().any(|one| *one == role), "nobody is {role}: {roles:?}");
    }
    let accounts = register["organizations"][0]["service_accounts"].as_array().unwrap();
    assert!(accounts.iter().any(|one| !one["keys"].as_array().unwrap().is_empty()), "{accounts:?}");
    let markdown = place.print(&["access-register", "--format", "markdown"]).await;
    assert!(markdown.contains("| --- |"), "{markdown}");
    let csv = place.print(&["access-register", "--format", "csv"]).await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert!(reader.records().all(|row| row.is_ok_and(|row| &row[0] == "Acme Corp")));
    let status = place.print(&["status"]).await;
    assert!(status.contains("cost_per_feature"), "{status}");
}

#[tokio::test]
async fn what_it_suggests_works_until_it_is_interrupted() {
    let directory = Directory::new();
    // The port is taken: it serves on another.
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let mut demo = Service::spawn(&directory.place(), &["demo", "--fresh", "--listen", &taken]);
    demo.printed(|line| line.contains("curl -X POST").then_some(())).await;
    let text = demo.stdout();
    assert!(!text.contains(&taken), "it says that it serves where it does not: {text}");
    for line in curl_lines(&text) {
        let script = format!("{line} --silent --show-error --fail-with-body");
        let mut curl = tokio::process::Command::new("sh");
        curl.args(["-c", &script]).current_dir(workspace_root());
        let output = match curl.output().await {
            Ok(output) if output.status.code() == Some(127) => {
                eprintln!("SKIPPED: there is no curl to try the suggestions with");
                break;
            }
            output => output.unwrap(),
        };
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{line}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["position"].is_i64(), "{line}: {answer}");
    }
    let base =
        demo.printed(|line| line.strip_prefix("orgledger serves on ").map(str::to_owned)).await;
    let path = directory.path().join("operator-credential");
    let credential = std::fs::read_to_string(path).unwrap();
    let costs = Client::new(&base, credential.trim()).get("/v1/organizations").await.expect(200);
    assert_eq!(costs["items"][0]["name"], "Acme Corp", "{costs}");
    let path = directory.path().join("owner-credential");
    let owner = Client::new(&base, std::fs::read_to_string(&path).unwrap().trim());
    let acme = costs["items"][0]["organization_id"].as_str().unwrap();
    let register = owner.get(&format!("/v1/organizations/{acme}/access-register")).await;
    assert_eq!(registered(&register.expect(200))["Acme Corp"].members["founder"], "owner");
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "others can read the owner's credential");
    demo.terminate();
    assert!(demo.ended().await.success(), "{}", demo.log());
}
