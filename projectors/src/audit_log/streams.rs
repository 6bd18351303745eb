//! What events of the other streams tell.

use event_schemas::{
    AccessReviewEvent, ApiKeyEvent, ApprovalEvent, CreditAccountEvent, KeyOwner, PersonEvent,
    PriceListEvent, ProjectEvent, ServiceAccountEvent, WebhookEvent,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::told::Told;

pub(super) fn project(id: Uuid, event: &ProjectEvent) -> Told {
    let itself = || Told::of("project", id).in_project(Some(id));
    let member =
        |member: Uuid| Told::between("project_member", member, &[Some(id)]).in_project(Some(id));
    let group =
        |group: Uuid| Told::between("project_group", group, &[Some(id)]).in_project(Some(id));
    match event {
        ProjectEvent::Created { project_id: _, organization_id: _, name, environment } => {
            itself().began(json!({ "name": name, "environment": environment }))
        }
        ProjectEvent::Updated { name, environment } => {
            itself().changed_where_said(json!({ "name": name, "environment": environment }))
        }
        ProjectEvent::Archived {} => itself().ended(),
        ProjectEvent::MemberAssigned { member_id, role } => {
            member(member_id.0).began(json!({ "member_id": member_id, "role": role }))
        }
        ProjectEvent::MemberRoleChanged { member_id, role, previous_role: _ } => {
            member(member_id.0).changed(json!({ "role": role }))
        }
        ProjectEvent::MemberRemoved { member_id } => member(member_id.0).ended(),
        ProjectEvent::GroupAssigned { group_id, role } => {
            group(group_id.0).began(json!({ "group_id": group_id, "role": role }))
        }
        ProjectEvent::GroupRoleChanged { group_id, role, previous_role: _ } => {
            group(group_id.0).changed(json!({ "role": role }))
        }
        ProjectEvent::GroupRemoved { group_id } => group(group_id.0).ended(),
    }
}

pub(super) fn service_account(id: Uuid, event: &ServiceAccountEvent) -> Told {
    let itself = || Told::of("service_account", id);
    match event {
        ServiceAccountEvent::Created {
            service_account_id: _,
            organization_id: _,
            project_id,
            name,
            purpose,
        } => itself().in_project(Some(project_id.0)).began(json!({
            "project_id": project_id, "name": name, "purpose": purpose, "disabled": false,
        })),
        ServiceAccountEvent::Updated { name, purpose } => {
            itself().changed_where_said(json!({ "name": name, "purpose": purpose }))
        }
        ServiceAccountEvent::Disabled { reason } => {
            itself().because(reason.as_ref()).changed(json!({ "disabled": true }))
        }
        ServiceAccountEvent::Removed {} => itself().ended(),
    }
}

pub(super) fn api_key(id: Uuid, event: &ApiKeyEvent) -> Told {
    let itself = || Told::of("api_key", id);
    match event {
        ApiKeyEvent::Created {
            api_key_id: _,
            organization_id: _,
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
            let holder = match owner {
                KeyOwner::Member { member_id } => member_id.0,
                KeyOwner::ServiceAccount { service_account_id } => service_account_id.0,
            };
            itself().about(holder).in_project(project_id.map(|id| id.0)).began(json!({
                "project_id": project_id, "owner": owner, "name": name, "redacted": redacted,
                "expires_at": expires_at, "rotation_due_at": rotation_due_at,
                "rotation_days": rotation_days, "scopes": scopes, "state": "active",
            }))
        }
        ApiKeyEvent::Renamed { name } => itself().changed(json!({ "name": name })),
        ApiKeyEvent::Rotated {
            secret_hash: _,
            redacted,
            previous_valid_until,
            rotation_due_at,
        } => itself().changed(json!({
            "redacted": redacted, "rotation_due_at": rotation_due_at,
            "previous_valid_until": previous_valid_until, "shared": false, "shown_to": [],
        })),
        ApiKeyEvent::SecretShared { shown_to, break_glass_id } => shown_to
            .iter()
            .fold(itself(), |told, member_id| told.about(member_id.0))
            .about_any(break_glass_id.map(|id| id.0))
            .changed(json!({ "shared": true, "shown_to": shown_to })),
        ApiKeyEvent::Revoked { reason } => {
            itself().because(reason.as_ref()).changed(json!({ "state": "revoked" }))
        }
        ApiKeyEvent::Expired {} => itself().changed(json!({ "state": "expired" })),
    }
}

pub(super) fn approval(id: Uuid, event: &ApprovalEvent) -> Told {
    let itself = || Told::of("approval", id);
    let decided = |state: &str, by: Uuid| json!({ "state": state, "decided_by": by });
    match event {
        ApprovalEvent::Requested {
            approval_id: _,
            organization_id: _,
            request,
            requested_by,
            expires_at,
        } => itself().about(requested_by.0).began(json!({
            "request": request, "requested_by": requested_by, "expires_at": expires_at,
            "state": "open",
        })),
        ApprovalEvent::Approved { approved_by } => {
            itself().changed(decided("approved", approved_by.0))
        }
        ApprovalEvent::Declined { declined_by, reason } => {
            itself().because(reason.as_ref()).changed(decided("declined", declined_by.0))
        }
        ApprovalEvent::Withdrawn {} => itself().changed(json!({ "state": "withdrawn" })),
    }
}

pub(super) fn access_review(id: Uuid, event: &AccessReviewEvent) -> Told {
    let itself = || Told::of("access_review", id);
    match event {
        AccessReviewEvent::Opened {
            access_review_id: _,
            organization_id: _,
            title,
            scope,
            due_at,
            lines: _,
        } => itself().began(json!({
            "title": title, "scope": scope, "due_at": due_at, "state": "open",
        })),
        // What they hold stands in the review's own lines.
        AccessReviewEvent::LinesAdded { lines: _ } => itself(),
        AccessReviewEvent::Attested { line_id, decision, reason } => {
            Told::of("access_review_line", line_id.0)
                .about(id)
                .because(reason.as_ref())
                .changed(json!({ "decision": decision }))
        }
        AccessReviewEvent::Closed {
            outcome,
            reason,
            kept,
            revoked,
            unattested,
            already_ended: _,
        } => itself().because(reason.as_ref()).changed(json!({
            "state": outcome, "kept": kept, "revoked": revoked, "unattested": unattested,
        })),
    }
}

pub(super) fn webhook(id: Uuid, event: &WebhookEvent) -> Told {
    let itself = || Told::of("webhook", id);
    match event {
        WebhookEvent::Created {
            webhook_id: _,
            organization_id: _,
            url,
            description,
            event_types,
        } => itself().began(json!({
            "url": url, "description": description, "event_types": event_types,
            "state": "enabled",
        })),
        WebhookEvent::Changed {
            webhook_id: _,
            organization_id: _,
            url,
            description,
            event_types,
        } => itself().changed(json!({
            "url": url, "description": description, "event_types": event_types,
        })),
        WebhookEvent::SecretRotated {
            webhook_id: _,
            organization_id: _,
            secret_number,
            previous_signs_until,
        } => itself().changed(json!({
            "secret_number": secret_number, "previous_signs_until": previous_signs_until,
        })),
        WebhookEvent::Disabled { webhook_id: _, organization_id: _, reason } => {
            itself().changed(json!({ "state": "disabled", "disabled_because": reason }))
        }
        WebhookEvent::Enabled { webhook_id: _, organization_id: _ } => {
            itself().changed(json!({ "state": "enabled", "disabled_because": null }))
        }
        // What is sent again, or for a test, changes nothing of it.
        WebhookEvent::ReplayRequested {
            webhook_id: _,
            organization_id: _,
            after_position: _,
            upto_position: _,
        }
        | WebhookEvent::TestRequested { webhook_id: _, organization_id: _ } => itself(),
        WebhookEvent::Removed { webhook_id: _, organization_id: _ } => itself().ended(),
    }
}

pub(super) fn person(id: Uuid, event: &PersonEvent) -> Told {
    let itself = || Told::of("person", id);
    match event {
        PersonEvent::Erased { person_id: _, reason } => {
            itself().because(reason.as_ref()).changed(json!({ "erased": true }))
        }
        PersonEvent::ExportGranted { person_id: _, export_id, granted_to, expires_at } => itself()
            .about(export_id.0)
            .about(granted_to.0)
            .changed(json!({ "export_id": export_id, "granted_to": granted_to, "expires_at": expires_at })),
        PersonEvent::Exported { export_id } => itself().about(export_id.0),
    }
}

pub(super) fn price_list(id: &str, event: &PriceListEvent) -> Told {
    let PriceListEvent::Published {
        price_list_id: _,
        version,
        organization_id: _,
        provider,
        provider_matches: _,
        model_matches: _,
        fallback_providers: _,
        mark_up_percent,
        currency,
        effective_from,
        source,
        models,
    } = event;
    // The prices themselves stand in the event; a list may have thousands.
    Told::named("price_list", id).changed(json!({
        "version": version, "provider": provider, "mark_up_percent": mark_up_percent,
        "currency": currency, "effective_from": effective_from, "source": source,
        "models": models.len(),
    }))
}

pub(super) fn credits(account: &str, event: &CreditAccountEvent) -> Told {
    let lot = |id: Uuid| Told::of("credit_lot", id);
    let itself = || Told::named("credit_account", account);
    match event {
        CreditAccountEvent::Purchased {
            organization_id: _,
            lot_id,
            amount,
            currency,
            expires_at,
            priority,
            reference,
        } => lot(lot_id.0).because(reference.as_ref()).began(json!({
            "amount": amount, "currency": currency, "expires_at": expires_at, "priority": priority,
        })),
        CreditAccountEvent::Granted {
            organization_id: _,
            lot_id,
            amount,
            currency,
            expires_at,
            priority,
            reason,
        } => lot(lot_id.0).because(reason.as_ref()).began(json!({
            "amount": amount, "currency": currency, "expires_at": expires_at, "priority": priority,
        })),
        CreditAccountEvent::Refunded {
            organization_id: _,
            lot_id,
            amount,
            currency,
            left_before,
            known_at: _,
            reference,
        } => lot(lot_id.0).because(reference.as_ref()).went_from(
            json!({ "currency": currency, "left": left_before }),
            json!({ "currency": currency, "left": *left_before - *amount, "refunded": amount }),
        ),
        CreditAccountEvent::TransferredOut {
            organization_id: _,
            lot_id,
            amount,
            currency,
            to_organization_id,
            to_lot_id: _,
            left_before,
            known_at: _,
            reason,
        } => lot(lot_id.0).because(reason.as_ref()).went_from(
            json!({ "currency": currency, "left": left_before }),
            json!({ "currency": currency, "left": *left_before - *amount, "transferred": amount,
                    "to_organization_id": to_organization_id }),
        ),
        CreditAccountEvent::TransferredIn {
            organization_id: _,
            lot_id,
            amount,
            currency,
            expires_at,
            priority,
            from_organization_id,
            from_lot_id: _,
            reason,
        } => lot(lot_id.0).because(reason.as_ref()).began(json!({
            "amount": amount, "currency": currency, "expires_at": expires_at, "priority": priority,
            "from_organization_id": from_organization_id,
        })),
        CreditAccountEvent::Expired { organization_id: _, lot_id, currency: _, expires_at } => {
            lot(lot_id.0).changed(json!({ "expired": true, "expires_at": expires_at }))
        }
        CreditAccountEvent::PolicyChanged { organization_id: _, currency, policy } => {
            itself().changed(json!({ "currency": currency, "policy": policy }))
        }
        CreditAccountEvent::Exhausted { organization_id: _, currency, balance, crossed_at } => {
            crossed(itself(), true, &json!(balance), &json!(currency), *crossed_at)
        }
        CreditAccountEvent::Restored { organization_id: _, currency, balance, crossed_at } => {
            crossed(itself(), false, &json!(balance), &json!(currency), *crossed_at)
        }
    }
}

fn crossed(told: Told, exhausted: bool, balance: &Value, currency: &Value, at: i64) -> Told {
    let before = json!({ "currency": currency, "exhausted": !exhausted });
    let after = json!({ "currency": currency, "exhausted": exhausted, "balance": balance });
    Told { caused_by: Some(at), ..told.went_from(before, after) }
}
