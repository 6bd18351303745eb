//! Help that a newcomer can act on, and wrong input on the command line.

use crate::support::{Place, installation};

/// The names in a help text's list of commands or options.
fn listed<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let after = help.split_once(&format!("\n{heading}:\n")).map(|(_, after)| after);
    let section = after.unwrap_or_default().split("\n\n").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.strip_prefix("  "));
    names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next()).collect()
}

/// The help of a command, where it is one.
async fn help(command: &[&str]) -> String {
    Place::default().print(&[command, &["--help"]].concat()).await
}

/// Each command, and what its help must speak of.
const COMMANDS: [(&[&str], &[&str]); 27] = [
    (&["dev"], &["--listen", "ORGLEDGER_LISTEN", "127.0.0.1:8080"]),
    (&["demo"], &["--fresh", "--exit", "--listen"]),
    (
        &["serve"],
        &["command-api", "query-api", "projectors", "relay", "--feed", "/readyz", "DATABASE_URL"],
    ),
    (&["migrate"], &["--database-url"]),
    (&["import"], &["membership", "prices", "usage"]),
    (&["import", "membership"], &["<FILE>", "--json", ".gz"]),
    (&["import", "prices"], &["<FILE>", "--effective-from", "--json", "genai-prices"]),
    (
        &["import", "usage"],
        &[
            "<FILE>",
            "--organization",
            "--project",
            "--model",
            "--provider",
            "--feature-column",
            "--create",
        ],
    ),
    (
        &["access-register"],
        &["--organization", "--as-of", "--at-position", "table", "json", "markdown", "csv"],
    ),
    (&["analyst"], &["grant", "revoke", "list"]),
    (&["costs"], &["--organization", "--by", "--from", "--to", "feature", "json", "csv"]),
    (&["balance"], &["--organization", "--as-of", "--at-position", "--format"]),
    (
        &["statement"],
        &[
            "--organization",
            "--currency",
            "--from",
            "--to",
            "--as-of",
            "--at-position",
            "json",
            "csv",
        ],
    ),
    (
        &["rebuild"],
        &[
            "<NAME>",
            "access_register",
            "access_reviews",
            "audit_log",
            "balances",
            "budgets",
            "cost_per_feature",
            "last_use",
            "oversight",
            "prices",
        ],
    ),
    (&["audit-log"], &["--organization", "--type", "--actor", "--target", "ndjson", "csv", "ocsf"]),
    (&["diff"], &["--organization", "--from", "--to", "--net", "table", "json", "markdown"]),
    (
        &["why"],
        &[
            "--organization",
            "--member",
            "--subject",
            "--currency",
            "--event",
            "--as-of",
            "--usage",
            "--model",
            "--tag",
            "--without",
            "--price-status",
            "--from",
        ],
    ),
    (&["replay"], &["--to", "--only", "--step", "--organization"]),
    (&["rewrap-keys"], &["ORGLEDGER_MASTER_KEY"]),
    (&["usage"], &["archive", "restore", "archives", "record", "explain"]),
    (&["usage", "archive"], &["--month", "--to", "--drop", "--json", "2026-01"]),
    (&["usage", "restore"], &["--month", "--from", "--json"]),
    (&["usage", "archives"], &["--format"]),
    (&["signing-key"], &["new", "show", "record"]),
    (&["evidence"], &["export"]),
    (&["verify"], &["--key", "--anchor", "--json"]),
    (&["status"], &["--format"]),
];

#[tokio::test]
async fn every_command_has_help_that_says_what_it_takes() {
    for (command, mentions) in COMMANDS {
        let text = help(command).await;
        for mentioned in mentions {
            assert!(text.contains(mentioned), "{command:?} does not mention {mentioned}:\n{text}");
        }
        // Where things are can be said to every command.
        assert!(text.contains("--data-dir"), "{command:?}: {text}");
        let first = text.lines().next().unwrap();
        assert!(first.len() > 10 && !first.starts_with("Usage"), "{command:?} is not explained");
        // Every option is explained on the line below it or beside it.
        for (line, next) in text.lines().zip(text.lines().skip(1)) {
            if line.trim_start().starts_with("--") {
                let explained = line.trim().contains("  ") || !next.trim().is_empty();
                assert!(explained, "{command:?} does not explain {line}");
            }
        }
    }
}

#[tokio::test]
async fn no_command_is_without_its_place_in_the_test_above() {
    let top = help(&[]).await;
    let mut commands: Vec<Vec<&str>> =
        listed(&top, "Commands on this machine").iter().map(|one| vec![*one]).collect();
    let import = help(&["import"]).await;
    commands.extend(listed(&import, "Commands").iter().map(|one| vec!["import", *one]));
    let usage = help(&["usage"]).await;
    commands.extend(listed(&usage, "Commands").iter().map(|one| vec!["usage", *one]));
    commands.retain(|command| !command.contains(&"help") && command[0] != "probe");
    commands.sort();
    let mut tested: Vec<Vec<&str>> = COMMANDS.iter().map(|(command, _)| command.to_vec()).collect();
    tested.sort();
    assert_eq!(commands, tested);
    assert!(top.contains("DATABASE_URL"), "{top}");
    let version = Place::default().print(&["--version"]).await;
    assert_eq!(version.trim(), concat!("orgledger ", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn what_is_not_understood_is_named_before_anything_starts() {
    let place = Place::data_dir("/nonexistent/nowhere".as_ref());
    for (arguments, named) in [
        (&["acess-register"][..], "access-register"),
        (&["serve", "everything"], "command-api"),
        (&["costs"], "--organization"),
        (&["access-register", "--as-of", "yesterday"], "2026-01-31"),
        (&["access-register", "--format", "xml"], "markdown"),
        (&["dev", "--listen", "here"], "here"),
        (&["import", "usage", "x.csv"], "--feature-column"),
        (&["usage", "archive", "--month", "2026-13", "--to", "x"], "2026-13"),
        (&["usage", "archive", "--month", "2026-01"], "--to"),
        (&["usage", "forget"], "forget"),
    ] {
        let ended = place.run(arguments).await;
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
    let refused = place.run(&["costs", "--organization", "x", "--by", "colour"]).await.refused();
    assert!(refused.contains("'colour'") && refused.contains("feature"), "{refused}");
    let refused = place.run(&["rebuild", "everything"]).await.refused();
    assert!(refused.contains("'everything'") && refused.contains("balances"), "{refused}");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (servers, place) = installation().await;
    let directory = servers.data_dir().path();
    let not_prices = directory.join("not-prices.json");
    std::fs::write(&not_prices, "{}").unwrap();
    let truncated = directory.join("truncated.jsonl.gz");
    std::fs::write(&truncated, [0x1f, 0x8b, 8, 0, 0, 0]).unwrap();
    let not_prices = not_prices.to_str().unwrap();
    for (arguments, named) in [
        (&["access-register", "--organization", "Nobody Inc"][..], "Nobody Inc"),
        (&["costs", "--organization", "Nobody Inc"], "Nobody Inc"),
        (&["balance", "--organization", "Nobody Inc"], "Nobody Inc"),
        (&["import", "membership", "/no/such.jsonl"], "/no/such.jsonl"),
        (&["import", "membership", truncated.to_str().unwrap()], "cannot be read"),
        (&["import", "prices", "/no/such.json"], "/no/such.json"),
        (&["import", "prices", not_prices], "not-prices.json"),
        (&["access-register", "--at-position", "1000000"], "1000000"),
    ] {
        let refused = place.run(arguments).await.refused();
        assert!(refused.contains(named), "{arguments:?}: {refused}");
    }
    let status = place.json(&["status", "--format", "json"]).await;
    assert_eq!(status["position"], 0, "something was recorded: {status}");
}
