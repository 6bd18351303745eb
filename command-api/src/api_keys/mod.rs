//! API keys.

pub(crate) mod create;
mod expire;
pub(crate) mod rename;
pub(crate) mod revoke;
mod revoke_all;
pub(crate) mod revoke_of_member;
pub(crate) mod revoke_of_project;
pub(crate) mod rotate;
pub mod secret;

pub use create::{ApiKeyCreated, CreateApiKey, CreateApiKeyRequest};
pub use expire::ExpireApiKey;
pub use rename::{RenameApiKey, RenameApiKeyRequest};
pub use revoke::{RevokeApiKey, RevokeApiKeyRequest};
pub use revoke_all::ApiKeysRevoked;
pub use revoke_of_member::RevokeApiKeysOfMember;
pub use revoke_of_project::RevokeApiKeysOfProject;
pub use rotate::{ApiKeyRotated, RotateApiKey, RotateApiKeyRequest};
