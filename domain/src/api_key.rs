//! An API key: what a program proves itself with. Rotation keeps the old secret for a bounded
//! grace; a revoked key stays revoked. Only hashes of secrets come this far.

use chrono::{DateTime, Duration, Utc};
use event_schemas::{ApiKeyEvent, ApiKeyId, KeyOwner, OrganizationId, ProjectId};
use serde::{Deserialize, Serialize};

use crate::organization::ActiveMember;
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
    project_id: ProjectId,
    owner: KeyOwner,
    name: String,
    redacted: String,
    secret_hash: String,
    previous: Option<PreviousSecret>,
    expires_at: Option<DateTime<Utc>>,
    rotation_due_at: Option<DateTime<Utc>>,
}

/// The secret before the last rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PreviousSecret {
    secret_hash: String,
    valid_until: DateTime<Utc>,
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
    project_id: ProjectId,
    owner: KeyOwner,
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

    /// The project that it works for.
    pub fn project_id(&self) -> ProjectId {
        self.project_id
    }

    /// Whose it is.
    pub fn owner(&self) -> KeyOwner {
        self.owner
    }
}

/// What can be asked of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeyCommand {
    /// Create it.
    Create {
        /// The project that it will work for.
        project: OpenProject,
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
        /// The time.
        now: DateTime<Utc>,
    },
    /// Give it another name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Give it a new secret; the secret before the previous one, if still in its grace, ends.
    Rotate {
        /// Its project.
        project: OpenProject,
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

#[cfg(test)]
mod tests;
