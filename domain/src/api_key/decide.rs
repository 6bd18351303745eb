//! What may happen to an API key, and what has.

use chrono::{DateTime, Utc};
use event_schemas::{ApiKeyEvent, KeyOwner, OrganizationSettings, PermissionSet};

use super::rules::{self, Term};
use super::{
    ActiveOwner, ApiKey, ApiKeyCommand, ApiKeyDetails, ApiKeyError, Decision, GRACE_MAX, Hands,
    KeyPlace, PreviousSecret,
};
use crate::Decider;
use crate::text;

impl Decider for ApiKey {
    const STREAM: &'static str = "api_key";
    type Command = ApiKeyCommand;
    type Event = ApiKeyEvent;
    type Error = ApiKeyError;

    fn decide(&self, command: ApiKeyCommand) -> Decision {
        match command {
            ApiKeyCommand::Create {
                place,
                rules: by_rules,
                owner,
                api_key_id,
                name,
                secret_hash,
                redacted,
                expires_at,
                rotation_due_at,
                rotation_days,
                scopes,
                now,
            } => {
                self.must_be_new()?;
                let owner = owner.may_own_in(place)?;
                let name = rules::name(&by_rules, &name)?;
                if scopes.is_some_and(PermissionSet::is_empty) {
                    return Err(ApiKeyError::NoScopes);
                }
                let asked = Term { expires_at, rotation_due_at, rotation_days };
                let Term { expires_at, rotation_due_at, rotation_days } =
                    Term::by(&by_rules, &asked, now)?;
                Ok(vec![ApiKeyEvent::Created {
                    api_key_id,
                    organization_id: place.organization_id(),
                    project_id: place.project_id(),
                    owner,
                    name,
                    secret_hash,
                    redacted,
                    expires_at,
                    rotation_due_at,
                    rotation_days,
                    scopes,
                }])
            }
            ApiKeyCommand::Rename { rules, name } => self.rename(&rules, &name),
            ApiKeyCommand::Rotate { place, secret_hash, redacted, grace, rotation_due_at, now } => {
                let policy = self.rotates(place, now)?;
                if grace < chrono::Duration::zero() || grace > GRACE_MAX {
                    return Err(ApiKeyError::GraceTooLong { grace });
                }
                let previous_valid_until =
                    now.checked_add_signed(grace).unwrap_or(DateTime::<Utc>::MAX_UTC);
                let rotation_due_at = rules::next_rotation(policy, rotation_due_at, now)?;
                Ok(vec![ApiKeyEvent::Rotated {
                    secret_hash,
                    redacted,
                    previous_valid_until,
                    rotation_due_at,
                }])
            }
            ApiKeyCommand::ShareSecret { hands } if hands == Hands::default() => Ok(vec![]),
            ApiKeyCommand::ShareSecret { hands: Hands { shared: _, shown_to, break_glass_id } } => {
                self.active()?;
                Ok(vec![ApiKeyEvent::SecretShared { shown_to, break_glass_id }])
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
                rotation_days,
                scopes,
            } => {
                *self = Self::Active(ApiKeyDetails {
                    api_key_id: *api_key_id,
                    organization_id: *organization_id,
                    project_id: *project_id,
                    owner: *owner,
                    name: name.clone(),
                    redacted: redacted.clone(),
                    secret_hash: secret_hash.clone(),
                    hands: Hands::default(),
                    previous: None,
                    expires_at: *expires_at,
                    rotation_due_at: *rotation_due_at,
                    rotation_days: *rotation_days,
                    scopes: *scopes,
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
            ApiKeyEvent::SecretShared { shown_to, break_glass_id } => self.change(|key| {
                let (shown_to, break_glass_id) = (shown_to.clone(), *break_glass_id);
                key.hands = Hands { shared: true, shown_to, break_glass_id };
            }),
            ApiKeyEvent::Revoked { reason: _ } => self.becomes(Self::Revoked),
            ApiKeyEvent::Expired {} => self.becomes(Self::Expired),
        }
    }
}

impl ActiveOwner {
    /// Whose a key of the place will be, where it can be theirs.
    fn may_own_in(self, place: KeyPlace) -> Result<KeyOwner, ApiKeyError> {
        match self {
            Self::Member(member) => {
                if member.organization_id() != place.organization_id() {
                    return Err(ApiKeyError::OwnerNotFound);
                }
                Ok(KeyOwner::Member { member_id: member.member_id() })
            }
            Self::ServiceAccount(account) => {
                if account.organization_id() != place.organization_id() {
                    return Err(ApiKeyError::OwnerNotFound);
                }
                match place.project_id() {
                    None => return Err(ApiKeyError::AdminKeyOfServiceAccount),
                    Some(project_id) if project_id != account.project_id() => {
                        return Err(ApiKeyError::OwnerOfAnotherProject);
                    }
                    Some(_) => {}
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

    fn rename(&self, rules: &OrganizationSettings, name: &str) -> Decision {
        let key = self.active()?;
        let name = rules::name(rules, name)?;
        if name == key.name {
            return Ok(vec![]);
        }
        Ok(vec![ApiKeyEvent::Renamed { name }])
    }

    /// That it can be rotated, and how many days from now on until the next time.
    fn rotates(&self, place: KeyPlace, now: DateTime<Utc>) -> Result<Option<u32>, ApiKeyError> {
        let its_place = |key: &&ApiKeyDetails| {
            key.project_id == place.project_id() && key.organization_id == place.organization_id()
        };
        let key = self.details().filter(its_place).ok_or(ApiKeyError::NotFound)?;
        self.usable(now)?;
        Ok(key.rotation_days)
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
            hands: std::mem::take(&mut self.hands),
            valid_until: previous_valid_until,
        });
        redacted.clone_into(&mut self.redacted);
        self.rotation_due_at = rotation_due_at;
    }
}
