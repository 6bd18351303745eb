//! Whether the process is up, whether it can answer, and its metrics. None of it needs a credential.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;

use crate::problem::Problem;
use crate::problem_kinds;

problem_kinds! { pub KINDS:
    /// Something that the process needs is not there.
    ///
    /// See to what `detail` names; until then send requests to another process.
    NOT_READY = "not-ready" SERVICE_UNAVAILABLE "Not ready";
}

/// How long the check behind `/readyz` may take before it counts as failed.
const READY_TIME_MAX: Duration = Duration::from_secs(2);

/// `/healthz` (the process is up), `/readyz` (`ready` finds nothing missing) and `/metrics` (what
/// `render_metrics` writes, in Prometheus' text format).
pub fn routes<Ready, Checked, Render>(ready: Ready, render_metrics: Render) -> Router
where
    Ready: Fn() -> Checked + Clone + Send + Sync + 'static,
    Checked: Future<Output = Result<(), String>> + Send,
    Render: Fn() -> String + Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/healthz", get(async || axum::Json(json!({"status": "up"}))))
        .route("/readyz", get(move || answer_ready(ready())))
        .route(
            "/metrics",
            get(async move || {
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render_metrics())
            }),
        )
}

async fn answer_ready(checked: impl Future<Output = Result<(), String>>) -> Response {
    let missing = match tokio::time::timeout(READY_TIME_MAX, checked).await {
        Ok(Ok(())) => return axum::Json(json!({"status": "ready"})).into_response(),
        Ok(Err(missing)) => missing,
        Err(_) => format!("no answer within {} s", READY_TIME_MAX.as_secs()),
    };
    Problem::new(NOT_READY).with_detail(missing).retry_after_seconds(1).into_response()
}
