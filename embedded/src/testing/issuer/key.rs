//! Keys that a test's issuer signs with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use crate::testing::unique_name;

/// ring signs with RSA keys and makes none. This one was made for these tests, and is a secret of
/// nobody's.
const RSA: &[u8] = include_bytes!("rsa.der");

/// A kind of key, and the algorithm that it signs with unless a header says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestKeyKind {
    /// RS256. All RSA keys are the same but for their id.
    Rsa,
    /// ES256.
    P256,
    /// ES384.
    P384,
    /// `EdDSA`.
    Ed25519,
}

/// A private key and its id.
#[derive(Debug)]
pub struct TestKey {
    id: String,
    kind: TestKeyKind,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl TestKey {
    /// A new key with an id that no other has.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn generate(kind: TestKeyKind) -> Self {
        let pair = match kind {
            TestKeyKind::Rsa => {
                Pair::Rsa(RsaKeyPair::from_pkcs8(RSA).expect("the committed key is one"))
            }
            TestKeyKind::P256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            TestKeyKind::P384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            TestKeyKind::Ed25519 => {
                let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
                let document = document.expect("there is randomness");
                let pair = Ed25519KeyPair::from_pkcs8(document.as_ref());
                Pair::Ed25519(pair.expect("it was just made"))
            }
        };
        Self { id: unique_name(), kind, pair }
    }

    /// Its `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The `alg` that it signs with.
    pub fn algorithm(&self) -> &'static str {
        match self.kind {
            TestKeyKind::Rsa => "RS256",
            TestKeyKind::P256 => "ES256",
            TestKeyKind::P384 => "ES384",
            TestKeyKind::Ed25519 => "EdDSA",
        }
    }

    /// Its public half as an issuer publishes it.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let RsaPublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) })
            }
            Pair::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = self.id().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().into();
        jwk
    }

    /// The header of an ordinary token.
    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "kid": self.id(), "typ": "JWT" })
    }

    /// An ordinary token with these claims.
    pub fn mint(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    /// A token with this header, right or wrong; an RSA key signs as its `alg` says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.token(header["alg"].as_str(), &header.to_string(), &claims.to_string())
    }

    /// A token of texts that may be no JSON.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        self.token(None, header, claims)
    }

    fn token(&self, algorithm: Option<&str>, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = self.signature(algorithm, signed.as_bytes());
        format!("{signed}.{}", encode(&signature))
    }

    fn signature(&self, algorithm: Option<&str>, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match algorithm {
                    Some("RS384") => &signature::RSA_PKCS1_SHA384,
                    Some("RS512") => &signature::RSA_PKCS1_SHA512,
                    Some("PS256") => &signature::RSA_PSS_SHA256,
                    Some("PS384") => &signature::RSA_PSS_SHA384,
                    Some("PS512") => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut made = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, signed, &mut made).expect("the key signs");
                made
            }
            Pair::Ecdsa(pair) => {
                pair.sign(&random, signed).expect("the key signs").as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(signed).as_ref().to_vec(),
        }
    }
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Pair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("there is randomness");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
    Pair::Ecdsa(pair.expect("it was just made"))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
