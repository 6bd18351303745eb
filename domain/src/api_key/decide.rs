//! What may happen to an API key, and what has.

use chrono::{DateTime, Utc};
use event_schemas::{ApiKeyEvent, KeyOwner};

use super::{
    ActiveOwner, ApiKey, ApiKeyCommand, ApiKeyDetails, ApiKeyError, Decision, GRACE_MAX,
    PreviousSecret,
};
use crate::Decider;
use crate::project::OpenProject;
use crate::text;

impl Decider for ApiKey {
    const STREAM: &'static str = "api_key";
    type Command = ApiKeyCommand;
    type Event = ApiKeyEvent;
    type Error = ApiKeyError;

    fn decide(&self, command: ApiKeyCommand) -> Decision {
        match command {
            ApiKeyCommand::Create {
                project,
                owner,
                api_key_id,
                name,
                secret_hash,
                redacted,
                expires_at,
                rotation_due_at,
                now,
            } => {
                self.must_be_new()?;
                let owner = owner.may_own_in(project)?;
                let name = text::name(&name)?;
                if let Some(expires_at) = expires_at.filter(|end| *end <= now) {
                    return Err(ApiKeyError::ExpiryInThePast { expires_at });
                }
                Ok(vec![ApiKeyEvent::Created {
                    api_key_id,
                    organization_id: project.organization_id(),
                    project_id: project.project_id(),
                    owner,
                    name,
                    secret_hash,
                    redacted,
                    expires_at,
                    rotation_due_at,
                }])
            }
            ApiKeyCommand::Rename { name } => self.rename(&name),
            ApiKeyCommand::Rotate {
                project,
                secret_hash,
                redacted,
                grace,
                rotation_due_at,
                now,
            } => {
                self.rotates(project, now)?;
                if grace < chrono::Duration::zero() || grace > GRACE_MAX {
                    return Err(ApiKeyError::GraceTooLong { grace });
                }
                let previous_valid_until =
                    now.checked_add_signed(grace).unwrap_or(DateTime::<Utc>::MAX_UTC);
                Ok(vec![ApiKeyEvent::Rotated {
                    secret_hash,
                    redacted,
                    previous_valid_until,
                    rotation_due_at,
                }])
            }
            ApiKeyCommand::Revoke { reason } => self.revoke(reason.as_deref()),
            ApiKeyCommand::Expire { now } => self.expire(now),
        }
    }

    fn evolve(&mut self, event: &ApiKeyEvent) {
        match event {
            ApiKeyEvent::Created {
                api_key_id,
                organization_id,
                project_id,
                owner,
                name,
                secret_hash,
                redacted,
                expires_at,
                rotation_due_at,
            } => {
                *self = Self::Active(ApiKeyDetails {
                    api_key_id: *api_key_id,
                    organization_id: *organization_id,
                    project_id: *project_id,
                    owner: *owner,
                    name: name.clone(),
                    redacted: redacted.clone(),
                    secret_hash: secret_hash.clone(),
                    previous: None,
                    expires_at: *expires_at,
                    rotation_due_at: *rotation_due_at,
                });
            }
            ApiKeyEvent::Renamed { name } => self.change(|key| name.clone_into(&mut key.name)),
            ApiKeyEvent::Rotated {
                secret_hash,
                redacted,
                previous_valid_until,
                rotation_due_at,
            } => self.change(|key| {
                key.rotated(secret_hash, redacted, *previous_valid_until, *rotation_due_at);
            }),
            ApiKeyEvent::Revoked { reason: _ } => self.becomes(Self::Revoked),
            ApiKeyEvent::Expired {} => self.becomes(Self::Expired),
        }
    }
}

impl ActiveOwner {
    /// Whose a key of the project will be, where it can be theirs.
    fn may_own_in(self, project: OpenProject) -> Result<KeyOwner, ApiKeyError> {
        match self {
            Self::Member(member) => {
                if member.organization_id() != project.organization_id() {
                    return Err(ApiKeyError::OwnerNotFound);
                }
                Ok(KeyOwner::Member { member_id: member.member_id() })
            }
            Self::ServiceAccount(account) => {
                if account.organization_id() != project.organization_id() {
                    return Err(ApiKeyError::OwnerNotFound);
                }
                if account.project_id() != project.project_id() {
                    return Err(ApiKeyError::OwnerOfAnotherProject);
                }
                Ok(KeyOwner::ServiceAccount { service_account_id: account.service_account_id() })
            }
        }
    }
}

impl ApiKey {
    fn must_be_new(&self) -> Result<(), ApiKeyError> {
        match self {
            Self::Absent => Ok(()),
            Self::Active(_) | Self::Revoked(_) | Self::Expired(_) => {
                Err(ApiKeyError::AlreadyExists)
            }
        }
    }

    fn rename(&self, name: &str) -> Decision {
        let key = self.active()?;
        let name = text::name(name)?;
        if name == key.name {
            return Ok(vec![]);
        }
        Ok(vec![ApiKeyEvent::Renamed { name }])
    }

    fn rotates(&self, project: OpenProject, now: DateTime<Utc>) -> Result<(), ApiKeyError> {
        let its_project = self.details().is_some_and(|key| {
            key.project_id == project.project_id()
                && key.organization_id == project.organization_id()
        });
        if !its_project {
            return Err(ApiKeyError::NotFound);
        }
        self.usable(now).map(|_| ())
    }

    fn revoke(&self, reason: Option<&str>) -> Decision {
        match self {
            Self::Absent => Err(ApiKeyError::NotFound),
            Self::Active(_) => Ok(vec![ApiKeyEvent::Revoked { reason: text::reason(reason)? }]),
            // Nothing is left to end: an expired key accepts nothing and never will again.
            Self::Revoked(_) | Self::Expired(_) => Ok(vec![]),
        }
    }

    fn expire(&self, now: DateTime<Utc>) -> Decision {
        match self {
            Self::Absent => Err(ApiKeyError::NotFound),
            Self::Active(key) if key.has_expired(now) => Ok(vec![ApiKeyEvent::Expired {}]),
            Self::Active(_) => Err(ApiKeyError::NotYetExpired),
            Self::Revoked(_) | Self::Expired(_) => Ok(vec![]),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut ApiKeyDetails)) {
        match self {
            Self::Absent => {}
            Self::Active(key) | Self::Revoked(key) | Self::Expired(key) => change(key),
        }
    }

    fn becomes(&mut self, next: fn(ApiKeyDetails) -> Self) {
        match std::mem::take(self) {
            Self::Absent => {}
            Self::Active(key) | Self::Revoked(key) | Self::Expired(key) => *self = next(key),
        }
    }
}

impl ApiKeyDetails {
    fn rotated(
        &mut self,
        secret_hash: &str,
        redacted: &str,
        previous_valid_until: DateTime<Utc>,
        rotation_due_at: Option<DateTime<Utc>>,
    ) {
        self.previous = Some(PreviousSecret {
            secret_hash: std::mem::replace(&mut self.secret_hash, secret_hash.to_owned()),
            valid_until: previous_valid_until,
        });
        redacted.clone_into(&mut self.redacted);
        self.rotation_due_at = rotation_due_at;
    }
}
