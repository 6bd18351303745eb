//! How tokens are made: their form, header and signature.

use api_conventions::sign_in::{Issuers, SignInError, TOKEN_BYTES_MAX, VerifiedIdentity};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use embedded::testing::{TestIssuer, TestKey, TestKeyKind};
use ring::hmac;
use serde_json::{Value, json};

use super::{AUDIENCE, EMAIL, NOW, SIGNED_IN, at, claims, issuers, verify};

#[tokio::test]
async fn every_accepted_algorithm_signs_somebody_in() {
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let kinds = [
        (TestKeyKind::Rsa, &rsa[..]),
        (TestKeyKind::P256, &["ES256"]),
        (TestKeyKind::P384, &["ES384"]),
        (TestKeyKind::Ed25519, &["EdDSA"]),
    ];
    for (kind, algorithms) in kinds {
        let issuer = TestIssuer::start_with(kind).await;
        let mut jwk = issuer.key().jwk();
        jwk.as_object_mut().expect("an object").remove("alg");
        issuer.publish(&[jwk]);
        let issuers = issuers(&issuer);
        for algorithm in algorithms {
            let header = json!({ "alg": algorithm, "kid": issuer.key().id() });
            let token = issuer.key().sign(&header, &claims(&issuer));
            assert!(Issuers::is_token(&token), "{algorithm}");
            let expected = VerifiedIdentity {
                issuer: issuer.url().into(),
                subject: format!("subject-of-{EMAIL}"),
                email: EMAIL.to_owned(),
                expires_at: at(86_400),
            };
            assert_eq!(issuers.verify(&token, at(0)).await, Ok(expected), "{algorithm}");
        }
    }
}

/// A header that is the ordinary one but for these members; null takes one away.
fn changed(mut value: Value, change: &Value) -> Value {
    let members = value.as_object_mut().expect("an object");
    for (name, value) in change.as_object().expect("an object") {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    value
}

#[tokio::test]
async fn a_header_asks_for_nothing_unusual() {
    use SignInError as E;
    let issuer = TestIssuer::start().await;
    let (issuers, key) = (issuers(&issuer), issuer.key());
    // A key that the attacker has, whom the header presents as the issuer's.
    let own = TestKey::generate(TestKeyKind::P256);
    let cases = [
        (json!({ "typ": null }), None),
        (json!({ "typ": "jwt" }), None),
        (json!({ "typ": "at+jwt" }), None),
        (json!({ "typ": "application/at+JWT" }), None),
        (json!({ "x5t": "thumbprint", "nonce": "n" }), None),
        (json!({ "typ": "logout+jwt" }), Some(E::WrongType)),
        (json!({ "typ": "secevent+jwt" }), Some(E::WrongType)),
        (json!({ "typ": "" }), Some(E::WrongType)),
        (json!({ "typ": 1 }), Some(E::Malformed)),
        (json!({ "alg": null }), Some(E::Malformed)),
        (json!({ "alg": ["ES256"] }), Some(E::Malformed)),
        (json!({ "alg": "none" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "nOnE" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "es256" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "HS256" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "ES256K" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "ES512" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "dir", "enc": "A256GCM" }), Some(E::AlgorithmNotAccepted)),
        (json!({ "alg": "ES384" }), Some(E::AlgorithmMismatch)),
        (json!({ "alg": "RS256" }), Some(E::AlgorithmMismatch)),
        (json!({ "alg": "EdDSA" }), Some(E::AlgorithmMismatch)),
        (json!({ "crit": ["b64"], "b64": false }), Some(E::CriticalExtension)),
        (json!({ "crit": [] }), Some(E::CriticalExtension)),
        (json!({ "jwk": own.jwk() }), Some(E::EmbeddedKey)),
        (json!({ "jku": issuer.url() }), Some(E::EmbeddedKey)),
        (json!({ "x5u": issuer.url() }), Some(E::EmbeddedKey)),
        (json!({ "x5c": ["AA"] }), Some(E::EmbeddedKey)),
        (json!({ "kid": 1 }), Some(E::Malformed)),
        (json!({ "kid": "" }), Some(E::UnknownKey)),
        (json!({ "kid": "../../etc/passwd\u{0}' or 1=1" }), Some(E::UnknownKey)),
    ];
    for (change, refusal) in cases {
        let token = key.sign(&changed(key.header(), &change), &claims(&issuer));
        assert_eq!(verify(&issuers, &token, 0).await, refusal, "{change}");
    }
    let header = json!({ "alg": "ES256", "kid": own.id(), "jwk": own.jwk() });
    let token = own.sign(&header, &claims(&issuer));
    assert_eq!(verify(&issuers, &token, 0).await, Some(E::EmbeddedKey));
    let with_null = format!("{{\"alg\":\"ES256\",\"kid\":\"{}\",\"crit\":null}}", key.id());
    let token = key.sign_text(&with_null, &claims(&issuer).to_string());
    assert_eq!(verify(&issuers, &token, 0).await, Some(E::CriticalExtension));
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    for kind in [TestKeyKind::Rsa, TestKeyKind::P256, TestKeyKind::Ed25519] {
        let issuer = TestIssuer::start_with(kind).await;
        let issuers = issuers(&issuer);
        let jwk = issuer.key().jwk();
        let decode = |text: &Value| URL_SAFE_NO_PAD.decode(text.as_str().unwrap_or_default());
        let secrets = [
            jwk.to_string().into_bytes(),
            decode(&jwk["n"]).expect("base64url"),
            decode(&jwk["x"]).expect("base64url"),
        ];
        for secret in secrets {
            for algorithm in ["HS256", issuer.key().algorithm()] {
                let header = changed(issuer.key().header(), &json!({ "alg": algorithm }));
                let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
                let signed = format!("{}.{}", encode(&header), encode(&claims(&issuer)));
                let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, signed.as_bytes()));
                let expected = match algorithm {
                    "HS256" => SignInError::AlgorithmNotAccepted,
                    _ => SignInError::BadSignature,
                };
                let found = verify(&issuers, &format!("{signed}.{tag}"), 0).await;
                assert_eq!(found, Some(expected), "{kind:?} {algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn a_signature_is_over_all_of_it_by_the_key_that_is_named() {
    let issuer = TestIssuer::start().await;
    let (issuers, key) = (issuers(&issuer), issuer.key());
    let token = issuer.mint(&claims(&issuer));
    let [header, payload, signature] =
        <[&str; 3]>::try_from(token.split('.').collect::<Vec<_>>()).expect("three parts");
    let other_claims = changed(claims(&issuer), &json!({ "email": "eve@acme.example" }));
    let other_payload = URL_SAFE_NO_PAD.encode(other_claims.to_string());
    let other_header =
        URL_SAFE_NO_PAD.encode(json!({ "alg": "ES256", "kid": key.id(), "x": 1 }).to_string());
    let other_key = TestKey::generate(TestKeyKind::P256).sign(&key.header(), &claims(&issuer));
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    // The same signature as DER begins, which ES256 does not use.
    let der = URL_SAFE_NO_PAD.encode([0x30, 0x44, 0x02, 0x20]);
    for forged in [
        format!("{header}.{other_payload}.{signature}"),
        format!("{other_header}.{payload}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{zeros}"),
        format!("{header}.{payload}.{der}"),
        format!("{header}.{payload}.{signature}AAAA"),
        other_key,
    ] {
        let found = verify(&issuers, &forged, 0).await;
        assert_eq!(found, Some(SignInError::BadSignature), "{forged}");
    }
    assert_eq!(verify(&issuers, &token, 0).await, SIGNED_IN);
}

#[tokio::test]
async fn what_is_not_quite_a_token_is_malformed() {
    let issuer = TestIssuer::start().await;
    let (issuers, key) = (issuers(&issuer), issuer.key());
    let token = issuer.mint(&claims(&issuer));
    let (header, payload) = (key.header().to_string(), claims(&issuer).to_string());
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let malformed = [
        String::new(),
        "..".to_owned(),
        token.replacen('.', "", 1),
        format!("{token}."),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        token.replacen('.', ".\u{e9}", 1),
        token.replacen('.', ".+", 1),
        key.sign_text("[\"ES256\",null]", &payload),
        key.sign_text("\"ES256\"", &payload),
        key.sign_text("", &payload),
        key.sign_text(&header[1..], &payload),
        key.sign_text(&format!("{header}{header}"), &payload),
        key.sign_text(&"[".repeat(4_000), &payload),
        key.sign_text(&twice(&header, "\"alg\":\"ES256\""), &payload),
        key.sign_text(&header, ""),
        key.sign_text(&header, "null"),
        key.sign_text(&header, &format!("[{payload}]")),
        key.sign_text(&header, &format!("{payload}{payload}")),
        key.sign_text(&header, &twice(&payload, &format!("\"iss\":\"{}\"", issuer.url()))),
        key.sign_text(&header, &twice(&payload, "\"email\":\"eve@acme.example\"")),
    ];
    for text in malformed {
        assert_eq!(verify(&issuers, &text, 0).await, Some(SignInError::Malformed), "{text}");
    }
    let filled = |length: usize| {
        let mut claims = claims(&issuer);
        claims["filler"] = "a".repeat(length).into();
        issuer.mint(&claims)
    };
    let less = filled(TOKEN_BYTES_MAX / 2);
    assert_eq!(verify(&issuers, &less, 0).await, SIGNED_IN);
    let more = filled(TOKEN_BYTES_MAX);
    assert_eq!(verify(&issuers, &more, 0).await, Some(SignInError::TooLong));
}

#[tokio::test]
async fn nothing_of_a_token_is_shown() {
    let issuer = TestIssuer::start().await;
    let issuers = issuers(&issuer);
    let identity = issuers.verify(&issuer.mint(&claims(&issuer)), at(0)).await;
    let shown = format!("{:?} {issuers:?}", identity.expect("it is valid"));
    assert!(shown.contains(issuer.url()), "{shown}");
    assert!(!shown.contains("ada"), "{shown}");
    assert!(issuers.knows(issuer.url()) && !issuers.knows(&format!("{}/", issuer.url())));
    // A claim of the wrong type is what a parser's error would quote.
    let mut claims = issuer.claims(AUDIENCE, EMAIL, NOW);
    claims["email"] = json!({ "ada": EMAIL });
    let error = issuers.verify(&issuer.mint(&claims), at(0)).await.expect_err("no address");
    assert!(!format!("{error} {error:?}").contains("ada"), "{error}");
}
