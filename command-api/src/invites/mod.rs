//! Invites.

pub(crate) mod accept;
mod expire;
pub(crate) mod resend;
pub(crate) mod revoke;
pub(crate) mod send;
pub(crate) mod send_in_bulk;

pub use accept::{AcceptInvite, AcceptInviteRequest, InviteAccepted};
pub use expire::ExpireInvite;
pub use resend::{ResendInvite, ResendInviteRequest};
pub use revoke::RevokeInvite;
pub use send::{InviteProject, InviteSent, SendInvite, SendInviteRequest};
pub use send_in_bulk::{INVITES_MAX, InviteOfMany, InvitesSent, SendInvites, SendInvitesRequest};
