//! What is answered as proof verifies, by the public key alone.

#![allow(clippy::unwrap_used)] // A test that finds nothing there has failed.

use proofs::{Checkpoint, Hash, HeadLeaf, Note, Proof, VerifyingKey, verify_inclusion};

use crate::support::{Answer, CREDENTIAL, World, id, sealing_key};

const ACME: u128 = 1;
const BETA: u128 = 2;

async fn world() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.organization(BETA, "2026-01-01T00:00:00Z", "Beta").await;
    for number in 0..300 {
        world.project(ACME, 10 + number, "2026-01-01T00:00:00Z", &format!("p{number}")).await;
    }
    world.project_all().await;
    world
}

fn keys() -> [VerifyingKey; 1] {
    [sealing_key().verifying_key()]
}

fn path(organization: u128, position: i64) -> String {
    format!("/v1/organizations/{}/entries/{position}/proof", id(organization))
}

/// Verifies what was answered, and gives the leaf's number.
fn verified(answer: &Answer) -> u64 {
    let body = answer.json();
    let hash = |text: &serde_json::Value| Hash::from_base64(text.as_str().unwrap()).unwrap();
    let proof = Proof::parse(body["proof"].as_str().unwrap()).unwrap();
    let head = HeadLeaf::parse(proof.extra.as_ref().unwrap()).unwrap();
    proof.verify(head.hash(), &keys()).unwrap();
    let path: Vec<Hash> = body["path"].as_array().unwrap().iter().map(hash).collect();
    let (number, size) = (body["number"].as_u64().unwrap(), body["size"].as_u64().unwrap());
    assert_eq!(size, head.size);
    verify_inclusion(hash(&body["leaf"]), number, size, &path, head.root).unwrap();
    number
}

#[tokio::test]
async fn the_last_checkpoint_is_signed() {
    let world = world().await;
    let early = world.get("/v1/checkpoint").await;
    early.assert_problem(503, "read-model-not-ready", "nothing is sealed");
    world.seal().await;
    let answer = world.get("/v1/checkpoint").await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["orgledger-position"], "302");
    let note = Note::parse(&answer.text).unwrap();
    let (checkpoint, _) = Checkpoint::verify(&note, &keys()).unwrap();
    assert_eq!((&*checkpoint.origin, checkpoint.size), ("ledger.example", 2));
}

#[tokio::test]
async fn every_entry_of_an_organization_has_a_proof() {
    let world = world().await;
    world.seal().await;
    // Twice, so that the tree was sealed at several sizes.
    world.organization(3, "2026-01-01T00:00:00Z", "Gamma").await;
    world.project(ACME, 999, "2026-01-02T00:00:00Z", "last").await;
    world.project_all().await;
    world.seal().await;
    for (position, number) in [(1, 0), (3, 1), (257, 255), (258, 256), (302, 300), (304, 301)] {
        let answer = world.get(&path(ACME, position)).await;
        assert_eq!(answer.status, 200, "{position}: {}", answer.text);
        assert_eq!(verified(&answer), number, "{position}");
    }
    assert_eq!(verified(&world.get(&path(BETA, 2)).await), 0);
}

#[tokio::test]
async fn what_is_anothers_or_nothing_has_no_proof() {
    let world = world().await;
    let early = world.get(&path(ACME, 1)).await;
    early.assert_problem(404, "not-found", "not sealed yet");
    world.seal().await;
    for (organization, position) in
        [(ACME, 0), (ACME, 2), (BETA, 1), (BETA, 3), (ACME, 303), (99, 1)]
    {
        let answer = world.get(&path(organization, position)).await;
        answer.assert_problem(404, "not-found", &format!("{organization} {position}"));
    }
}

#[tokio::test]
async fn an_answer_waits_until_it_is_sealed() {
    let world = world().await.waiting_at_most(std::time::Duration::from_millis(200));
    let path = format!("/v1/organizations/{}/projects", id(ACME));
    let asked = |sealed: &'static str| {
        let request = axum::extract::Request::get(&path)
            .header("authorization", format!("Bearer {CREDENTIAL}"))
            .header("orgledger-sealed", sealed);
        world.send(request.body(axum::body::Body::empty()).unwrap())
    };
    asked("maybe").await.assert_problem(400, "invalid-request", "it is no answer");
    asked("true").await.assert_problem(503, "read-model-not-ready", "nobody seals");
    world.seal().await;
    let answer = asked("true").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["orgledger-sealed-position"], "302");
    assert!(!world.get(&path).await.headers.contains_key("orgledger-sealed-position"));
}

#[tokio::test]
async fn a_position_is_waited_for_until_it_is_sealed() {
    let world = world().await.waiting_at_most(std::time::Duration::from_millis(200));
    world.seal().await;
    let late = world.get("/v1/checkpoint?min_position=303").await;
    late.assert_problem(503, "not-yet-visible", "nobody seals");
    assert_eq!(late.at("/position"), 302);
    let world = world.waiting_at_most(std::time::Duration::from_secs(30));
    let asked = world.get("/v1/checkpoint?min_position=303");
    let sealed = async {
        world.project(ACME, 999, "2026-01-02T00:00:00Z", "last").await;
        world.seal().await;
    };
    let (answer, ()) = tokio::join!(asked, sealed);
    assert_eq!(answer.headers["orgledger-position"], "303", "{}", answer.text);
}
