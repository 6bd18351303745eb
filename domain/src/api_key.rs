//! An API key: what a program proves itself with. Rotation keeps the old secret for a bounded
//! grace; a revoked key stays revoked. Only hashes of secrets come this far.

use chrono::{DateTime, Duration, Utc};
use event_schemas::{
    ApiKeyEvent, ApiKeyId, BreakGlassId, KeyOwner, MemberId, OrganizationId, OrganizationSettings,
    PermissionSet, ProjectId,
};
use serde::{Deserialize, Serialize};

use crate::organization::{ActiveMember, OpenOrganization};
use crate::project::OpenProject;
use crate::service_account::ActiveServiceAccount;
use crate::text::TextError;

/// The longest that a rotated key's previous secret is accepted.
pub const GRACE_MAX: Duration = Duration::days(30);

/// An API key, from nothing to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiKey {
    /// It has not been created.
    #[default]
    Absent,
    /// It works, unless its time is over and that is not yet recorded.
    Active(ApiKeyDetails),
    /// It was revoked for good.
    Revoked(ApiKeyDetails),
    /// Its time is over.
    Expired(ApiKeyDetails),
}

/// What an API key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyDetails {
    api_key_id: ApiKeyId,
    organization_id: OrganizationId,
    project_id: Option<ProjectId>,
    owner: KeyOwner,
    name: String,
    redacted: String,
    secret_hash: String,
    hands: Hands,
    previous: Option<PreviousSecret>,
    expires_at: Option<DateTime<Utc>>,
    rotation_due_at: Option<DateTime<Utc>>,
    rotation_days: Option<u32>,
    scopes: Option<PermissionSet>,
}

/// Whose hands a secret has been in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hands {
    /// Whether somebody else than its owner can know it.
    pub shared: bool,
    /// The other members who can: it opens nothing that one of them may not do.
    pub shown_to: Vec<MemberId>,
    /// The operator's access that it was made under.
    pub break_glass_id: Option<BreakGlassId>,
}

/// The secret before the last rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PreviousSecret {
    secret_hash: String,
    hands: Hands,
    valid_until: DateTime<Utc>,
}

/// What a key is to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// A project, and nothing else.
    Project(OpenProject),
    /// All that its owner may do in the organization: an admin key.
    Organization(OpenOrganization),
}

impl KeyPlace {
    fn organization_id(self) -> OrganizationId {
        match self {
            Self::Project(project) => project.organization_id(),
            Self::Organization(organization) => organization.organization_id(),
        }
    }

    fn project_id(self) -> Option<ProjectId> {
        match self {
            Self::Project(project) => Some(project.project_id()),
            Self::Organization(_) => None,
        }
    }
}

/// Who is to own a key, with the evidence that they can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveOwner {
    /// A member of the project's organization; they need no role in the project.
    Member(ActiveMember),
    /// A service account of the project.
    ServiceAccount(ActiveServiceAccount),
}

/// The proof that a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsableKey {
    api_key_id: ApiKeyId,
    organization_id: OrganizationId,
    project_id: Option<ProjectId>,
    owner: KeyOwner,
    scopes: Option<PermissionSet>,
}

impl UsableKey {
    /// The key.
    pub fn api_key_id(&self) -> ApiKeyId {
        self.api_key_id
    }

    /// The organization.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }

    /// The project that it works for; none for an admin key.
    pub fn project_id(&self) -> Option<ProjectId> {
        self.project_id
    }

    /// What it is limited to.
    pub fn scopes(&self) -> Option<PermissionSet> {
        self.scopes
    }

    /// Whose it is.
    pub fn owner(&self) -> KeyOwner {
        self.owner
    }
}

/// What can be asked of an API key.
#[expect(clippy::large_enum_variant, reason = "a command is made once and decided at once")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeyCommand {
    /// Create it.
    Create {
        /// What it will open.
        place: KeyPlace,
        /// The organization's rules for keys.
        rules: OrganizationSettings,
        /// Whose it will be.
        owner: ActiveOwner,
        /// Its id.
        api_key_id: ApiKeyId,
        /// Its name.
        name: String,
        /// HMAC-SHA-256 of the secret under the server's pepper, in hexadecimal.
        secret_hash: String,
        /// The secret's beginning and end.
        redacted: String,
        /// Until when it works.
        expires_at: Option<DateTime<Utc>>,
        /// By when its secret should be rotated.
        rotation_due_at: Option<DateTime<Utc>>,
        /// How many days after each rotation the next is due.
        rotation_days: Option<u32>,
        /// What it is limited to.
        scopes: Option<PermissionSet>,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Give it another name.
    Rename {
        /// The organization's rules for keys.
        rules: OrganizationSettings,
        /// The new name.
        name: String,
    },
    /// Give it a new secret; the secret before the previous one, if still in its grace, ends.
    Rotate {
        /// What it opens.
        place: KeyPlace,
        /// HMAC-SHA-256 of the new secret under the server's pepper, in hexadecimal.
        secret_hash: String,
        /// The new secret's beginning and end.
        redacted: String,
        /// How long the old secret is still accepted: zero to [`GRACE_MAX`].
        grace: Duration,
        /// By when it should be rotated again.
        rotation_due_at: Option<DateTime<Utc>>,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Record whose hands its newest secret has been in, beside its owner's.
    ShareSecret {
        /// Whose.
        hands: Hands,
    },
    /// End it for good, with every secret it had.
    Revoke {
        /// Why.
        reason: Option<String>,
    },
    /// Record that its time is over.
    Expire {
        /// The time.
        now: DateTime<Utc>,
    },
}

/// Why an API key refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// It has not been created, or belongs to another project.
    #[error("there is no such API key")]
    NotFound,
    /// It has been created before.
    #[error("the API key exists already")]
    AlreadyExists,
    /// The owner is not of the project's organization.
    #[error("there is no such owner in the project's organization")]
    OwnerNotFound,
    /// The owner is another project's service account.
    #[error("the service account belongs to another project")]
    OwnerOfAnotherProject,
    /// A service account works for a project, so its keys do.
    #[error("a service account's key is for its project")]
    AdminKeyOfServiceAccount,
    /// It would be limited to nothing.
    #[error("a key that is limited to no permission opens nothing")]
    NoScopes,
    /// The name does not follow the organization's convention.
    #[error("the name does not match the organization's pattern for API keys, {pattern}")]
    NameAgainstConvention {
        /// The regular expression.
        pattern: String,
    },
    /// It would work for longer than the organization allows.
    #[error("the organization lets an API key work for at most {days_max} days")]
    LivesTooLong {
        /// The most days.
        days_max: u32,
    },
    /// Rotations would be too far apart.
    #[error("the organization wants API keys rotated every {days_max} days at least")]
    RotatedTooSeldom {
        /// The most days.
        days_max: u32,
    },
    /// Not a number of days that a rotation can take.
    #[error("rotation_days is not from 1 to 3650")]
    RotationDays,
    /// It would be over before it begins.
    #[error("the expiry {expires_at} is not in the future")]
    ExpiryInThePast {
        /// The expiry asked for.
        expires_at: DateTime<Utc>,
    },
    /// The old secret would be accepted for too long, or for less than no time.
    #[error("a grace of {} s is not between 0 and {} s", grace.num_seconds(), GRACE_MAX.num_seconds())]
    GraceTooLong {
        /// The grace asked for.
        grace: Duration,
    },
    /// It was revoked.
    #[error("the API key is revoked")]
    Revoked,
    /// Its time is over.
    #[error("the API key has expired")]
    Expired,
    /// Its time is not over, or has no end.
    #[error("the API key has not expired")]
    NotYetExpired,
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

type Decision = Result<Vec<ApiKeyEvent>, ApiKeyError>;

mod decide;
mod read;
mod rules;

#[cfg(test)]
mod tests;
