//! Whether a credential still counts. It was known when the request came in; what is decided rests
//! on states that may be newer, and the append names them.

use api_conventions::authentication::{Presented, PresentedInvite, PresentedKey, SignedIn};
use api_conventions::sign_in::has_expired;
use chrono::{DateTime, Utc};
use domain::api_key::{ApiKey, Hands};
use domain::organization::Organization;
use event_schemas::{KeyOwner, OrganizationId};

use crate::execute::Session;
use crate::refusal::Refusal;

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
        let organization_id =
            key.organization_id().filter(|_| key.accepts(&presented.secret_hash, now));
        let organization_id = organization_id.ok_or(Refusal::CredentialEnded)?;
        let hands = self.read::<ApiKey>(presented.api_key_id).await?.hands(&presented.secret_hash);
        match self.acting_holder(organization_id, presented.owner, hands, now).await {
            Ok(()) => Ok(()),
            Err(Refusal::Failed(error)) => Err(Refusal::Failed(error)),
            Err(_) => Err(Refusal::CredentialEnded),
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

    /// That the owner of a key may act in the organization, and that neither they nor the secret rest
    /// until an access of the operator was reviewed.
    pub(crate) async fn acting_holder(
        &mut self,
        organization_id: OrganizationId,
        owner: KeyOwner,
        hands: Hands,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        self.acting_owner(organization_id, owner).await?;
        let organization = self.read::<Organization>(organization_id).await?;
        let owner_rests = match owner {
            KeyOwner::Member { member_id } => organization.member_rests(member_id, now),
            KeyOwner::ServiceAccount { .. } => false,
        };
        let secret_rests =
            hands.break_glass_id.is_some_and(|id| organization.access_rests(id, now));
        if owner_rests || secret_rests { Err(Refusal::CredentialEnded) } else { Ok(()) }
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
            }
        }
        Ok(())
    }
}
