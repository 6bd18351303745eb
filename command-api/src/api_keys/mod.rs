//! API keys.

mod create;
mod expire;
mod rename;
mod revoke;
mod rotate;
pub mod secret;

pub use create::{ApiKeyCreated, CreateApiKey, CreateApiKeyRequest};
pub use expire::ExpireApiKey;
pub use rename::{RenameApiKey, RenameApiKeyRequest};
pub use revoke::{RevokeApiKey, RevokeApiKeyRequest};
pub use rotate::{ApiKeyRotated, RotateApiKey, RotateApiKeyRequest};
