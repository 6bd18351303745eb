//! What a line's access is, as columns.

use event_schemas::{Grantee, HeldAccess, KeyOwner};
use uuid::Uuid;

/// A line's access in the columns of `access_review_lines`.
#[derive(Default)]
pub(super) struct HeldColumns {
    pub(super) kind: &'static str,
    pub(super) holder_kind: &'static str,
    pub(super) holder_id: Uuid,
    pub(super) project_id: Option<Uuid>,
    pub(super) group_id: Option<Uuid>,
    pub(super) role_id: Option<Uuid>,
    pub(super) api_key_id: Option<Uuid>,
}

impl HeldColumns {
    pub(super) fn of(held: &HeldAccess) -> Self {
        match *held {
            HeldAccess::MemberRole { member_id, role: _ } => {
                Self { kind: "member_role", ..Self::held_by(Grantee::Member { member_id }) }
            }
            HeldAccess::ProjectRole { project_id, holder, role: _ } => Self {
                kind: "project_role",
                project_id: Some(project_id.0),
                ..Self::held_by(holder)
            },
            HeldAccess::GroupMembership { group_id, member_id, role: _ } => Self {
                kind: "group_membership",
                group_id: Some(group_id.0),
                ..Self::held_by(Grantee::Member { member_id })
            },
            HeldAccess::RoleGrant { role_id, grantee, project_id, permissions: _ } => Self {
                kind: "role_grant",
                role_id: Some(role_id.0),
                project_id: project_id.map(|id| id.0),
                ..Self::held_by(grantee)
            },
            HeldAccess::ApiKey { api_key_id, owner, project_id, scopes: _ } => {
                let (holder_kind, holder_id) = match owner {
                    KeyOwner::Member { member_id } => ("member", member_id.0),
                    KeyOwner::ServiceAccount { service_account_id } => {
                        ("service_account", service_account_id.0)
                    }
                };
                Self {
                    kind: "api_key",
                    holder_kind,
                    holder_id,
                    api_key_id: Some(api_key_id.0),
                    project_id: project_id.map(|id| id.0),
                    ..Self::default()
                }
            }
        }
    }

    fn held_by(holder: Grantee) -> Self {
        let (holder_kind, holder_id) = match holder {
            Grantee::Member { member_id } => ("member", member_id.0),
            Grantee::Group { group_id } => ("group", group_id.0),
        };
        Self { holder_kind, holder_id, ..Self::default() }
    }
}
