//! The APIs as one router each, or both together, with their description: the OpenAPI document, a
//! page for people, and a page for every kind of problem.

mod examples;
mod page;
pub(crate) mod problems;

use api_conventions::problem::ProblemSchema;
use axum::Router;
use axum::http::header;
use axum::routing::get;
use command_api::CommandApi;
use query_api::QueryState;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::{OpenApi, PartialSchema as _, ToSchema as _};
use utoipa_axum::router::OpenApiRouter;

/// What every document begins with.
#[derive(OpenApi)]
#[openapi(info(
    title = "orgledger",
    description = include_str!("api/introduction.md"),
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Head;

/// The name of the one way to be let in, in the document.
const CREDENTIAL: &str = "credential";

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

/// With its description, which needs no credential.
fn served(router: OpenApiRouter) -> Router {
    let (router, document) = router.split_for_parts();
    let document = completed(document);
    let json = text(&document);
    let page = page::documentation(&document);
    router
        .route(
            "/v1/openapi.json",
            get(async move || ([(header::CONTENT_TYPE, "application/json")], json)),
        )
        .route("/docs", get(async move || page::html(page)))
        .route("/problems", get(problems::list))
        .route("/problems/{name}", get(problems::one))
}

/// The document of both APIs.
pub(crate) fn document() -> Document {
    let document =
        Head::openapi().merge_from(command_api::document()).merge_from(query_api::document());
    completed(document)
}

/// Adds what is the same for all operations, and the examples.
fn completed(mut document: Document) -> Document {
    document.servers = Some(vec![Server::new("/")]);
    document.security = Some(vec![SecurityRequirement::new(CREDENTIAL, Vec::<String>::new())]);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The secret of an API key, or the operator's credential."));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(CREDENTIAL, SecurityScheme::Http(bearer.build()));
    components.schemas.insert(ProblemSchema::name().into_owned(), ProblemSchema::schema());
    components.schemas.values_mut().for_each(examples::close_choices);
    examples::add(&mut document);
    document
}

/// A document as it is served and committed.
pub(crate) fn text(document: &Document) -> String {
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
