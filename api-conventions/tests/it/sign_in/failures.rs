//! Issuers that are down, slow, or answer what they should not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use api_conventions::sign_in::{DOCUMENT_BYTES_MAX, FETCH_TIME_MAX, SignInError};
use embedded::testing::{Answer, TestIssuer, TestKey, TestKeyKind};
use serde_json::json;

use super::{SIGNED_IN, claims, issuers, verify};

const UNREACHABLE: Option<SignInError> = Some(SignInError::IssuerUnreachable);
const HOUR: i64 = 3_600;

#[tokio::test]
async fn known_keys_outlast_an_issuer_that_is_down_for_a_day() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let token = issuer.mint(&claims(&issuer));
    assert_eq!(verify(&issuers, &token, 0).await, SIGNED_IN);
    issuer.answer(Answer::Status(503));
    // Asked again for the keys' age, but only once a minute.
    for (seconds, asked) in [(HOUR, 2), (HOUR + 59, 2), (HOUR + 60, 3), (24 * HOUR - 1, 4)] {
        assert_eq!(verify(&issuers, &token, seconds).await, SIGNED_IN, "after {seconds} s");
        assert_eq!(issuer.asked().discovery, asked, "after {seconds} s");
    }
    // A key that never was is the caller's fault all the same.
    let made_up = TestKey::generate(TestKeyKind::P256).mint(&claims(&issuer));
    assert_eq!(verify(&issuers, &made_up, 2 * HOUR).await, Some(SignInError::UnknownKey));
    assert_eq!(verify(&issuers, &token, 24 * HOUR).await, UNREACHABLE);
    assert_eq!(verify(&issuers, &made_up, 24 * HOUR).await, UNREACHABLE);
    issuer.answer(Answer::Documents);
    assert_eq!(verify(&issuers, &token, 24 * HOUR + 10).await, SIGNED_IN);
}

#[tokio::test]
async fn an_issuer_that_was_never_there_is_asked_every_ten_seconds() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let token = issuer.mint(&claims(&issuer));
    issuer.answer(Answer::Status(500));
    for seconds in 0..10 {
        assert_eq!(verify(&issuers, &token, seconds).await, UNREACHABLE);
    }
    assert_eq!(issuer.asked().discovery, 1);
    issuer.answer(Answer::Documents);
    assert_eq!(verify(&issuers, &token, 9).await, UNREACHABLE);
    assert_eq!(verify(&issuers, &token, 10).await, SIGNED_IN);
}

#[tokio::test]
async fn documents_that_are_not_the_issuers_are_not_believed() {
    let (issuer, evil) = (TestIssuer::start().await, TestIssuer::start().await);
    let url = issuer.url();
    let keys = format!("{url}/keys");
    let discoveries = [
        String::new(),
        "{}".to_owned(),
        json!({ "issuer": url }).to_string(),
        json!({ "jwks_uri": keys }).to_string(),
        json!({ "issuer": evil.url(), "jwks_uri": keys }).to_string(),
        json!({ "issuer": format!("{url}/"), "jwks_uri": keys }).to_string(),
        json!({ "issuer": url, "jwks_uri": "http://login.acme.example/keys" }).to_string(),
        json!({ "issuer": url, "jwks_uri": "file:///etc/passwd" }).to_string(),
        json!({ "issuer": url, "jwks_uri": "/keys" }).to_string(),
        json!({ "issuer": url, "jwks_uri": keys, "a": " ".repeat(DOCUMENT_BYTES_MAX) }).to_string(),
    ];
    let good = json!({ "issuer": url, "jwks_uri": keys }).to_string();
    let token = issuer.mint(&claims(&issuer));
    for discovery in discoveries {
        issuer.publish_discovery(&discovery);
        assert_eq!(verify(&issuers(&issuer), &token, 0).await, UNREACHABLE, "{discovery:.100}");
    }
    assert_eq!(issuer.asked().key_set, 0);
    issuer.publish_discovery(&good);
    let set = json!({ "keys": [issuer.key().jwk()] }).to_string();
    let filled = format!("{set}{}", " ".repeat(DOCUMENT_BYTES_MAX - set.len()));
    for key_set in ["", "{}", "[]", "{\"keys\":{}}", &format!("{filled} ")] {
        issuer.publish_text(key_set);
        assert_eq!(verify(&issuers(&issuer), &token, 0).await, UNREACHABLE, "{key_set:.100}");
    }
    issuer.publish_text(&filled);
    assert_eq!(verify(&issuers(&issuer), &token, 0).await, SIGNED_IN);
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let (issuer, evil) = (TestIssuer::start().await, TestIssuer::start().await);
    let issuers = issuers(&issuer);
    issuer.answer(Answer::Redirect(format!("{}/.well-known/openid-configuration", evil.url())));
    let token = evil.mint(&claims(&issuer));
    assert_eq!(verify(&issuers, &token, 0).await, UNREACHABLE);
    assert_eq!(evil.asked().discovery, 0);
}

/// An issuer's keys are asked for by one caller, who goes away; the others wait for that same answer,
/// and for no longer than it may take.
#[tokio::test]
async fn a_silent_issuer_is_waited_for_once_and_not_for_long() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let token = issuer.mint(&claims(&issuer));
    issuer.answer(Answer::Silence);
    let caller = || {
        let (issuers, token) = (issuers.clone(), token.clone());
        tokio::spawn(async move { verify(&issuers, &token, 0).await })
    };
    let first = caller();
    issuer.until_asked(1).await;
    first.abort();
    let others = [caller(), caller(), caller()];
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    tokio::time::pause();
    let paused = tokio::time::Instant::now();
    tokio::time::advance(FETCH_TIME_MAX).await;
    for other in others {
        assert_eq!(other.await.expect("it answers"), UNREACHABLE);
    }
    assert!(paused.elapsed() < FETCH_TIME_MAX * 2, "{:?}", paused.elapsed());
    tokio::time::resume();
    assert_eq!(issuer.asked().discovery, 1);
    issuer.answer(Answer::Documents);
    assert_eq!(verify(&issuers, &token, 10).await, SIGNED_IN);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_failure_is_logged_without_the_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // For the whole process: one for this thread alone would miss what other threads came upon first.
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    issuer.answer(Answer::Status(418));
    let mut claims = claims(&issuer);
    claims["sub"] = "a-subject".into();
    let header = json!({ "alg": "ES256", "kid": "a-made-up-kid" });
    let token = issuer.key().sign(&header, &claims);
    assert_eq!(verify(&issuers, &token, 0).await, UNREACHABLE);
    issuer.answer(Answer::Documents);
    assert_eq!(verify(&issuers, &token, 10).await, Some(SignInError::UnknownKey));
    let logged = String::from_utf8(log.0.lock().expect("nobody panicked").clone()).expect("text");
    assert!(logged.contains("the issuer's keys could not be fetched"), "{logged}");
    assert!(logged.contains("418") && logged.contains(issuer.url()), "{logged}");
    let parts = token.split('.').chain(["a-made-up-kid", "a-subject", "ada@"]);
    for part in parts {
        assert!(!logged.contains(part), "{part} in {logged}");
    }
}
