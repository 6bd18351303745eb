//! Commands to a server: the words that there are, journeys with them, and what may go wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

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
    let caller = Place::default()
        .with("ORGLEDGER_SERVER", dev.base())
        .with("ORGLEDGER_CREDENTIAL_FILE", &credential);

    let made = caller.json(&["organizations", "create", "--name", "Initech"]).await;
    let caller = caller.with("ORGLEDGER_ORGANIZATION", text(&made, "organization_id"));
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
    assert_eq!(logins, ["ada", "bea", "cy"]);
    assert_eq!(all["next_cursor"], Value::Null);
    let table = caller.print(&[&list[..], &["--format", "table"]].concat()).await;
    let mut lines = table.lines();
    assert!(lines.next().unwrap().contains("login"), "{table}");
    assert!(lines.nth(1).unwrap().contains("ada"), "{table}");
    let projects = caller.json(&["projects", "list", "--min-position", &position]).await;
    let batch = &projects["items"][0];
    assert_eq!((text(batch, "name"), text(batch, "environment")), ("Batch", "staging"));
    // A noun that is a command on this machine, too.
    let there = caller.run(&["status", "get", "--headers"]).await;
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
    let caller = Place::default()
        .with("ORGLEDGER_SERVER", dev.base())
        .with("ORGLEDGER_CREDENTIAL_FILE", &credential);
    let made = caller.json(&["organizations", "create", "--name", "Metered"]).await;
    let caller = caller.with("ORGLEDGER_ORGANIZATION", text(&made, "organization_id"));
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
            &["[/problems/unauthorized]"],
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
        (&["members", "add", "--organization", id, "--login", "ada"], "--role"),
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

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_what_to_do() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let ask = async |scheme: &str| {
        let server = format!("{scheme}://127.0.0.1:{port}");
        let said = caller(&server, "a-credential").run(&["organizations", "list"]).await.refused();
        for one in [&*server, "orgledger dev", "--server", "ORGLEDGER_SERVER"] {
            assert!(said.contains(one), "{said}");
        }
    };
    tokio::join!(ask("http"), ask("https"));
}

#[tokio::test]
async fn a_command_is_sent_again_under_its_name_until_it_is_answered() {
    let (base, requests) = answers(&[
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
        "",
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n\
         {\"position\": 1}",
    ])
    .await;
    let create = ["organizations", "create", "--name", "Once", "--if-match", "\"7\""];
    let made = caller(&base, "a-credential").json(&create).await;
    assert_eq!(made, json!({ "position": 1 }));
    let requests = requests.await.unwrap();
    assert_eq!(requests.len(), 3, "{requests:?}");
    let header = |request: &str, name: &str| {
        let mut lines = request.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap()
    };
    let key = header(&requests[0], "idempotency-key: ");
    assert!(key.len() > 20, "{key}");
    for request in &requests {
        assert!(request.starts_with("POST /v1/organizations HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(request, "idempotency-key: "), key);
        assert_eq!(header(request, "authorization: "), "Bearer a-credential");
        assert_eq!(header(request, "if-match: "), "\"7\"");
        assert!(request.ends_with(r#"{"name":"Once"}"#), "{request}");
    }
}

/// What would be answered to a request that should not be sent again.
const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn what_could_happen_twice_is_not_sent_again() {
    let id = "0190a1b2-77aa-7000-8000-000000000000";
    // Usage has no key: an answer that is lost is the caller's to judge.
    let (base, _requests) = answers(&["", TAKEN]).await;
    let usage = ["usage", "record", "--organization", id, "--body", r#"{"records":[]}"#];
    let said = caller(&base, "a-credential").run(&usage).await.refused();
    assert!(said.contains("without an answer"), "{said}");
}

#[tokio::test]
async fn a_long_pause_is_the_callers_to_take() {
    let too_many = r#"{"title":"Too many","detail":"Slow\u001b[2J down.","type":"/problems/x"}"#;
    let too_many = format!(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\n\
         Content-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{too_many}",
        too_many.len()
    );
    let (base, _requests) = answers(&[&too_many, TAKEN]).await;
    let said = caller(&base, "a-credential").run(&["organizations", "list"]).await.refused();
    assert_eq!(said, "Too many: Slow [2J down [/problems/x]");
}

#[tokio::test]
async fn a_credential_goes_nowhere_but_where_it_was_sent() {
    let (elsewhere, _requests) = answers(&[TAKEN]).await;
    let moved = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n"
    );
    let (base, _requests) = answers(&[&moved]).await;
    let said = caller(&base, "a-credential").run(&["organizations", "list"]).await.refused();
    assert!(said.contains("307") && said.contains(&elsewhere), "{said}");
}

/// A server that gives these answers, one a connection, and then is gone; an empty one is none.
/// With the requests that it got.
async fn answers(answers: &[&str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut asking, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                assert!(asking.read_buf(&mut request).await.unwrap() > 0, "{request:?}");
            }
            requests.push(String::from_utf8(request).unwrap());
            asking.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (base, serving)
}

/// Whether a request has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

#[tokio::test]
async fn a_server_that_is_killed_before_it_answers_has_done_it_once() {
    let (_servers, place) = installation().await;
    let (dev, credential) = server(&place).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = format!("http://{}", listener.local_addr().unwrap());
    let (say_done, done) = oneshot::channel();
    let (set_server, server_now) = watch::channel(None);
    let lossy = tokio::spawn(loses_first(listener, dev.base().to_owned(), say_done, server_now));

    let credential = std::fs::read_to_string(credential).unwrap();
    let caller_in_front = caller(&front, &credential);
    let create = tokio::spawn(async move {
        caller_in_front.run(&["organizations", "create", "--name", "Once"]).await
    });
    let lost: Value = done.await.unwrap();
    dev.kill().await;
    let dev = place.start(&["dev"]).await;
    set_server.send_replace(Some(dev.base().to_owned()));
    let ended = create.await.unwrap();
    assert!(ended.stderr.contains("carried out already"), "{ended:?}");
    let made: Value = serde_json::from_str(&ended.succeeded()).unwrap();
    assert_eq!(made["organization_id"], lost["organization_id"]);

    let position = made["position"].to_string();
    let list = ["organizations", "list", "--all", "--min-position", &position];
    let all = caller(dev.base(), &credential).json(&list).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "{all}");
    lossy.abort();
    dev.stop().await;
}

/// Stands before a server. The first request reaches it, and the answer is kept from whoever asked;
/// later ones go to whatever server there is then.
async fn loses_first(
    listener: TcpListener,
    first: String,
    say_done: oneshot::Sender<Value>,
    mut server_now: watch::Receiver<Option<String>>,
) {
    let address = |base: &str| base.trim_start_matches("http://").to_owned();
    let (mut asking, _) = listener.accept().await.unwrap();
    let mut server = TcpStream::connect(address(&first)).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let body = loop {
        tokio::select! {
            read = asking.read(&mut buffer) => {
                let read = read.unwrap();
                server.write_all(&buffer[..read]).await.unwrap();
            }
            read = server.read_buf(&mut answer) => {
                read.unwrap();
            }
        }
        let text = String::from_utf8_lossy(&answer);
        if let Some(body) =
            text.split_once("\r\n\r\n").and_then(|(_, it)| serde_json::from_str(it).ok())
        {
            break body;
        }
    };
    drop(asking);
    say_done.send(body).unwrap();
    loop {
        let (mut asking, _) = listener.accept().await.unwrap();
        let now = server_now.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        let mut server = TcpStream::connect(address(&now)).await.unwrap();
        tokio::spawn(async move { copy_bidirectional(&mut asking, &mut server).await });
    }
}
