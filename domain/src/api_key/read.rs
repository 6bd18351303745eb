//! What an API key says of itself.

use chrono::{DateTime, Utc};
use event_schemas::{ApiKeyId, KeyOwner, OrganizationId, PermissionSet, ProjectId};

use super::{ApiKey, ApiKeyDetails, ApiKeyError, Hands, UsableKey};

impl ApiKey {
    /// Whether the hash of a presented secret is that of the key's secret, or of the previous one
    /// within its grace, while the key works. What is compared is an HMAC under a pepper that the
    /// caller does not know, so how long the comparison takes tells them nothing.
    pub fn accepts(&self, secret_hash: &str, now: DateTime<Utc>) -> bool {
        match self {
            Self::Absent | Self::Revoked(_) | Self::Expired(_) => false,
            Self::Active(key) => !key.has_expired(now) && key.knows(secret_hash, now),
        }
    }

    /// Whether the hash of a presented secret is that of the key's secret, and not of the previous one.
    pub fn is_newest(&self, secret_hash: &str) -> bool {
        self.details().is_some_and(|key| key.secret_hash == secret_hash)
    }

    /// Whose hands a secret that it accepts has been in; only its owner's where it accepts it not.
    pub fn hands(&self, secret_hash: &str) -> Hands {
        let Some(key) = self.details() else { return Hands::default() };
        if key.secret_hash == secret_hash {
            return key.hands.clone();
        }
        let previous = key.previous.as_ref().filter(|previous| previous.secret_hash == secret_hash);
        previous.map(|previous| previous.hands.clone()).unwrap_or_default()
    }

    /// The evidence that it works; refused where it is absent, revoked, or past its time, recorded
    /// or not.
    pub fn usable(&self, now: DateTime<Utc>) -> Result<UsableKey, ApiKeyError> {
        let key = self.active()?;
        if key.has_expired(now) {
            return Err(ApiKeyError::Expired);
        }
        Ok(UsableKey {
            api_key_id: key.api_key_id,
            organization_id: key.organization_id,
            project_id: key.project_id,
            owner: key.owner,
            scopes: key.scopes,
        })
    }

    /// Its id, once it has been created.
    pub fn api_key_id(&self) -> Option<ApiKeyId> {
        self.details().map(|key| key.api_key_id)
    }

    /// The organization, once it has been created.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.details().map(|key| key.organization_id)
    }

    /// The project that it works for; none where it has not been created, and for an admin key.
    pub fn project_id(&self) -> Option<ProjectId> {
        self.details().and_then(|key| key.project_id)
    }

    /// What it is limited to.
    pub fn scopes(&self) -> Option<PermissionSet> {
        self.details().and_then(|key| key.scopes)
    }

    /// Whose it is, once it has been created.
    pub fn owner(&self) -> Option<KeyOwner> {
        self.details().map(|key| key.owner)
    }

    /// Its name, once it has been created.
    pub fn name(&self) -> Option<&str> {
        self.details().map(|key| key.name.as_str())
    }

    /// The beginning and end of its secret, once it has been created.
    pub fn redacted(&self) -> Option<&str> {
        self.details().map(|key| key.redacted.as_str())
    }

    /// Until when it works, where it has an end.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.details().and_then(|key| key.expires_at)
    }

    /// By when its secret should be rotated, where that was said.
    pub fn rotation_due_at(&self) -> Option<DateTime<Utc>> {
        self.details().and_then(|key| key.rotation_due_at)
    }

    pub(super) fn active(&self) -> Result<&ApiKeyDetails, ApiKeyError> {
        match self {
            Self::Absent => Err(ApiKeyError::NotFound),
            Self::Active(key) => Ok(key),
            Self::Revoked(_) => Err(ApiKeyError::Revoked),
            Self::Expired(_) => Err(ApiKeyError::Expired),
        }
    }

    pub(super) fn details(&self) -> Option<&ApiKeyDetails> {
        match self {
            Self::Absent => None,
            Self::Active(key) | Self::Revoked(key) | Self::Expired(key) => Some(key),
        }
    }
}

impl ApiKeyDetails {
    pub(super) fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    fn knows(&self, secret_hash: &str, now: DateTime<Utc>) -> bool {
        self.secret_hash == secret_hash
            || self.previous.as_ref().is_some_and(|previous| {
                previous.secret_hash == secret_hash && now < previous.valid_until
            })
    }
}
