//! What is observed of every request: its id, its trace, a span, a line in the log, and metrics.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use uuid::Uuid;

/// The header with a request's id, in and out.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT_HEADER: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID_CHARACTERS_MAX: usize = 128;

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// The id of the request that the current task answers.
pub fn request_id() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}

/// How a request is known: its own id and the trace that it is part of.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The caller's `x-request-id` where it is usable, else one of ours.
    pub request_id: Arc<str>,
    /// The caller's W3C trace context, where it is well formed.
    pub traceparent: Option<Arc<str>>,
}

impl RequestContext {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = match text(REQUEST_ID_HEADER) {
            Some(given) if is_request_id(given) => given.into(),
            _ => fresh_request_id(),
        };
        let traceparent = text(TRACEPARENT_HEADER).filter(|t| is_traceparent(t)).map(Into::into);
        Self { request_id, traceparent }
    }
}

/// How the secrets begin that we make: of API keys, invites, operators and webhooks.
const SECRETS_BEGIN: [&str; 4] = ["olk_", "oli_", "olo_", "whsec_"];

/// Fit to stand in logs, headers and an `instance` reference as it is. A secret that was put into the
/// wrong header is not.
fn is_request_id(text: &str) -> bool {
    !text.is_empty()
        && !SECRETS_BEGIN.iter().any(|begin| text.starts_with(begin))
        && text.len() <= REQUEST_ID_CHARACTERS_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[allow(clippy::disallowed_methods)] // The edge: a request without an id gets one here.
fn fresh_request_id() -> Arc<str> {
    Uuid::now_v7().to_string().into()
}

/// `version-trace_id-parent_id-flags`, in lower-case hexadecimal, ids not all zero. Version `ff` is
/// forbidden by the standard; of a later version only the four fields are known.
fn is_traceparent(text: &str) -> bool {
    let fields: Vec<&str> = text.split('-').collect();
    let [version, trace_id, parent_id, flags] = fields[..] else {
        return false;
    };
    let is_hex = |field: &str, digits: usize| {
        field.len() == digits && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |field: &str, digits| is_hex(field, digits) && field.bytes().any(|b| b != b'0');
    is_hex(version, 2)
        && version != "ff"
        && is_id(trace_id, 32)
        && is_id(parent_id, 16)
        && is_hex(flags, 2)
}

/// The method as a metric's label: few values, whatever is sent.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Middleware around everything else: gives the request its [`RequestContext`], and reports it.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = RequestContext::of(request.headers());
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        method,
        route,
        request_id = &*context.request_id,
        traceparent = context.traceparent.as_deref(),
    );
    request.extensions_mut().insert(context.clone());
    let request_id = Arc::clone(&context.request_id);
    let answer = async {
        let mut response = REQUEST_ID.scope(request_id, next.run(request)).await;
        let status = response.status().as_u16();
        let latency = started.elapsed();
        report(method, route, status, latency.as_secs_f64());
        if let Ok(value) = HeaderValue::from_str(&context.request_id) {
            response.headers_mut().insert(REQUEST_ID_HEADER, value);
        }
        response
    };
    answer.instrument(span).await
}

fn report(method: &'static str, route: &str, status: u16, seconds: f64) {
    let route = route.to_owned();
    metrics::counter!(
        "orgledger_http_requests_total",
        "method" => method, "route" => route.clone(), "status" => status.to_string()
    )
    .increment(1);
    metrics::histogram!("orgledger_http_request_seconds", "method" => method, "route" => route.clone())
        .record(seconds);
    let latency_ms = seconds * 1_000.0;
    // Probes and scrapes come every few seconds and say nothing.
    if matches!(route.as_str(), "/healthz" | "/readyz" | "/metrics") {
        tracing::debug!(status, latency_ms, "answered");
    } else {
        tracing::info!(status, latency_ms, "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_taken_only_where_it_can_stand_anywhere() {
        let check = |text: &str, expected| assert_eq!(is_request_id(text), expected, "{text:?}");
        check("0190a1b2-77aa-7000-8000-000000000000", true);
        check("build.42_x", true);
        check("", false);
        check("a b", false);
        check("a/b", false);
        for secret in ["olk_adm_NSW9", "oli_vgaO", "olo_vgaO", "whsec_MfKQ"] {
            check(secret, false);
        }
        check(&"a".repeat(129), false);
    }

    #[test]
    fn a_traceparent_is_taken_only_where_it_is_one() {
        let check = |text: &str, expected| assert_eq!(is_traceparent(text), expected, "{text:?}");
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true);
        check("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false);
        check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false);
        check("nonsense", false);
    }
}
