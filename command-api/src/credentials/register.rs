//! Whose credential it is. What a secret belongs to never changes, so it is remembered; whether it
//! still counts is asked of its key, invite or organization each time.

use std::sync::Arc;

use api_conventions::authentication::{
    Asked, Credentials, Found, Presented, PresentedInvite, PresentedKey, SignedIn, Stranger,
};
use api_conventions::problem::{Problem, UNAVAILABLE};
use api_conventions::sign_in::{Issuers, SignInError};
use domain::api_key::ApiKey;
use domain::organization::{Authority, Organization, OrganizationError};
use event_log::{clock, read};
use event_schemas::{ApiKeyId, InviteId, OrganizationId};
use quick_cache::sync::Cache;

use super::vouch::{NotActing, Opens};
use crate::api_keys::secret;
use crate::execute::{Executor, Session};
use crate::refusal::{ExecuteError, Refusal};

/// What is told to who holds the token of an invite that has been accepted, and to nobody else: its
/// answer, with the first credential in it, may have been lost.
const INVITE_USED: &str = "This invite has been accepted: its token opens nothing any more. Whoever \
    accepted it is a member, and was shown a key, once. Where that answer was lost, an administrator \
    of the organization makes another: orgledger api-keys create --member …";

/// What is told to who presents an issuer's token and names no organization.
const NO_ORGANIZATION: &str = "Who signs in with an issuer's token is somebody within one \
    organization: ask about /v1/organizations/{organization_id}.";

/// What is told to who has a good secret of an access that waits for its review.
const RESTS: &str = "This credential rests: it, or whose it is, came in by an access of the operator \
    that is over, and counts again when somebody has reviewed it: orgledger break-glass review";

/// What is told to who has a secret that another was shown who may not act.
const KNOWN_TO_FORMER: &str = "This key opens nothing: somebody else was shown its secret, and may not \
    act at the moment. Ask an administrator of the organization for another, or make one yourself.";

/// What is told to who has a good secret of an archived organization.
const ARCHIVED: &str = "The organization is archived: nothing in it opens any more.";

/// What is told to who has the secret of somebody suspended, or of a closed project.
const OWNER_MAY_NOT_ACT: &str = "The key works, but whose it is may not act at the moment: they are \
    suspended or gone, or their project is closed. An administrator of the organization can tell.";

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

    /// Whether people can sign in with tokens of this issuer.
    pub(crate) fn knows_issuer(&self, issuer: &str) -> bool {
        self.issuers.as_ref().is_some_and(|issuers| issuers.knows(issuer))
    }

    /// What executes commands on its log.
    pub(crate) fn executor(&self) -> &Executor {
        &self.executor
    }

    /// What a credential is, if it counts, else why not. One that counts as far as this process has
    /// heard does; whatever is done with it names the states that say so, and is refused if they have
    /// moved.
    pub async fn find(
        &self,
        credential: &str,
        asked: &Asked,
    ) -> Result<Result<Presented, Stranger>, ExecuteError> {
        if secret::is_well_formed(credential) {
            return Ok(self.api_key(credential).await?.map(Presented::ApiKey));
        }
        if secret::is_invite_token(credential) {
            let (Some(organization_id), Some(invite_id)) = (asked.organization_id, asked.invite_id)
            else {
                return Ok(Err(Stranger::because(
                    "an invite's token opens nothing but its invite",
                )));
            };
            return self.invite(credential, organization_id, invite_id).await;
        }
        Ok(Err(Stranger::because("it has the form of no credential that is known here")))
    }

    /// The key with that secret, if it works; else why not.
    pub async fn api_key(
        &self,
        presented: &str,
    ) -> Result<Result<PresentedKey, Stranger>, ExecuteError> {
        let mut why = Stranger::because("no API key that works has this secret");
        // What no key can look like costs no lookup.
        if !secret::is_well_formed(presented) {
            return Ok(Err(why));
        }
        let secret_hash: Arc<str> = self.executor.pepper().hash(presented).into();
        let Some(api_key_id) = self.key_with(&secret_hash).await? else { return Ok(Err(why)) };
        // A refusal is given only on a state that was brought up to the log.
        for up_to_date in [false, true] {
            let mut session = self.executor.reading(Authority::System, up_to_date);
            match works(&mut session, api_key_id, &secret_hash).await? {
                Ok(key) => return Ok(Ok(key)),
                Err(stranger) => why = stranger,
            }
        }
        Ok(Err(why))
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
    ) -> Result<Result<Presented, Stranger>, ExecuteError> {
        let token_hash: Arc<str> = self.executor.pepper().hash(token).into();
        let presented = PresentedInvite { organization_id, invite_id, token_hash };
        let mut why =
            Stranger::because("the token is not, or not any more, that of an open invite");
        for up_to_date in [false, true] {
            let mut session = self.executor.reading(Authority::System, up_to_date);
            match session.vouch(Some(&Presented::Invite(presented.clone()))).await {
                Ok(()) => return Ok(Ok(Presented::Invite(presented))),
                Err(Refusal::Failed(error)) => return Err(*error),
                Err(_) => {}
            }
            let organization = session.read::<Organization>(organization_id).await;
            let organization = organization.map_err(Refusal::into_error)?;
            if organization.was_accepted_with(invite_id, &presented.token_hash) {
                why = Stranger::because("the invite has been accepted").told(INVITE_USED);
            }
        }
        Ok(Err(why))
    }
}

/// The key, where it accepts the secret, and its owner may still act. Whoever has the secret is told
/// why it opens nothing, where that is not of the key.
async fn works(
    session: &mut Session<'_>,
    api_key_id: ApiKeyId,
    secret_hash: &Arc<str>,
) -> Result<Result<PresentedKey, Stranger>, ExecuteError> {
    let now = clock::now();
    let key = session.read::<ApiKey>(api_key_id).await.map_err(Refusal::into_error)?;
    let usable = key.usable(now).ok().filter(|_| key.accepts(secret_hash, now));
    let Some(usable) = usable else {
        return Ok(Err(Stranger::because("the API key with this secret has ended")));
    };
    let hands = key.hands(secret_hash);
    let why = match session.acting_holder(&usable, &hands, now).await {
        Ok(Opens { scopes, rank_max }) => {
            return Ok(Ok(PresentedKey {
                api_key_id,
                organization_id: usable.organization_id(),
                secret_hash: Arc::clone(secret_hash),
                owner: usable.owner(),
                project_id: usable.project_id(),
                scopes,
                rank_max,
            }));
        }
        Err(NotActing::Refused(Refusal::Failed(error))) => return Err(*error),
        Err(why) => why,
    };
    let told = match &why {
        NotActing::Rests => RESTS,
        NotActing::KnownToFormer => KNOWN_TO_FORMER,
        NotActing::Refused(Refusal::Organization(OrganizationError::Archived)) => ARCHIVED,
        NotActing::Refused(_) => OWNER_MAY_NOT_ACT,
    };
    Ok(Err(Stranger::because(format!("the API key opens nothing: {why}")).told(told)))
}

impl CredentialRegister {
    /// The member of the organization asked about for whom the token's issuer vouches. A person who
    /// signs in is nobody elsewhere.
    async fn signed_in(
        &self,
        token: &str,
        asked: &Asked,
    ) -> Result<Result<Presented, Stranger>, Problem> {
        let Some(issuers) = &self.issuers else {
            return Ok(Err(Stranger::because("no issuer is configured whose tokens are taken")));
        };
        let Some(organization_id) = asked.organization_id else {
            let why =
                Stranger::because("an issuer's token names nobody outside of an organization");
            return Ok(Err(why.told(NO_ORGANIZATION)));
        };
        let identity = match issuers.verify(token, clock::now()).await {
            Ok(identity) => identity,
            Err(error @ SignInError::IssuerUnreachable) => {
                return Err(Problem::new(UNAVAILABLE)
                    .with_detail(format!("Nobody can sign in at the moment: {error}."))
                    .retry_after_seconds(10));
            }
            Err(error) => return Ok(Err(Stranger::because(error.to_string()))),
        };
        let mut why = Stranger::because(
            "no member has the token's address where the organization trusts its issuer",
        );
        for up_to_date in [false, true] {
            let mut session = self.executor.reading(Authority::System, up_to_date);
            let organization = session.read::<Organization>(organization_id).await;
            let organization = organization.map_err(Refusal::into_error)?;
            let member_id = organization.signed_in(&identity.issuer, &identity.email);
            if member_id.is_some_and(|id| organization.member_rests(id, clock::now())) {
                why = Stranger::because("the member rests until a review").told(RESTS);
            } else if let Some(member_id) = member_id {
                return Ok(Ok(Presented::SignedIn(SignedIn {
                    issuer: Arc::clone(&identity.issuer),
                    email: identity.email.as_str().into(),
                    organization_id,
                    member_id,
                    expires_at: identity.expires_at,
                })));
            }
        }
        Ok(Err(why))
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
