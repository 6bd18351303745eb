//! An audit log's lines as events of the Open Cybersecurity Schema Framework, version 1.3, as a SIEM
//! takes them in. `docs/for-security.md` has the table of what becomes what.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{AuditEntry, Outcome};

/// The version of the framework.
pub const VERSION: &str = "1.3.0";

/// A class of the framework that lines become events of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Account Change: somebody comes, goes, is suspended.
    AccountChange,
    /// Entity Management: a thing is made, changed, ended.
    EntityManagement,
    /// User Access Management: somebody gets a role, or has it no more.
    UserAccessManagement,
    /// Group Management: who is in a group, and what it has.
    GroupManagement,
    /// API Activity: all else, and whatever was refused.
    ApiActivity,
}

impl Class {
    /// Its `class_uid`.
    pub const fn uid(self) -> u32 {
        match self {
            Self::AccountChange => 3_001,
            Self::EntityManagement => 3_004,
            Self::UserAccessManagement => 3_005,
            Self::GroupManagement => 3_006,
            Self::ApiActivity => 6_003,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountChange => "Account Change",
            Self::EntityManagement => "Entity Management",
            Self::UserAccessManagement => "User Access Management",
            Self::GroupManagement => "Group Management",
            Self::ApiActivity => "API Activity",
        }
    }

    /// Its category: Identity & Access Management, or Application Activity.
    const fn category(self) -> u32 {
        self.uid() / 1_000
    }
}

/// A class and one of its activities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// The class.
    pub class: Class,
    /// The `activity_id`; 99 is none of those that the class has.
    pub activity: u32,
}

const OTHER: u32 = 99;

/// What events of a type become; none for a type that this program does not know.
pub fn mapped(event_type: &str) -> Option<Mapped> {
    use Class::{
        AccountChange, ApiActivity, EntityManagement, GroupManagement, UserAccessManagement,
    };
    let (class, activity) = match event_type {
        "member.added" | "service_account.created" => (AccountChange, 1),
        "member.reinstated" => (AccountChange, 2),
        "member.suspended" | "service_account.disabled" => (AccountChange, 5),
        "member.removed" | "service_account.removed" => (AccountChange, 6),
        "member.renamed" | "service_account.updated" => (AccountChange, OTHER),
        "member.role_changed"
        | "project_member.assigned"
        | "project_member.role_changed"
        | "role.granted" => (UserAccessManagement, 1),
        "project_member.removed" | "role.withdrawn" => (UserAccessManagement, 2),
        "project_group.assigned" | "project_group.role_changed" | "group.role_changed" => {
            (GroupManagement, 1)
        }
        "project_group.removed" => (GroupManagement, 2),
        "group_member.added" => (GroupManagement, 3),
        "group_member.removed" => (GroupManagement, 4),
        "organization.created"
        | "project.created"
        | "role.defined"
        | "group.created"
        | "api_key.created"
        | "invite.sent"
        | "budget.set"
        | "webhook.created"
        | "signing_key.introduced"
        | "access_review.opened"
        | "approval.requested"
        | "break_glass.requested" => (EntityManagement, 1),
        "organization.updated"
        | "organization.settings_changed"
        | "organization.security_changed"
        | "project.updated"
        | "role.updated"
        | "group.renamed"
        | "api_key.renamed"
        | "api_key.rotated"
        | "api_key.secret_shared"
        | "invite.resent"
        | "invite.accepted"
        | "access_review.lines_added"
        | "access_review.attested"
        | "access_review.closed"
        | "approval.approved"
        | "approval.declined"
        | "approval.withdrawn"
        | "break_glass.took_in"
        | "break_glass.invited"
        | "invite.token_shared"
        | "break_glass.reviewed"
        | "break_glass.declined"
        | "budget.changed"
        | "webhook.changed"
        | "webhook.secret_rotated"
        | "webhook.replay_requested"
        | "webhook.test_requested"
        | "budget.threshold_reached"
        | "budget.exhausted"
        | "price_list.published" => (EntityManagement, 3),
        "organization.archived"
        | "project.archived"
        | "role.removed"
        | "group.removed"
        | "budget.removed"
        | "webhook.removed"
        | "signing_key.retired"
        | "invite.revoked" => (EntityManagement, 4),
        "webhook.enabled" => (EntityManagement, 8),
        "api_key.revoked" | "webhook.disabled" => (EntityManagement, 9),
        "break_glass.approved" => (EntityManagement, 10),
        "api_key.expired" | "invite.expired" | "break_glass.ended" => (EntityManagement, 11),
        "usage.recorded"
        | "credits.purchased"
        | "credits.granted"
        | "credits.transferred_in"
        | "name.claimed" => (ApiActivity, 1),
        "person.exported" | "person.export_granted" => (ApiActivity, 2),
        "credits.policy_changed"
        | "credits.exhausted"
        | "credits.restored"
        | "usage.repriced"
        | "usage.archived"
        | "usage.restored" => (ApiActivity, 3),
        "credits.refunded"
        | "credits.transferred_out"
        | "credits.expired"
        | "person.erased"
        | "usage.dropped"
        | "name.released" => (ApiActivity, 4),
        "refusal.recorded" => (ApiActivity, OTHER),
        _unknown => return None,
    };
    Some(Mapped { class, activity })
}

/// A line as an event of the framework.
pub fn to_ocsf(entry: &AuditEntry) -> Value {
    let mapped = of_entry(entry);
    let mut event = common(entry, mapped);
    let own = match mapped.class {
        Class::AccountChange => json!({ "user": target_user(entry) }),
        Class::UserAccessManagement => {
            let mut own = json!({ "user": target_user(entry), "privileges": privileges(entry) });
            if let (Some(project_id), Some(own)) = (entry.project_id, own.as_object_mut()) {
                own.insert("resource".to_owned(), json!({ "uid": project_id, "type": "project" }));
            }
            own
        }
        Class::GroupManagement => group(entry, mapped.activity),
        Class::EntityManagement => json!({
            "entity": entity(entry, entry.before.as_ref()),
            "entity_result": entity(entry, entry.after.as_ref()),
            "comment": entry.reason,
        }),
        Class::ApiActivity => json!({
            "api": { "operation": entry.action, "service": { "name": "orgledger" } },
            "resources": [{ "type": entry.target.kind, "uid": entry.target.id }],
        }),
    };
    if let Value::Object(own) = own {
        event.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Value::Object(event)
}

/// What was refused is activity of the API, whatever it would have been. A custom role may be a group's.
fn of_entry(entry: &AuditEntry) -> Mapped {
    let other = Mapped { class: Class::ApiActivity, activity: OTHER };
    let mapped = mapped(&entry.event_type).unwrap_or(other);
    let is_group = entry.field("grantee").is_some_and(|grantee| grantee["kind"] == "group");
    match (mapped.class, mapped.activity) {
        (Class::UserAccessManagement, activity) if is_group => {
            Mapped { class: Class::GroupManagement, activity }
        }
        // A group's role that is none any more is taken from it.
        (Class::GroupManagement, 1) if has_lost_its_role(entry) => Mapped { activity: 2, ..mapped },
        _ => mapped,
    }
}

fn has_lost_its_role(entry: &AuditEntry) -> bool {
    let after = entry.after.as_ref().and_then(|after| after.get("role"));
    after.is_some_and(Value::is_null)
}

impl AuditEntry {
    /// A field as it is or, where nothing is any more, as it was.
    fn field(&self, name: &str) -> Option<&Value> {
        let after = self.after.as_ref().and_then(|after| after.get(name));
        let before = || self.before.as_ref().and_then(|before| before.get(name));
        after.or_else(before).filter(|value| !value.is_null())
    }
}

/// What every event has.
fn common(entry: &AuditEntry, mapped: Mapped) -> Map<String, Value> {
    let Mapped { class, activity } = mapped;
    let refused = entry.outcome == Outcome::Refused;
    let (status_id, severity_id) = if refused { (2, 2) } else { (1, severity(entry)) };
    let event = json!({
        "activity_id": activity,
        "activity_name": if activity == OTHER { Some(&entry.action) } else { None },
        "category_uid": class.category(),
        "class_uid": class.uid(),
        "class_name": class.name(),
        "type_uid": u64::from(class.uid()) * 100 + u64::from(activity),
        "severity_id": severity_id,
        "status_id": status_id,
        "status_code": entry.problem,
        "status_detail": entry.permission.as_ref().map(|one| format!("This needs the permission {one}.")),
        "time": entry.occurred_at.timestamp_millis(),
        "count": entry.records,
        "message": message(entry),
        "actor": actor(entry),
        "src_endpoint": source(entry),
        "metadata": {
            "version": VERSION,
            "product": { "vendor_name": "orgledger", "name": "orgledger",
                         "version": env!("CARGO_PKG_VERSION") },
            "uid": entry.event_id,
            "event_code": entry.event_type,
            "log_name": "audit-log",
            "sequence": entry.position,
            "logged_time": entry.recorded_at.timestamp_millis(),
            "tenant_uid": entry.organization_id,
            "correlation_uid": entry.request_id,
        },
        "unmapped": {
            "position": entry.position,
            "target": entry.target,
            "project_id": entry.project_id,
            "concerns": entry.concerns,
            "before": entry.before,
            "after": entry.after,
            "reason": entry.reason,
            "credential": entry.credential,
            "causation_id": entry.causation_id,
            "trace_id": entry.trace_id,
        },
    });
    match event {
        Value::Object(event) => event.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

/// Informational, but for what lets the operator in, changes who vouches for people, or cannot be
/// undone: medium.
fn severity(entry: &AuditEntry) -> u32 {
    const MEDIUM: [&str; 5] = [
        "break_glass.approved",
        "break_glass.requested",
        "organization.security_changed",
        "organization.archived",
        "person.erased",
    ];
    if MEDIUM.contains(&entry.event_type.as_str()) { 3 } else { 1 }
}

fn message(entry: &AuditEntry) -> String {
    let actor = entry.actor.as_deref().unwrap_or("somebody");
    let AuditEntry { action, target, .. } = entry;
    match entry.outcome {
        Outcome::Done => format!("{action}: {} {} by {actor}", target.kind, target.id),
        Outcome::Refused => format!("{action} refused to {actor}"),
    }
}

fn actor(entry: &AuditEntry) -> Value {
    let credential = &entry.credential;
    let known = entry.actor.as_deref().and_then(|actor| actor.split_once(':'));
    let user = match known {
        Some(("member", id)) => json!({ "uid": id, "type_id": 1, "credential_uid": credential }),
        Some(("service_account", id)) => {
            json!({ "uid": id, "type_id": 99, "type": "Service", "credential_uid": credential })
        }
        Some(("operator", name)) => json!({ "name": name, "type_id": 2 }),
        Some(("invite", id)) => json!({ "uid": id, "type_id": 99, "type": "Invite" }),
        Some(("external", name)) => json!({ "name": name, "type_id": 0 }),
        Some((_, name)) => return json!({ "app_name": "orgledger", "app_uid": name }),
        None => return json!({ "app_name": "orgledger" }),
    };
    json!({ "user": user })
}

/// Where the request came from; what came by no network came from the program itself.
fn source(entry: &AuditEntry) -> Value {
    match &entry.source_address {
        None => json!({ "name": "orgledger" }),
        Some(address) if address.parse::<IpAddr>().is_ok() => json!({ "ip": address }),
        Some(address) => json!({ "name": address }),
    }
}

fn target_user(entry: &AuditEntry) -> Value {
    let mut user = json!({ "uid": entry.target.id });
    if entry.target.kind == "service_account" {
        user = json!({ "uid": entry.target.id, "type_id": 99, "type": "Service",
                       "name": entry.field("name") });
    } else if let Some(login) = entry.field("login") {
        user = json!({ "uid": entry.target.id, "type_id": 1, "name": login,
                       "email_addr": entry.field("email") });
    }
    if let Some(user) = user.as_object_mut() {
        user.retain(|_, value| !value.is_null());
    }
    user
}

/// Roles by their words, custom ones by their ids.
fn privileges(entry: &AuditEntry) -> Value {
    let role = entry.field("role").or(entry.field("role_id"));
    json!([role.and_then(Value::as_str).unwrap_or("none")])
}

fn group(entry: &AuditEntry, activity: u32) -> Value {
    if matches!(activity, 3 | 4) {
        let group_id = entry.field("group_id");
        return json!({ "group": { "uid": group_id }, "user": { "uid": entry.target.id } });
    }
    let resource =
        entry.project_id.map(|project_id| json!({ "uid": project_id, "type": "project" }));
    json!({
        "group": { "uid": entry.target.id },
        "privileges": privileges(entry),
        "resource": resource,
    })
}

fn entity(entry: &AuditEntry, data: Option<&Value>) -> Value {
    let mut entity = json!({ "type": entry.target.kind, "uid": entry.target.id });
    if let (Some(entity), Some(data)) = (entity.as_object_mut(), data) {
        entity.insert("data".to_owned(), data.clone());
        if let Some(name) = data.get("name").filter(|name| !name.is_null()) {
            entity.insert("name".to_owned(), name.clone());
        }
    }
    entity
}

#[cfg(test)]
mod tests;
