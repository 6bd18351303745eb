//! A limit on everything: the time for a request, the size of a body, and what a panic may say.

use std::any::Any;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;

use crate::observe;
use crate::problem::{METHOD_NOT_ALLOWED, Problem};

/// What a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The time from a request's head to the answer's.
    pub request_time_max: Duration,
    /// The size of a body.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    /// 10 s and 1 MiB.
    fn default() -> Self {
        Self { request_time_max: Duration::from_secs(10), body_bytes_max: 1024 * 1024 }
    }
}

/// The body limit that is in force, for the answer to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit {
    pub(crate) bytes_max: usize,
}

/// A route with a body limit of its own, in place of [`Limits::body_bytes_max`]: put it on the
/// route as a layer.
pub fn body_limit<S>(router: Router<S>, bytes_max: usize) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(Extension(BodyLimit { bytes_max })).layer(DefaultBodyLimit::max(bytes_max))
}

/// Puts everything around the routes that every request goes through: its id, span and metrics; the
/// time limit; the body limit; problems in place of panics, and for what is not there.
pub fn apply(router: Router, limits: Limits) -> Router {
    let router = router
        .fallback(async || Problem::not_found("path"))
        .method_not_allowed_fallback(async || Problem::new(METHOD_NOT_ALLOWED));
    body_limit(router, limits.body_bytes_max)
        .layer(from_fn_with_state(limits, limit_time))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn(observe::observe))
}

async fn limit_time(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    tokio::time::timeout(limits.request_time_max, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::timed_out().into_response())
}

#[allow(clippy::needless_pass_by_value)] // The signature is tower-http's.
fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("without a text"), "a request panicked");
    Problem::opaque().into_response()
}
