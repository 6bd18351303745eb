//! Which keys count: how long they are kept, and when they are asked for again.

use api_conventions::sign_in::{IssuerConfig, Issuers, SignInError};
use embedded::testing::{Asked, TestIssuer, TestKey, TestKeyKind};
use serde_json::{Value, json};

use super::{AUDIENCE, SIGNED_IN, claims, config, issuers, verify};

const UNKNOWN: Option<SignInError> = Some(SignInError::UnknownKey);

fn asked(times: usize) -> Asked {
    Asked { discovery: times, key_set: times }
}

#[tokio::test]
async fn keys_are_fetched_once_and_when_they_are_needed() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    assert_eq!(issuer.asked(), asked(0));
    let token = issuer.mint(&claims(&issuer));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (issuers, token) = (issuers.clone(), token.clone());
            tokio::spawn(async move { verify(&issuers, &token, 0).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.expect("it answers"), SIGNED_IN);
    }
    assert_eq!(issuer.asked(), asked(1));
    assert_eq!(verify(&issuers, &token, 3_599).await, SIGNED_IN);
    assert_eq!(issuer.asked(), asked(1));
    assert_eq!(verify(&issuers, &token, 3_600).await, SIGNED_IN);
    assert_eq!(issuer.asked(), asked(2));
}

#[tokio::test]
async fn a_new_key_is_asked_for_and_an_old_one_ends_with_that() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let old = issuer.mint(&claims(&issuer));
    assert_eq!(verify(&issuers, &old, 0).await, SIGNED_IN);
    issuer.rotate(TestKeyKind::Ed25519);
    let new = issuer.mint(&claims(&issuer));
    // Not more often than every 10 s.
    assert_eq!(verify(&issuers, &new, 9).await, UNKNOWN);
    assert_eq!(verify(&issuers, &old, 9).await, SIGNED_IN);
    assert_eq!(issuer.asked(), asked(1));
    assert_eq!(verify(&issuers, &new, 10).await, SIGNED_IN);
    assert_eq!(issuer.asked(), asked(2));
    assert_eq!(verify(&issuers, &old, 10).await, UNKNOWN);
    assert_eq!(verify(&issuers, &old, 20).await, UNKNOWN);
    assert_eq!(verify(&issuers, &new, 20).await, SIGNED_IN);
}

#[tokio::test]
async fn a_withdrawn_key_ends_within_the_hour() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let token = issuer.mint(&claims(&issuer));
    assert_eq!(verify(&issuers, &token, 0).await, SIGNED_IN);
    // Without any: they are all withdrawn, and that is no failure to fetch them.
    issuer.publish(&[]);
    assert_eq!(verify(&issuers, &token, 3_599).await, SIGNED_IN);
    assert_eq!(verify(&issuers, &token, 3_600).await, UNKNOWN);
}

#[tokio::test]
async fn keys_that_never_were_do_not_hammer_the_issuer() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let made_up = TestKey::generate(TestKeyKind::P256);
    for seconds in 0..60 {
        for number in 0..20 {
            let header = json!({ "alg": "ES256", "kid": format!("{seconds}-{number}") });
            let token = made_up.sign(&header, &claims(&issuer));
            assert_eq!(verify(&issuers, &token, seconds).await, UNKNOWN);
        }
    }
    assert_eq!(issuer.asked(), asked(6));
}

#[tokio::test]
async fn a_token_names_its_key_where_there_are_several() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let (first, second) = (issuer.key(), TestKey::generate(TestKeyKind::P256));
    let unnamed = |key: &TestKey| key.sign(&json!({ "alg": "ES256" }), &claims(&issuer));
    assert_eq!(verify(&issuers, &unnamed(&first), 0).await, SIGNED_IN);
    // Who names no key cannot name a new one: what fails is tried with newer keys.
    issuer.publish(&[second.jwk()]);
    assert_eq!(verify(&issuers, &unnamed(&second), 9).await, Some(SignInError::BadSignature));
    assert_eq!(verify(&issuers, &unnamed(&second), 10).await, SIGNED_IN);
    assert_eq!(verify(&issuers, &unnamed(&first), 10).await, Some(SignInError::BadSignature));
    issuer.publish(&[first.jwk(), second.jwk()]);
    assert_eq!(verify(&issuers, &first.mint(&claims(&issuer)), 20).await, SIGNED_IN);
    for key in [&*first, &second] {
        assert_eq!(verify(&issuers, &unnamed(key), 20).await, Some(SignInError::KeyNotNamed));
    }
}

fn with(key: &TestKey, member: &str, value: &str) -> Value {
    let mut jwk = key.jwk();
    jwk[member] = value.into();
    jwk
}

#[tokio::test]
async fn a_key_is_used_as_it_is_published() {
    use SignInError as E;
    let issuer = TestIssuer::start_with(TestKeyKind::Rsa).await;
    let key = issuer.key();
    let token = issuer.mint(&claims(&issuer));
    let mut other = TestKey::generate(TestKeyKind::P256).jwk();
    other["kid"] = key.id().into();
    let secret = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": key.id(), "alg": "HS256" });
    let sets = [
        (vec![key.jwk()], None),
        (vec![secret.clone(), json!("no key"), json!({}), key.jwk()], None),
        (vec![other.clone(), key.jwk()], None),
        (vec![other], Some(E::AlgorithmMismatch)),
        (vec![with(&key, "alg", "PS256")], Some(E::AlgorithmMismatch)),
        (vec![with(&key, "alg", "HS256")], Some(E::UnknownKey)),
        (vec![with(&key, "alg", "RSA-OAEP")], Some(E::UnknownKey)),
        (vec![with(&key, "use", "enc")], Some(E::UnknownKey)),
        (vec![with(&key, "kid", "another")], Some(E::UnknownKey)),
        (vec![with(&key, "n", "AQAB")], Some(E::UnknownKey)),
        (vec![secret], Some(E::UnknownKey)),
        (vec![], Some(E::UnknownKey)),
    ];
    for (jwks, refusal) in sets {
        issuer.publish(&jwks);
        let found = verify(&issuers(&issuer), &token, 0).await;
        assert_eq!(found, refusal, "{jwks:?}");
    }
}

#[tokio::test]
async fn a_configured_address_of_the_keys_needs_no_discovery() {
    let issuer = TestIssuer::start().await;
    issuer.publish_discovery("");
    let config = format!("{url}={AUDIENCE}={url}/keys", url = issuer.url());
    let config: IssuerConfig = config.parse().expect("it is an issuer");
    let issuers = Issuers::new(vec![config]).expect("it can be configured");
    assert_eq!(verify(&issuers, &issuer.mint(&claims(&issuer)), 0).await, SIGNED_IN);
    assert_eq!(issuer.asked(), Asked { discovery: 0, key_set: 1 });
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_keep_keys_for_ever() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let mut claims = claims(&issuer);
    claims["iat"] = 0.into();
    let token = issuer.mint(&claims);
    assert_eq!(verify(&issuers, &token, 0).await, SIGNED_IN);
    assert_eq!(verify(&issuers, &token, -3_599).await, SIGNED_IN);
    assert_eq!(issuer.asked(), asked(1));
    assert_eq!(verify(&issuers, &token, -3_600).await, SIGNED_IN);
    assert_eq!(issuer.asked(), asked(2));
}

#[tokio::test]
async fn an_issuer_is_configured_once() {
    let issuer = TestIssuer::start().await;
    let error = Issuers::new(vec![config(&issuer), config(&issuer)]).expect_err("twice");
    assert_eq!(error.to_string(), "an issuer is configured twice");
}
