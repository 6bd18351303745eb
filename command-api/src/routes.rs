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
use crate::usage::UsageRecorder;
use crate::{
    api_keys, credits, invites, members, organizations, personal_data, price_lists,
    project_members, projects, service_accounts, usage,
};

/// The largest body that records usage: room for the most records that it may have.
pub const USAGE_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the routes work on. Cheap to clone.
#[derive(Clone)]
pub struct CommandApi {
    pub(crate) executor: Executor,
    pub(crate) recorder: UsageRecorder,
    credentials: CredentialRegister,
    authenticator: Arc<Authenticator>,
}

impl CommandApi {
    /// Routes that execute commands, for callers that the authenticator knows.
    #[allow(clippy::needless_pass_by_value)] // Shared with whoever else lets somebody in.
    pub fn new(executor: Executor, authenticator: Arc<Authenticator>) -> Self {
        let recorder = UsageRecorder::new(executor.clone());
        let register = CredentialRegister::new(executor.clone());
        let authenticator = Arc::new(authenticator.with_credentials(Arc::new(register.clone())));
        Self { executor, recorder, credentials: register, authenticator }
    }

    /// Who is let in: the operator, and whose credentials the log knows.
    pub fn authenticator(&self) -> &Arc<Authenticator> {
        &self.authenticator
    }

    /// What callers may see, by the head of the log.
    pub fn credentials(&self) -> &CredentialRegister {
        &self.credentials
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
        .routes(routes!(invites::send::send_invite))
        .routes(routes!(invites::accept::accept_invite))
        .routes(routes!(invites::revoke::revoke_invite))
        .routes(routes!(members::add::add_member))
        .routes(routes!(members::change_role::change_member_role))
        .routes(routes!(members::rename::rename_member))
        .routes(routes!(members::suspend::suspend_member))
        .routes(routes!(members::reinstate::reinstate_member))
        .routes(routes!(members::remove::remove_member))
        .routes(routes!(personal_data::erase_member::erase_member))
        .routes(routes!(personal_data::erase_invite::erase_invite))
        .routes(routes!(projects::create::create_project))
        .routes(routes!(projects::update::update_project))
        .routes(routes!(projects::archive::archive_project))
        .routes(routes!(
            project_members::assign::assign_project_member,
            project_members::remove::remove_project_member
        ))
        .routes(routes!(service_accounts::create::create_service_account))
        .routes(routes!(service_accounts::disable::disable_service_account))
        .routes(routes!(service_accounts::remove::remove_service_account))
        .routes(routes!(api_keys::create::create_api_key))
        .routes(routes!(api_keys::rename::rename_api_key))
        .routes(routes!(api_keys::rotate::rotate_api_key))
        .routes(routes!(api_keys::revoke::revoke_api_key))
        .routes(routes!(credits::purchase::purchase_credits))
        .routes(routes!(credits::grant::grant_credits))
        .routes(routes!(price_lists::publish::publish_price_list))
        .merge(with_body_limit(routes!(usage::route::record_usage), USAGE_BODY_BYTES_MAX))
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
