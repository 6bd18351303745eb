//! Whose hands a credential has been in. One person must not be two by having made a key for the other,
//! and what is made under the operator's access must not outlive its review.

use api_conventions::authentication::Presented;
use domain::api_key::{ApiKey, ApiKeyCommand, Hands};
use domain::organization::{
    Authority, BreakGlassCommand, Organization, OrganizationCommand, OrganizationError,
};
use event_schemas::permission::is_of_emergencies;
use event_schemas::{
    ApiKeyId, BreakGlassId, InviteId, KeyOwner, MemberId, OrganizationId, OrganizationRole,
    Permission,
};

use crate::execute::Session;
use crate::refusal::Refusal;

impl Session<'_> {
    /// Whose hands the credential has been in that is asked with, and the operator's access that it
    /// goes back to, as long as nobody has reviewed that.
    pub(crate) async fn hands(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<Hands, Refusal> {
        let authority = self.authority();
        if authority == Authority::Operator {
            let (operator, now) = (self.actor_name(), self.now());
            let organization = self.read::<Organization>(organization_id).await?;
            let break_glass_id = organization.access_open_to(&operator, now);
            return Ok(Hands { shared: true, shown_to: Vec::new(), break_glass_id });
        }
        let presented = match self.presented() {
            Some(Presented::ApiKey(key)) => Some((key.api_key_id, key.secret_hash.clone())),
            Some(Presented::SignedIn(_) | Presented::Invite(_)) | None => None,
        };
        let secret = match presented {
            Some((api_key_id, hash)) => self.read::<ApiKey>(api_key_id).await?.hands(&hash),
            None => Hands::default(),
        };
        let organization = self.read::<Organization>(organization_id).await?;
        let own = secret.break_glass_id.filter(|id| organization.awaits_review(*id));
        let owners = authority.member_id().and_then(|id| organization.taken_in_by(id));
        Ok(Hands { break_glass_id: own.or(owners), ..secret })
    }

    /// Refuses a credential that somebody else than its owner can know, where a second person counts.
    pub(crate) async fn in_own_hands(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let hands = self.hands(organization_id).await?;
        if hands.shared || hands.break_glass_id.is_some() {
            return Err(Refusal::SharedCredential);
        }
        Ok(())
    }

    /// Refuses what no emergency needs, to whoever asks under the operator's access.
    pub(crate) async fn of_emergencies(
        &mut self,
        organization_id: OrganizationId,
        permission: Permission,
    ) -> Result<(), Refusal> {
        if is_of_emergencies(permission) || self.access_used(organization_id).await?.is_none() {
            return Ok(());
        }
        Err(Refusal::NotOfEmergencies { permission })
    }

    /// The operator's access under which is asked.
    async fn access_used(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<Option<BreakGlassId>, Refusal> {
        match self.authority() {
            Authority::System | Authority::Invited(_) | Authority::Nobody => Ok(None),
            Authority::Operator | Authority::Member(_) | Authority::ApiKey { .. } => {
                Ok(self.hands(organization_id).await?.break_glass_id)
            }
        }
    }

    /// Records whose hands the secret has been in that a key has just got.
    pub(crate) async fn hands_out(
        &mut self,
        organization_id: OrganizationId,
        api_key_id: ApiKeyId,
    ) -> Result<(), Refusal> {
        if self.authority() == Authority::System {
            return Ok(());
        }
        let Hands { shared, mut shown_to, break_glass_id } = self.hands(organization_id).await?;
        let asks = self.authority().member_id();
        let shared = match self.read::<ApiKey>(api_key_id).await?.owner() {
            Some(KeyOwner::Member { member_id }) => {
                shown_to.extend(asks);
                shown_to.retain(|known| *known != member_id);
                shown_to.sort_unstable();
                shown_to.dedup();
                shared || asks != Some(member_id)
            }
            // It is a program's: whoever set it up knows it, and it opens no more than it did.
            Some(KeyOwner::ServiceAccount { .. }) | None => {
                shown_to.clear();
                false
            }
        };
        let hands = Hands { shared: shared || break_glass_id.is_some(), shown_to, break_glass_id };
        self.execute::<ApiKey>(api_key_id, ApiKeyCommand::ShareSecret { hands }).await?;
        Ok(())
    }

    /// Records that a member came in, was given back or given more, where that is by the operator's
    /// access.
    pub(crate) async fn takes_in(
        &mut self,
        organization_id: OrganizationId,
        member_id: MemberId,
    ) -> Result<(), Refusal> {
        let Some(break_glass_id) = self.access_used(organization_id).await? else { return Ok(()) };
        let command = BreakGlassCommand::TakeIn { break_glass_id, member_id };
        let command = OrganizationCommand::BreakGlass(command);
        self.execute::<Organization>(organization_id, command).await?;
        Ok(())
    }

    /// Records that an invite was sent, where that is by the operator's access, or with a secret that
    /// others have been shown: they may have done it.
    pub(crate) async fn invites(
        &mut self,
        organization_id: OrganizationId,
        invite_id: InviteId,
    ) -> Result<(), Refusal> {
        if let Authority::Member(_) | Authority::ApiKey { .. } = self.authority() {
            let shown_to = self.hands(organization_id).await?.shown_to;
            if !shown_to.is_empty() {
                let command = OrganizationCommand::ShareInviteToken { invite_id, shown_to };
                self.execute::<Organization>(organization_id, command).await?;
            }
        }
        let Some(break_glass_id) = self.access_used(organization_id).await? else { return Ok(()) };
        let command = BreakGlassCommand::Invite { break_glass_id, invite_id };
        let command = OrganizationCommand::BreakGlass(command);
        self.execute::<Organization>(organization_id, command).await?;
        Ok(())
    }

    /// Whether a role allows a member more than the one that they have.
    pub(crate) async fn raises(
        &mut self,
        organization_id: OrganizationId,
        member_id: MemberId,
        role: OrganizationRole,
    ) -> Result<bool, Refusal> {
        let organization = self.read::<Organization>(organization_id).await?;
        let present = organization.present_member(member_id);
        let present = present.ok_or(OrganizationError::MemberNotFound(member_id))?;
        Ok(!present.role.permissions().covers(role.permissions()))
    }
}
