//! The row of a budget, as in `tables.sql`.

use serde_json::Value;
use uuid::Uuid;

use crate::temporal::temporal_table;

temporal_table! {
    /// A budget. It ends with what it is on.
    Budget in "budgets" key(Uuid: budget_id)
        parents(project_id, api_key_id, member_id, key_owner_id, organization_id)
    {
        budget_id: Uuid = "uuid",
        organization_id: Uuid = "uuid",
        scope: String = "text",
        project_id: Option<Uuid> = "uuid",
        api_key_id: Option<Uuid> = "uuid",
        member_id: Option<Uuid> = "uuid",
        key_owner_id: Option<Uuid> = "uuid",
        feature: Option<String> = "text",
        keeper: String = "text",
        name: String = "text",
        currency: String = "text",
        period: String = "text",
        amount: String = "text",
        thresholds: Value = "jsonb",
        action: String = "text",
        time_zone: String = "text",
        set_by: String = "text",
    }
}
