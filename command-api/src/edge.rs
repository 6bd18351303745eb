//! The edge: where this crate makes random numbers.

use uuid::Uuid;

/// A new id, growing with time so that indexes stay local.
#[allow(clippy::disallowed_methods)] // The edge that the lint sends everybody to.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
