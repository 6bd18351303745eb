//! The kinds of suggestions: what finds each, why it is made, and who may see it.

use event_schemas::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A kind of suggestion. Those before come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionKind {
    /// More owners and admins than the organization's settings allow for (5, where they say nothing).
    TooManyAdmins,
    /// A project that nobody owns who could act.
    ProjectWithoutOwner,
    /// A member without usage and commands for 90 days.
    InactiveMember,
    /// A member who has been suspended for 90 days.
    SuspendedMember,
    /// A member of a project, with more than a reader's role, without usage in it for 90 days.
    IdleProjectMember,
    /// An API key that has not been used for as many days as are asked for.
    UnusedApiKey,
    /// An API key whose secret should have been rotated.
    OverdueRotation,
    /// An API key that expires within 14 days.
    ExpiringApiKey,
    /// An API key whose secret was shown to another member who may not act any more.
    KnownToFormer,
    /// A service account that was disabled and not removed.
    DisabledServiceAccount,
    /// An invite that has been open for 14 days since it was sent last.
    StaleInvite,
}

use SuggestionKind as Kind;

impl SuggestionKind {
    /// Every kind, in order.
    pub const ALL: &'static [Self] = &[
        Self::TooManyAdmins,
        Self::ProjectWithoutOwner,
        Self::InactiveMember,
        Self::SuspendedMember,
        Self::IdleProjectMember,
        Self::UnusedApiKey,
        Self::OverdueRotation,
        Self::ExpiringApiKey,
        Self::KnownToFormer,
        Self::DisabledServiceAccount,
        Self::StaleInvite,
    ];

    /// Its place among the kinds.
    pub(super) const fn rank(self) -> i32 {
        self as i32
    }

    pub(super) fn of_rank(rank: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.rank() == rank)
    }

    /// The permissions without which it is not seen.
    pub(super) const fn needs(self) -> &'static [Permission] {
        match self {
            Kind::TooManyAdmins | Kind::SuspendedMember | Kind::StaleInvite => {
                &[Permission::MembersRead]
            }
            Kind::InactiveMember => &[Permission::MembersRead, Permission::UsageRead],
            Kind::ProjectWithoutOwner => &[Permission::ProjectsRead],
            Kind::IdleProjectMember => {
                &[Permission::ProjectsRead, Permission::MembersRead, Permission::UsageRead]
            }
            Kind::UnusedApiKey | Kind::OverdueRotation | Kind::ExpiringApiKey => {
                &[Permission::ApiKeysRead]
            }
            Kind::KnownToFormer => &[Permission::ApiKeysRead, Permission::MembersRead],
            Kind::DisabledServiceAccount => &[Permission::ServiceAccountsRead],
        }
    }

    /// Why it is made, in a sentence.
    pub(super) fn why(self, was_used: bool, unused_days: i32, subjects: usize) -> String {
        match self {
            Kind::TooManyAdmins => {
                format!("{subjects} members are owners or admins, more than the settings allow for")
            }
            Kind::ProjectWithoutOwner => "nobody who could act owns the project".to_owned(),
            Kind::InactiveMember if was_used => {
                "they have used nothing and commanded nothing for 90 days or more".to_owned()
            }
            Kind::InactiveMember => {
                "they have used nothing and commanded nothing since they became a member".to_owned()
            }
            Kind::SuspendedMember => "they have been suspended for 90 days or more".to_owned(),
            Kind::IdleProjectMember if was_used => {
                "they have used nothing in the project for 90 days or more".to_owned()
            }
            Kind::IdleProjectMember => {
                "they have used nothing in the project since they got the role".to_owned()
            }
            Kind::UnusedApiKey if was_used => {
                format!("it has not been used for {unused_days} days or more")
            }
            Kind::UnusedApiKey => {
                format!("it was made {unused_days} days ago or earlier and never used")
            }
            Kind::OverdueRotation => "its secret should have been rotated".to_owned(),
            Kind::ExpiringApiKey => "it expires within 14 days".to_owned(),
            Kind::KnownToFormer => {
                "who was shown its secret may not act any more: a program's key \
                                    goes on for whoever knows it, a member's opens nothing"
                    .to_owned()
            }
            Kind::DisabledServiceAccount => "it is disabled and still there".to_owned(),
            Kind::StaleInvite => "it has been open for 14 days or more".to_owned(),
        }
    }

    /// Finds it: `id`, `since`, `last_used_at`, `due_at` and `subjects`, for what is `asked`.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Kind::TooManyAdmins => include_str!("sql/too_many_admins.sql"),
            Kind::ProjectWithoutOwner => include_str!("sql/project_without_owner.sql"),
            Kind::InactiveMember => include_str!("sql/inactive_member.sql"),
            Kind::SuspendedMember => include_str!("sql/suspended_member.sql"),
            Kind::IdleProjectMember => include_str!("sql/idle_project_member.sql"),
            Kind::UnusedApiKey => include_str!("sql/unused_api_key.sql"),
            Kind::OverdueRotation => include_str!("sql/overdue_rotation.sql"),
            Kind::ExpiringApiKey => include_str!("sql/expiring_api_key.sql"),
            Kind::KnownToFormer => include_str!("sql/known_to_former.sql"),
            Kind::DisabledServiceAccount => include_str!("sql/disabled_service_account.sql"),
            Kind::StaleInvite => include_str!("sql/stale_invite.sql"),
        }
    }
}
