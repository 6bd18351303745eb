//! The APIs as one router each, or both together, with their OpenAPI document.

use axum::Router;
use axum::routing::get;
use command_api::CommandApi;
use query_api::QueryState;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

/// What every document begins with.
#[derive(OpenApi)]
#[openapi(info(
    title = "orgledger",
    description = "The system of record for an organization's use of AI: commands, and queries over \
                   what they left. Every answer names the position of the log that it reflects.",
    license(name = "Apache-2.0")
))]
struct Head;

/// Commands and queries.
pub(crate) fn both(commands: CommandApi, queries: QueryState) -> Router {
    served(head().merge(command_api::routes(commands)).merge(query_api::routes(queries)))
}

/// Commands alone.
pub(crate) fn commands(commands: CommandApi) -> Router {
    served(head().merge(command_api::routes(commands)))
}

/// Queries alone.
pub(crate) fn queries(queries: QueryState) -> Router {
    served(head().merge(query_api::routes(queries)))
}

fn head() -> OpenApiRouter {
    OpenApiRouter::with_openapi(Head::openapi())
}

fn served(router: OpenApiRouter) -> Router {
    let (router, document) = router.split_for_parts();
    let json = text(&document);
    router.route(
        "/v1/openapi.json",
        get(move || async move { ([("content-type", "application/json")], json) }),
    )
}

/// The document of both APIs.
pub(crate) fn document() -> Document {
    Head::openapi().merge_from(command_api::document()).merge_from(query_api::document())
}

/// A document as it is served and committed.
pub(crate) fn text(document: &Document) -> String {
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
