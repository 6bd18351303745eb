//! One published key (a JWK), and the signatures that it can check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// The least bytes of an RSA modulus: 2,048 bits, below which a signature proves too little.
const RSA_BYTES_MIN: usize = 256;
/// The most: 8,192 bits, beyond which checking costs too much.
const RSA_BYTES_MAX: usize = 1024;

/// The signature algorithms that are accepted, all with a public key. A shared secret would let
/// everybody who can check a token make one. ES512 is missing because ring does not check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// What kind of key an algorithm takes.
#[derive(PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Algorithm {
    /// The one with that `alg`, which is compared exactly.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    fn kind(self) -> Kind {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                Kind::Rsa
            }
            Self::Es256 => Kind::P256,
            Self::Es384 => Kind::P384,
            Self::EdDsa => Kind::Ed25519,
        }
    }

    /// How an RSA key is used; none of the others has a choice.
    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }
}

/// A key that signatures can be checked with.
pub(super) struct PublishedKey {
    /// Its `kid`.
    pub(super) id: Option<String>,
    /// The one algorithm that the issuer uses it for, where it says so.
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

enum PublicKey {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The members of a JWK that are looked at.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl PublishedKey {
    /// The key of a JWK. None where it is not for signatures, is of a kind that is not supported (a
    /// shared secret for one), or is malformed: an issuer may publish such keys beside those we use.
    pub(super) fn read(jwk: &serde_json::Value) -> Option<Self> {
        let jwk = Jwk::deserialize(jwk).ok()?;
        let for_signatures = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures {
            return None;
        }
        let algorithm = match &jwk.alg {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let public = jwk.public_key()?;
        Some(Self { id: jwk.kid, algorithm, public })
    }

    /// Whether tokens of that algorithm may be signed with it.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        algorithm.kind() == self.public.kind()
            && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether it made the signature; never where it does not [fit](Self::fits).
    pub(super) fn made(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.public.made(algorithm, signed, signature)
    }
}

impl PublicKey {
    fn kind(&self) -> Kind {
        match self {
            Self::Rsa(_) => Kind::Rsa,
            Self::P256(_) => Kind::P256,
            Self::P384(_) => Kind::P384,
            Self::Ed25519(_) => Kind::Ed25519,
        }
    }

    fn made(&self, algorithm: Algorithm, signed: &[u8], found: &[u8]) -> bool {
        let made = |by: &'static dyn VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(by, point).verify(signed, found).is_ok()
        };
        match self {
            Self::Rsa(key) => algorithm
                .rsa()
                .is_some_and(|parameters| key.verify(parameters, signed, found).is_ok()),
            Self::P256(point) => made(&signature::ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => made(&signature::ECDSA_P384_SHA384_FIXED, point),
            Self::Ed25519(point) => made(&signature::ED25519, point),
        }
    }
}

impl Jwk {
    fn public_key(&self) -> Option<PublicKey> {
        let curve = self.crv.as_deref();
        match (self.kty.as_str(), curve) {
            ("RSA", _) => {
                let (n, e) = (number(self.n.as_deref()?)?, number(self.e.as_deref()?)?);
                let sized = (RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&n.len());
                sized.then_some(PublicKey::Rsa(RsaPublicKeyComponents { n, e }))
            }
            ("EC", Some("P-256")) => self.point(32).map(PublicKey::P256),
            ("EC", Some("P-384")) => self.point(48).map(PublicKey::P384),
            ("OKP", Some("Ed25519")) => {
                let x = decode(self.x.as_deref()?)?;
                (x.len() == 32).then_some(PublicKey::Ed25519(x))
            }
            _ => None,
        }
    }

    /// The uncompressed point of a curve whose coordinates have that many bytes.
    fn point(&self, bytes: usize) -> Option<Vec<u8>> {
        let (x, y) = (decode(self.x.as_deref()?)?, decode(self.y.as_deref()?)?);
        (x.len() == bytes && y.len() == bytes).then(|| [&[4], x.as_slice(), &y].concat())
    }
}

/// A big-endian number without leading zeros, which some issuers write and ring refuses.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The examples of the standards, signed by others: RFC 7515, A.2 and A.3; RFC 8037, A.4.
    #[test]
    fn the_standards_examples_are_signed_by_their_keys() {
        let check = |algorithm: &str, jwk: Value, signed: &str, signature: &str| {
            let key = PublishedKey::read(&jwk).expect("it is a key");
            let algorithm = Algorithm::named(algorithm).expect("it is accepted");
            let mut signature = decode(signature).expect("it is base64url");
            assert!(key.made(algorithm, signed.as_bytes(), &signature), "{algorithm:?}");
            assert!(!key.made(algorithm, &signed.as_bytes()[1..], &signature), "{algorithm:?}");
            signature[7] ^= 1;
            assert!(!key.made(algorithm, signed.as_bytes(), &signature), "{algorithm:?}");
        };
        let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        check(
            "RS256",
            json!({
                "kty": "RSA",
                "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
                "e": "AQAB",
            }),
            &format!("eyJhbGciOiJSUzI1NiJ9.{claims}"),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        );
        check(
            "ES256",
            json!({
                "kty": "EC",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }),
            &format!("eyJhbGciOiJFUzI1NiJ9.{claims}"),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        );
        check(
            "EdDSA",
            json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        );
    }

    #[test]
    fn keys_for_other_ends_and_of_other_kinds_are_passed_over() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let check = |change: Value, expected: bool| {
            let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
            let members = change.as_object().expect("an object").clone();
            jwk.as_object_mut().expect("an object").extend(members);
            assert_eq!(PublishedKey::read(&jwk).is_some(), expected, "{jwk}");
        };
        check(json!({}), true);
        check(json!({ "use": "sig", "key_ops": ["verify"], "alg": "EdDSA" }), true);
        check(json!({ "use": "enc" }), false);
        check(json!({ "key_ops": ["sign"] }), false);
        check(json!({ "alg": "HS256" }), false);
        check(json!({ "crv": "X25519" }), false);
        check(json!({ "x": &x[1..] }), false);
        check(json!({ "x": format!("{x}=") }), false);
        check(json!({ "kty": "oct", "k": x }), false);
        check(json!({ "kty": "EC", "crv": "P-256", "y": &x[4..] }), false);
        check(json!({ "kty": "EC", "crv": "P-384", "y": x }), false);
        check(json!({ "kty": "EC", "crv": "P-521", "y": x }), false);
        // 1,024 bits, and 8,200; with a zero before 2,048.
        let modulus = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        check(json!({ "kty": "RSA", "e": "AQAB", "n": modulus(128) }), false);
        check(json!({ "kty": "RSA", "e": "AQAB", "n": modulus(1025) }), false);
        check(json!({ "kty": "RSA", "e": "AQAB", "n": modulus(256) }), true);
        let padded = URL_SAFE_NO_PAD.encode([vec![0], vec![0xff; 255]].concat());
        check(json!({ "kty": "RSA", "e": "AQAB", "n": padded }), false);
    }
}
