//! Events of a project and its members.

use crate::event::stream_events;
use crate::{Environment, GroupId, MemberId, OrganizationId, ProjectId, ProjectRole};

stream_events! {
    /// What happens to a project.
    ProjectEvent on "project" {
        /// A project came into being.
        Created = "project.created" "1" {
            /// Its id.
            project_id: ProjectId,
            /// The organization that owns it.
            organization_id: OrganizationId,
            /// Its name, unique among the organization's projects that are not archived.
            name: String,
            /// The stage that it serves, where it has one.
            environment: Option<Environment>,
        }
        /// It was renamed or moved to another stage; what is null stays as it was.
        Updated = "project.updated" "1" {
            /// The new name.
            name: Option<String>,
            /// The new stage.
            environment: Option<Environment>,
        }
        /// It was closed for good: no keys, members or usage from now on.
        Archived = "project.archived" "1" {}
        /// A member of the organization was assigned to it.
        MemberAssigned = "project_member.assigned" "1" {
            /// The member.
            member_id: MemberId,
            /// The role.
            role: ProjectRole,
        }
        /// A member's role in it changed.
        MemberRoleChanged = "project_member.role_changed" "1" {
            /// The member.
            member_id: MemberId,
            /// The role from now on.
            role: ProjectRole,
            /// The role before.
            previous_role: ProjectRole,
        }
        /// A member was taken out of it.
        MemberRemoved = "project_member.removed" "1" {
            /// The member.
            member_id: MemberId,
        }
        /// A group was assigned to it: whoever is in the group has the role in it.
        GroupAssigned = "project_group.assigned" "1" {
            /// The group.
            group_id: GroupId,
            /// The role.
            role: ProjectRole,
        }
        /// A group's role in it changed.
        GroupRoleChanged = "project_group.role_changed" "1" {
            /// The group.
            group_id: GroupId,
            /// The role from now on.
            role: ProjectRole,
            /// The role before.
            previous_role: ProjectRole,
        }
        /// A group was taken out of it.
        GroupRemoved = "project_group.removed" "1" {
            /// The group.
            group_id: GroupId,
        }
    }
}
