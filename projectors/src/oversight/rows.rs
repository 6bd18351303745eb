//! The rows of the tables of oversight, as in `tables.sql`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::temporal::temporal_table;

temporal_table! {
    /// Something sensitive that waits for a second person, or has.
    Approval in "approvals" key(Uuid: approval_id) parents(organization_id) {
        approval_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        action: String = "text",
        request: Value = "jsonb",
        state: String = "text",
        requested_by: Uuid = "uuid",
        requested_at: DateTime<Utc> = "timestamptz",
        expires_at: DateTime<Utc> = "timestamptz",
        decided_by: Option<Uuid> = "uuid",
        reason: Option<String> = "text",
    }
}

temporal_table! {
    /// An access of the operator to an organization.
    BreakGlass in "break_glass" key(Uuid: break_glass_id) parents(organization_id) {
        break_glass_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        operator: String = "text",
        reason: String = "text",
        minutes: i32 = "integer",
        state: String = "text",
        requested_at: DateTime<Utc> = "timestamptz",
        opened_at: Option<DateTime<Utc>> = "timestamptz",
        expires_at: Option<DateTime<Utc>> = "timestamptz",
        ended_at: Option<DateTime<Utc>> = "timestamptz",
        decided_by: Option<String> = "text",
        reviewed_by: Option<String> = "text",
        reviewed_at: Option<DateTime<Utc>> = "timestamptz",
        note: Option<String> = "text",
        took_in: Value = "jsonb",
    }
}

temporal_table! {
    /// A command that was refused to somebody of an organization.
    Refusal in "refusals" key(Uuid: refusal_id) parents(organization_id) {
        refusal_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        actor: String = "text",
        command: String = "text",
        problem: String = "text",
        permission: Option<String> = "text",
        unrecorded_before: i64 = "bigint",
        occurred_at: DateTime<Utc> = "timestamptz",
    }
}

temporal_table! {
    /// An endpoint that events are sent to.
    Webhook in "webhooks" key(Uuid: webhook_id) parents(organization_id) {
        webhook_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        url: String = "text",
        description: Option<String> = "text",
        event_types: Value = "jsonb",
        state: String = "text",
        disabled_because: Option<String> = "text",
        secret_rotated_at: Option<DateTime<Utc>> = "timestamptz",
        previous_signs_until: Option<DateTime<Utc>> = "timestamptz",
        created_by: String = "text",
        created_at: DateTime<Utc> = "timestamptz",
    }
}
