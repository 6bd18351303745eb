use std::sync::Arc;
use std::time::Duration;

use api_conventions::{
    Authenticator, Caller, IdempotencyKey, IfMatch, Json, Limits, OperatorCredential, Path, Query,
    authentication, health, limits,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt as _;

const CREDENTIAL: &str = "an-operator-credential";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    first: u32,
    second: u32,
}

fn app() -> Router {
    let operator = OperatorCredential::new("ops", CREDENTIAL).expect("it is long enough");
    let authenticator = Arc::new(Authenticator::new(operator));
    let guarded = Router::new()
        .route("/who", get(async |caller: Caller| format!("{caller:?}")))
        .route("/who/{name}", get(async |Path(name): Path<String>| name))
        .route_layer(from_fn_with_state(authenticator, authentication::authenticate));
    let large = Router::new().route("/large", post(async |Json(_): Json<Greeting>| "taken"));
    let router = Router::new()
        .route("/greet", post(async |Json(greeting): Json<Greeting>| greeting.name))
        .route(
            "/sum/{first}/{second}",
            get(async |Path(n): Path<Numbers>| (n.first + n.second).to_string()),
        )
        .route("/sum", get(async |Query(n): Query<Numbers>| (n.first + n.second).to_string()))
        .route("/once", post(async |key: IdempotencyKey| key.0))
        .route("/change", post(async |condition: IfMatch| condition.check(7)))
        .route("/panic", get(async || -> &'static str { panic!("the secret is 42") }))
        .route("/never", get(std::future::pending::<()>))
        .merge(guarded)
        .merge(limits::body_limit(large, 2_000))
        .merge(health::routes(async || Err("the database".to_owned()), || "# metrics".to_owned()));
    let limits = Limits { request_time_max: Duration::from_millis(50), body_bytes_max: 1_000 };
    limits::apply(router, limits)
}

async fn send(request: Request) -> (StatusCode, HeaderMap, Value) {
    let response = app().oneshot(request).await.expect("it answers");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 10_000).await.expect("it is small");
    let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
    (parts.status, parts.headers, body)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::from(body.to_owned())).expect("it is a request")
}

/// A problem of that status and type, with our request id as its instance; and its body.
async fn refused(request: Request, status: u16, kind: &str) -> Value {
    let path = request.uri().clone();
    let (found, headers, body) = send(request).await;
    assert_eq!(found.as_u16(), status, "{path}: {body}");
    assert_eq!(headers["content-type"], "application/problem+json", "{path}");
    assert_eq!(body["type"], format!("/problems/{kind}"), "{path}: {body}");
    assert_eq!(body["status"], status, "{path}");
    assert_eq!(body["instance"], headers["x-request-id"].to_str().expect("text"), "{path}");
    assert!(body["title"].is_string(), "{path}");
    body
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn bad_input_is_one_problem_that_names_the_field() {
    let body = refused(request("POST", "/greet", &[JSON], "{}"), 400, "invalid-request").await;
    assert_eq!(body["field"], "name");
    let body = refused(request("GET", "/sum/1/two", &[], ""), 400, "invalid-request").await;
    assert_eq!(body["field"], "second");
    let body = refused(request("GET", "/sum?first=1", &[], ""), 400, "invalid-request").await;
    assert_eq!(body["field"], "second");
    let body = refused(request("GET", "/who/%ff", &[], ""), 400, "invalid-request").await;
    assert_eq!(body["field"], "path");
    let path = "/sum?first=1&second=2&third=3";
    assert_eq!(
        refused(request("GET", path, &[], ""), 400, "invalid-request").await["field"],
        "third"
    );
    let body = refused(request("POST", "/greet", &[JSON], "{"), 400, "malformed-json").await;
    assert_eq!((&body["line"], &body["column"]), (&1.into(), &1.into()));
    refused(request("POST", "/greet", &[], "{}"), 415, "unsupported-media-type").await;
    refused(request("GET", "/nowhere", &[], ""), 404, "not-found").await;
    refused(request("DELETE", "/greet", &[], ""), 405, "method-not-allowed").await;
    refused(request("POST", "/once", &[], ""), 400, "idempotency-key-required").await;
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    refused(request("POST", "/once", &twice, ""), 400, "idempotency-key-required").await;
    refused(request("POST", "/change", &[("if-match", "7")], ""), 400, "invalid-request").await;
    refused(request("POST", "/change", &[("if-match", "\"6\"")], ""), 412, "precondition-failed")
        .await;
}

#[tokio::test]
async fn good_input_arrives() {
    let check = async |request: Request, expected: Value| {
        let (status, _, body) = send(request).await;
        assert_eq!((status, body), (StatusCode::OK, expected));
    };
    check(request("POST", "/greet", &[JSON], "{\"name\": \"Zoë\"}"), "Zoë".into()).await;
    check(request("GET", "/sum/1/2", &[], ""), 3.into()).await;
    check(request("GET", "/sum?first=1&second=2", &[], ""), 3.into()).await;
    check(request("POST", "/once", &[("idempotency-key", "k1")], ""), "k1".into()).await;
    check(request("POST", "/change", &[("if-match", "\"7\"")], ""), "".into()).await;
    check(request("POST", "/change", &[], ""), "".into()).await;
}

#[tokio::test]
async fn a_body_has_a_size() {
    let long = format!("{{\"name\": \"{}\"}}", "a".repeat(1_500));
    let body = refused(request("POST", "/greet", &[JSON], &long), 413, "body-too-large").await;
    assert_eq!(body["bytes_max"], 1_000);
    let (status, ..) = send(request("POST", "/large", &[JSON], &long)).await;
    assert_eq!(status, StatusCode::OK);
    let long = long.repeat(2);
    let body = refused(request("POST", "/large", &[JSON], &long), 413, "body-too-large").await;
    assert_eq!(body["bytes_max"], 2_000);
}

#[tokio::test]
async fn a_panic_and_a_request_without_end_are_problems_that_say_nothing() {
    let body = refused(request("GET", "/panic", &[], ""), 500, "internal").await;
    assert!(!body.to_string().contains("secret"), "{body}");
    let body = refused(request("GET", "/never", &[], ""), 503, "timed-out").await;
    assert_eq!(body["retry_after_seconds"], 1);
    let (_, headers, _) = send(request("GET", "/never", &[], "")).await;
    assert_eq!(headers["retry-after"], "1");
}

#[tokio::test]
async fn a_caller_is_known_by_their_credential_alone() {
    let header = format!("Bearer {CREDENTIAL}");
    for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "Basic x")]]
    {
        let body = refused(request("GET", "/who", headers, ""), 401, "unauthorized").await;
        assert!(!body.to_string().contains("wrong"));
    }
    let (_, headers, _) = send(request("GET", "/who", &[], "")).await;
    assert_eq!(headers["www-authenticate"], "Bearer");

    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers =
        [("authorization", header.as_str()), ("x-request-id", "r-1"), ("traceparent", trace)];
    let (status, headers, who) = send(request("GET", "/who", &headers, "")).await;
    assert_eq!(
        (status, &headers["x-request-id"]),
        (StatusCode::OK, &"r-1".parse().expect("a header"))
    );
    let who = who.as_str().expect("text");
    for part in ["Operator", "\"ops\"", "\"r-1\"", trace] {
        assert!(who.contains(part), "{part} in {who}");
    }
    assert!(!who.contains(CREDENTIAL));
    // A secret in the wrong header is not repeated, nor logged.
    let (_, headers, _) =
        send(request("GET", "/who", &[("x-request-id", "olk_any_abc")], "")).await;
    assert_ne!(headers["x-request-id"], "olk_any_abc");
}

#[tokio::test]
async fn health_needs_no_credential() {
    let (status, _, body) = send(request("GET", "/healthz", &[], "")).await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &"up".into()));
    let body = refused(request("GET", "/readyz", &[], ""), 503, "not-ready").await;
    assert_eq!(body["detail"], "the database");
    let (status, _, body) = send(request("GET", "/metrics", &[], "")).await;
    assert_eq!((status, body), (StatusCode::OK, "# metrics".into()));
}
