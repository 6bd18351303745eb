//! The register's rows that a page touches, and what each event does to them.

use chrono::{DateTime, Utc};
use event_schemas::{
    ApiKeyEvent, KeyOwner, OrganizationEvent, OrganizationSettings, ProjectEvent, ProjectGrant,
    SecuritySettings, ServiceAccountEvent,
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::{AccessEvent, Fact, TouchedIds};
use super::groups::words;
use super::rows::{
    ApiKey, Group, GroupMember, Invite, Member, Organization, Project, ProjectGroup, ProjectMember,
    Role, RoleGrant, ServiceAccount,
};
use crate::temporal::{Loaded, Moment, Touched, load, write};

pub(super) struct Register {
    organizations: Loaded<Organization>,
    members: Loaded<Member>,
    invites: Loaded<Invite>,
    projects: Loaded<Project>,
    project_members: Loaded<ProjectMember>,
    service_accounts: Loaded<ServiceAccount>,
    api_keys: Loaded<ApiKey>,
    pub(super) roles: Loaded<Role>,
    pub(super) role_grants: Loaded<RoleGrant>,
    pub(super) groups: Loaded<Group>,
    pub(super) group_members: Loaded<GroupMember>,
    pub(super) project_groups: Loaded<ProjectGroup>,
}

impl Register {
    pub(super) async fn load(
        tx: &mut PgConnection,
        ids: &TouchedIds,
        earliest: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let by = |column, ids| Touched { column, ids };
        let organization = || by("organization_id", ids.archived_organizations.as_slice());
        let project = || by("project_id", ids.archived_projects.as_slice());
        let organizations = [by("organization_id", &ids.organizations)];
        let members = [by("member_id", &ids.members), organization()];
        let invites = [by("invite_id", &ids.invites), organization()];
        let projects = [by("project_id", &ids.projects), organization()];
        let project_members = [by("member_id", &ids.project_members), project(), organization()];
        let service_accounts =
            [by("service_account_id", &ids.service_accounts), project(), organization()];
        let api_keys = [
            by("api_key_id", &ids.api_keys),
            by("member_id", &ids.removed_members),
            by("service_account_id", &ids.removed_service_accounts),
            project(),
            organization(),
        ];
        let removed_group = |column| by(column, ids.removed_groups.as_slice());
        let roles = [by("role_id", &ids.roles), organization()];
        let role_grants = [
            by("role_id", &ids.granted_roles),
            by("grantee_id", &ids.removed_members),
            removed_group("grantee_id"),
            project(),
            organization(),
        ];
        let groups = [by("group_id", &ids.groups), organization()];
        let group_members = [
            by("member_id", &ids.group_members),
            by("member_id", &ids.removed_members),
            removed_group("group_id"),
            organization(),
        ];
        let project_groups = [
            by("group_id", &ids.project_groups),
            removed_group("group_id"),
            project(),
            organization(),
        ];
        Ok(Self {
            roles: load(tx, &roles, earliest).await?,
            role_grants: load(tx, &role_grants, earliest).await?,
            groups: load(tx, &groups, earliest).await?,
            group_members: load(tx, &group_members, earliest).await?,
            project_groups: load(tx, &project_groups, earliest).await?,
            organizations: load(tx, &organizations, earliest).await?,
            members: load(tx, &members, earliest).await?,
            invites: load(tx, &invites, earliest).await?,
            projects: load(tx, &projects, earliest).await?,
            project_members: load(tx, &project_members, earliest).await?,
            service_accounts: load(tx, &service_accounts, earliest).await?,
            api_keys: load(tx, &api_keys, earliest).await?,
        })
    }

    pub(super) async fn write(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        write(tx, &self.organizations).await?;
        write(tx, &self.members).await?;
        write(tx, &self.invites).await?;
        write(tx, &self.projects).await?;
        write(tx, &self.project_members).await?;
        write(tx, &self.service_accounts).await?;
        write(tx, &self.api_keys).await?;
        write(tx, &self.roles).await?;
        write(tx, &self.role_grants).await?;
        write(tx, &self.groups).await?;
        write(tx, &self.group_members).await?;
        write(tx, &self.project_groups).await
    }

    pub(super) fn apply(&mut self, fact: &Fact) {
        match &fact.event {
            AccessEvent::Organization(event) => self.organization(fact, event),
            AccessEvent::Project(id, event) => self.project(fact, *id, event),
            AccessEvent::ServiceAccount(id, event) => self.service_account(fact, *id, event),
            AccessEvent::ApiKey(id, event) => self.api_key(fact, *id, event),
        }
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    fn organization(&mut self, fact: &Fact, event: &OrganizationEvent) {
        let Fact { at, organization_id, .. } = fact;
        let members = &mut self.members.fold;
        match event {
            OrganizationEvent::Created { organization_id: _, name, seat_limit } => {
                self.organizations.fold.set(
                    *at,
                    Organization {
                        organization_id: organization_id.0,
                        name: name.clone(),
                        seat_limit: seat_limit.map(seats),
                        settings: json!(OrganizationSettings::default()),
                        security: json!(SecuritySettings::default()),
                    },
                );
            }
            OrganizationEvent::SettingsChanged { settings } => {
                self.organizations
                    .fold
                    .change(*at, &organization_id.0, |row| row.settings = json!(settings));
            }
            OrganizationEvent::SecurityChanged { security } => {
                self.organizations
                    .fold
                    .change(*at, &organization_id.0, |row| row.security = json!(security));
            }
            OrganizationEvent::Updated { name, seat_limit } => {
                self.organizations.fold.change(*at, &organization_id.0, |row| {
                    row.name = name.clone().unwrap_or_else(|| std::mem::take(&mut row.name));
                    row.seat_limit = seat_limit.map(seats).or(row.seat_limit);
                });
            }
            OrganizationEvent::Archived {} => self.archive_organization(*at, organization_id.0),
            OrganizationEvent::InviteSent {
                invite_id,
                person_id,
                email,
                role,
                projects,
                expires_at,
                token_hash: _,
                invited_by: _,
            } => {
                self.invites.fold.set(
                    *at,
                    Invite {
                        invite_id: invite_id.0,
                        person_id: person_id.0,
                        organization_id: organization_id.0,
                        email: email.clone(),
                        role: role.to_string(),
                        projects: project_grants(projects),
                        expires_at: *expires_at,
                        state: "open".to_owned(),
                        invited_by: fact.actor.clone(),
                    },
                );
            }
            OrganizationEvent::InviteResent {
                invite_id,
                expires_at,
                token_hash: _,
                resent_by: _,
            } => {
                self.invites.fold.change(*at, &invite_id.0, |row| row.expires_at = *expires_at);
            }
            OrganizationEvent::InviteAccepted { invite_id, member_id: _ } => {
                self.close_invite(*at, invite_id.0, "accepted");
            }
            OrganizationEvent::InviteRevoked { invite_id } => {
                self.close_invite(*at, invite_id.0, "revoked");
            }
            OrganizationEvent::InviteExpired { invite_id } => {
                self.close_invite(*at, invite_id.0, "expired");
            }
            OrganizationEvent::MemberAdded { member_id, person_id, login, email, role } => {
                let granted_by = self.granted_by(fact);
                self.members.fold.set(
                    *at,
                    Member {
                        member_id: member_id.0,
                        person_id: person_id.0,
                        organization_id: organization_id.0,
                        login: login.clone(),
                        email: email.clone(),
                        role: role.to_string(),
                        suspended: false,
                        since: at.time,
                        granted_by,
                    },
                );
            }
            OrganizationEvent::MemberRenamed { member_id, person_id: _, login } => {
                members.change(*at, &member_id.0, |row| login.clone_into(&mut row.login));
            }
            OrganizationEvent::MemberRoleChanged { member_id, role, previous_role: _ } => {
                members.change(*at, &member_id.0, |row| {
                    row.role = role.to_string();
                    row.since = at.time;
                    row.granted_by.clone_from(&fact.actor);
                });
            }
            OrganizationEvent::MemberSuspended { member_id, reason: _ } => {
                members.change(*at, &member_id.0, |row| row.suspended = true);
            }
            OrganizationEvent::MemberReinstated { member_id } => {
                members.change(*at, &member_id.0, |row| row.suspended = false);
            }
            OrganizationEvent::MemberRemoved { member_id, reason: _ } => {
                members.end(*at, &member_id.0);
                self.project_members.fold.end_children(*at, member_id.0);
                self.api_keys.fold.end_children(*at, member_id.0);
                self.group_members.fold.end_children(*at, member_id.0);
                self.role_grants.fold.end_children(*at, member_id.0);
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
            OrganizationEvent::RoleDefined { .. }
            | OrganizationEvent::RoleUpdated { .. }
            | OrganizationEvent::RoleRemoved { .. }
            | OrganizationEvent::RoleGranted { .. }
            | OrganizationEvent::RoleWithdrawn { .. }
            | OrganizationEvent::GroupCreated { .. }
            | OrganizationEvent::GroupRenamed { .. }
            | OrganizationEvent::GroupRoleChanged { .. }
            | OrganizationEvent::GroupRemoved { .. }
            | OrganizationEvent::GroupMemberAdded { .. }
            | OrganizationEvent::GroupMemberRemoved { .. } => self.groups_and_roles(fact, event),
        }
    }

    /// Who gave what somebody got: who accepts an invite got it from whoever has sent that.
    fn granted_by(&self, fact: &Fact) -> String {
        let invite = fact.by_invite().and_then(|invite_id| self.invites.fold.open(&invite_id));
        invite.map_or(&fact.actor, |invite| &invite.invited_by).clone()
    }

    fn archive_organization(&mut self, at: Moment, organization_id: Uuid) {
        self.organizations.fold.end(at, &organization_id);
        self.members.fold.end_children(at, organization_id);
        self.invites.fold.end_children(at, organization_id);
        self.projects.fold.end_children(at, organization_id);
        self.project_members.fold.end_children(at, organization_id);
        self.service_accounts.fold.end_children(at, organization_id);
        self.api_keys.fold.end_children(at, organization_id);
        self.roles.fold.end_children(at, organization_id);
        self.role_grants.fold.end_children(at, organization_id);
        self.groups.fold.end_children(at, organization_id);
        self.group_members.fold.end_children(at, organization_id);
        self.project_groups.fold.end_children(at, organization_id);
    }

    fn close_invite(&mut self, at: Moment, invite_id: Uuid, state: &str) {
        self.invites.fold.change(at, &invite_id, |row| state.clone_into(&mut row.state));
    }

    fn project(&mut self, fact: &Fact, project_id: Uuid, event: &ProjectEvent) {
        let at = fact.at;
        match event {
            ProjectEvent::Created { project_id: _, organization_id, name, environment } => {
                self.projects.fold.set(
                    at,
                    Project {
                        project_id,
                        organization_id: organization_id.0,
                        name: name.clone(),
                        environment: environment.map(|environment| environment.to_string()),
                    },
                );
            }
            ProjectEvent::Updated { name, environment } => {
                self.projects.fold.change(at, &project_id, |row| {
                    row.name = name.clone().unwrap_or_else(|| std::mem::take(&mut row.name));
                    row.environment =
                        environment.map(|e| e.to_string()).or_else(|| row.environment.take());
                });
            }
            ProjectEvent::Archived {} => {
                self.projects.fold.end(at, &project_id);
                self.project_members.fold.end_children(at, project_id);
                self.service_accounts.fold.end_children(at, project_id);
                self.api_keys.fold.end_children(at, project_id);
                self.project_groups.fold.end_children(at, project_id);
                self.role_grants.fold.end_children(at, project_id);
            }
            ProjectEvent::MemberAssigned { member_id, role } => {
                let granted_by = self.granted_by(fact);
                self.project_members.fold.set(
                    at,
                    ProjectMember {
                        project_id,
                        member_id: member_id.0,
                        organization_id: fact.organization_id.0,
                        role: role.to_string(),
                        since: at.time,
                        granted_by,
                    },
                );
            }
            ProjectEvent::MemberRoleChanged { member_id, role, previous_role: _ } => {
                self.project_members.fold.change(at, &(project_id, member_id.0), |row| {
                    row.role = role.to_string();
                    row.since = at.time;
                    row.granted_by.clone_from(&fact.actor);
                });
            }
            ProjectEvent::MemberRemoved { member_id } => {
                self.project_members.fold.end(at, &(project_id, member_id.0));
            }
            ProjectEvent::GroupAssigned { group_id, role } => self.project_groups.fold.set(
                at,
                ProjectGroup {
                    project_id,
                    group_id: group_id.0,
                    organization_id: fact.organization_id.0,
                    role: role.to_string(),
                    since: at.time,
                    granted_by: fact.actor.clone(),
                },
            ),
            ProjectEvent::GroupRoleChanged { group_id, role, previous_role: _ } => {
                self.project_groups.fold.change(at, &(project_id, group_id.0), |row| {
                    row.role = role.to_string();
                    row.since = at.time;
                    row.granted_by.clone_from(&fact.actor);
                });
            }
            ProjectEvent::GroupRemoved { group_id } => {
                self.project_groups.fold.end(at, &(project_id, group_id.0));
            }
        }
    }

    fn service_account(&mut self, fact: &Fact, id: Uuid, event: &ServiceAccountEvent) {
        match event {
            ServiceAccountEvent::Created {
                service_account_id: _,
                organization_id,
                project_id,
                name,
                purpose,
            } => self.service_accounts.fold.set(
                fact.at,
                ServiceAccount {
                    service_account_id: id,
                    organization_id: organization_id.0,
                    project_id: project_id.0,
                    name: name.clone(),
                    purpose: purpose.clone(),
                    disabled: false,
                    created_by: fact.actor.clone(),
                },
            ),
            ServiceAccountEvent::Updated { name, purpose } => {
                self.service_accounts.fold.change(fact.at, &id, |row| {
                    if let Some(name) = name {
                        row.name.clone_from(name);
                    }
                    if let Some(purpose) = purpose {
                        row.purpose = Some(purpose.clone()).filter(|purpose| !purpose.is_empty());
                    }
                });
            }
            ServiceAccountEvent::Disabled { reason: _ } => {
                self.service_accounts.fold.change(fact.at, &id, |row| row.disabled = true);
            }
            ServiceAccountEvent::Removed {} => {
                self.service_accounts.fold.end(fact.at, &id);
                self.api_keys.fold.end_children(fact.at, id);
            }
        }
    }

    fn api_key(&mut self, fact: &Fact, api_key_id: Uuid, event: &ApiKeyEvent) {
        let keys = &mut self.api_keys.fold;
        match event {
            ApiKeyEvent::Created {
                api_key_id: _,
                organization_id,
                project_id,
                owner,
                name,
                secret_hash: _,
                redacted,
                expires_at,
                rotation_due_at,
                rotation_days,
                scopes,
            } => {
                let (member_id, service_account_id) = match owner {
                    KeyOwner::Member { member_id } => (Some(member_id.0), None),
                    KeyOwner::ServiceAccount { service_account_id } => {
                        (None, Some(service_account_id.0))
                    }
                };
                keys.set(
                    fact.at,
                    ApiKey {
                        api_key_id,
                        organization_id: organization_id.0,
                        project_id: project_id.map(|id| id.0),
                        member_id,
                        service_account_id,
                        name: name.clone(),
                        redacted: redacted.clone(),
                        state: "active".to_owned(),
                        expires_at: *expires_at,
                        rotation_due_at: *rotation_due_at,
                        rotation_days: rotation_days.map(seats),
                        scopes: scopes.map(words),
                        rotated_at: None,
                        shared: false,
                        secret_shown_to: other_than(member_id, &fact.actor),
                        created_by: fact.actor.clone(),
                    },
                );
            }
            ApiKeyEvent::Renamed { name } => {
                keys.change(fact.at, &api_key_id, |row| name.clone_into(&mut row.name));
            }
            ApiKeyEvent::Rotated {
                secret_hash: _,
                redacted,
                previous_valid_until: _,
                rotation_due_at,
            } => keys.change(fact.at, &api_key_id, |row| {
                redacted.clone_into(&mut row.redacted);
                row.rotation_due_at = *rotation_due_at;
                row.rotated_at = Some(fact.at.time);
                row.shared = false;
                row.secret_shown_to = other_than(row.member_id, &fact.actor);
            }),
            ApiKeyEvent::SecretShared { shown_to, break_glass_id: _ } => {
                keys.change(fact.at, &api_key_id, |row| {
                    row.shared = true;
                    row.secret_shown_to = shown_to.iter().map(ToString::to_string).collect();
                });
            }
            ApiKeyEvent::Revoked { reason: _ } => {
                keys.change(fact.at, &api_key_id, |row| "revoked".clone_into(&mut row.state));
            }
            ApiKeyEvent::Expired {} => {
                keys.change(fact.at, &api_key_id, |row| "expired".clone_into(&mut row.state));
            }
        }
    }
}

/// A count as the column holds it. No organization has more seats, and no key more days, than fit.
fn seats(limit: u32) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

fn project_grants(grants: &[ProjectGrant]) -> Value {
    let grant = |grant: &ProjectGrant| json!({ "project_id": grant.project_id.to_string(), "role": grant.role.as_str() });
    grants.iter().map(grant).collect()
}

/// The member who acted, where it is another than the owner of the key: they were shown its secret.
fn other_than(owner: Option<Uuid>, actor: &str) -> Value {
    let acted = actor
        .strip_prefix("member:")
        .filter(|id| owner.is_none_or(|owner| owner.to_string() != *id));
    acted.into_iter().collect()
}
