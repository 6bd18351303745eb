//! API keys.

pub(crate) mod create;
mod expire;
pub(crate) mod rename;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub mod secret;

pub use create::{ApiKeyCreated, CreateApiKey, CreateApiKeyRequest};
pub use expire::ExpireApiKey;
pub use rename::{RenameApiKey, RenameApiKeyRequest};
pub use revoke::{RevokeApiKey, RevokeApiKeyRequest};
pub use rotate::{ApiKeyRotated, RotateApiKey, RotateApiKeyRequest};
