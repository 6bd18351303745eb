//! Whether a credential still counts. It was known when the request came in; what is decided rests
//! on states that may be newer, and the append names them.

use api_conventions::authentication::{Presented, PresentedInvite, PresentedKey, SignedIn};
use api_conventions::sign_in::has_expired;
use chrono::{DateTime, Utc};
use domain::api_key::{ApiKey, Hands, UsableKey};
use domain::organization::Organization;
use domain::project::Project;
use domain::service_account::ServiceAccount;
use event_schemas::{KeyOwner, OrganizationId, PermissionSet};

use crate::execute::Session;
use crate::refusal::Refusal;

/// Why a secret that a key accepts opens nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotActing {
    /// It, or whose it is, came in by an access of the operator that is over and not reviewed.
    #[error("it rests until an access of the operator was reviewed")]
    Rests,
    /// Another was shown it who may not act.
    #[error("another was shown its secret, who may not act")]
    KnownToFormer,
    /// Its owner may not act.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// How far a key opens what its owner may do.
pub(crate) struct Opens {
    /// What it is limited to; none where to nothing.
    pub(crate) scopes: Option<PermissionSet>,
    /// How far up it reaches at most.
    pub(crate) rank_max: Option<u8>,
}

impl Opens {
    /// Limits it to what somebody may do.
    fn limit(&mut self, may: PermissionSet, rank: u8) {
        let all = PermissionSet::that(|_| true);
        // One who may do all is no limit, and a key without one can be used for its owner's leaving.
        if may != all {
            self.scopes = Some(self.scopes.map_or(may, |scopes| scopes.intersection(may)));
        }
        self.rank_max = Some(self.rank_max.map_or(rank, |rank_max| rank_max.min(rank)));
    }

    /// Whether it opens all that it did when it was presented: whoever else knows the secret may do
    /// less since.
    fn covers(&self, presented: &PresentedKey) -> bool {
        let all = PermissionSet::that(|_| true);
        let (now, then) = (self.scopes.unwrap_or(all), presented.scopes.unwrap_or(all));
        let rank = |rank_max: Option<u8>| rank_max.unwrap_or(u8::MAX);
        then.without(now).is_empty() && rank(presented.rank_max) <= rank(self.rank_max)
    }
}

impl Session<'_> {
    /// Refuses where what was presented counts no more, or whoever it stands for may not act.
    pub async fn vouch(&mut self, presented: Option<&Presented>) -> Result<(), Refusal> {
        self.presents(presented);
        match presented {
            None => Ok(()),
            Some(Presented::ApiKey(key)) => self.vouch_for_key(key).await,
            Some(Presented::SignedIn(signed_in)) => self.vouch_for_signed_in(signed_in).await,
            Some(Presented::Invite(invite)) => self.vouch_for_invite(invite).await,
        }
    }

    async fn vouch_for_key(&mut self, presented: &PresentedKey) -> Result<(), Refusal> {
        // The time of this decision and not of the request's arrival, which may lie before a rotation
        // that is decided on here: a secret that has ended does not count for who came in earlier.
        let now = event_log::clock::now();
        let key = self.read::<ApiKey>(presented.api_key_id).await?;
        if !key.accepts(&presented.secret_hash, now) {
            return Err(Refusal::CredentialEnded);
        }
        let usable = key.usable(now).map_err(|_| Refusal::CredentialEnded)?;
        let hands = key.hands(&presented.secret_hash);
        match self.acting_holder(&usable, &hands, now).await {
            // Whoever else knows the secret may do less than when it was presented: so does it.
            Ok(opens) if opens.covers(presented) => Ok(()),
            Err(NotActing::Refused(Refusal::Failed(error))) => Err(Refusal::Failed(error)),
            Ok(_) | Err(_) => Err(Refusal::CredentialEnded),
        }
    }

    async fn vouch_for_signed_in(&mut self, signed_in: &SignedIn) -> Result<(), Refusal> {
        if has_expired(signed_in.expires_at, self.now()) {
            return Err(Refusal::CredentialEnded);
        }
        let organization = self.read::<Organization>(signed_in.organization_id).await?;
        let member_id = organization.signed_in(&signed_in.issuer, &signed_in.email);
        let rests = organization.member_rests(signed_in.member_id, event_log::clock::now());
        if member_id == Some(signed_in.member_id) && !rests {
            Ok(())
        } else {
            Err(Refusal::CredentialEnded)
        }
    }

    async fn vouch_for_invite(&mut self, presented: &PresentedInvite) -> Result<(), Refusal> {
        let now = self.now();
        let organization = self.read::<Organization>(presented.organization_id).await?;
        let counts = organization.invite(presented.invite_id).is_some_and(|invite| {
            !invite.has_expired(now) && invite.token_hash.as_deref() == Some(&*presented.token_hash)
        });
        if counts { Ok(()) } else { Err(Refusal::CredentialEnded) }
    }

    /// What a key opens with a secret, of what its owner may do: what its scopes allow, and everybody
    /// else may do who was shown the secret. Refused where its owner or one of those may not act, or its
    /// project is closed, and while one of them or the secret rests until an access of the operator was reviewed.
    pub(crate) async fn acting_holder(
        &mut self,
        key: &UsableKey,
        hands: &Hands,
        now: DateTime<Utc>,
    ) -> Result<Opens, NotActing> {
        let (organization_id, owner) = (key.organization_id(), key.owner());
        self.acting_owner(organization_id, owner).await?;
        if let Some(project_id) = key.project_id() {
            self.open_project(organization_id, project_id).await?;
        }
        let organization = self.read::<Organization>(organization_id).await?;
        let owner_rests = match owner {
            KeyOwner::Member { member_id } => organization.member_rests(member_id, now),
            KeyOwner::ServiceAccount { .. } => false,
        };
        let secret_rests =
            hands.break_glass_id.is_some_and(|id| organization.access_rests(id, now));
        let known_to_one_who_rests =
            hands.shown_to.iter().any(|member_id| organization.member_rests(*member_id, now));
        if owner_rests || secret_rests || known_to_one_who_rests {
            return Err(NotActing::Rests);
        }
        let mut opens = Opens { scopes: key.scopes(), rank_max: None };
        for member_id in &hands.shown_to {
            let organization = self.read::<Organization>(organization_id).await?;
            let access = organization.access_of(*member_id).ok_or(NotActing::KnownToFormer)?;
            let may = match key.project_id() {
                Some(project_id) => {
                    access.in_project(project_id, self.read::<Project>(project_id).await?)
                }
                None => access.organization,
            };
            opens.limit(may, access.rank);
        }
        Ok(opens)
    }

    /// That the owner of a key may act in the organization.
    pub(crate) async fn acting_owner(
        &mut self,
        organization_id: OrganizationId,
        owner: KeyOwner,
    ) -> Result<(), Refusal> {
        match owner {
            KeyOwner::Member { member_id } => {
                self.active_member(organization_id, member_id).await?;
            }
            KeyOwner::ServiceAccount { service_account_id } => {
                self.open_organization(organization_id).await?;
                self.active_service_account(organization_id, service_account_id).await?;
                let account = self.read::<ServiceAccount>(service_account_id).await?;
                if let Some(project_id) = account.project_id() {
                    self.open_project(organization_id, project_id).await?;
                }
            }
        }
        Ok(())
    }
}
