//! Every route of the query API, in one list.

use std::sync::Arc;

use api_conventions::authentication::authenticate;
use api_conventions::{etag, links};
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::QueryState;
use crate::{
    access_register, access_reviews, api_keys, approvals, audit_log, balances, break_glass,
    budgets, costs, diff, groups, invites, members, organizations, permissions, price_lists,
    project_groups, project_members, projects, refusals, roles, seals, service_accounts, settings,
    status, suggestions, webhooks, why,
};

/// Every route of the query API, each behind authentication, with its description.
pub fn routes(state: QueryState) -> OpenApiRouter {
    let authenticator = Arc::clone(&state.authenticator);
    list()
        .route_layer(from_fn_with_state(state.clone(), seals::answer_sealed))
        .route_layer(from_fn(links::link_pages))
        .route_layer(from_fn(etag::answer_unmodified))
        .route_layer(from_fn_with_state(authenticator, authenticate))
        .with_state(state)
}

/// The description of every query.
pub fn document() -> utoipa::openapi::OpenApi {
    list().into_openapi()
}

fn list() -> OpenApiRouter<QueryState> {
    OpenApiRouter::new()
        .routes(routes!(organizations::list_organizations))
        .routes(routes!(organizations::get_organization))
        .routes(routes!(settings::get_organization_settings))
        .routes(routes!(settings::get_security_settings))
        .routes(routes!(members::list_members))
        .routes(routes!(members::get_member))
        .routes(routes!(invites::list_invites))
        .routes(routes!(invites::get_invite))
        .routes(routes!(groups::list_groups))
        .routes(routes!(groups::get_group))
        .routes(routes!(groups::list_group_members))
        .routes(routes!(roles::list_roles))
        .routes(routes!(roles::get_role))
        .routes(routes!(roles::grants::list_role_grants))
        .routes(routes!(roles::grants::list_all_grants))
        .routes(routes!(projects::list_projects))
        .routes(routes!(projects::get_project))
        .routes(routes!(project_members::list_project_members))
        .routes(routes!(project_groups::list_project_groups))
        .routes(routes!(service_accounts::list_service_accounts))
        .routes(routes!(service_accounts::get_service_account))
        .routes(routes!(api_keys::list_api_keys))
        .routes(routes!(api_keys::get_api_key))
        .routes(routes!(access_register::get_organization_access_register))
        .routes(routes!(costs::get_costs))
        .routes(routes!(balances::get_balance))
        .routes(routes!(balances::movements::list_credit_movements))
        .routes(routes!(balances::statement::get_statement))
        .routes(routes!(balances::lots::list_credit_lots))
        .routes(routes!(balances::authorization::get_credit_authorization))
        .routes(routes!(budgets::list_budgets))
        .routes(routes!(budgets::get_budget))
        .routes(routes!(webhooks::list_webhooks))
        .routes(routes!(webhooks::get_webhook))
        .routes(routes!(webhooks::deliveries::list_webhook_deliveries))
        .routes(routes!(access_reviews::reviews::list_access_reviews))
        .routes(routes!(access_reviews::reviews::get_access_review))
        .routes(routes!(access_reviews::lines::list_access_review_lines))
        .routes(routes!(suggestions::list_suggestions))
        .routes(routes!(permissions::explain_permission))
        .routes(routes!(approvals::list_approvals))
        .routes(routes!(break_glass::list_break_glass))
        .routes(routes!(refusals::list_refusals))
        .routes(routes!(audit_log::route::list_audit_log))
        .routes(routes!(audit_log::entry::get_audit_log_entry))
        .routes(routes!(price_lists::list_price_lists))
        .routes(routes!(diff::route::get_diff))
        .routes(routes!(why::route::get_why))
        .routes(routes!(audit_log::records::list_usage_batch_records))
        .routes(routes!(seals::get_checkpoint))
        .routes(routes!(seals::get_entry_proof))
        .routes(routes!(status::get_status))
}
