//! What tokens say: tables of one claim changed at a time, all properly signed.

use api_conventions::sign_in::{Issuers, SignInError};
use embedded::testing::TestIssuer;
use serde_json::{Value, json};

use super::{NOW, SIGNED_IN, claims, config, issuers, verify};

/// Each value of the claim, and what comes of it.
async fn check(claim: &str, cases: &[(Value, Option<SignInError>)]) {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    for (value, refusal) in cases {
        let mut claims = claims(&issuer);
        claims[claim] = value.clone();
        let found = verify(&issuers, &issuer.mint(&claims), 0).await;
        assert_eq!(found, *refusal, "{claim}: {value}");
    }
    let mut claims = claims(&issuer);
    claims.as_object_mut().expect("an object").remove(claim);
    let absent = verify(&issuers, &issuer.mint(&claims), 0).await;
    let null = cases.iter().find(|(value, _)| value.is_null()).expect("null stands in the table");
    assert_eq!(absent, null.1, "{claim}: absent is as null");
}

#[tokio::test]
async fn the_audience_is_ours() {
    let wrong = Some(SignInError::WrongAudience);
    check(
        "aud",
        &[
            (json!("orgledger"), None),
            (json!(["orgledger"]), None),
            (json!(["other", "orgledger"]), None),
            (json!("other"), wrong),
            (json!("Orgledger"), wrong),
            (json!("orgledger "), wrong),
            (json!("orgledger,other"), wrong),
            (json!(["other", "orgledger2"]), wrong),
            (json!([]), wrong),
            (json!(""), wrong),
            (Value::Null, wrong),
            (json!({ "orgledger": true }), Some(SignInError::Malformed)),
            (json!([["orgledger"]]), Some(SignInError::Malformed)),
        ],
    )
    .await;
}

#[tokio::test]
async fn of_several_audiences_we_asked_for_it() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let wrong = Some(SignInError::WrongParty);
    let two = json!(["other", "orgledger"]);
    let cases = [
        (two.clone(), json!("orgledger"), None),
        (two.clone(), Value::Null, None),
        (two.clone(), json!("other"), wrong),
        (two.clone(), json!(""), wrong),
        (two.clone(), json!(["orgledger"]), wrong),
        (two, json!(7), wrong),
        // For us alone: by whichever client.
        (json!(["orgledger"]), json!("other"), None),
        (json!("orgledger"), json!("other"), None),
    ];
    for (aud, azp, refusal) in cases {
        let mut claims = claims(&issuer);
        (claims["aud"], claims["azp"]) = (aud.clone(), azp.clone());
        assert_eq!(verify(&issuers, &issuer.mint(&claims), 0).await, refusal, "{aud} {azp}");
    }
}

#[tokio::test]
async fn it_expires_and_soon_enough() {
    let (expired, absurd) = (Some(SignInError::Expired), Some(SignInError::AbsurdExpiry));
    check(
        "exp",
        &[
            (json!(NOW + 1), None),
            (json!(NOW - 59), None),
            (json!(NOW + 7 * 86_400), None),
            (json!(1_800_000_000.5), None),
            (json!(NOW - 60), expired),
            (json!(NOW - 86_400), expired),
            (json!(0), expired),
            (json!(NOW + 7 * 86_400 + 1), absurd),
            // In milliseconds.
            (json!((NOW + 60) * 1_000), absurd),
            (json!(i64::MAX), absurd),
            (json!(u64::MAX), absurd),
            (json!(1e300), absurd),
            (json!(-1), absurd),
            (json!(-1.5), absurd),
            (json!(i64::MIN), absurd),
            (json!("1800003600"), absurd),
            (json!(true), absurd),
            (json!([NOW + 60]), absurd),
            (Value::Null, Some(SignInError::NoExpiry)),
        ],
    )
    .await;
}

#[tokio::test]
async fn it_has_begun() {
    for claim in ["nbf", "iat"] {
        check(
            claim,
            &[
                (json!(NOW), None),
                (json!(0), None),
                (json!(NOW + 60), None),
                (Value::Null, None),
                (json!(NOW + 61), Some(SignInError::NotYetValid)),
                (json!(NOW + 3_600), Some(SignInError::NotYetValid)),
                (json!(NOW * 1_000), Some(SignInError::NotYetValid)),
                (json!("1800000000"), Some(SignInError::Malformed)),
                (json!(-1), Some(SignInError::Malformed)),
                (json!(u64::MAX), Some(SignInError::Malformed)),
                (json!({}), Some(SignInError::Malformed)),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn the_address_is_verified_by_its_issuer() {
    let unverified = Some(SignInError::EmailNotVerified);
    check(
        "email_verified",
        &[
            (json!(true), None),
            (json!("true"), unverified),
            (json!(false), unverified),
            (json!("false"), unverified),
            (json!("True"), unverified),
            (json!(""), unverified),
            (json!(1), unverified),
            (json!("1"), unverified),
            (json!([true]), unverified),
            (json!({ "true": true }), unverified),
            (Value::Null, unverified),
        ],
    )
    .await;
    let none = Some(SignInError::NoEmail);
    check(
        "email",
        &[
            (json!(""), none),
            (json!("ada"), none),
            (json!("@acme.example"), none),
            (json!("ada@"), none),
            (json!("ada@acme.example\n"), none),
            (json!("ada@acme.example, eve@evil.example"), none),
            (json!("ada\u{0}@acme.example"), none),
            (json!(format!("{}@acme.example", "a".repeat(250))), none),
            (Value::Null, none),
            (json!(["ada@acme.example"]), Some(SignInError::Malformed)),
            (json!(7), Some(SignInError::Malformed)),
        ],
    )
    .await;
}

#[tokio::test]
async fn it_is_about_somebody() {
    let nobody = Some(SignInError::NoSubject);
    check(
        "sub",
        &[
            (json!("a"), None),
            (json!("a".repeat(255)), None),
            (json!(""), nobody),
            (json!("a".repeat(256)), nobody),
            (Value::Null, nobody),
            (json!(17), Some(SignInError::Malformed)),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_issuer_is_compared_exactly() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let url = issuer.url();
    let others = [
        format!("{url}/"),
        url.to_uppercase(),
        url.replace("http://", ""),
        format!("{url} "),
        format!("{url}#"),
        "https://login.acme.example".to_owned(),
        String::new(),
    ];
    for other in others {
        let mut claims = claims(&issuer);
        claims["iss"] = other.as_str().into();
        let found = verify(&issuers, &issuer.mint(&claims), 0).await;
        assert_eq!(found, Some(SignInError::UnknownIssuer), "{other}");
    }
    for other in [Value::Null, json!([url]), json!(7)] {
        let mut claims = claims(&issuer);
        claims["iss"] = other;
        let found = verify(&issuers, &issuer.mint(&claims), 0).await;
        assert_eq!(found, Some(SignInError::Malformed));
    }
    assert_eq!(issuer.asked().key_set, 0, "nobody else's token makes us ask");
}

#[tokio::test]
async fn one_issuer_does_not_speak_for_another() {
    let (acme, evil) = (TestIssuer::start().await, TestIssuer::start().await);
    let issuers = Issuers::new(vec![config(&acme), config(&evil)]).expect("they can be configured");
    let honest = evil.mint(&claims(&evil));
    assert_eq!(verify(&issuers, &honest, 0).await, SIGNED_IN);
    let own_key = evil.mint(&claims(&acme));
    assert_eq!(verify(&issuers, &own_key, 0).await, Some(SignInError::UnknownKey));
    let its_name = evil.key().sign(&acme.key().header(), &claims(&acme));
    assert_eq!(verify(&issuers, &its_name, 0).await, Some(SignInError::BadSignature));
}
