//! Webhooks.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod disable;
pub(crate) mod enable;
mod give_up;
pub(crate) mod remove;
pub(crate) mod replay;
pub(crate) mod rotate_secret;
pub mod secret;
pub(crate) mod test;

pub use change::{ChangeWebhook, ChangeWebhookRequest};
pub use create::{CreateWebhook, CreateWebhookRequest, WebhookCreated};
pub use disable::DisableWebhook;
pub use enable::EnableWebhook;
pub use give_up::GiveUpWebhook;
pub use remove::RemoveWebhook;
pub use replay::{ReplayWebhook, ReplayWebhookRequest};
pub use rotate_secret::{RotateWebhookSecret, WebhookSecretRotated};
pub use test::TestWebhook;
