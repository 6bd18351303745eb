//! What each role allows: the one table of roles and permissions. A role in the organization allows
//! it everywhere in the organization, a role in a project within that project.

use event_schemas::{OrganizationRole, Permission, ProjectRole};

/// Whether a role in the organization allows something everywhere in it.
pub const fn organization_role_allows(role: OrganizationRole, permission: Permission) -> bool {
    use OrganizationRole::{Admin, Auditor, Billing, Owner, Reader};
    match permission {
        Permission::OrganizationRead => true,
        Permission::MembersRead | Permission::ProjectsRead | Permission::UsageRead => {
            matches!(role, Owner | Admin | Billing | Reader | Auditor)
        }
        Permission::ServiceAccountsRead | Permission::ApiKeysRead => {
            matches!(role, Owner | Admin | Reader | Auditor)
        }
        Permission::CreditsRead => matches!(role, Owner | Admin | Billing | Reader | Auditor),
        Permission::CreditsUpdate => matches!(role, Owner | Billing),
        Permission::OrganizationUpdate
        | Permission::MembersInvite
        | Permission::MembersUpdate
        | Permission::MembersRemove
        | Permission::ProjectsCreate
        | Permission::ProjectsUpdate
        | Permission::ProjectsArchive
        | Permission::ProjectMembersUpdate
        | Permission::ServiceAccountsUpdate
        | Permission::ApiKeysOwn
        | Permission::ApiKeysUpdate
        | Permission::UsageRecord => matches!(role, Owner | Admin),
        Permission::OrganizationArchive => matches!(role, Owner),
    }
}

/// Whether a role in a project allows something within it.
pub const fn project_role_allows(role: ProjectRole, permission: Permission) -> bool {
    use ProjectRole::{Member, Owner};
    match permission {
        Permission::ProjectsRead | Permission::ServiceAccountsRead | Permission::UsageRead => true,
        Permission::ApiKeysOwn | Permission::UsageRecord => matches!(role, Owner | Member),
        Permission::ProjectsUpdate
        | Permission::ProjectMembersUpdate
        | Permission::ServiceAccountsUpdate
        | Permission::ApiKeysRead
        | Permission::ApiKeysUpdate => matches!(role, Owner),
        Permission::OrganizationRead
        | Permission::OrganizationUpdate
        | Permission::OrganizationArchive
        | Permission::MembersRead
        | Permission::MembersInvite
        | Permission::MembersUpdate
        | Permission::MembersRemove
        | Permission::ProjectsCreate
        | Permission::ProjectsArchive
        | Permission::CreditsRead
        | Permission::CreditsUpdate => false,
    }
}

/// Whether a service account may do something in its project: it reads, and records what was used.
pub const fn service_account_may(permission: Permission) -> bool {
    matches!(
        permission,
        Permission::ProjectsRead
            | Permission::ServiceAccountsRead
            | Permission::UsageRead
            | Permission::UsageRecord
    )
}

/// Whether a permission can be granted within a project at all.
pub fn is_of_projects(permission: Permission) -> bool {
    ProjectRole::ALL.iter().any(|role| project_role_allows(*role, permission))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORGANIZATION: &[OrganizationRole] = OrganizationRole::ALL;

    fn changes(permission: Permission) -> bool {
        permission.as_str().rsplit_once('.').is_none_or(|(_, verb)| verb != "read")
    }

    #[test]
    fn readers_and_auditors_change_nothing() {
        for permission in Permission::ALL.iter().copied().filter(|p| changes(*p)) {
            for role in [OrganizationRole::Reader, OrganizationRole::Auditor] {
                assert!(!organization_role_allows(role, permission), "{role} {permission}");
            }
            assert!(!project_role_allows(ProjectRole::Reader, permission), "{permission}");
        }
    }

    #[test]
    fn an_owner_may_everything_and_an_admin_all_but_closing_and_billing() {
        for permission in Permission::ALL.iter().copied() {
            assert!(organization_role_allows(OrganizationRole::Owner, permission), "{permission}");
            let not_admins = [Permission::OrganizationArchive, Permission::CreditsUpdate];
            assert_eq!(
                organization_role_allows(OrganizationRole::Admin, permission),
                !not_admins.contains(&permission),
                "{permission}"
            );
        }
    }

    #[test]
    fn only_owners_and_billing_touch_credits() {
        let who: Vec<_> = ORGANIZATION
            .iter()
            .filter(|role| organization_role_allows(**role, Permission::CreditsUpdate))
            .collect();
        assert_eq!(who, [&OrganizationRole::Owner, &OrganizationRole::Billing]);
        assert!(!is_of_projects(Permission::CreditsUpdate));
    }

    #[test]
    fn a_plain_member_sees_only_that_the_organization_is_there() {
        let allowed: Vec<_> = Permission::ALL
            .iter()
            .filter(|p| organization_role_allows(OrganizationRole::Member, **p))
            .collect();
        assert_eq!(allowed, [&Permission::OrganizationRead]);
    }

    #[test]
    fn a_higher_project_role_allows_what_a_lower_one_does() {
        for permission in Permission::ALL.iter().copied() {
            let [owner, member, reader] =
                [ProjectRole::Owner, ProjectRole::Member, ProjectRole::Reader]
                    .map(|role| project_role_allows(role, permission));
            assert!(owner >= member && member >= reader, "{permission}");
        }
    }
}
