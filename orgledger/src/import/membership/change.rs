//! One line of a history, and the command that it becomes.

use chrono::{DateTime, Utc};
use command_api::members::{
    AddMember, AddMemberRequest, ChangeMemberRole, ChangeMemberRoleRequest, RemoveMember,
    RemoveMemberRequest, RenameMember, RenameMemberRequest,
};
use command_api::organizations::{ArchiveOrganization, CreateOrganization};
use command_api::project_members::{
    AssignProjectMember, AssignProjectMemberRequest, RemoveProjectMember,
};
use command_api::projects::{ArchiveProject, CreateProject, CreateProjectRequest};
use command_api::{Command, Refusal, Session};
use domain::organization::Organization;
use event_schemas::{MemberId, OrganizationId, OrganizationRole, ProjectId, ProjectRole};
use serde::{Deserialize, Serialize};

/// How a refusal that is kept speaks of whom a line is about.
pub(super) const SUBJECT: &str = "the subject";

/// A change as the file has it. Fields that an access register does not need are not read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Change {
    /// When it took effect.
    pub ts: DateTime<Utc>,
    /// Who made it.
    #[serde(default)]
    pub actor: Option<String>,
    /// The change in the source system that brought it.
    #[serde(default)]
    pub commit: Option<String>,
    /// What kind of change it is.
    pub kind: String,
    /// The organization's name.
    pub org: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    new_subject: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    team: Option<String>,
}

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An organization came into being.
    OrganizationCreated,
    /// An organization ended.
    OrganizationDeleted,
    /// A person joined.
    MemberAdded,
    /// A person's role changed.
    MemberRoleChanged,
    /// A person left.
    MemberRemoved,
    /// A person's login changed.
    MemberRenamed,
    /// A team came into being.
    TeamCreated,
    /// A team ended.
    TeamDeleted,
    /// A person joined a team, or their role in it changed.
    TeamMember,
    /// A person left a team.
    TeamMemberRemoved,
    /// Known, and no part of an access register.
    NotAccess,
}

impl Kind {
    /// The kind of that name; none where there is no such kind.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "org_created" => Self::OrganizationCreated,
            "org_deleted" => Self::OrganizationDeleted,
            "member_added" => Self::MemberAdded,
            "role_changed" => Self::MemberRoleChanged,
            "member_removed" => Self::MemberRemoved,
            "member_renamed" => Self::MemberRenamed,
            "team_created" => Self::TeamCreated,
            "team_deleted" => Self::TeamDeleted,
            "team_member_added" | "team_role_changed" => Self::TeamMember,
            "team_member_removed" => Self::TeamMemberRemoved,
            "team_updated" | "team_repo_granted" | "team_repo_revoked" => Self::NotAccess,
            _ => return None,
        })
    }
}

/// What became of a line. It is stored under the line's idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum LineOutcome {
    /// Its change was recorded.
    Recorded {},
    /// It was so already.
    Unchanged,
    /// It cannot be recorded.
    Rejected {
        /// Why.
        reason: String,
    },
}

/// Why a line is rejected before any decider is asked.
fn reject(reason: impl Into<String>) -> Refusal {
    Refusal::Import(reason.into())
}

impl Command for Change {
    const NAME: &'static str = "import.membership";
    type Outcome = LineOutcome;

    fn organization_id(&self) -> Option<OrganizationId> {
        None
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<LineOutcome, Refusal> {
        let before = session.events_decided();
        if let Some(kind) = Kind::of(&self.kind) {
            self.apply(session, kind).await?;
        }
        let changed = session.events_decided() > before;
        Ok(if changed { LineOutcome::Recorded {} } else { LineOutcome::Unchanged })
    }

    fn refused(&self, refusal: &Refusal) -> Option<LineOutcome> {
        Some(LineOutcome::Rejected { reason: refusal.to_string() })
    }
}

impl Change {
    async fn apply(&self, session: &mut Session<'_>, kind: Kind) -> Result<(), Refusal> {
        let found = session.organization_named(&self.org).await?;
        let organization_id = match (kind, found) {
            (Kind::OrganizationCreated, None) => {
                let create =
                    CreateOrganization { name: self.org.clone(), seat_limit: None, owner: None };
                create.handle(session).await?;
                return Ok(());
            }
            // Taking away what is not there, or creating what is, changes nothing.
            (Kind::OrganizationCreated, Some(_))
            | (
                Kind::OrganizationDeleted
                | Kind::MemberRemoved
                | Kind::TeamDeleted
                | Kind::TeamMemberRemoved,
                None,
            ) => return Ok(()),
            (_, None) => return Err(reject(format!("there is no organization '{}'", self.org))),
            (_, Some(organization_id)) => organization_id,
        };
        session.belongs_to(organization_id);
        match kind {
            Kind::OrganizationCreated | Kind::NotAccess => Ok(()),
            Kind::OrganizationDeleted => {
                ArchiveOrganization { organization_id }.handle(session).await.map(drop)
            }
            Kind::MemberAdded => self.add_member(session, organization_id).await,
            Kind::MemberRoleChanged => self.change_role(session, organization_id).await,
            Kind::MemberRemoved => self.remove_member(session, organization_id).await,
            Kind::MemberRenamed => self.rename_member(session, organization_id).await,
            Kind::TeamCreated => self.create_team(session, organization_id).await,
            Kind::TeamDeleted => self.delete_team(session, organization_id).await,
            Kind::TeamMember => self.team_member(session, organization_id).await,
            Kind::TeamMemberRemoved => self.leave_team(session, organization_id).await,
        }
    }

    async fn add_member(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let request = AddMemberRequest {
            login: self.subject()?.to_owned(),
            email: None,
            role: Some(self.organization_role()?),
        };
        AddMember { organization_id, request }.handle(session).await.map(drop)
    }

    async fn change_role(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let member_id = self.member(session, organization_id).await?;
        let request = ChangeMemberRoleRequest { role: self.organization_role()? };
        ChangeMemberRole { organization_id, member_id, request }.handle(session).await.map(drop)
    }

    async fn remove_member(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let login = self.subject()?;
        let organization = session.read::<Organization>(organization_id).await?;
        let Some(member_id) = organization.member_by_login(login) else { return Ok(()) };
        let request = RemoveMemberRequest::default();
        RemoveMember { organization_id, member_id, request }.handle(session).await.map(drop)
    }

    async fn rename_member(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let member_id = self.member(session, organization_id).await?;
        let login = self.new_subject.clone().ok_or_else(|| reject("new_subject is missing"))?;
        let request = RenameMemberRequest { login };
        RenameMember { organization_id, member_id, request }.handle(session).await.map(drop)
    }

    async fn create_team(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let name = self.team()?.to_owned();
        if session.project_named(organization_id, &name).await?.is_some() {
            return Ok(());
        }
        let request = CreateProjectRequest { name, environment: None };
        CreateProject { organization_id, request }.handle(session).await.map(drop)
    }

    async fn delete_team(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        match session.project_named(organization_id, self.team()?).await? {
            Some(project_id) => {
                ArchiveProject { organization_id, project_id }.handle(session).await.map(drop)
            }
            None => Ok(()),
        }
    }

    async fn team_member(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let Some(role) = self.project_role()? else {
            return self.leave_team(session, organization_id).await;
        };
        let member_id = self.member(session, organization_id).await?;
        let project_id = self.project(session, organization_id).await?;
        let request = AssignProjectMemberRequest { member_id, role: Some(role) };
        AssignProjectMember { organization_id, project_id, request }.handle(session).await.map(drop)
    }

    async fn leave_team(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        let login = self.subject()?;
        let organization = session.read::<Organization>(organization_id).await?;
        let member_id = organization.member_by_login(login);
        let project_id = session.project_named(organization_id, self.team()?).await?;
        match (member_id, project_id) {
            (Some(member_id), Some(project_id)) => {
                RemoveProjectMember { organization_id, project_id, member_id }
                    .handle(session)
                    .await
                    .map(drop)
            }
            (None, _) | (_, None) => Ok(()),
        }
    }

    pub(super) fn subject(&self) -> Result<&str, Refusal> {
        self.subject.as_deref().ok_or_else(|| reject("subject is missing"))
    }

    fn team(&self) -> Result<&str, Refusal> {
        self.team.as_deref().ok_or_else(|| reject("team is missing"))
    }

    async fn member(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<MemberId, Refusal> {
        let login = self.subject()?;
        let organization = session.read::<Organization>(organization_id).await?;
        organization.member_by_login(login).ok_or_else(|| {
            // Kept with the line's key, so it names nobody; the line does.
            reject(format!("{SUBJECT} is not a member of the organization '{}'", self.org))
        })
    }

    async fn project(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<ProjectId, Refusal> {
        let name = self.team()?;
        let found = session.project_named(organization_id, name).await?;
        found.ok_or_else(|| {
            reject(format!("there is no project '{name}' in the organization '{}'", self.org))
        })
    }

    fn organization_role(&self) -> Result<OrganizationRole, Refusal> {
        match self.role.as_deref() {
            Some("admin") => Ok(OrganizationRole::Admin),
            Some("member" | "person") => Ok(OrganizationRole::Member),
            Some(role) => Err(reject(format!("unknown organization role '{role}'"))),
            None => Err(reject("role is missing")),
        }
    }

    /// The role in the project; none where it gives no access.
    fn project_role(&self) -> Result<Option<ProjectRole>, Refusal> {
        match self.role.as_deref() {
            Some("lead" | "maintainer") => Ok(Some(ProjectRole::Owner)),
            Some("member") => Ok(Some(ProjectRole::Member)),
            Some("alumni") => Ok(None),
            Some(role) => Err(reject(format!("unknown project role '{role}'"))),
            None => Err(reject("role is missing")),
        }
    }
}
