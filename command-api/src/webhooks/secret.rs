//! Secrets that webhooks sign with, `whsec_<base64 of 32 bytes>` as Standard Webhooks has them.
//!
//! A key that signs is needed in the clear for each message, so unlike an API key's secret it cannot be
//! stored as a hash. It is stored nowhere: it is derived from the server's pepper, the webhook's id and
//! the secret's number, whenever it is needed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event_schemas::WebhookId;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::api_keys::secret::Pepper;
use crate::execute::Secret;

/// What the pepper is used for here, and nowhere else.
const PURPOSE: &[u8] = b"orgledger webhook secrets, 1\0";

/// A secret that a webhook signs with. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; 32]);

impl SigningSecret {
    /// A webhook's secret of that number.
    pub fn of(pepper: &Pepper, webhook_id: WebhookId, number: u32) -> Self {
        let key = pepper.mac(&[PURPOSE]);
        Self(mac(&key, &[webhook_id.0.as_bytes(), &number.to_be_bytes()]))
    }

    /// One that is known as it is.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As whoever verifies it gets it.
    pub fn shown(&self) -> Secret {
        Secret::new(format!("whsec_{}", STANDARD.encode(self.0)))
    }

    /// The signature of a message, as it stands in `webhook-signature`.
    /// Source: Standard Webhooks 1.0.0, "Signature scheme".
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body].concat();
        format!("v1,{}", STANDARD.encode(mac(&self.0, &[&signed])))
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pepper(byte: u8) -> Pepper {
        Pepper::new(vec![byte; 32]).unwrap()
    }

    fn webhook(number: u128) -> WebhookId {
        WebhookId(uuid::Uuid::from_u128(number))
    }

    /// The example of the specification. Its key has 24 bytes, which HMAC fills up with zeros.
    #[test]
    fn it_signs_as_standard_webhooks_says() {
        let known = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut key = [0; 32];
        key[..known.len()].copy_from_slice(&known);
        let signature = SigningSecret::new(key).sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_of_one_pepper_one_webhook_and_one_number() {
        let of = |pepper_byte, id, number| {
            let secret = SigningSecret::of(&pepper(pepper_byte), webhook(id), number);
            secret.shown().reveal().to_owned()
        };
        let one = of(7, 1, 1);
        assert_eq!(one, of(7, 1, 1), "it is the same each time");
        for other in [of(8, 1, 1), of(7, 2, 1), of(7, 1, 2)] {
            assert_ne!(one, other);
        }
        let key = STANDARD.decode(one.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(key.len(), 32);
        let secret = SigningSecret::of(&pepper(7), webhook(1), 1);
        assert!(!format!("{secret:?} {:?}", secret.shown()).contains(&one));
    }

    /// Were it the hash of a text, whoever could have a text hashed would have the secret.
    #[test]
    fn no_text_that_is_hashed_gives_a_secret() {
        let pepper = pepper(7);
        let hashed = pepper.mac(&[PURPOSE, webhook(1).0.as_bytes(), &1_u32.to_be_bytes()]);
        assert_ne!(SigningSecret::of(&pepper, webhook(1), 1), SigningSecret::new(hashed));
    }
}
