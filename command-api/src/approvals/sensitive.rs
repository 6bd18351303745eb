//! What is sensitive: done at once, or put before a second person.

use chrono::Duration;
use domain::Decider as _;
use domain::approval::{Approval, ApprovalCommand, ApprovalError};
use domain::organization::{
    ActiveMember, Authority, Organization, OrganizationCommand, OrganizationError, needs_approval,
};
use event_schemas::{
    ApprovalId, MemberId, OrganizationId, OrganizationRole, Permission, SensitiveRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::Session;
use crate::organizations::archive::archive;
use crate::personal_data::{erase_former_member, grant_export};
use crate::refusal::Refusal;

/// How long a second person has to approve.
const APPROVABLE_FOR: Duration = Duration::days(7);

/// What became of a sensitive command: done, or waiting for a second person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sensitive {
    /// The approval that it waits for; null where it is done.
    pub approval_id: Option<ApprovalId>,
}

impl Session<'_> {
    /// The member who asks, as evidence.
    pub(crate) async fn asking_member(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<ActiveMember, Refusal> {
        match self.authority().member_id() {
            Some(member_id) => self.active_member(organization_id, member_id).await,
            None => Err(OrganizationError::SecondPersonNeeded.into()),
        }
    }

    /// Does what is sensitive, or puts it before a second person where the organization wants that.
    pub(crate) async fn do_sensitive(
        &mut self,
        organization_id: OrganizationId,
        request: SensitiveRequest,
    ) -> Result<Sensitive, Refusal> {
        let authority = self.authority();
        let security = self.read::<Organization>(organization_id).await?.security();
        // What is imported has happened elsewhere; to an emergency, two people have agreed already.
        let settled = matches!(authority, Authority::System | Authority::Operator);
        if settled || !needs_approval(&security, request.action()) {
            self.do_it(organization_id, authority, &request).await?;
            return Ok(Sensitive { approval_id: None });
        }
        // What would be refused is refused now, and not by the second person.
        self.would_do(organization_id, authority, &request).await?;
        let by = self.asking_member(organization_id).await?;
        self.in_own_hands(organization_id).await?;
        let approval_id: ApprovalId = self.new_id();
        let expires_at = self.now() + APPROVABLE_FOR;
        let ask = ApprovalCommand::Request { approval_id, request, by, expires_at };
        self.expects::<Organization>(organization_id).await?;
        self.begin::<Approval>(approval_id, ask)?;
        Ok(Sensitive { approval_id: Some(approval_id) })
    }

    /// Refuses who could not do it, without doing it.
    pub(crate) async fn would_do(
        &mut self,
        organization_id: OrganizationId,
        by: Authority,
        request: &SensitiveRequest,
    ) -> Result<(), Refusal> {
        let organization = self.read::<Organization>(organization_id).await?;
        // To hand ownership over is to make somebody an owner; that it is one's own stays with who
        // asks.
        let as_much = match request {
            SensitiveRequest::TransferOwnership { member_id } => {
                let (member_id, role) = (*member_id, OrganizationRole::Owner);
                OrganizationCommand::ChangeMemberRole { by, member_id, role }
            }
            SensitiveRequest::ErasePersonalData { member_id, reason: _ } => {
                organization.erasable_member(*member_id)?;
                return Ok(());
            }
            SensitiveRequest::ChangeMemberRole { .. }
            | SensitiveRequest::ReplaceSecuritySettings { .. }
            | SensitiveRequest::ArchiveOrganization {}
            | SensitiveRequest::ExportPersonalData { .. } => match command(by, request) {
                Some(command) => command,
                None => return Ok(()),
            },
        };
        organization.decide(as_much)?;
        Ok(())
    }

    /// Does it in somebody's name.
    pub(crate) async fn do_it(
        &mut self,
        organization_id: OrganizationId,
        by: Authority,
        request: &SensitiveRequest,
    ) -> Result<(), Refusal> {
        if let SensitiveRequest::ErasePersonalData { member_id, reason } = request {
            return erase_former_member(self, organization_id, *member_id, reason.as_deref()).await;
        }
        if let SensitiveRequest::ExportPersonalData { member_id, export_id, granted_to } = request {
            return grant_export(self, organization_id, *member_id, *export_id, *granted_to).await;
        }
        if *request == (SensitiveRequest::ArchiveOrganization {}) {
            return archive(self, organization_id).await;
        }
        let raised = match request {
            SensitiveRequest::ChangeMemberRole { member_id, role } => Some((*member_id, *role)),
            SensitiveRequest::TransferOwnership { member_id } => {
                Some((*member_id, OrganizationRole::Owner))
            }
            SensitiveRequest::ReplaceSecuritySettings { .. }
            | SensitiveRequest::ArchiveOrganization {}
            | SensitiveRequest::ExportPersonalData { .. }
            | SensitiveRequest::ErasePersonalData { .. } => None,
        };
        let raised = match raised {
            Some((member_id, role)) if self.raises(organization_id, member_id, role).await? => {
                Some(member_id)
            }
            Some(_) | None => None,
        };
        if let Some(command) = command(by, request) {
            self.execute::<Organization>(organization_id, command).await?;
        }
        if let Some(member_id) = raised {
            self.takes_in(organization_id, member_id).await?;
        }
        Ok(())
    }

    /// Refuses what somebody has asked for who may not do it any more.
    pub(crate) async fn still_may(
        &mut self,
        organization_id: OrganizationId,
        requested_by: MemberId,
        request: &SensitiveRequest,
    ) -> Result<(), Refusal> {
        let organization = self.read::<Organization>(organization_id).await?;
        let access = organization.access_of(requested_by);
        let may = access.is_some_and(|access| access.organization.contains(permission(request)));
        if may { Ok(()) } else { Err(ApprovalError::AskerMayNot.into()) }
    }

    /// Refuses what would overwrite something that was changed since it was asked for.
    pub(crate) async fn still_replaces(
        &mut self,
        organization_id: OrganizationId,
        request: &SensitiveRequest,
    ) -> Result<(), Refusal> {
        let SensitiveRequest::ReplaceSecuritySettings { replaces: Some(replaces), .. } = request
        else {
            return Ok(());
        };
        let organization = self.read::<Organization>(organization_id).await?;
        if organization.security() == *replaces {
            return Ok(());
        }
        Err(ApprovalError::Overtaken.into())
    }
}

/// What it takes to do it.
pub(super) fn permission(request: &SensitiveRequest) -> Permission {
    match request {
        SensitiveRequest::ChangeMemberRole { .. } | SensitiveRequest::TransferOwnership { .. } => {
            Permission::MembersUpdate
        }
        SensitiveRequest::ReplaceSecuritySettings { .. } => Permission::SecurityUpdate,
        SensitiveRequest::ArchiveOrganization {} => Permission::OrganizationArchive,
        SensitiveRequest::ExportPersonalData { .. } => Permission::PersonalDataExport,
        SensitiveRequest::ErasePersonalData { .. } => Permission::PersonalDataErase,
    }
}

/// The command that a request is to the organization itself.
fn command(by: Authority, request: &SensitiveRequest) -> Option<OrganizationCommand> {
    match request {
        SensitiveRequest::ChangeMemberRole { member_id, role } => {
            Some(OrganizationCommand::ChangeMemberRole { by, member_id: *member_id, role: *role })
        }
        SensitiveRequest::TransferOwnership { member_id } => {
            Some(OrganizationCommand::TransferOwnership { by, member_id: *member_id })
        }
        SensitiveRequest::ReplaceSecuritySettings { security, replaces: _ } => {
            Some(OrganizationCommand::ChangeSecurity { by, security: security.clone() })
        }
        SensitiveRequest::ArchiveOrganization {}
        | SensitiveRequest::ExportPersonalData { .. }
        | SensitiveRequest::ErasePersonalData { .. } => None,
    }
}
