//! What a caller may see: asked of whoever knows the log's truth, by whoever answers queries.

use std::future::Future;
use std::pin::Pin;

use event_schemas::{GroupId, MemberId, OrganizationId, PermissionSet, ProjectId};

use crate::authentication::Caller;
use crate::problem::Problem;

/// How far a caller sees in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    All,
    /// What their permissions allow.
    Of(Access),
}

/// What a caller may do in an organization, by the log's head, with all limits of their credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The member who asks, where it is one.
    pub member_id: Option<MemberId>,
    /// What they may do everywhere in the organization.
    pub organization: PermissionSet,
    /// The one project that their credential opens, where it opens one alone.
    pub only_in: Option<ProjectId>,
    /// The groups that they are in.
    pub groups: Vec<GroupId>,
    /// Projects within which custom roles are granted to them.
    pub granted_in: Vec<ProjectId>,
}

/// An answer that takes a while.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// Who knows what a caller may see. It answers by the head of the log: what was withdrawn is not
/// seen any more, whatever read models still say.
pub trait Permissions: Send + Sync {
    /// How far the caller sees in the organization; not found where they see nothing of it, or it is
    /// not there.
    fn in_organization<'a>(
        &'a self,
        caller: &'a Caller,
        organization_id: OrganizationId,
    ) -> Answering<'a, Reach>;

    /// What the caller may do in each of these projects; those that they see nothing of are left out.
    fn in_projects<'a>(
        &'a self,
        caller: &'a Caller,
        organization_id: OrganizationId,
        projects: &'a [ProjectId],
    ) -> Answering<'a, Vec<(ProjectId, PermissionSet)>>;
}
