//! Events of an approval: something sensitive that waits for a second person.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::stream_events;
use crate::{
    ApprovalId, ExportId, MemberId, OrganizationId, OrganizationRole, SecuritySettings,
    SensitiveAction,
};

/// What was asked for, to be done once a second person approves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum SensitiveRequest {
    /// Change a member's role to owner.
    ChangeMemberRole {
        /// The member.
        member_id: MemberId,
        /// The role.
        role: OrganizationRole,
    },
    /// Hand ownership over to another member.
    TransferOwnership {
        /// Who becomes an owner.
        member_id: MemberId,
    },
    /// Replace the security settings.
    ReplaceSecuritySettings {
        /// The settings.
        security: SecuritySettings,
        /// The settings that stood when it was asked for; unknown of what was asked for earlier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<SecuritySettings>,
    },
    /// Close the organization for good.
    ArchiveOrganization {},
    /// Export what is known of a member.
    ExportPersonalData {
        /// The member.
        member_id: MemberId,
        /// The export that is granted with the approval.
        export_id: ExportId,
        /// Who may read it.
        granted_to: MemberId,
    },
    /// Erase a person who was a member.
    ErasePersonalData {
        /// The former membership.
        member_id: MemberId,
        /// Why.
        reason: Option<String>,
    },
}

impl SensitiveRequest {
    /// The action that needs approval.
    pub fn action(&self) -> SensitiveAction {
        match self {
            Self::ChangeMemberRole { .. } | Self::TransferOwnership { .. } => {
                SensitiveAction::GrantOwner
            }
            Self::ReplaceSecuritySettings { .. } => SensitiveAction::UpdateSecurity,
            Self::ArchiveOrganization {} => SensitiveAction::ArchiveOrganization,
            Self::ExportPersonalData { .. } => SensitiveAction::ExportPersonalData,
            Self::ErasePersonalData { .. } => SensitiveAction::ErasePersonalData,
        }
    }
}

stream_events! {
    /// What happens to an approval.
    ApprovalEvent on "approval" {
        /// A member asked for something that needs a second person.
        Requested = "approval.requested" "1" {
            /// Its id.
            approval_id: ApprovalId,
            /// The organization.
            organization_id: OrganizationId,
            /// What is asked for.
            request: SensitiveRequest,
            /// Who asks.
            requested_by: MemberId,
            /// Until when it can be approved.
            expires_at: DateTime<Utc>,
        }
        /// A second person approved it; what was asked for was done with it.
        Approved = "approval.approved" "1" {
            /// Who.
            approved_by: MemberId,
        }
        /// A second person declined it.
        Declined = "approval.declined" "1" {
            /// Who.
            declined_by: MemberId,
            /// Why.
            reason: Option<String>,
        }
        /// Who asked took it back.
        Withdrawn = "approval.withdrawn" "1" {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_before_it_was_kept_what_it_replaces_is_read() {
        let security = serde_json::json!({"identity_provider": null, "approvals": []});
        let earlier = serde_json::json!({"command": "replace_security_settings",
            "security": security});
        let request = serde_json::from_value(earlier.clone()).expect("it is read");
        let security = SecuritySettings { identity_provider: None, approvals: vec![] };
        let expected = SensitiveRequest::ReplaceSecuritySettings { security, replaces: None };
        assert_eq!(expected, request);
        assert_eq!(serde_json::to_value(&expected).expect("it is written"), earlier);
    }
}
