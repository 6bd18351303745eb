//! Keys that seal the log, and their change.

use crate::support::log::pool;
use crate::support::{CREDENTIAL, Place, until};
use embedded::testing::TestServers;
use proofs::SigningKey;

fn key(seed: u8) -> SigningKey {
    SigningKey::of("ledger.example", [seed; 32]).unwrap()
}

#[tokio::test]
async fn a_key_is_made_and_takes_the_place_of_another() {
    let made = Place::default().print(&["signing-key", "new", "--name", "ledger.example"]).await;
    let made: SigningKey = made.trim().parse().unwrap();
    let servers = TestServers::start_postgres_only().await.unwrap();
    let database = pool(&servers.postgres().url("postgres")).await;
    sqlx::query("create database ledger").execute(&database).await.unwrap();
    let url = servers.postgres().url("ledger");
    let place = Place::database(&url);
    place.print(&["migrate"]).await;
    let refused = place.run(&["signing-key", "show"]).await.refused();
    assert!(refused.contains("ORGLEDGER_SIGNING_KEY is not set"), "{refused}");

    let (old, both, new) = (
        place.clone().with("ORGLEDGER_SIGNING_KEY", &key(1).reveal()),
        place
            .clone()
            .with("ORGLEDGER_SIGNING_KEY", &format!("{},{}", made.reveal(), key(1).reveal())),
        place.clone().with("ORGLEDGER_SIGNING_KEY", &made.reveal()),
    );
    let (old_public, new_public) =
        (key(1).verifying_key().to_string(), made.verifying_key().to_string());
    assert_eq!(
        both.print(&["signing-key", "show"]).await.trim(),
        format!("{new_public}\n{old_public}")
    );

    let ledger = pool(&url).await;
    for (number, place) in [&old, &both, &new].into_iter().enumerate() {
        let commands = place.start(&["serve", "command-api"]).await;
        let projectors = place.start(&["serve", "projectors"]).await;
        let said = place.print(&["signing-key", "record"]).await;
        assert!(said.contains("1 changes"), "{said}");
        let again = place.print(&["signing-key", "record"]).await;
        assert!(again.contains("on record already"), "{again}");
        let client = commands.client(CREDENTIAL);
        let name = format!("organization-{number}");
        let body = serde_json::json!({ "name": name });
        let created = client
            .post("/v1/organizations", &format!("organization-{number}"), &body)
            .await
            .expect(201);
        let position = created["position"].as_i64().unwrap();
        until("it is sealed", || async {
            let sealed: Option<i64> =
                sqlx::query_scalar("select max(position) from seal.checkpoints")
                    .fetch_one(&ledger)
                    .await
                    .unwrap();
            sealed >= Some(position)
        })
        .await;
        projectors.stop().await;
        commands.stop().await;
    }
    let kinds: Vec<String> = sqlx::query_scalar(
        "select event_type || ' ' || (payload ->> 'key') from log.events
         where aggregate_type = 'signing_key' order by position",
    )
    .fetch_all(&ledger)
    .await
    .unwrap();
    assert_eq!(
        kinds,
        [
            format!("signing_key.introduced {old_public}"),
            format!("signing_key.introduced {new_public}"),
            format!("signing_key.retired {old_public}"),
        ]
    );
    let both_keys = format!("{old_public},{new_public}");
    new.print(&["verify", "--key", &both_keys]).await;
    // With the new one alone, as the program has it: what the old one signed is under what both did.
    let said = new.print(&["verify"]).await;
    assert!(said.contains("the log is VERIFIED") && said.contains("earlier checkpoints by keys"));
    let out = tempfile::tempdir().unwrap();
    let kept = out.path().join("kept");
    let notes: Vec<String> = sqlx::query_scalar("select note from seal.checkpoints order by size")
        .fetch_all(&ledger)
        .await
        .unwrap();
    std::fs::write(&kept, notes.join("\n")).unwrap();
    let said = new.print(&["verify", "--anchor", kept.to_str().unwrap()]).await;
    assert!(said.contains("the log agrees with each"), "{said}");
    let file = out.path().join("evidence.tar");
    let file = file.to_str().unwrap();
    new.print(&["evidence", "export", "--common", "--out", file]).await;
    let said = Place::default().print(&["verify", file, "--key", &new_public]).await;
    assert!(said.contains(": VERIFIED"), "{said}");
    let anchored = ["verify", file, "--key", &new_public, "--anchor", kept.to_str().unwrap()];
    let refused = Place::default().run(&anchored).await.refused();
    assert!(refused.contains("name it too (--key NEW,OLD)"), "{refused}");
    let refused = new.run(&["verify", "--key", &old_public]).await.refused();
    assert!(refused.contains("NOT VERIFIED") && refused.contains("the last one"), "{refused}");
    // A key of another name seals nothing.
    let other = SigningKey::of("another.example", [3; 32]).unwrap();
    let wrong = place.with("ORGLEDGER_SIGNING_KEY", &other.reveal());
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("evidence.tar");
    let export = ["evidence", "export", "--common", "--out", file.to_str().unwrap()];
    let refused = wrong.run(&export).await.refused();
    assert!(refused.contains("takes the name of the one before it"), "{refused}");
    assert!(!file.exists() && out.path().read_dir().unwrap().next().is_none());
}
