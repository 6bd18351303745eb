//! Who asks, and what they see. Every route of an organization takes a [`Viewer`]; what they may not
//! see is not there.

use api_conventions::authentication::Caller;
use api_conventions::permissions::{Access, Reach};
use api_conventions::problem::{FORBIDDEN, Problem};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use event_schemas::{ActorKind, MemberId, OrganizationId, Permission, ProjectId};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::error::QueryError;
use crate::snapshot::{Projection, Rows};
use crate::state::QueryState;

/// Who asks about the organization in the path, and how far they see in it.
pub(crate) struct Viewer {
    caller: Caller,
    organization_id: OrganizationId,
    reach: Reach,
}

/// Who asks about accesses of the operator: a viewer, or one of those who run orgledger.
pub(crate) enum OversightViewer {
    /// Somebody of the organization.
    Viewer(Box<Viewer>),
    /// Who runs orgledger.
    Operator,
}

/// Who asks about no organization in particular.
pub(crate) struct AnyViewer(Caller);

/// What of a list somebody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visible {
    /// All of it.
    All,
    /// What belongs to one of these projects, and what is their own.
    Only {
        /// The projects.
        projects: Vec<ProjectId>,
        /// Who they are.
        own: Option<MemberId>,
    },
}

impl FromRequestParts<QueryState> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &QueryState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let path = RawPathParams::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|path| {
            let id = path.iter().find(|(name, _)| *name == "organization_id");
            id.map(|(_, id)| id.parse::<OrganizationId>())
        });
        // The path's own extractor says what is wrong with an id that is none.
        let Some(Ok(organization_id)) = id else {
            return Err(Problem::invalid("organization_id", "it is not an UUID"));
        };
        let reach = match &state.permissions {
            Some(permissions) => permissions.in_organization(&caller, organization_id).await?,
            // Only who runs orgledger is known here.
            None => Reach::All,
        };
        Ok(Self { caller, organization_id, reach })
    }
}

impl FromRequestParts<QueryState> for AnyViewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &QueryState) -> Result<Self, Problem> {
        Ok(Self(Caller::from_request_parts(parts, state).await?))
    }
}

impl FromRequestParts<QueryState> for OversightViewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &QueryState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.presented.is_none() && caller.actor.kind == ActorKind::Operator {
            return Ok(Self::Operator);
        }
        Viewer::from_request_parts(parts, state).await.map(|viewer| Self::Viewer(Box::new(viewer)))
    }
}

impl OversightViewer {
    /// Refuses who may not do this everywhere in the organization.
    pub(crate) fn must(&self, permission: Permission) -> Result<(), Problem> {
        match self {
            Self::Viewer(viewer) => viewer.must(permission),
            Self::Operator => Ok(()),
        }
    }
}

impl AnyViewer {
    /// The one organization that they see, where they do not see all.
    pub(crate) fn only_organization(&self) -> Option<OrganizationId> {
        self.0.presented.as_ref().map(api_conventions::authentication::Presented::organization_id)
    }
}

impl Viewer {
    fn access(&self) -> Option<&Access> {
        match &self.reach {
            Reach::All => None,
            Reach::Of(access) => Some(access),
        }
    }

    /// Whether they may do this everywhere in the organization.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.access().is_none_or(|access| access.organization.contains(permission))
    }

    /// Refuses who may not do this everywhere in the organization.
    pub(crate) fn must(&self, permission: Permission) -> Result<(), Problem> {
        if self.may(permission) { Ok(()) } else { Err(not_permitted(permission)) }
    }

    /// The one project that their credential opens, where it opens one alone.
    pub(crate) fn only_in(&self) -> Option<ProjectId> {
        self.access().and_then(|access| access.only_in)
    }

    /// The member who asks, where it is one with limits.
    pub(crate) fn member_id(&self) -> Option<MemberId> {
        self.access().and_then(|access| access.member_id)
    }

    /// What they see of what belongs to projects and needs this permission: all, or what is in the
    /// projects where they have it, and what is their own.
    pub(crate) async fn visible(
        &self,
        state: &QueryState,
        permission: Permission,
    ) -> Result<Visible, Problem> {
        let Some(access) = self.access() else { return Ok(Visible::All) };
        if access.only_in.is_none() && access.organization.contains(permission) {
            return Ok(Visible::All);
        }
        let mut projects = candidates(state, self.organization_id, access).await?;
        projects.sort_unstable();
        projects.dedup();
        let Some(permissions) = &state.permissions else { return Ok(Visible::All) };
        let known = permissions.in_projects(&self.caller, self.organization_id, &projects).await?;
        let seen = known.into_iter().filter(|(_, may)| may.contains(permission));
        let projects = seen.map(|(project_id, _)| project_id).collect();
        Ok(Visible::Only { projects, own: access.member_id.filter(|_| access.only_in.is_none()) })
    }

    /// What they see of what is single members' and needs this permission: all, or their own.
    pub(crate) fn visible_own(&self, permission: Permission) -> Visible {
        if self.may(permission) {
            return Visible::All;
        }
        Visible::Only { projects: Vec::new(), own: self.member_id() }
    }

    /// Refuses a project in which they may not do this; one that they see nothing of is not there.
    pub(crate) async fn must_in(
        &self,
        state: &QueryState,
        project_id: ProjectId,
        permission: Permission,
    ) -> Result<(), Problem> {
        let Some(permissions) = state.permissions.as_ref().filter(|_| self.access().is_some())
        else {
            return Ok(());
        };
        let asked = [project_id];
        let known = permissions.in_projects(&self.caller, self.organization_id, &asked).await?;
        match known.first() {
            Some((_, may)) if may.contains(permission) => Ok(()),
            Some((_, may)) if may.contains(Permission::ProjectsRead) => {
                Err(not_permitted(permission))
            }
            Some(_) | None => Err(Problem::not_found("project")),
        }
    }
}

/// Projects that the read model says somebody is in; whether they still are, the log is asked.
async fn candidates(
    state: &QueryState,
    organization_id: OrganizationId,
    access: &Access,
) -> Result<Vec<ProjectId>, Problem> {
    if let Some(only) = access.only_in {
        return Ok(vec![only]);
    }
    let groups: Vec<Uuid> = access.groups.iter().map(|group| group.0).collect();
    let rows = Rows::Of(organization_id);
    let mut snapshot = state.snapshot(rows, &[Projection::AccessRegister], 0).await?;
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select project_id from read.project_members
         where member_id = $1 and known_to is null and valid_to is null
         union select project_id from read.project_groups
         where group_id = any($2) and known_to is null and valid_to is null",
    )
    .bind(access.member_id.map(|member_id| member_id.0))
    .bind(groups)
    .fetch_all(snapshot.connection())
    .await
    .map_err(QueryError::from)?;
    Ok(ids.into_iter().map(ProjectId).chain(access.granted_in.iter().copied()).collect())
}

fn not_permitted(permission: Permission) -> Problem {
    Problem::new(FORBIDDEN)
        .with_detail(format!("This needs the permission {permission}."))
        .with("permission", permission.as_str())
}

impl Visible {
    /// Adds the condition on rows of which `project` says the project and `owner` the member.
    pub(crate) fn push(
        &self,
        query: &mut QueryBuilder<'_, Postgres>,
        project: Option<&str>,
        owner: Option<&str>,
    ) {
        let Self::Only { projects, own } = self else { return };
        query.push(" and (false");
        if let Some(project) = project {
            let projects: Vec<Uuid> = projects.iter().map(|id| id.0).collect();
            query.push(format_args!(" or {project} = any(")).push_bind(projects).push(")");
        }
        if let (Some(owner), Some(own)) = (owner, own) {
            query.push(format_args!(" or {owner} = ")).push_bind(own.0);
        }
        query.push(")");
    }
}
