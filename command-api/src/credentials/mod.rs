//! What callers prove themselves with: whose it is, and whether it still counts at the moment of a
//! decision.

mod hands;
mod keys;
mod permissions;
mod register;
mod vouch;

pub use register::CredentialRegister;
