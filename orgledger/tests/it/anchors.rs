//! Places outside that keep checkpoints: a file, a webhook, NATS and a witness.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use embedded::testing::{TestServers, test_nats, test_nats_url, unique_name};
use proofs::{Checkpoint, Hash, Note, SigningKey, VerifyingKey, verify_consistency};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::log::pool;
use crate::support::{CREDENTIAL, Directory, Place, until};

fn witness_key() -> SigningKey {
    SigningKey::of("witness.example", [9; 32]).unwrap()
}

/// What came to the places: bodies of the webhook, and what the witness has cosigned.
#[derive(Default)]
struct Came {
    hooked: Vec<String>,
    log_key: Option<VerifyingKey>,
    seen: Option<(u64, Hash)>,
    cosigned: usize,
    conflicts: usize,
}

type Places = Arc<Mutex<Came>>;

async fn hook(State(places): State<Places>, body: String) {
    places.lock().unwrap().hooked.push(body);
}

/// As <https://c2sp.org/tlog-witness> says.
async fn add_checkpoint(State(places): State<Places>, body: String) -> (StatusCode, String) {
    let mut places = places.lock().unwrap();
    let (proof, note) = body.split_once("\n\n").unwrap();
    let mut lines = proof.lines();
    let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let path: Vec<Hash> = lines.map(|line| Hash::from_base64(line).unwrap()).collect();
    let mut note = Note::parse(note).unwrap();
    let Some(log_key) = places.log_key.clone() else {
        return (StatusCode::NOT_FOUND, String::new());
    };
    let (checkpoint, _) = Checkpoint::verify(&note, &[log_key]).unwrap();
    let seen = places.seen.unwrap_or((0, Hash::of_nothing()));
    if old != seen.0 {
        places.conflicts += 1;
        return (StatusCode::CONFLICT, format!("{}\n", seen.0));
    }
    let new = (checkpoint.size, checkpoint.root);
    if verify_consistency(seen, new, &path).is_err() {
        return (StatusCode::UNPROCESSABLE_ENTITY, String::new());
    }
    places.seen = Some(new);
    places.cosigned += 1;
    note.signatures.clear();
    note.cosign(&witness_key(), 1_790_000_000);
    let unknown = SigningKey::of("unknown.example", [8; 32]).unwrap();
    note.cosign(&unknown, 1_790_000_000);
    let lines: Vec<String> = note.signatures.iter().map(ToString::to_string).collect();
    (StatusCode::OK, lines.join("\n") + "\n")
}

/// Serves both on a port of their own.
async fn serve(places: &Places) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new()
        .route("/hook", post(hook))
        .route("/witness/add-checkpoint", post(add_checkpoint))
        .with_state(Arc::clone(places));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    base
}

/// What a stream keeps of a subject is what an anchor is.
#[tokio::test]
async fn checkpoints_are_kept_in_a_stream_of_nats_and_fit_the_log() {
    let servers = TestServers::start_postgres_only().await.unwrap();
    let database = pool(&servers.postgres().url("postgres")).await;
    sqlx::query("create database ledger").execute(&database).await.unwrap();
    let key = SigningKey::of("ledger.example", [1; 32]).unwrap();
    let subject = unique_name();
    // Credentials stand in the URL, and there may be several servers.
    let url = test_nats_url();
    let place = Place::database(&servers.postgres().url("ledger"))
        .with("ORGLEDGER_SIGNING_KEY", &key.reveal())
        .with("ORGLEDGER_ANCHORS", &format!("nats:{subject}"))
        .with("ORGLEDGER_ANCHOR_SECONDS", "0")
        .with("NATS_URL", &format!("{url},{url}"));
    place.print(&["migrate"]).await;
    let jetstream = async_nats::jetstream::new(test_nats().await);
    let keeps = async_nats::jetstream::stream::Config {
        name: unique_name(),
        subjects: vec![subject.clone()],
        ..Default::default()
    };
    let stream = jetstream.create_stream(keeps).await.unwrap();
    let commands = place.start(&["serve", "command-api"]).await;
    let projectors = place.start(&["serve", "projectors"]).await;
    let client = commands.client(CREDENTIAL);
    let created = client.post("/v1/organizations", "one", &json!({ "name": "One" })).await;
    created.expect(201);
    let last = async || stream.get_last_raw_message_by_subject(&subject).await.ok();
    until("a checkpoint is there", || async { last().await.is_some() }).await;
    projectors.stop().await;
    commands.stop().await;
    let note = String::from_utf8(last().await.unwrap().payload.to_vec()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let kept = out.path().join("kept");
    std::fs::write(&kept, note).unwrap();
    let said = place.print(&["verify", "--anchor", kept.to_str().unwrap()]).await;
    assert!(said.contains("VERIFIED") && said.contains("the log agrees with each"), "{said}");
}

#[tokio::test]
async fn checkpoints_are_kept_outside_and_fit_the_log() {
    let directory = Directory::new();
    let place = directory.place();
    // The key is made with the installation.
    place.start(&["dev"]).await.stop().await;
    let key: VerifyingKey = place.print(&["signing-key", "show"]).await.trim().parse().unwrap();
    let places = Places::default();
    // The witness has seen something of this log that is not remembered here: nothing.
    places.lock().unwrap().log_key = Some(key.clone());
    let base = serve(&places).await;
    let kept = directory.path().join("kept");
    let witness = witness_key().witness_key();
    let anchors = format!("file:{},{base}/hook,witness:{witness}={base}/witness/", kept.display());
    let anchored =
        place.clone().with("ORGLEDGER_ANCHORS", &anchors).with("ORGLEDGER_ANCHOR_SECONDS", "0");
    let service = anchored.start(&["dev"]).await;
    let operator = std::fs::read_to_string(directory.path().join("operator-credential")).unwrap();
    let client = service.client(&operator);
    for name in ["One", "Two", "Three"] {
        let created =
            client.post("/v1/organizations", name, &json!({ "name": name })).await.expect(201);
        let position = created["position"].as_i64().unwrap();
        let sealed = format!("/v1/checkpoint?min_position={position}");
        until("it is sealed", || async { client.get(&sealed).await.status == 200 }).await;
        let size = {
            let note = client.get("/v1/checkpoint").await.text;
            Checkpoint::verify(&Note::parse(&note).unwrap(), std::slice::from_ref(&key))
                .unwrap()
                .0
                .size
        };
        until("it is kept everywhere", || async {
            let came = places.lock().unwrap();
            let in_file = std::fs::read_to_string(&kept).unwrap_or_default();
            came.seen.is_some_and(|(seen, _)| seen >= size)
                && in_file.contains(&format!("\n{size}\n"))
                && came.hooked.iter().any(|note| note.contains(&format!("\n{size}\n")))
        })
        .await;
    }
    // What the witness said goes out with the checkpoint, once it is written down here; whom
    // nobody asked is left out.
    until("the witness's signature goes out", || async {
        client.get("/v1/checkpoint").await.text.contains("— witness.example ")
    })
    .await;
    assert!(!client.get("/v1/checkpoint").await.text.contains("unknown.example"));
    assert!(places.lock().unwrap().cosigned >= 3);
    service.stop().await;
    let kept_file = kept.to_str().unwrap();
    let said = place.print(&["verify", "--anchor", kept_file]).await;
    assert!(said.contains("VERIFIED") && said.contains("the log agrees with each"), "{said}");
    // A file that was cut within a checkpoint says so.
    let text = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, &text[..text.len() - 20]).unwrap();
    let said = place.run(&["verify", "--anchor", kept_file]).await.refused();
    assert!(said.contains("kept: checkpoint "), "{said}");
}
