//! Permissions, and what each role allows: the one table of roles and permissions. A role in the
//! organization allows it everywhere in the organization, a role in a project within that project.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::roles::words;
use crate::{OrganizationRole, ProjectRole};

words! {
    /// One thing that somebody may do. Each is granted in the whole organization or in a project.
    Permission, "a permission" {
        /// See the organization's profile and settings.
        OrganizationRead = "organization.read",
        /// Change the organization's profile.
        OrganizationUpdate = "organization.update",
        /// Change the organization's settings: default roles, invite domains, rules for API keys.
        SettingsUpdate = "settings.update",
        /// Change who vouches for people signing in, and what needs a second person's approval.
        SecurityUpdate = "security.update",
        /// Close the organization for good.
        OrganizationArchive = "organization.archive",
        /// See who is in the organization and who is invited, with roles and groups.
        MembersRead = "members.read",
        /// Invite people, send invites again, and take them back.
        MembersInvite = "members.invite",
        /// Add, rename, suspend and reinstate members, and change their roles.
        MembersUpdate = "members.update",
        /// Take members out.
        MembersRemove = "members.remove",
        /// Define custom roles, and grant and withdraw them.
        RolesUpdate = "roles.update",
        /// Make groups, and say who is in them and what they may do.
        GroupsUpdate = "groups.update",
        /// See projects and who is in them.
        ProjectsRead = "projects.read",
        /// Create projects.
        ProjectsCreate = "projects.create",
        /// Rename projects, and move them to another stage.
        ProjectsUpdate = "projects.update",
        /// Close projects for good.
        ProjectsArchive = "projects.archive",
        /// Put members and groups into projects, with a role, and take them out.
        ProjectMembersUpdate = "project_members.update",
        /// See service accounts.
        ServiceAccountsRead = "service_accounts.read",
        /// Create, disable and remove service accounts.
        ServiceAccountsUpdate = "service_accounts.update",
        /// See everybody's API keys, without their secrets.
        ApiKeysRead = "api_keys.read",
        /// Create API keys of one's own, and rename, rotate and revoke them.
        ApiKeysOwn = "api_keys.own",
        /// Create, rename, rotate and revoke anybody's API keys.
        ApiKeysUpdate = "api_keys.update",
        /// See credits and their movements.
        CreditsRead = "credits.read",
        /// Buy, grant, refund and transfer credits, and say what happens when they run out.
        CreditsUpdate = "credits.update",
        /// Set, change and remove budgets.
        BudgetsUpdate = "budgets.update",
        /// Set the organization's own prices, and what comes on top of those of all; price recorded usage
        /// again.
        PricesUpdate = "prices.update",
        /// See where events are sent to, and what became of them.
        WebhooksRead = "webhooks.read",
        /// Say where the organization's events are sent to, and send them again.
        WebhooksUpdate = "webhooks.update",
        /// See usage and cost, and budgets.
        UsageRead = "usage.read",
        /// Record usage.
        UsageRecord = "usage.record",
        /// See refused commands, approvals, break-glass access, access reviews and why somebody may
        /// do something.
        AuditRead = "audit.read",
        /// Open access reviews, attest their lines, and close them.
        AccessReviewsUpdate = "access_reviews.update",
        /// Approve and decline what needs a second person.
        ApprovalsDecide = "approvals.decide",
        /// Approve, decline, end and review the operator's break-glass access.
        BreakGlassDecide = "break_glass.decide",
        /// Export what is known of a person.
        PersonalDataExport = "personal_data.export",
        /// Erase a person for good.
        PersonalDataErase = "personal_data.erase",
    }
}

/// Permissions, as a set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// No permission.
    pub const NONE: Self = Self(0);

    /// Those for which `allows` holds.
    pub fn that(allows: impl Fn(Permission) -> bool) -> Self {
        Permission::ALL.iter().copied().filter(|permission| allows(*permission)).collect()
    }

    const fn bit(permission: Permission) -> u64 {
        1 << permission as u32
    }

    /// Whether it is one of them.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    /// Whether all of the other's are among them.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Those of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that the other has not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Each of them, in the list's order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, |set, one| Self(set.0 | Self::bit(one)))
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

/// As the list of its words.
impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl JsonSchema for PermissionSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PermissionSet".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let permission = generator.subschema_for::<Permission>();
        schemars::json_schema!({ "type": "array", "items": permission, "uniqueItems": true })
    }
}

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
        Permission::AuditRead | Permission::WebhooksRead => {
            matches!(role, Owner | Admin | Auditor)
        }
        Permission::CreditsRead => matches!(role, Owner | Admin | Billing | Reader | Auditor),
        Permission::BudgetsUpdate => matches!(role, Owner | Admin | Billing),
        Permission::CreditsUpdate | Permission::PricesUpdate => matches!(role, Owner | Billing),
        Permission::OrganizationUpdate
        | Permission::SettingsUpdate
        | Permission::MembersInvite
        | Permission::MembersUpdate
        | Permission::MembersRemove
        | Permission::RolesUpdate
        | Permission::GroupsUpdate
        | Permission::ProjectsCreate
        | Permission::ProjectsUpdate
        | Permission::ProjectsArchive
        | Permission::ProjectMembersUpdate
        | Permission::ServiceAccountsUpdate
        | Permission::ApiKeysOwn
        | Permission::ApiKeysUpdate
        | Permission::UsageRecord
        | Permission::WebhooksUpdate
        | Permission::AccessReviewsUpdate
        | Permission::PersonalDataExport => matches!(role, Owner | Admin),
        Permission::SecurityUpdate
        | Permission::OrganizationArchive
        | Permission::ApprovalsDecide
        | Permission::BreakGlassDecide
        | Permission::PersonalDataErase => matches!(role, Owner),
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
        | Permission::ApiKeysUpdate
        | Permission::BudgetsUpdate => matches!(role, Owner),
        Permission::OrganizationRead
        | Permission::OrganizationUpdate
        | Permission::SettingsUpdate
        | Permission::SecurityUpdate
        | Permission::OrganizationArchive
        | Permission::MembersRead
        | Permission::MembersInvite
        | Permission::MembersUpdate
        | Permission::MembersRemove
        | Permission::RolesUpdate
        | Permission::GroupsUpdate
        | Permission::ProjectsCreate
        | Permission::ProjectsArchive
        | Permission::CreditsRead
        | Permission::CreditsUpdate
        | Permission::PricesUpdate
        | Permission::WebhooksRead
        | Permission::WebhooksUpdate
        | Permission::AuditRead
        | Permission::AccessReviewsUpdate
        | Permission::ApprovalsDecide
        | Permission::BreakGlassDecide
        | Permission::PersonalDataExport
        | Permission::PersonalDataErase => false,
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

/// Whether a custom role may have a permission. What decides over access itself stays with the
/// built-in roles: who could define roles or fill groups could give themselves anything.
pub const fn is_of_custom_roles(permission: Permission) -> bool {
    why_not_of_custom_roles(permission).is_none()
}

/// Why a permission belongs to built-in roles alone; none where a custom role may have it.
pub const fn why_not_of_custom_roles(permission: Permission) -> Option<&'static str> {
    match permission {
        Permission::SecurityUpdate => {
            Some("Who says who vouches for people can sign in as any of them.")
        }
        Permission::OrganizationArchive => Some("It ends everybody's access, for good."),
        Permission::RolesUpdate => Some("Who defines and grants roles could give themselves any."),
        Permission::GroupsUpdate => {
            Some("Who fills groups could give themselves whatever a group has.")
        }
        Permission::ApprovalsDecide => {
            Some("The second person is one whom the organization has given a built-in role.")
        }
        Permission::BreakGlassDecide => {
            Some("Who lets the operator in gives somebody from outside all that there is.")
        }
        Permission::WebhooksUpdate => {
            Some("Who says where events are sent to hands all that happens to somebody outside.")
        }
        Permission::PersonalDataErase => Some("It cannot be undone."),
        Permission::OrganizationRead
        | Permission::OrganizationUpdate
        | Permission::SettingsUpdate
        | Permission::MembersRead
        | Permission::MembersInvite
        | Permission::MembersUpdate
        | Permission::MembersRemove
        | Permission::ProjectsRead
        | Permission::ProjectsCreate
        | Permission::ProjectsUpdate
        | Permission::ProjectsArchive
        | Permission::ProjectMembersUpdate
        | Permission::ServiceAccountsRead
        | Permission::ServiceAccountsUpdate
        | Permission::ApiKeysRead
        | Permission::ApiKeysOwn
        | Permission::ApiKeysUpdate
        | Permission::CreditsRead
        | Permission::CreditsUpdate
        | Permission::BudgetsUpdate
        | Permission::PricesUpdate
        | Permission::WebhooksRead
        | Permission::UsageRead
        | Permission::UsageRecord
        | Permission::AuditRead
        | Permission::AccessReviewsUpdate
        | Permission::PersonalDataExport => None,
    }
}

/// Whether an emergency may need a permission. Under break-glass access nobody decides about access
/// itself beyond naming members, and nothing is done that cannot be undone: what an emergency leaves
/// behind ends with it or rests until it was reviewed.
pub const fn is_of_emergencies(permission: Permission) -> bool {
    !matches!(
        permission,
        Permission::SecurityUpdate
            | Permission::OrganizationArchive
            | Permission::ProjectsArchive
            | Permission::RolesUpdate
            | Permission::GroupsUpdate
            | Permission::ProjectMembersUpdate
            | Permission::WebhooksUpdate
            | Permission::AccessReviewsUpdate
            | Permission::ApprovalsDecide
            | Permission::BreakGlassDecide
            | Permission::PersonalDataExport
            | Permission::PersonalDataErase
    )
}

impl OrganizationRole {
    /// What the role allows everywhere in the organization.
    pub fn permissions(self) -> PermissionSet {
        PermissionSet::that(|permission| organization_role_allows(self, permission))
    }
}

impl ProjectRole {
    /// What the role allows within the project.
    pub fn permissions(self) -> PermissionSet {
        PermissionSet::that(|permission| project_role_allows(self, permission))
    }
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
    fn an_owner_may_everything_and_an_admin_all_but_billing_and_what_is_the_owners_alone() {
        for permission in Permission::ALL.iter().copied() {
            assert!(organization_role_allows(OrganizationRole::Owner, permission), "{permission}");
            let not_admins = [
                Permission::SecurityUpdate,
                Permission::OrganizationArchive,
                Permission::CreditsUpdate,
                Permission::PricesUpdate,
                Permission::ApprovalsDecide,
                Permission::BreakGlassDecide,
                Permission::PersonalDataErase,
            ];
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

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let some: PermissionSet =
            [Permission::UsageRead, Permission::PersonalDataErase].into_iter().collect();
        assert_eq!(some.iter().count(), 2);
        assert!(some.contains(Permission::PersonalDataErase));
        assert!(!some.contains(Permission::UsageRecord));
        let all = PermissionSet::that(|_| true);
        assert!(all.covers(some) && !some.covers(all));
        assert_eq!(all.without(some).union(some), all);
        let written = serde_json::to_string(&some).expect("it is written");
        assert_eq!(written, r#"["usage.read","personal_data.erase"]"#);
        assert_eq!(serde_json::from_str::<PermissionSet>(&written).expect("it is read"), some);
    }
}
