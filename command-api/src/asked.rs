//! What a request carries beside what it asks: who asks, under which idempotency key, and of which
//! version.

use api_conventions::authentication::{Presented, PresentedInvite, PresentedKey, SignedIn};
use api_conventions::problem::FORBIDDEN;
use api_conventions::{Caller, IdempotencyKey, IfMatch, Problem};
use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use domain::organization::Authority;
use event_log::clock;
use event_schemas::ActorKind;

use crate::execute::{CommandContext, ExpectedSequence};

/// The circumstances of a command, read from the request's head.
pub(crate) struct Asked(pub(crate) CommandContext);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let mut context = context(&caller)?;
        // A PUT, PATCH or DELETE sent again does what it did; a POST needs a key for that.
        let has_key =
            parts.headers.contains_key(api_conventions::idempotency::IDEMPOTENCY_KEY_HEADER);
        if has_key || parts.method == Method::POST {
            let key = IdempotencyKey::from_request_parts(parts, state).await?;
            context.idempotency_key = Some(key.0);
        }
        context.expected_sequence = match IfMatch::from_request_parts(parts, state).await? {
            IfMatch::Absent => None,
            IfMatch::Any => Some(ExpectedSequence::Any),
            IfMatch::Sequences(sequences) => Some(ExpectedSequence::OneOf(sequences)),
        };
        Ok(Self(context))
    }
}

/// The context of what a caller asks now, without key and condition.
pub(crate) fn context(caller: &Caller) -> Result<CommandContext, Problem> {
    let now = clock::now();
    Ok(CommandContext {
        metadata: caller.metadata(),
        authority: authority(caller)?,
        presented: caller.presented.clone(),
        now,
        occurred_at: now,
        idempotency_key: None,
        expected_sequence: None,
    })
}

/// In whose name an actor commands.
pub(crate) fn authority(caller: &Caller) -> Result<Authority, Problem> {
    match &caller.presented {
        Some(Presented::ApiKey(PresentedKey { owner, project_id, scopes, rank_max, .. })) => {
            let (owner, project_id) = (*owner, *project_id);
            let (scopes, rank_max) = (*scopes, *rank_max);
            return Ok(Authority::ApiKey { owner, project_id, scopes, rank_max });
        }
        Some(Presented::SignedIn(SignedIn { member_id, .. })) => {
            return Ok(Authority::Member(*member_id));
        }
        Some(Presented::Invite(PresentedInvite { invite_id, .. })) => {
            return Ok(Authority::Invited(*invite_id));
        }
        None => {}
    }
    match caller.actor.kind {
        ActorKind::Operator => Ok(Authority::Operator),
        // The system acts inside, and external actors only in what is imported.
        ActorKind::Member
        | ActorKind::ServiceAccount
        | ActorKind::Invite
        | ActorKind::System
        | ActorKind::External => {
            Err(Problem::new(FORBIDDEN).with_detail("This credential may not change anything."))
        }
    }
}
