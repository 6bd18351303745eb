//! What a page says about access, and which rows that touches.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use event_schemas::{
    ActorKind, ApiKeyEvent, OrganizationEvent, OrganizationId, PersonEvent, PersonId, ProjectEvent,
    RecordedEvent, ServiceAccountEvent,
};
use uuid::Uuid;

use crate::events::{self, Stream};
use crate::projection::ProjectionError;
use crate::temporal::Moment;

/// An event of one of the register's streams, with the stream's id.
pub(super) enum AccessEvent {
    Organization(OrganizationEvent),
    Project(Uuid, ProjectEvent),
    ServiceAccount(Uuid, ServiceAccountEvent),
    ApiKey(Uuid, ApiKeyEvent),
}

/// Something that happened, who did it, and in which organization.
pub(super) struct Fact {
    pub(super) at: Moment,
    pub(super) actor: String,
    pub(super) organization_id: OrganizationId,
    pub(super) event: AccessEvent,
}

impl Fact {
    /// The invite that did it, where whoever held one did: by accepting it.
    pub(super) fn by_invite(&self) -> Option<Uuid> {
        let kind = ActorKind::Invite.as_str();
        self.actor.strip_prefix(kind)?.strip_prefix(':')?.parse().ok()
    }
}

/// Somebody of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PersonOf {
    pub(super) person_id: PersonId,
    pub(super) organization_id: OrganizationId,
}

/// What a page says about access, in order.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) access: Vec<Fact>,
    /// Who acts as which text, where that is somebody outside.
    pub(super) external_actors: BTreeSet<(PersonOf, String)>,
    /// Who was erased.
    pub(super) erased: BTreeSet<PersonOf>,
}

impl Facts {
    pub(super) fn of(recorded: &[RecordedEvent]) -> Result<Self, ProjectionError> {
        let mut facts = Self { access: Vec::with_capacity(recorded.len()), ..Self::default() };
        for recorded in recorded {
            let event = match Stream::of(recorded)? {
                Stream::Organization => AccessEvent::Organization(events::read(recorded)?),
                Stream::Project => {
                    AccessEvent::Project(events::stream_id(recorded)?, events::read(recorded)?)
                }
                Stream::ServiceAccount => AccessEvent::ServiceAccount(
                    events::stream_id(recorded)?,
                    events::read(recorded)?,
                ),
                Stream::ApiKey => {
                    AccessEvent::ApiKey(events::stream_id(recorded)?, events::read(recorded)?)
                }
                Stream::Person => {
                    let person_id = match events::read(recorded)? {
                        PersonEvent::Erased { person_id, reason: _ } => person_id,
                        PersonEvent::ExportGranted { .. } | PersonEvent::Exported { .. } => {
                            continue;
                        }
                    };
                    let organization_id = events::organization(recorded)?;
                    facts.erased.insert(PersonOf { person_id, organization_id });
                    continue;
                }
                Stream::AccessReview
                | Stream::Approval
                | Stream::UsageMonth
                | Stream::Refusal
                | Stream::CreditAccount
                | Stream::Budget
                | Stream::Webhook
                | Stream::PriceList
                | Stream::Name
                | Stream::Usage
                | Stream::SigningKey => continue,
            };
            let actor = events::actor(recorded)?;
            let organization_id = events::organization(recorded)?;
            if let Some(person_id) = events::external_person(recorded) {
                let person = PersonOf { person_id, organization_id };
                facts.external_actors.insert((person, actor.clone()));
            }
            facts.access.push(Fact {
                at: Moment { time: recorded.occurred_at, position: recorded.position },
                actor,
                organization_id,
                event,
            });
        }
        Ok(facts)
    }

    /// The earliest time that any of them happened at.
    pub(super) fn earliest(&self) -> Option<DateTime<Utc>> {
        self.access.iter().map(|fact| fact.at.time).min()
    }

    pub(super) fn touched(&self) -> TouchedIds {
        let mut touched = TouchedIds::default();
        for fact in &self.access {
            touched.invites.extend(fact.by_invite());
            match &fact.event {
                AccessEvent::Organization(event) => {
                    touched.by_organization(fact.organization_id.0, event);
                }
                AccessEvent::Project(id, event) => touched.by_project(*id, event),
                AccessEvent::ServiceAccount(id, event) => touched.by_service_account(*id, event),
                AccessEvent::ApiKey(id, _) => touched.api_keys.push(*id),
            }
        }
        touched.once_each()
    }
}

/// Whose rows a page touches: by their own id, or because what they belong to ended.
#[derive(Default)]
pub(super) struct TouchedIds {
    pub(super) organizations: Vec<Uuid>,
    pub(super) members: Vec<Uuid>,
    pub(super) invites: Vec<Uuid>,
    pub(super) projects: Vec<Uuid>,
    /// Members whose roles in projects are touched. A member is in few projects, a project may have
    /// many members: so these are found by the member.
    pub(super) project_members: Vec<Uuid>,
    pub(super) service_accounts: Vec<Uuid>,
    pub(super) api_keys: Vec<Uuid>,
    pub(super) roles: Vec<Uuid>,
    /// Roles whose grants are touched.
    pub(super) granted_roles: Vec<Uuid>,
    pub(super) groups: Vec<Uuid>,
    /// Members whose places in groups are touched.
    pub(super) group_members: Vec<Uuid>,
    /// Groups whose roles in projects are touched.
    pub(super) project_groups: Vec<Uuid>,
    pub(super) removed_groups: Vec<Uuid>,
    pub(super) archived_organizations: Vec<Uuid>,
    pub(super) archived_projects: Vec<Uuid>,
    pub(super) removed_members: Vec<Uuid>,
    pub(super) removed_service_accounts: Vec<Uuid>,
}

impl TouchedIds {
    fn by_organization(&mut self, organization_id: Uuid, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Created { .. }
            | OrganizationEvent::Updated { .. }
            | OrganizationEvent::SettingsChanged { .. }
            | OrganizationEvent::SecurityChanged { .. } => {
                self.organizations.push(organization_id);
            }
            OrganizationEvent::Archived {} => {
                self.organizations.push(organization_id);
                self.archived_organizations.push(organization_id);
            }
            OrganizationEvent::InviteSent { invite_id, .. }
            | OrganizationEvent::InviteResent { invite_id, .. }
            | OrganizationEvent::InviteAccepted { invite_id, .. }
            | OrganizationEvent::InviteRevoked { invite_id }
            | OrganizationEvent::InviteExpired { invite_id } => self.invites.push(invite_id.0),
            OrganizationEvent::MemberAdded { member_id, .. }
            | OrganizationEvent::MemberRenamed { member_id, .. }
            | OrganizationEvent::MemberRoleChanged { member_id, .. }
            | OrganizationEvent::MemberSuspended { member_id, .. }
            | OrganizationEvent::MemberReinstated { member_id } => self.members.push(member_id.0),
            OrganizationEvent::MemberRemoved { member_id, .. } => {
                self.members.push(member_id.0);
                self.project_members.push(member_id.0);
                self.removed_members.push(member_id.0);
            }
            OrganizationEvent::RoleDefined { role_id, .. }
            | OrganizationEvent::RoleUpdated { role_id, .. } => self.roles.push(role_id.0),
            OrganizationEvent::RoleRemoved { role_id } => {
                self.roles.push(role_id.0);
                self.granted_roles.push(role_id.0);
            }
            OrganizationEvent::RoleGranted { role_id, .. }
            | OrganizationEvent::RoleWithdrawn { role_id, .. } => {
                self.granted_roles.push(role_id.0);
            }
            OrganizationEvent::GroupCreated { group_id, .. }
            | OrganizationEvent::GroupRenamed { group_id, .. }
            | OrganizationEvent::GroupRoleChanged { group_id, .. } => self.groups.push(group_id.0),
            OrganizationEvent::GroupRemoved { group_id } => {
                self.groups.push(group_id.0);
                self.removed_groups.push(group_id.0);
            }
            // Oversight's.
            OrganizationEvent::BreakGlassRequested { .. }
            | OrganizationEvent::BreakGlassApproved { .. }
            | OrganizationEvent::BreakGlassDeclined { .. }
            | OrganizationEvent::BreakGlassEnded { .. }
            | OrganizationEvent::BreakGlassTookIn { .. }
            | OrganizationEvent::BreakGlassInvited { .. }
            | OrganizationEvent::InviteTokenShared { .. }
            | OrganizationEvent::BreakGlassReviewed { .. } => {}
            OrganizationEvent::GroupMemberAdded { group_id: _, member_id }
            | OrganizationEvent::GroupMemberRemoved { group_id: _, member_id } => {
                self.group_members.push(member_id.0);
            }
        }
    }

    fn by_project(&mut self, project_id: Uuid, event: &ProjectEvent) {
        match event {
            ProjectEvent::Created { .. } | ProjectEvent::Updated { .. } => {
                self.projects.push(project_id);
            }
            ProjectEvent::Archived {} => {
                self.projects.push(project_id);
                self.archived_projects.push(project_id);
            }
            ProjectEvent::MemberAssigned { member_id, .. }
            | ProjectEvent::MemberRoleChanged { member_id, .. }
            | ProjectEvent::MemberRemoved { member_id } => self.project_members.push(member_id.0),
            ProjectEvent::GroupAssigned { group_id, .. }
            | ProjectEvent::GroupRoleChanged { group_id, .. }
            | ProjectEvent::GroupRemoved { group_id } => self.project_groups.push(group_id.0),
        }
    }

    fn by_service_account(&mut self, service_account_id: Uuid, event: &ServiceAccountEvent) {
        self.service_accounts.push(service_account_id);
        match event {
            ServiceAccountEvent::Created { .. }
            | ServiceAccountEvent::Updated { .. }
            | ServiceAccountEvent::Disabled { .. } => {}
            ServiceAccountEvent::Removed {} => {
                self.removed_service_accounts.push(service_account_id);
            }
        }
    }

    fn once_each(mut self) -> Self {
        for ids in [
            &mut self.organizations,
            &mut self.members,
            &mut self.invites,
            &mut self.projects,
            &mut self.project_members,
            &mut self.service_accounts,
            &mut self.api_keys,
            &mut self.roles,
            &mut self.granted_roles,
            &mut self.groups,
            &mut self.group_members,
            &mut self.project_groups,
            &mut self.removed_groups,
            &mut self.archived_organizations,
            &mut self.archived_projects,
            &mut self.removed_members,
            &mut self.removed_service_accounts,
        ] {
            ids.sort_unstable();
            ids.dedup();
        }
        self
    }
}
