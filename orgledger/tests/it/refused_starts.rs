//! Services that must not start, and what they say to do.

use embedded::testing::TestServers;
use sqlx::Executor as _;

use crate::support::log::pool;
use crate::support::{Place, Service, until};

/// What a service says that does not start.
async fn refusal(place: &Place, arguments: &[&str]) -> String {
    let listening = [arguments, &["--listen", "127.0.0.1:0"]].concat();
    place.run(&listening).await.refused()
}

#[track_caller]
fn assert_says(refusal: &str, words: &[&str]) {
    for word in words {
        assert!(refusal.contains(word), "'{refusal}' does not say '{word}'");
    }
    assert!(!refusal.contains("hunter2"), "it shows the password: {refusal}");
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named_before_any_server_is_asked() {
    let roles = ["command-api", "query-api", "projectors", "relay"];
    for role in roles {
        let said = refusal(&Place::default(), &["serve", role]).await;
        assert_says(&said, &["DATABASE_URL", "orgledger dev"]);
    }
    let url = "postgres://me:hunter2@127.0.0.1:1/nowhere";
    for role in roles {
        let place = Place::database(url).with("NATS_URL", "nats://127.0.0.1:1");
        let said = refusal(&place, &["serve", role]).await;
        assert_says(&said, &["cannot reach Postgres", "127.0.0.1:1", "DATABASE_URL"]);
    }
    let reads_only = Place::default().with("ORGLEDGER_READ_DATABASE_URL", url);
    for command in [&["status"][..], &["rebuild", "balances"], &["balance", "--organization", "x"]]
    {
        let said = reads_only.run(command).await.refused();
        assert_says(&said, &["DATABASE_URL is not set", "needs the log"]);
    }
    assert_says(&refusal(&reads_only, &["dev"]).await, &["ORGLEDGER_READ_DATABASE_URL", "serve"]);
    for url in ["mysql://me:hunter2@host/db", "hunter2", "postgres://me:hunter2@host:port/db"] {
        let said = refusal(&Place::database(url), &["serve", "command-api"]).await;
        assert_says(&said, &["DATABASE_URL", "postgres://user:password@host:port/database"]);
        let said = Place::database(url).run(&["status"]).await.refused();
        assert_says(&said, &["DATABASE_URL"]);
    }
}

#[tokio::test]
async fn a_database_that_is_not_ready_or_not_safe_is_refused() {
    let servers = TestServers::start().await.unwrap();
    let admin = pool(&servers.postgres().url("postgres")).await;
    admin.execute("create database ledger").await.unwrap();
    let place = Place::database(&servers.postgres().url("ledger"));
    let place = place.with("NATS_URL", &servers.nats().url());
    let roles = ["command-api", "query-api", "projectors", "relay"];
    for role in roles {
        let said = refusal(&place, &["serve", role]).await;
        assert_says(&said, &["not migrated", "orgledger migrate"]);
    }
    place.print(&["migrate"]).await;
    // A second time is no error.
    place.print(&["migrate"]).await;

    let short = place.clone().with("ORGLEDGER_OPERATOR_CREDENTIAL", "short");
    let said = refusal(&short, &["serve", "command-api"]).await;
    assert_says(&said, &["credential", "16 characters"]);
    let spaced =
        place.clone().with("ORGLEDGER_OPERATOR_CREDENTIAL", "sixteen and more ö characters");
    assert_says(&refusal(&spaced, &["serve", "query-api"]).await, &["credential", "ASCII"]);
    let none = place.clone().without("ORGLEDGER_OPERATOR_CREDENTIAL");
    let said = refusal(&none, &["serve", "query-api"]).await;
    assert_says(&said, &["ORGLEDGER_OPERATOR_CREDENTIAL is not set"]);
    let short = place.clone().with("ORGLEDGER_KEY_PEPPER", "short");
    let said = refusal(&short, &["serve", "command-api"]).await;
    assert_says(&said, &["ORGLEDGER_KEY_PEPPER", "32 characters"]);
    let none = place.clone().without("ORGLEDGER_KEY_PEPPER");
    let said = refusal(&none, &["serve", "command-api"]).await;
    assert_says(&said, &["ORGLEDGER_KEY_PEPPER is not set"]);
    let short = place.clone().with("ORGLEDGER_MASTER_KEY", "short-and-secret");
    let none = place.clone().without("ORGLEDGER_MASTER_KEY");
    for role in ["command-api", "projectors"] {
        let said = refusal(&short, &["serve", role]).await;
        assert_says(&said, &["ORGLEDGER_MASTER_KEY", "32 bytes", "openssl rand -hex 32"]);
        assert!(!said.contains("short-and-secret"), "{said}");
        let said = refusal(&none, &["serve", role]).await;
        assert_says(&said, &["ORGLEDGER_MASTER_KEY is not set"]);
    }
    let no_nats = place.clone().without("NATS_URL");
    assert_says(&refusal(&no_nats, &["serve", "relay"]).await, &["NATS_URL is not set"]);
    let said = refusal(&no_nats, &["serve", "projectors", "--feed", "nats"]).await;
    assert_says(&said, &["NATS_URL is not set"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = place.run(&["serve", "query-api", "--listen", &address]).await.refused();
    assert_says(&said, &["cannot listen", "--listen", &address]);

    // Each setting with which something acknowledged could be lost.
    for setting in ["synchronous_commit", "full_page_writes", "fsync"] {
        set(&admin, setting, "off").await;
        for role in roles {
            let said = refusal(&place, &["serve", role]).await;
            assert_says(&said, &[setting, "off", "ALTER SYSTEM"]);
        }
        for command in [&["migrate"][..], &["status"], &["balance", "--organization", "x"]] {
            let said = place.run(command).await.refused();
            assert_says(&said, &[setting, "off"]);
        }
        assert_says(&refusal(&place, &["dev"]).await, &[setting, "off"]);
        set(&admin, setting, "on").await;
    }
    let service = Service::start(&place, &["serve", "command-api"]).await;
    service.stop().await;
}

/// Changes a setting of the server, and waits until it holds for new connections.
async fn set(admin: &sqlx::PgPool, setting: &str, value: &str) {
    admin.execute(format!("alter system set {setting} = {value}").as_str()).await.unwrap();
    admin.execute("select pg_reload_conf()").await.unwrap();
    until("the setting holds", || async {
        let options = admin.connect_options();
        let mut fresh = sqlx::ConnectOptions::connect(&*options).await.unwrap();
        let show = format!("show {setting}");
        sqlx::query_scalar::<_, String>(&show).fetch_one(&mut fresh).await.unwrap() == value
    })
    .await;
}
