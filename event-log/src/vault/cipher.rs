//! AES-256-GCM: what is sealed under a key, bound to where it belongs.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::VaultError;

/// The length of every key, in bytes.
pub(super) const KEY_BYTES: usize = 32;

/// A key, ready to be used. Nothing shows it.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Result<Self, VaultError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| VaultError::Cipher)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Nonce, ciphertext and tag. It opens only with the same `bound_to`.
    ///
    /// Nonces are random: a person has far fewer texts than the 2³² that a key may seal this way.
    pub(super) fn seal(&self, bound_to: &[u8], clear: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + clear.len() + AES_256_GCM.tag_len());
        sealed.extend(nonce);
        sealed.extend(clear);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to),
                &mut sealed[NONCE_LEN..],
            )
            .map_err(|_| VaultError::Cipher)?;
        sealed.extend(tag.as_ref());
        Ok(sealed)
    }

    /// What was sealed; none where it was changed, belongs elsewhere or was sealed under another key.
    pub(super) fn open(&self, bound_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        let clear = self.0.open_in_place(nonce, Aad::from(bound_to), &mut rest).ok()?;
        let length = clear.len();
        rest.truncate(length);
        Some(rest)
    }
}

/// Random bytes from the operating system: keys and nonces are made here.
pub(super) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_where_it_belongs_and_nowhere_else() {
        let cipher = Cipher::new(&[1; 32]).unwrap();
        let sealed = cipher.seal(b"here", b"ada").unwrap();
        assert_eq!(cipher.open(b"here", &sealed).unwrap(), b"ada");
        assert!(cipher.open(b"there", &sealed).is_none());
        assert!(Cipher::new(&[2; 32]).unwrap().open(b"here", &sealed).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(cipher.open(b"here", &changed).is_none(), "byte {place} was changed");
        }
        for length in 0..sealed.len() {
            assert!(cipher.open(b"here", &sealed[..length]).is_none(), "cut to {length} bytes");
        }
    }

    #[test]
    fn the_same_text_never_looks_the_same() {
        let cipher = Cipher::new(&[1; 32]).unwrap();
        assert_ne!(cipher.seal(b"here", b"ada").unwrap(), cipher.seal(b"here", b"ada").unwrap());
    }
}
