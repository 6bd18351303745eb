//! Commands to a server: the words that there are, journeys with them, and what may go wrong.

mod sending;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Place, Service, installation, workspace_root};

/// Somebody at a terminal of their own: no data directory, only a server and a credential.
fn caller(server: &str, credential: &str) -> Place {
    Place::default().with("ORGLEDGER_SERVER", server).with("ORGLEDGER_CREDENTIAL", credential)
}

/// `dev`, and the file of its operator's credential.
async fn server(place: &Place) -> (Service, String) {
    let dev = place.start(&["dev"]).await;
    let said = |line: &str| line.strip_prefix("operator credential: in ").map(str::to_owned);
    let path = dev.printed(said).await;
    (dev, path)
}

/// An organization that the operator made, as its first owner, who was invited as olga.
async fn owner(dev: &Service, credential: &str, name: &str) -> Place {
    let operator = Place::default()
        .with("ORGLEDGER_SERVER", dev.base())
        .with("ORGLEDGER_CREDENTIAL_FILE", credential);
    let made = operator.json(&["organizations", "create", "--name", name]).await;
    let operator = operator.with("ORGLEDGER_ORGANIZATION", text(&made, "organization_id"));
    let invite = ["invites", "send", "--email", "olga@example.com", "--role", "owner"];
    let invite = operator.json(&invite).await;
    let invited = operator
        .without("ORGLEDGER_CREDENTIAL_FILE")
        .with("ORGLEDGER_CREDENTIAL", text(&invite, "secret"));
    let id = text(&invite, "invite_id");
    let accepted = invited.json(&["invites", "accept", "--invite", id, "--login", "olga"]).await;
    invited.with("ORGLEDGER_CREDENTIAL", text(&accepted, "secret"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn every_operation_is_a_command_with_help() {
    let read = |path: &str| std::fs::read_to_string(workspace_root().join(path)).unwrap();
    let document: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    let page = read("docs/commands.md");
    let mut commands = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let request = format!("`{} {path}`", method.to_uppercase());
            let mut rows = page.lines().filter(|line| line.contains(&request));
            let row = rows.next().unwrap_or_else(|| panic!("{id} ({request}) is no command"));
            let words = row.split('`').nth(1).unwrap().to_owned();
            let verb = id.split('_').next().unwrap();
            assert!(words.split([' ', '-']).any(|word| word == verb), "{id} is called '{words}'");
            assert!(commands.insert(words), "{row}: another is called that");
        }
    }
    let mut verbs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for command in &commands {
        let (noun, verb) = command.split_once(' ').unwrap();
        verbs.entry(noun).or_default().push(verb);
    }
    let top = Place::default().print(&["--help"]).await;
    let top = top.split_whitespace().collect::<Vec<_>>().join(" ");
    for (noun, verbs) in verbs {
        let listed = format!(" {noun} {}", verbs.join(", "));
        assert!(top.contains(&listed), "{listed} is not in {top}");
        let help = Place::default().print(&["help", noun]).await;
        for verb in verbs {
            assert!(help.contains(verb), "{noun} {verb}: {help}");
            let own = Place::default().print(&[noun, verb, "--help"]).await;
            assert!(own.contains(&format!("Usage: orgledger {noun} {verb}")), "{own}");
            assert!(own.contains("--server"), "{own}");
        }
    }
}

#[tokio::test]
async fn help_says_what_a_command_takes() {
    for (command, mentions) in [
        (
            &["members", "add"][..],
            &[
                "--organization <ID>",
                "ORGLEDGER_ORGANIZATION",
                "--login <TEXT>",
                "--role <ROLE>",
                "auditor",
                "--body",
                "--idempotency-key",
                "--if-match",
                "POST /v1/organizations/{organization_id}/members",
            ][..],
        ),
        (&["members", "list"], &["--all", "--cursor", "--as-of", "2026-01-31", "table"]),
        (&["costs", "get"], &["--by", "feature,model", "csv"]),
        (&["usage", "record"], &["--records <JSON>", "@FILE"]),
        (&["api-keys", "rotate"], &["--api-key <ID>", "--grace-seconds", "(ps)"]),
    ] {
        let help = Place::default().print(&[command, &["--help"]].concat()).await;
        for mentioned in mentions {
            assert!(help.contains(mentioned), "{command:?} does not mention {mentioned}:\n{help}");
        }
        let same = Place::default().print(&[&["help"], command].concat()).await;
        assert_eq!(help, same);
    }
}

#[tokio::test]
async fn an_organization_is_run_from_elsewhere() {
    let (_servers, place) = installation().await;
    let (dev, credential) = server(&place).await;
    let caller = owner(&dev, &credential, "Initech").await;
    let project = ["projects", "create", "--name", "Web", "--environment", "production"];
    let project = caller.json(&project).await;
    let project = text(&project, "project_id");
    let mut members = Vec::new();
    for login in ["ada", "bea", "cy"] {
        let member = caller.json(&["members", "add", "--login", login, "--role", "member"]).await;
        members.push(text(&member, "member_id").to_owned());
    }
    let changed = ["members", "change-role", "--member", &members[0], "--role", "owner"];
    caller.json(&changed).await;
    let assigned = ["project-members", "assign", "--project", project, "--member", &members[0]];
    caller.json(&[&assigned[..], &["--role", "owner"]].concat()).await;

    let key = ["api-keys", "create", "--project", project, "--member", &members[0]];
    let key = caller.json(&[&key[..], &["--name", "web-production"]].concat()).await;
    let secret = text(&key, "secret");
    let key = text(&key, "api_key_id");
    let rotated = caller.json(&["api-keys", "rotate", "--api-key", key]).await;
    assert!(text(&rotated, "secret").starts_with("olk_"));
    assert_ne!(text(&rotated, "secret"), secret);
    // The whole body, and a flag that replaces a part of it.
    let body = r#"{ "name": "other", "environment": "staging" }"#;
    let other = ["projects", "create", "--body", body, "--name", "Batch"];
    let last = caller.json(&other).await;

    let position = last["position"].to_string();
    let list = ["members", "list", "--min-position", &position];
    let first = caller.json(&[&list[..], &["--limit", "2"]].concat()).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert!(first["next_cursor"].is_string(), "{first}");
    let all = caller.json(&[&list[..], &["--limit", "1", "--all"]].concat()).await;
    let logins: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|m| text(m, "login")).collect();
    assert_eq!(logins, ["ada", "bea", "cy", "olga"]);
    assert_eq!(all["next_cursor"], Value::Null);
    let table = caller.print(&[&list[..], &["--format", "table"]].concat()).await;
    let mut lines = table.lines();
    assert!(lines.next().unwrap().contains("login"), "{table}");
    assert!(lines.nth(1).unwrap().contains("ada"), "{table}");
    let projects = caller.json(&["projects", "list", "--min-position", &position]).await;
    let batch = &projects["items"][0];
    assert_eq!((text(batch, "name"), text(batch, "environment")), ("Batch", "staging"));
    // A noun that is a command on this machine, too.
    let operator =
        caller.without("ORGLEDGER_CREDENTIAL").with("ORGLEDGER_CREDENTIAL_FILE", &credential);
    let there = operator.run(&["status", "get", "--headers"]).await;
    assert!(
        there.stderr.starts_with("200\n") && there.stderr.contains("content-type: "),
        "{there:?}"
    );
    assert!(there.succeeded().contains("access_register"));
    let here = place.json(&["status", "--format", "json"]).await;
    assert_eq!(here["position"].to_string(), position);
    dev.stop().await;
}

#[tokio::test]
async fn usage_is_recorded_from_a_file_and_costs_come_as_csv() {
    let (servers, place) = installation().await;
    let (dev, credential) = server(&place).await;
    let caller = owner(&dev, &credential, "Metered").await;
    let project = caller.json(&["projects", "create", "--name", "Web"]).await;
    let record = |id: u32| {
        json!({
            "project_id": project["project_id"], "feature": "search", "provider": "openai",
            "model": "gpt-4o-mini", "request_id": format!("r-{id}"),
            "occurred_at": "2026-01-31T12:00:00Z", "input_tokens": 10, "output_tokens": 5,
        })
    };
    let file = servers.data_dir().path().join("usage.jsonl");
    std::fs::write(&file, format!("{}\n{}\n", record(1), record(2))).unwrap();
    let records = format!("@{}", file.display());
    let one = record(3).to_string();
    let recorded =
        caller.json(&["usage", "record", "--records", &records, "--records", &one]).await;
    assert_eq!(recorded["records"].as_array().unwrap().len(), 3, "{recorded}");
    let position = recorded["position"].to_string();
    let costs = ["costs", "get", "--by", "feature", "--min-position", &position];
    let costs = caller.print(&[&costs[..], &["--format", "csv"]].concat()).await;
    assert!(costs.starts_with("feature,"), "{costs}");
    let row = costs.lines().nth(1).unwrap();
    assert!(row.starts_with("search,") && row.contains(",3,"), "{costs}");
    dev.stop().await;
}

#[tokio::test]
async fn a_refusal_says_what_why_and_which() {
    let (_servers, place) = installation().await;
    let (dev, credential) = server(&place).await;
    let credential = std::fs::read_to_string(credential).unwrap();
    let operator = caller(dev.base(), &credential);
    operator.print(&["organizations", "create", "--name", "Taken"]).await;
    let nowhere = "0190a1b2-77aa-7000-8000-000000000000";
    for (caller, arguments, told) in [
        (&operator, &["organizations", "create", "--name", "taken"][..], &["[/problems/"][..]),
        (
            &operator,
            &["members", "list", "--organization", nowhere],
            &["Not found: ", "[/problems/not-found]"],
        ),
        (
            &operator,
            &["organizations", "list", "--cursor", "nonsense"],
            &["(cursor) [/problems/invalid-request]"],
        ),
        (
            &Place::default().with("ORGLEDGER_SERVER", dev.base()),
            &["organizations", "list"],
            &["Authentication is required", "--credential-file"],
        ),
        (
            &operator,
            &["organizations", "list", "--credential", "somebody-else-altogether"],
            &["[/problems/unauthorized]", "operator's credential"],
        ),
        (
            &operator,
            &["organizations", "list", "--credential", "olk_adm_unknown"],
            &["[/problems/unauthorized]", "this API key was revoked"],
        ),
        (
            &operator,
            &["organizations", "list", "--credential", "oli_unknown"],
            &["[/problems/unauthorized]", "an invite's token opens"],
        ),
        (
            &operator,
            &["organizations", "list", "--credential", "e30.e30.AA"],
            &["[/problems/unauthorized]", "an issuer's token counts in one --organization"],
        ),
    ] {
        let ended = caller.run(arguments).await;
        let said = ended.stderr.clone();
        ended.refused();
        for one in told {
            assert!(said.contains(one), "{arguments:?}: {said}");
        }
        assert!(!said.contains(credential.trim()), "{said}");
    }
    dev.stop().await;
}

#[tokio::test]
async fn what_is_wrong_on_the_command_line_is_named_and_nothing_is_sent() {
    // Whoever connects here is found out.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let caller = caller(&format!("http://{}", nobody.local_addr().unwrap()), "a-credential");
    let id = "0190a1b2-77aa-7000-8000-000000000000";
    for (arguments, named) in [
        (&["membrs", "list"][..], "members"),
        (&["members", "lst"], "list"),
        (&["members"], "change-role"),
        (&["members", "list"], "--organization"),
        (&["members", "list", "--organization", "../x"], "not an id"),
        (&["projects", "create", "--organization", id], "--name"),
        (&["members", "add", "--organization", id, "--login", "a", "--role", "king"], "auditor"),
        (&["members", "list", "--organization", id, "--limit", "many"], "whole number"),
        (&["members", "list", "--organization", id, "--all", "--cursor", "x"], "--cursor"),
        (&["organizations", "create", "--name", "x", "--colour", "red"], "--colour"),
        (&["usage", "record", "--organization", id, "--records", "{"], "not JSON"),
        (&["usage", "record", "--organization", id, "--body", "@/no/such"], "/no/such"),
        (&["organizations", "list", "--server", "localhost:8080"], "http://"),
        (&["organizations", "list", "--format", "csv"], "table"),
        (&["costs", "--server", "http://127.0.0.1:1", "--organization", "x"], "orgledger help"),
    ] {
        let ended = caller.run(arguments).await;
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
    let connected = std::future::poll_fn(|context| {
        std::task::Poll::Ready(nobody.poll_accept(context).is_ready())
    });
    assert!(!connected.await, "something was sent");
}
