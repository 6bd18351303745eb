//! Who is asking: a bearer credential becomes the [`Actor`] of everything that the request does.

use std::borrow::Cow;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use event_schemas::{
    Actor, ApiKeyId, EventMetadata, InviteId, KeyOwner, MemberId, OrganizationId, PermissionSet,
    ProjectId,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::observe::RequestContext;
use crate::problem::Problem;
use crate::rate;

/// The least characters of an operator's credential: shorter ones can be guessed.
pub const OPERATOR_CREDENTIAL_CHARACTERS_MIN: usize = 16;

/// Who asks, and how what they cause can be traced back to this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// What they presented, where it was not the operator's credential.
    pub presented: Option<Presented>,
    /// The request's id.
    pub correlation_id: Arc<str>,
    /// The W3C trace context that the request came with.
    pub traceparent: Option<Arc<str>>,
    /// The network address that the connection came from.
    pub source_address: Option<Arc<str>>,
}

impl Caller {
    /// The metadata of the events that this request causes.
    pub fn metadata(&self) -> EventMetadata {
        EventMetadata {
            actor: self.actor.clone(),
            credential: self.presented.as_ref().and_then(Presented::name),
            correlation_id: self.correlation_id.to_string(),
            causation_id: None,
            traceparent: self.traceparent.as_deref().map(str::to_owned),
            source_address: self.source_address.as_deref().map(str::to_owned),
        }
    }
}

/// Set by [`authenticate`]; a route that it does not guard has no caller and is refused.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorized)
    }
}

/// The operator's credential. Only a hash of it is kept, so it cannot be logged.
#[derive(Clone)]
pub struct OperatorCredential {
    name: String,
    hash: [u8; 32],
}

/// Why a text cannot be the operator's credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// It could be guessed.
    #[error(
        "the operator credential has fewer than {OPERATOR_CREDENTIAL_CHARACTERS_MIN} characters"
    )]
    TooShort,
    /// It could not be sent in a header.
    #[error("the operator credential may only have visible ASCII characters, without spaces")]
    NotVisibleAscii,
}

impl OperatorCredential {
    /// The credential of the operator that events will name as `name`.
    pub fn new(name: &str, secret: &str) -> Result<Self, CredentialError> {
        if secret.len() < OPERATOR_CREDENTIAL_CHARACTERS_MIN {
            return Err(CredentialError::TooShort);
        }
        if !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CredentialError::NotVisibleAscii);
        }
        Ok(Self { name: name.to_owned(), hash: Sha256::digest(secret).into() })
    }

    /// As events name them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the same time whatever is presented: hashes are compared, and in constant time.
    fn is(&self, presented: &str) -> bool {
        self.hash.ct_eq(&Sha256::digest(presented)).into()
    }
}

impl std::fmt::Debug for OperatorCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorCredential").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What somebody proved themselves with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    /// An API key's secret.
    ApiKey(PresentedKey),
    /// A token of an issuer that vouches for them.
    SignedIn(SignedIn),
    /// An invite's token.
    Invite(PresentedInvite),
}

impl Presented {
    /// Who acts with it.
    pub fn actor(&self) -> Actor {
        match self {
            Self::ApiKey(key) => key.actor(),
            Self::SignedIn(signed_in) => Actor::member(signed_in.member_id),
            Self::Invite(invite) => Actor::invite(invite.invite_id),
        }
    }

    /// As metadata names it.
    fn name(&self) -> Option<String> {
        match self {
            Self::ApiKey(key) => Some(format!("api_key:{}", key.api_key_id)),
            Self::SignedIn(signed_in) => Some(format!("issuer:{}", signed_in.issuer)),
            // The actor says it.
            Self::Invite(_) => None,
        }
    }

    /// The organization that it is good for.
    pub fn organization_id(&self) -> OrganizationId {
        match self {
            Self::ApiKey(key) => key.organization_id,
            Self::SignedIn(signed_in) => signed_in.organization_id,
            Self::Invite(invite) => invite.organization_id,
        }
    }
}

/// A person for whom an issuer vouches, as the member that they are in the organization asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The issuer.
    pub issuer: Arc<str>,
    /// The verified address.
    pub email: Arc<str>,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member with that address.
    pub member_id: MemberId,
    /// Until when the token counts.
    pub expires_at: DateTime<Utc>,
}

/// An invite whose token was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub invite_id: InviteId,
    /// The stored hash of the token that was presented.
    pub token_hash: Arc<str>,
}

/// An API key whose secret was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// The key.
    pub api_key_id: ApiKeyId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The stored hash of the secret that was presented.
    pub secret_hash: Arc<str>,
    /// Whose it is.
    pub owner: KeyOwner,
    /// The project that it works for; none for an admin key.
    pub project_id: Option<ProjectId>,
    /// What it is limited to, or its secret.
    pub scopes: Option<PermissionSet>,
    /// How far up it reaches at most: the rank of the lowest who can know the secret beside its owner.
    pub rank_max: Option<u8>,
}

impl PresentedKey {
    /// Who acts with it.
    fn actor(&self) -> Actor {
        match self.owner {
            KeyOwner::Member { member_id } => Actor::member(member_id),
            KeyOwner::ServiceAccount { service_account_id } => {
                Actor::service_account(service_account_id)
            }
        }
    }
}

/// What a request is about, as far as its path says: some credentials count only there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The organization.
    pub organization_id: Option<OrganizationId>,
    /// The invite.
    pub invite_id: Option<InviteId>,
}

impl Asked {
    fn of(path: &RawPathParams) -> Self {
        let value = |wanted| path.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        Self {
            organization_id: value("organization_id").and_then(|id| id.parse().ok()),
            invite_id: value("invite_id").and_then(|id| id.parse().ok()),
        }
    }
}

/// Why a credential lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// For the log of the process. Nothing of the credential stands in it.
    reason: Cow<'static, str>,
    /// What whoever presents it may be told, where it says more than that it is not known.
    detail: Option<&'static str>,
}

impl Stranger {
    /// Nobody, for this reason, which is logged and not answered.
    pub fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), detail: None }
    }

    /// The same, and what is answered.
    #[must_use]
    pub fn told(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Logs that a credential was refused: why, and from which address the connection came. What a proxy
/// says of an address before it is not looked at: anybody can write that.
pub fn refused_credential(reason: &str, peer: Option<&str>) {
    tracing::info!(reason, peer = peer.unwrap_or("unknown"), "a credential was refused");
}

/// What [`Credentials::find`] comes to.
pub type Found<'a> =
    Pin<Box<dyn Future<Output = Result<Result<Presented, Stranger>, Problem>> + Send + 'a>>;

/// Where credentials other than the operator's are looked up.
pub trait Credentials: Send + Sync {
    /// What the credential is, if it counts for what is asked; else why not.
    fn find<'a>(&'a self, credential: &'a str, asked: &'a Asked) -> Found<'a>;
}

/// Every credential that is known.
#[derive(Clone)]
pub struct Authenticator {
    operators: Arc<[OperatorCredential]>,
    credentials: Option<Arc<dyn Credentials>>,
}

impl Authenticator {
    /// Knows one operator.
    pub fn new(operator: OperatorCredential) -> Self {
        Self::of(vec![operator])
    }

    /// Knows several operators.
    pub fn of(operators: Vec<OperatorCredential>) -> Self {
        Self { operators: operators.into(), credentials: None }
    }

    /// The same, and others.
    #[must_use]
    pub fn with_credentials(&self, credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials: Some(credentials), ..self.clone() }
    }

    /// Whose credential it is; else why it is nobody's.
    pub async fn actor(
        &self,
        credential: &str,
        asked: &Asked,
    ) -> Result<Result<(Actor, Option<Presented>), Stranger>, Problem> {
        if let Some(operator) = self.operators.iter().find(|operator| operator.is(credential)) {
            return Ok(Ok((Actor::operator(&operator.name), None)));
        }
        let Some(credentials) = &self.credentials else {
            return Ok(Err(Stranger::because("it is not known")));
        };
        let presented = credentials.find(credential, asked).await?;
        Ok(presented.map(|presented| (presented.actor(), Some(presented))))
    }
}

/// The credential of `Authorization: Bearer …`. Two such headers are none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim_matches(' '))
}

/// Middleware for every route that needs a caller: gives the request its [`Caller`], or refuses it.
pub async fn authenticate(
    State(authenticator): State<Arc<Authenticator>>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let path = path.map_err(|rejection| match rejection {
        RawPathParamsRejection::InvalidUtf8InPathParam(_) => {
            Problem::invalid("path", "it is not UTF-8")
        }
        rejection => Problem::internal(&rejection),
    })?;
    let extensions = request.extensions();
    let source_address: Option<Arc<str>> = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(address)| address.ip().to_string().into());
    let known = match bearer(request.headers()) {
        Some(credential) => authenticator.actor(credential, &Asked::of(&path)).await?,
        None => Err(Stranger::because("there is none, or more than one")),
    };
    let (actor, presented) = known.map_err(|stranger| {
        refused_credential(&stranger.reason, source_address.as_deref());
        match stranger.detail {
            Some(detail) => Problem::unauthorized().with_detail(detail),
            None => Problem::unauthorized(),
        }
    })?;
    let context = extensions.get::<RequestContext>();
    let caller = Caller {
        actor,
        presented,
        correlation_id: context.map_or_else(|| "".into(), |context| context.request_id.clone()),
        traceparent: context.and_then(|context| context.traceparent.clone()),
        source_address,
    };
    request.extensions_mut().insert(caller);
    Ok(rate::let_in(next.run(request).await))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_credential_itself_is_known() {
        let operator = OperatorCredential::new("ops", "0123456789abcdef").expect("long enough");
        assert!(!format!("{operator:?}").contains("0123456789abcdef"));
        let authenticator = Authenticator::new(operator);
        let known =
            authenticator.actor("0123456789abcdef", &Asked::default()).await.expect("it answers");
        assert_eq!(known, Ok((Actor::operator("ops"), None)));
        for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF"] {
            let known = authenticator.actor(other, &Asked::default()).await.expect("it answers");
            assert_eq!(known.expect_err(other).reason(), "it is not known");
        }
    }

    #[test]
    fn a_credential_that_can_be_guessed_or_not_be_sent_is_refused() {
        let check = |secret: &str, expected| {
            assert_eq!(OperatorCredential::new("ops", secret).err(), expected, "{secret}");
        };
        check("short", Some(CredentialError::TooShort));
        check("0123456789 abcdef", Some(CredentialError::NotVisibleAscii));
        check("0123456789abcdefé", Some(CredentialError::NotVisibleAscii));
        check("0123456789abcdef", None);
    }

    #[test]
    fn one_bearer_header_is_a_credential() {
        let check = |values: &[&'static str], expected| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, header::HeaderValue::from_static(value));
            }
            assert_eq!(bearer(&headers), expected, "{values:?}");
        };
        check(&["Bearer abc"], Some("abc"));
        check(&["bearer  abc"], Some("abc"));
        check(&["Basic abc"], None);
        check(&["Bearer"], None);
        check(&["Bearer a", "Bearer b"], None);
        check(&[], None);
    }
}
