//! Every route, in one list.

use std::sync::Arc;

use api_conventions::Authenticator;
use api_conventions::authentication::authenticate;
use api_conventions::limits::body_limit;
use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::credentials::CredentialRegister;
use crate::execute::Executor;
use crate::refused::Refused;
use crate::usage::UsageRecorder;
use crate::{
    access_reviews, api_keys, approvals, break_glass, budgets, credits, groups, invites, members,
    organizations, personal_data, price_lists, project_groups, project_members, projects, roles,
    service_accounts, usage, webhooks,
};

/// The largest body that records usage: room for the most records that it may have.
pub const USAGE_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The largest body of LiteLLM's: 512 events, which is what it posts at once, of 64 KiB. They carry
/// what was said, too.
pub const LITELLM_BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What the routes work on. Cheap to clone.
#[derive(Clone)]
pub struct CommandApi {
    pub(crate) executor: Executor,
    pub(crate) recorder: UsageRecorder,
    pub(crate) gate: usage::Gate,
    credentials: CredentialRegister,
    pub(crate) refused: Refused,
    authenticator: Arc<Authenticator>,
}

impl CommandApi {
    /// Routes that execute commands, for callers that the authenticator knows.
    #[allow(clippy::needless_pass_by_value)] // Shared with whoever else lets somebody in.
    pub fn new(executor: Executor, authenticator: Arc<Authenticator>) -> Self {
        let register = CredentialRegister::new(executor);
        Self::with_credentials(register, authenticator)
    }

    /// Routes that execute commands on the register's log, for callers that it knows.
    #[allow(clippy::needless_pass_by_value)] // Shared with whoever else lets somebody in.
    pub fn with_credentials(
        register: CredentialRegister,
        authenticator: Arc<Authenticator>,
    ) -> Self {
        let executor = register.executor().clone();
        let recorder = UsageRecorder::new(executor.clone());
        let authenticator = Arc::new(authenticator.with_credentials(Arc::new(register.clone())));
        let refused = Refused::new(executor.clone());
        let gate = usage::Gate::default();
        Self { executor, recorder, gate, credentials: register, refused, authenticator }
    }

    /// Who is let in: the operator, and whose credentials the log knows.
    pub fn authenticator(&self) -> &Arc<Authenticator> {
        &self.authenticator
    }

    /// What callers may see, by the head of the log.
    pub fn credentials(&self) -> &CredentialRegister {
        &self.credentials
    }

    /// What records usage. Whoever records in this process shares its queue.
    pub fn recorder(&self) -> &UsageRecorder {
        &self.recorder
    }

    /// What executes the commands.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }
}

/// Every command over HTTP, each behind authentication, with its description. What surrounds all
/// routes (`api_conventions::limits::apply`) is the server's to add.
pub fn routes(api: CommandApi) -> OpenApiRouter {
    let authenticator = Arc::clone(&api.authenticator);
    list().route_layer(from_fn_with_state(authenticator, authenticate)).with_state(api)
}

/// The description of every command.
pub fn document() -> utoipa::openapi::OpenApi {
    list().into_openapi()
}

fn list() -> OpenApiRouter<CommandApi> {
    OpenApiRouter::default()
        .routes(routes!(organizations::create::create_organization))
        .routes(routes!(organizations::update::update_organization))
        .routes(routes!(organizations::archive::archive_organization))
        .routes(routes!(organizations::settings::replace_organization_settings))
        .routes(routes!(organizations::security::replace_security_settings))
        .routes(routes!(invites::send::send_invite))
        .routes(routes!(invites::accept::accept_invite))
        .routes(routes!(invites::revoke::revoke_invite))
        .routes(routes!(invites::resend::resend_invite))
        .routes(routes!(invites::send_in_bulk::send_invites_in_bulk))
        .routes(routes!(members::add::add_member))
        .routes(routes!(members::change_role::change_member_role))
        .routes(routes!(members::rename::rename_member))
        .routes(routes!(members::suspend::suspend_member))
        .routes(routes!(members::reinstate::reinstate_member))
        .routes(routes!(members::remove::remove_member))
        .routes(routes!(personal_data::export::export_personal_data))
        .routes(routes!(personal_data::read_export::read_personal_data_export))
        .routes(routes!(personal_data::erase_member::erase_member))
        .routes(routes!(personal_data::erase_invite::erase_invite))
        .routes(routes!(members::leave::leave_organization))
        .routes(routes!(members::transfer_ownership::transfer_ownership))
        .routes(routes!(groups::create::create_group))
        .routes(routes!(groups::update::update_group, groups::remove::remove_group))
        .routes(routes!(
            groups::add_member::add_group_member,
            groups::remove_member::remove_group_member
        ))
        .routes(routes!(roles::define::define_role))
        .routes(routes!(roles::update::update_role, roles::remove::remove_role))
        .routes(routes!(roles::grant::grant_role))
        .routes(routes!(roles::withdraw::withdraw_role))
        .routes(routes!(projects::create::create_project))
        .routes(routes!(projects::update::update_project))
        .routes(routes!(projects::archive::archive_project))
        .routes(routes!(
            project_members::assign::assign_project_member,
            project_members::remove::remove_project_member
        ))
        .routes(routes!(
            project_groups::assign::assign_project_group,
            project_groups::remove::remove_project_group
        ))
        .routes(routes!(service_accounts::create::create_service_account))
        .routes(routes!(service_accounts::update::update_service_account))
        .routes(routes!(service_accounts::disable::disable_service_account))
        .routes(routes!(service_accounts::remove::remove_service_account))
        .routes(routes!(api_keys::create::create_api_key))
        .routes(routes!(api_keys::rename::rename_api_key))
        .routes(routes!(api_keys::rotate::rotate_api_key))
        .routes(routes!(api_keys::revoke::revoke_api_key))
        .routes(routes!(access_reviews::open::open_access_review))
        .routes(routes!(access_reviews::attest::attest_access_review_line))
        .routes(routes!(access_reviews::attest_many::attest_access_review_lines))
        .routes(routes!(access_reviews::close::close_access_review))
        .routes(routes!(access_reviews::cancel::cancel_access_review))
        .routes(routes!(api_keys::revoke_of_member::revoke_api_keys_of_member))
        .routes(routes!(api_keys::revoke_of_project::revoke_api_keys_of_project))
        .routes(routes!(approvals::approve::approve_approval))
        .routes(routes!(approvals::decline::decline_approval))
        .routes(routes!(approvals::withdraw::withdraw_approval))
        .routes(routes!(break_glass::request::request_break_glass))
        .routes(routes!(break_glass::approve::approve_break_glass))
        .routes(routes!(break_glass::decline::decline_break_glass))
        .routes(routes!(break_glass::end::end_break_glass))
        .routes(routes!(break_glass::review::review_break_glass))
        .routes(routes!(credits::purchase::purchase_credits))
        .routes(routes!(credits::grant::grant_credits))
        .routes(routes!(credits::refund::refund_credits))
        .routes(routes!(credits::transfer::transfer_credits))
        .routes(routes!(credits::policy::change_credit_policy))
        .routes(routes!(budgets::set::set_budget))
        .routes(routes!(budgets::change::change_budget, budgets::remove::remove_budget))
        .routes(routes!(webhooks::create::create_webhook))
        .routes(routes!(webhooks::change::change_webhook, webhooks::remove::remove_webhook))
        .routes(routes!(webhooks::rotate_secret::rotate_webhook_secret))
        .routes(routes!(webhooks::enable::enable_webhook))
        .routes(routes!(webhooks::disable::disable_webhook))
        .routes(routes!(webhooks::replay::replay_webhook))
        .routes(routes!(webhooks::test::test_webhook))
        .routes(routes!(price_lists::publish::publish_price_list))
        .routes(routes!(price_lists::publish_own::publish_own_prices))
        .routes(routes!(usage::explanation::explain_usage))
        .routes(routes!(usage::reprice::route::reprice_usage))
        .routes(routes!(usage::what_if::route::what_if_usage))
        .merge(with_body_limit(routes!(usage::route::record_usage), USAGE_BODY_BYTES_MAX))
        .merge(with_body_limit(
            routes!(usage::litellm::record_litellm_usage),
            LITELLM_BODY_BYTES_MAX,
        ))
}

/// A route with a body limit of its own.
fn with_body_limit(
    route: UtoipaMethodRouter<CommandApi>,
    bytes_max: usize,
) -> OpenApiRouter<CommandApi> {
    let (router, description) = OpenApiRouter::default().routes(route).split_for_parts();
    let limited: Router<CommandApi> = body_limit(router, bytes_max);
    let mut limited = OpenApiRouter::from(limited);
    *limited.get_openapi_mut() = description;
    limited
}
