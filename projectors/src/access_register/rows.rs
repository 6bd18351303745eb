//! The rows of the register's tables, as in `tables.sql`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::temporal::temporal_table;

temporal_table! {
    /// An organization that is not archived.
    Organization in "organizations" key(Uuid: organization_id) parents() {
        organization_id: Uuid = "uuid",
        name: String = "text",
        seat_limit: Option<i32> = "integer",
        settings: Value = "jsonb",
        security: Value = "jsonb",
    }
}

temporal_table! {
    /// A member. `since` and `granted_by` are of the role.
    Member in "members" key(Uuid: member_id) parents(organization_id) {
        member_id: Uuid = "uuid",
        person_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        login: String = "text",
        email: Option<String> = "text",
        role: String = "text",
        suspended: bool = "boolean",
        since: DateTime<Utc> = "timestamptz",
        granted_by: String = "text",
    }
}

temporal_table! {
    /// An invite, whatever became of it.
    Invite in "invites" key(Uuid: invite_id) parents(organization_id) {
        invite_id: Uuid = "uuid",
        person_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        email: String = "text",
        role: String = "text",
        projects: Value = "jsonb",
        expires_at: DateTime<Utc> = "timestamptz",
        state: String = "text",
        invited_by: String = "text",
    }
}

temporal_table! {
    /// A project that is not archived.
    Project in "projects" key(Uuid: project_id) parents(organization_id) {
        project_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        name: String = "text",
        environment: Option<String> = "text",
    }
}

temporal_table! {
    /// A member's role in a project.
    ProjectMember in "project_members" key((Uuid, Uuid): project_id, member_id)
        parents(project_id, member_id, organization_id)
    {
        project_id: Uuid = "uuid",
        member_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        role: String = "text",
        since: DateTime<Utc> = "timestamptz",
        granted_by: String = "text",
    }
}

temporal_table! {
    /// A service account that was not removed.
    ServiceAccount in "service_accounts" key(Uuid: service_account_id)
        parents(organization_id, project_id)
    {
        service_account_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        project_id: Uuid = "uuid",
        name: String = "text",
        purpose: Option<String> = "text",
        disabled: bool = "boolean",
        created_by: String = "text",
    }
}

temporal_table! {
    /// An API key, until what it belongs to ends.
    ApiKey in "api_keys" key(Uuid: api_key_id)
        parents(organization_id, project_id, member_id, service_account_id)
    {
        api_key_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        project_id: Option<Uuid> = "uuid",
        member_id: Option<Uuid> = "uuid",
        service_account_id: Option<Uuid> = "uuid",
        name: String = "text",
        redacted: String = "text",
        state: String = "text",
        expires_at: Option<DateTime<Utc>> = "timestamptz",
        rotation_due_at: Option<DateTime<Utc>> = "timestamptz",
        rotation_days: Option<i32> = "integer",
        scopes: Option<Value> = "jsonb",
        rotated_at: Option<DateTime<Utc>> = "timestamptz",
        shared: bool = "boolean",
        secret_shown_to: Value = "jsonb",
        created_by: String = "text",
    }
}

temporal_table! {
    /// A custom role that was not removed.
    Role in "roles" key(Uuid: role_id) parents(organization_id) {
        role_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        name: String = "text",
        permissions: Value = "jsonb",
    }
}

temporal_table! {
    /// A custom role that a member or group has, everywhere or within a project.
    RoleGrant in "role_grants" key((Uuid, Uuid, Option<Uuid>): role_id, grantee_id, project_id)
        parents(role_id, grantee_id, project_id, organization_id)
    {
        role_id: Uuid = "uuid",
        grantee_id: Uuid = "uuid",
        grantee_kind: String = "text",
        project_id: Option<Uuid> = "uuid",
        organization_id: Uuid = "uuid",
        since: DateTime<Utc> = "timestamptz",
        granted_by: String = "text",
    }
}

temporal_table! {
    /// A group that was not removed. `since` and `granted_by` are of the role.
    Group in "groups" key(Uuid: group_id) parents(organization_id) {
        group_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        name: String = "text",
        role: Option<String> = "text",
        since: DateTime<Utc> = "timestamptz",
        granted_by: String = "text",
    }
}

temporal_table! {
    /// A member's place in a group.
    GroupMember in "group_members" key((Uuid, Uuid): group_id, member_id)
        parents(group_id, member_id, organization_id)
    {
        group_id: Uuid = "uuid",
        member_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        since: DateTime<Utc> = "timestamptz",
        granted_by: String = "text",
    }
}

temporal_table! {
    /// A group's role in a project.
    ProjectGroup in "project_groups" key((Uuid, Uuid): project_id, group_id)
        parents(project_id, group_id, organization_id)
    {
        project_id: Uuid = "uuid",
        group_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        role: String = "text",
        since: DateTime<Utc> = "timestamptz",
        granted_by: String = "text",
    }
}
