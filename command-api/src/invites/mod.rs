//! Invites.

mod accept;
mod expire;
mod revoke;
mod send;

pub use accept::{AcceptInvite, AcceptInviteRequest, InviteAccepted};
pub use expire::ExpireInvite;
pub use revoke::RevokeInvite;
pub use send::{InviteProject, InviteSent, SendInvite, SendInviteRequest};
