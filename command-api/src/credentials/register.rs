//! Whose credential it is. What a secret belongs to never changes, so it is remembered; whether it
//! still counts is asked of its key, invite or organization each time.

use std::sync::Arc;

use api_conventions::authentication::{
    Asked, Credentials, Found, Presented, PresentedInvite, PresentedKey, SignedIn,
};
use api_conventions::problem::{Problem, UNAVAILABLE};
use api_conventions::sign_in::{Issuers, SignInError};
use domain::api_key::ApiKey;
use domain::organization::{Authority, Organization};
use event_log::{clock, read};
use event_schemas::{ApiKeyId, InviteId, OrganizationId};
use quick_cache::sync::Cache;

use crate::api_keys::secret;
use crate::execute::{Executor, Session};
use crate::refusal::{ExecuteError, Refusal};

/// How many secrets are remembered.
const REMEMBERED_MAX: usize = 100_000;

/// Finds out whose a credential is. Cheap to clone.
#[derive(Clone)]
pub struct CredentialRegister {
    executor: Executor,
    /// API keys by the hash that is stored.
    known: Arc<Cache<Arc<str>, ApiKeyId>>,
    /// Who vouches for people signing in.
    issuers: Option<Issuers>,
}

impl CredentialRegister {
    /// The credentials that the executor's log knows.
    pub fn new(executor: Executor) -> Self {
        Self { executor, known: Arc::new(Cache::new(REMEMBERED_MAX)), issuers: None }
    }

    /// The same, and people for whom one of these issuers vouches.
    #[must_use]
    pub fn with_issuers(self, issuers: Issuers) -> Self {
        Self { issuers: Some(issuers), ..self }
    }

    /// What executes commands on its log.
    pub(crate) fn executor(&self) -> &Executor {
        &self.executor
    }

    /// What a credential is, if it counts. One that counts as far as this process has heard does;
    /// whatever is done with it names the states that say so, and is refused if they have moved.
    pub async fn find(
        &self,
        credential: &str,
        asked: &Asked,
    ) -> Result<Option<Presented>, ExecuteError> {
        if secret::is_well_formed(credential) {
            return Ok(self.api_key(credential).await?.map(Presented::ApiKey));
        }
        if secret::is_invite_token(credential) {
            let (Some(organization_id), Some(invite_id)) = (asked.organization_id, asked.invite_id)
            else {
                return Ok(None);
            };
            let invite = self.invite(credential, organization_id, invite_id).await?;
            return Ok(invite.map(Presented::Invite));
        }
        Ok(None)
    }

    /// The key with that secret, if it works.
    pub async fn api_key(&self, presented: &str) -> Result<Option<PresentedKey>, ExecuteError> {
        // What no key can look like costs no lookup.
        if !secret::is_well_formed(presented) {
            return Ok(None);
        }
        let secret_hash: Arc<str> = self.executor.pepper().hash(presented).into();
        let Some(api_key_id) = self.key_with(&secret_hash).await? else { return Ok(None) };
        // A refusal is given only on a state that was brought up to the log.
        for up_to_date in [false, true] {
            let mut session = self.executor.reading(Authority::System, up_to_date);
            if let Some(key) = works(&mut session, api_key_id, &secret_hash).await? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    async fn key_with(&self, secret_hash: &Arc<str>) -> Result<Option<ApiKeyId>, ExecuteError> {
        if let Some(api_key_id) = self.known.get(secret_hash) {
            return Ok(Some(api_key_id));
        }
        let found = read::api_key_with_secret(self.executor.log().pool(), secret_hash).await?;
        if let Some(api_key_id) = found {
            self.known.insert(Arc::clone(secret_hash), api_key_id);
        }
        Ok(found)
    }

    /// The invite, where the token is its own and it can be accepted.
    async fn invite(
        &self,
        token: &str,
        organization_id: OrganizationId,
        invite_id: InviteId,
    ) -> Result<Option<PresentedInvite>, ExecuteError> {
        let token_hash: Arc<str> = self.executor.pepper().hash(token).into();
        let presented = PresentedInvite { organization_id, invite_id, token_hash };
        for up_to_date in [false, true] {
            let mut session = self.executor.reading(Authority::System, up_to_date);
            match session.vouch(Some(&Presented::Invite(presented.clone()))).await {
                Ok(()) => return Ok(Some(presented)),
                Err(Refusal::Failed(error)) => return Err(*error),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}

/// The key, where it accepts the secret, and its owner may still act.
async fn works(
    session: &mut Session<'_>,
    api_key_id: ApiKeyId,
    secret_hash: &Arc<str>,
) -> Result<Option<PresentedKey>, ExecuteError> {
    let now = clock::now();
    let key = session.read::<ApiKey>(api_key_id).await.map_err(Refusal::into_error)?;
    if !key.accepts(secret_hash, now) {
        return Ok(None);
    }
    let Ok(usable) = key.usable(now) else { return Ok(None) };
    let hands = key.hands(secret_hash);
    match session.acting_holder(usable.organization_id(), usable.owner(), hands, now).await {
        Ok(()) => Ok(Some(PresentedKey {
            api_key_id,
            organization_id: usable.organization_id(),
            secret_hash: Arc::clone(secret_hash),
            owner: usable.owner(),
            project_id: usable.project_id(),
            scopes: usable.scopes(),
        })),
        Err(Refusal::Failed(error)) => Err(*error),
        Err(_) => Ok(None),
    }
}

impl CredentialRegister {
    /// The member of the organization asked about for whom the token's issuer vouches. A person who
    /// signs in is nobody elsewhere.
    async fn signed_in(&self, token: &str, asked: &Asked) -> Result<Option<Presented>, Problem> {
        let (Some(issuers), Some(organization_id)) = (&self.issuers, asked.organization_id) else {
            return Ok(None);
        };
        let identity = match issuers.verify(token, clock::now()).await {
            Ok(identity) => identity,
            Err(error @ SignInError::IssuerUnreachable) => {
                return Err(Problem::new(UNAVAILABLE)
                    .with_detail(format!("Nobody can sign in at the moment: {error}."))
                    .retry_after_seconds(10));
            }
            Err(error) => {
                tracing::info!(reason = %error, "a token was refused");
                return Ok(None);
            }
        };
        for up_to_date in [false, true] {
            let mut session = self.executor.reading(Authority::System, up_to_date);
            let organization = session.read::<Organization>(organization_id).await;
            let organization = organization.map_err(Refusal::into_error)?;
            let member_id = organization
                .signed_in(&identity.issuer, &identity.email)
                .filter(|member_id| !organization.member_rests(*member_id, clock::now()));
            if let Some(member_id) = member_id {
                return Ok(Some(Presented::SignedIn(SignedIn {
                    issuer: Arc::clone(&identity.issuer),
                    email: identity.email.as_str().into(),
                    organization_id,
                    member_id,
                    expires_at: identity.expires_at,
                })));
            }
        }
        Ok(None)
    }
}

impl Credentials for CredentialRegister {
    fn find<'a>(&'a self, credential: &'a str, asked: &'a Asked) -> Found<'a> {
        Box::pin(async move {
            if Issuers::is_token(credential) {
                return self.signed_in(credential, asked).await;
            }
            Ok(Self::find(self, credential, asked).await?)
        })
    }
}
