//! Invites.

pub(crate) mod accept;
mod expire;
pub(crate) mod revoke;
pub(crate) mod send;

pub use accept::{AcceptInvite, AcceptInviteRequest, InviteAccepted};
pub use expire::ExpireInvite;
pub use revoke::RevokeInvite;
pub use send::{InviteProject, InviteSent, SendInvite, SendInviteRequest};
