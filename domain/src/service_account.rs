//! A service account: a project's own actor, for what no person does. Disabled or removed, its keys
//! are refused.

use event_schemas::{OrganizationId, ProjectId, ServiceAccountEvent, ServiceAccountId};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::OpenOrganization;
use crate::project::OpenProject;
use crate::text::{self, TextError};

/// A service account, from nothing to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceAccount {
    /// It has not been created.
    #[default]
    Absent,
    /// It works.
    Active(ServiceAccountDetails),
    /// It was disabled.
    Disabled(ServiceAccountDetails),
    /// It was removed for good.
    Removed(ServiceAccountDetails),
}

/// What a service account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccountDetails {
    service_account_id: ServiceAccountId,
    organization_id: OrganizationId,
    project_id: ProjectId,
    name: String,
    purpose: Option<String>,
}

/// The proof that a service account works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "all that it proves are ids")]
pub struct ActiveServiceAccount {
    service_account_id: ServiceAccountId,
    organization_id: OrganizationId,
    project_id: ProjectId,
}

impl ActiveServiceAccount {
    /// The service account.
    pub fn service_account_id(&self) -> ServiceAccountId {
        self.service_account_id
    }

    /// The organization.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }

    /// The project that it works for.
    pub fn project_id(&self) -> ProjectId {
        self.project_id
    }
}

/// What can be asked of a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAccountCommand {
    /// Create it.
    Create {
        /// The project that it will work for.
        project: OpenProject,
        /// Its id.
        service_account_id: ServiceAccountId,
        /// Its name.
        name: String,
        /// What it is for, in words.
        purpose: Option<String>,
    },
    /// Rename it, or say anew what it is for.
    Update {
        /// Its organization.
        organization: OpenOrganization,
        /// The new name, where it is to change.
        name: Option<String>,
        /// What it is for, where that is to change; empty to say nothing.
        purpose: Option<String>,
    },
    /// Refuse its keys from now on.
    Disable {
        /// Its organization.
        organization: OpenOrganization,
        /// Why.
        reason: Option<String>,
    },
    /// Remove it for good.
    Remove {
        /// Its organization.
        organization: OpenOrganization,
    },
}

/// Why a service account refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceAccountError {
    /// It has not been created, or belongs to another organization.
    #[error("there is no such service account")]
    NotFound,
    /// It has been created before.
    #[error("the service account exists already")]
    AlreadyExists,
    /// It was disabled.
    #[error("the service account is disabled")]
    Disabled,
    /// It was removed.
    #[error("the service account was removed")]
    Removed,
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

type Decision = Result<Vec<ServiceAccountEvent>, ServiceAccountError>;

impl Decider for ServiceAccount {
    const STREAM: &'static str = "service_account";
    type Command = ServiceAccountCommand;
    type Event = ServiceAccountEvent;
    type Error = ServiceAccountError;

    fn decide(&self, command: ServiceAccountCommand) -> Decision {
        match command {
            ServiceAccountCommand::Create { project, service_account_id, name, purpose } => {
                self.create(project, service_account_id, &name, purpose.as_deref())
            }
            ServiceAccountCommand::Update { organization, name, purpose } => {
                self.update(organization.organization_id(), name.as_deref(), purpose.as_deref())
            }
            ServiceAccountCommand::Disable { organization, reason } => {
                self.disable(organization.organization_id(), reason.as_deref())
            }
            ServiceAccountCommand::Remove { organization } => {
                self.remove(organization.organization_id())
            }
        }
    }

    fn evolve(&mut self, event: &ServiceAccountEvent) {
        match event {
            ServiceAccountEvent::Created {
                service_account_id,
                organization_id,
                project_id,
                name,
                purpose,
            } => {
                *self = Self::Active(ServiceAccountDetails {
                    service_account_id: *service_account_id,
                    organization_id: *organization_id,
                    project_id: *project_id,
                    name: name.clone(),
                    purpose: purpose.clone(),
                });
            }
            ServiceAccountEvent::Updated { name, purpose } => {
                self.updated(name.as_deref(), purpose.as_deref());
            }
            ServiceAccountEvent::Disabled { reason: _ } => self.becomes(Self::Disabled),
            ServiceAccountEvent::Removed {} => self.becomes(Self::Removed),
        }
    }
}

/// What may happen to it.
impl ServiceAccount {
    fn create(
        &self,
        project: OpenProject,
        service_account_id: ServiceAccountId,
        name: &str,
        purpose: Option<&str>,
    ) -> Decision {
        match self {
            Self::Absent => Ok(vec![ServiceAccountEvent::Created {
                service_account_id,
                organization_id: project.organization_id(),
                project_id: project.project_id(),
                name: text::name(name)?,
                purpose: text::reason(purpose)?,
            }]),
            Self::Active(_) | Self::Disabled(_) | Self::Removed(_) => {
                Err(ServiceAccountError::AlreadyExists)
            }
        }
    }

    fn update(
        &self,
        organization_id: OrganizationId,
        name: Option<&str>,
        purpose: Option<&str>,
    ) -> Decision {
        let account = self.of(organization_id)?;
        if let Self::Removed(_) = self {
            return Err(ServiceAccountError::Removed);
        }
        let name = name.map(text::name).transpose()?.filter(|name| *name != account.name);
        let purpose = match purpose {
            None => None,
            Some(purpose) => Some(text::reason(Some(purpose))?.unwrap_or_default()),
        };
        let said = account.purpose.as_deref().unwrap_or_default();
        let purpose = purpose.filter(|purpose| purpose != said);
        if name.is_none() && purpose.is_none() {
            return Ok(vec![]);
        }
        Ok(vec![ServiceAccountEvent::Updated { name, purpose }])
    }

    fn disable(&self, organization_id: OrganizationId, reason: Option<&str>) -> Decision {
        self.of(organization_id)?;
        match self {
            Self::Absent => Err(ServiceAccountError::NotFound),
            Self::Active(_) => {
                Ok(vec![ServiceAccountEvent::Disabled { reason: text::reason(reason)? }])
            }
            Self::Disabled(_) => Ok(vec![]),
            Self::Removed(_) => Err(ServiceAccountError::Removed),
        }
    }

    fn remove(&self, organization_id: OrganizationId) -> Decision {
        self.of(organization_id)?;
        match self {
            Self::Absent => Err(ServiceAccountError::NotFound),
            Self::Active(_) | Self::Disabled(_) => Ok(vec![ServiceAccountEvent::Removed {}]),
            Self::Removed(_) => Ok(vec![]),
        }
    }
}

/// What it says of itself.
impl ServiceAccount {
    /// The evidence that it works; refused where it is absent, another organization's, disabled or
    /// removed.
    pub fn active(
        &self,
        organization_id: OrganizationId,
    ) -> Result<ActiveServiceAccount, ServiceAccountError> {
        let account = self.of(organization_id)?;
        match self {
            Self::Absent => Err(ServiceAccountError::NotFound),
            Self::Active(_) => Ok(ActiveServiceAccount {
                service_account_id: account.service_account_id,
                organization_id,
                project_id: account.project_id,
            }),
            Self::Disabled(_) => Err(ServiceAccountError::Disabled),
            Self::Removed(_) => Err(ServiceAccountError::Removed),
        }
    }

    /// Its id, once it has been created.
    pub fn service_account_id(&self) -> Option<ServiceAccountId> {
        self.details().map(|account| account.service_account_id)
    }

    /// The organization, once it has been created.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.details().map(|account| account.organization_id)
    }

    /// The project that it works for, once it has been created.
    pub fn project_id(&self) -> Option<ProjectId> {
        self.details().map(|account| account.project_id)
    }

    /// Its name, once it has been created.
    pub fn name(&self) -> Option<&str> {
        self.details().map(|account| account.name.as_str())
    }

    /// What it is for, where that was said.
    pub fn purpose(&self) -> Option<&str> {
        self.details()?.purpose.as_deref()
    }

    fn details(&self) -> Option<&ServiceAccountDetails> {
        match self {
            Self::Absent => None,
            Self::Active(account) | Self::Disabled(account) | Self::Removed(account) => {
                Some(account)
            }
        }
    }

    fn of(
        &self,
        organization_id: OrganizationId,
    ) -> Result<&ServiceAccountDetails, ServiceAccountError> {
        self.details()
            .filter(|account| account.organization_id == organization_id)
            .ok_or(ServiceAccountError::NotFound)
    }

    fn updated(&mut self, name: Option<&str>, purpose: Option<&str>) {
        match self {
            Self::Absent => {}
            Self::Active(account) | Self::Disabled(account) | Self::Removed(account) => {
                if let Some(name) = name {
                    name.clone_into(&mut account.name);
                }
                if let Some(purpose) = purpose {
                    account.purpose =
                        Some(purpose.to_owned()).filter(|purpose| !purpose.is_empty());
                }
            }
        }
    }

    fn becomes(&mut self, next: fn(ServiceAccountDetails) -> Self) {
        match std::mem::take(self) {
            Self::Absent => {}
            Self::Active(account) | Self::Disabled(account) | Self::Removed(account) => {
                *self = next(account);
            }
        }
    }
}

#[cfg(test)]
mod tests;
