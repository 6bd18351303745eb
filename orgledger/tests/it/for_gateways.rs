//! Every example of docs/for-gateways.md, run as its reader would.

use embedded::testing::TestServers;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::log::database_of;
use crate::support::{CREDENTIAL, Place, until, within, workspace_root};

/// What stands for the `nats` command: it publishes as that does, without waiting for an answer.
const NATS: &str = r#"#!/usr/bin/env python3
import json, socket, sys, urllib.parse
assert [sys.argv[1], sys.argv[3]] == ["--server", "pub"] and len(sys.argv) == 6, sys.argv
url, subject, body = urllib.parse.urlparse(sys.argv[2]), sys.argv[4], sys.argv[5].encode()
link = socket.create_connection((url.hostname, url.port), timeout=20)
read = link.makefile("rb")
read.readline()
login = {"verbose": False, "user": url.username, "pass": urllib.parse.unquote(url.password or "")}
link.sendall(b"CONNECT " + json.dumps(login).encode() + b"\r\nPUB " + subject.encode()
             + b" " + str(len(body)).encode() + b"\r\n" + body + b"\r\nPING\r\n")
assert read.readline() == b"PONG\r\n"
"#;

/// The examples in one language.
fn examples(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(workspace_root().join("docs/for-gateways.md")).unwrap();
    let opening = format!("```{language}\n");
    let found = text.split(&opening).skip(1);
    found.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Runs a program with what the examples take from the environment; what it printed.
async fn run(program: &str, text: &str, environment: &[(&str, String)]) -> String {
    let flag = if program == "python3" { "-c" } else { "-ceu" };
    let mut command = Command::new(program);
    command.args([flag, text]).envs(environment.iter().map(|(name, value)| (name, value)));
    let output = within("the example ends", command.output()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{printed}\n{complaint}");
    printed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_for_gateways_records_usage() {
    let servers = TestServers::start().await.unwrap();
    let place = Place::data_dir(servers.data_dir().path())
        .with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL);
    let dev = place.start(&["dev"]).await;
    let client = dev.client(CREDENTIAL);
    let name = json!({"name": "Example Org"});
    let made = client.post("/v1/organizations", "org", &name).await.expect(201);
    let organization = made["organization_id"].as_str().unwrap().to_owned();
    let base = format!("/v1/organizations/{organization}");
    let founder = client.found(&base, "ada").await;
    let post = async |path: &str, body: Value| {
        founder.client.post(&format!("{base}/{path}"), path, &body).await.expect(201)
    };
    let project = post("projects", json!({"name": "search"})).await;
    let project_id = project["project_id"].as_str().unwrap().to_owned();
    let account = json!({"project_id": project_id, "name": "gateway"});
    let account = post("service-accounts", account).await;
    let key = json!({"project_id": project_id, "name": "gateway",
        "service_account_id": account["service_account_id"]});
    let key = post("api-keys", key).await;

    let bin = tempfile::tempdir().unwrap();
    let nats = bin.path().join("nats");
    std::fs::write(&nats, NATS).unwrap();
    std::fs::set_permissions(&nats, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let environment = [
        ("ORGLEDGER_URL", dev.base().to_owned()),
        ("ORGLEDGER_KEY", key["secret"].as_str().unwrap().to_owned()),
        ("ORGANIZATION_ID", organization),
        ("PROJECT_ID", project_id),
        ("NATS_URL", servers.nats().url()),
        ("PATH", path),
    ];
    let shell = examples("sh");
    assert_eq!(shell.len(), 5, "an example was added: say what it records");
    for example in &shell {
        let printed = run("bash", example, &environment).await;
        if example.contains("curl") {
            let answer: Value = serde_json::from_str(&printed).unwrap();
            for fate in answer["records"].as_array().unwrap() {
                assert_eq!(fate["fate"], "recorded", "{example}\n{answer}");
            }
        }
    }
    for example in examples("python") {
        run("python3", &example, &environment).await;
    }
    // LiteLLM's setting leads to a path that takes its events.
    let setting = examples("yaml").concat();
    let endpoint = setting.lines().find_map(|line| line.trim().strip_prefix("endpoint: "));
    let path = endpoint.and_then(|url| url.strip_prefix("http://127.0.0.1:8080")).unwrap();
    let event = json!([{"id": "litellm-1", "status": "success", "custom_llm_provider": "openai",
        "model": "gpt-4o", "startTime": 1_772_366_400.25, "prompt_tokens": 10}]);
    let gateway = client.presenting(key["secret"].as_str().unwrap());
    let answer = gateway.post(path, "none", &event).await.expect(200);
    assert_eq!(answer["records"][0]["fate"], "recorded", "{answer}");

    let log = database_of(servers.postgres()).await;
    let expected = [
        "/gateway#event-1",
        "line-1",
        "line-2",
        "line-3",
        "litellm-1",
        "msg_01",
        "nats-1",
        "python-1",
        "req-1",
    ];
    until("all that the examples send is on record", || async {
        let recorded: Vec<String> =
            sqlx::query_scalar("select request_id from log.usage_records order by 1")
                .fetch_all(&log)
                .await
                .unwrap();
        recorded == expected
    })
    .await;
    dev.stop().await;
}
