//! How often one may ask, seen from outside. The clock is the test's.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use api_conventions::authentication::{Asked, Credentials, Found, Stranger};
use api_conventions::{
    Authenticator, Limits, OperatorCredential, Problem, RateLimiter, RatePolicy, authentication,
    health, limits, rate,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use serde_json::Value;
use tower::ServiceExt as _;

const OPERATOR: &str = "an-operator-credential";

/// Knows no key, and counts how often it was asked for one.
#[derive(Default)]
struct NoKeys {
    looked_up: AtomicUsize,
}

impl Credentials for NoKeys {
    fn find<'a>(&'a self, _: &'a str, _: &'a Asked) -> Found<'a> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(Err(Stranger::because("it is not known"))) })
    }
}

struct App {
    router: Router,
    keys: Arc<NoKeys>,
    second: Arc<AtomicU64>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl App {
    /// Two requests a second of a credential, twenty at once; one and two of an address.
    fn new() -> Self {
        let keys = Arc::new(NoKeys::default());
        let operator = OperatorCredential::new("ops", OPERATOR).expect("it is long enough");
        let authenticator = Authenticator::new(operator).with_credentials(keys.clone());
        let guarded = Router::new()
            .route("/", get(async || "seen"))
            .route("/ended", get(async || Problem::unauthorized()))
            .route_layer(from_fn_with_state(Arc::new(authenticator), authentication::authenticate));
        let open = Router::new().route("/open", get(async || "seen by anybody"));
        let number = |n| NonZeroU32::new(n).expect("not zero");
        let policy = RatePolicy { per_second: number(2), burst: number(20) };
        let second = Arc::new(AtomicU64::new(1_000));
        let clock = Arc::clone(&second);
        let limiter = RateLimiter::with_clock(policy, move || {
            Duration::from_secs(clock.load(Ordering::Relaxed))
        });
        let router = rate::limit(guarded.merge(open), Arc::new(limiter))
            .merge(health::routes(async || Ok(()), String::new));
        Self { router: limits::apply(router, Limits::default()), keys, second }
    }

    async fn get(&self, path: &str, credential: Option<&str>, address: &str) -> Answer {
        let address: SocketAddr = address.parse().expect("an address");
        let mut request = Request::get(path).extension(ConnectInfo(address));
        if let Some(credential) = credential {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("it answers");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 10_000).await.expect("it is small");
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// How many of that many requests were answered with each of these statuses.
    async fn count<const N: usize>(
        &self,
        requests: usize,
        asked: (&str, Option<&str>, &str),
        statuses: [u16; N],
    ) -> [usize; N] {
        let mut counts = [0; N];
        for _ in 0..requests {
            let status = self.get(asked.0, asked.1, asked.2).await.status;
            let place = statuses.iter().position(|s| *s == status).expect("one of these");
            counts[place] += 1;
        }
        counts
    }
}

const HERE: &str = "192.0.2.1:5000";
const THERE: &str = "192.0.2.2:5000";

#[tokio::test]
async fn a_credential_has_what_it_has_and_is_told() {
    let app = App::new();
    let answer = app.get("/", Some(OPERATOR), HERE).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["ratelimit-policy"], "\"credential\";q=20;w=10");
    assert_eq!(answer.headers["ratelimit"], "\"credential\";r=19;t=1");
    // Wherever it comes from.
    assert_eq!(app.count(30, ("/", Some(OPERATOR), THERE), [200, 429]).await, [19, 11]);
    let refused = app.get("/", Some(OPERATOR), HERE).await;
    assert_eq!(refused.headers["ratelimit"], "\"credential\";r=0;t=10");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.body["type"], "/problems/too-many-requests");
    assert_eq!(refused.body["retry_after_seconds"], 1);
    app.second.fetch_add(3, Ordering::Relaxed);
    assert_eq!(app.count(9, ("/", Some(OPERATOR), HERE), [200, 429]).await, [6, 3]);
}

#[tokio::test]
async fn what_is_not_known_is_not_even_looked_up_too_often() {
    let app = App::new();
    let mut statuses = Vec::new();
    for n in 0..5 {
        // Another guess each time gives no other bucket.
        let guess = format!("olk_guess_{n}");
        statuses.push(app.get("/", Some(&guess), HERE).await.status);
    }
    assert_eq!(statuses, [401, 401, 429, 429, 429]);
    assert_eq!(app.keys.looked_up.load(Ordering::Relaxed), 2);
    let refused = app.get("/", None, HERE).await;
    assert_eq!(refused.status, 429, "nor without a credential");
    assert_eq!(refused.headers["ratelimit-policy"], "\"address\";q=2;w=2");
    assert_eq!(app.get("/", None, THERE).await.status, 401, "another address has its own");
}

#[tokio::test]
async fn who_is_known_does_not_suffer_from_strangers_at_the_same_address() {
    let app = App::new();
    assert_eq!(app.get("/", Some(OPERATOR), HERE).await.status, 200);
    // Being let in gave the address its token back.
    assert_eq!(app.count(5, ("/", Some("olk_guess"), HERE), [401, 429]).await, [2, 3]);
    assert_eq!(app.count(5, ("/", Some(OPERATOR), HERE), [200, 429]).await, [5, 0]);
}

#[tokio::test]
async fn a_credential_is_known_by_being_let_in_alone() {
    let app = App::new();
    // A route for anybody says nothing about the credential that was sent along.
    let open = ("/open", Some("olk_guess"), HERE);
    assert_eq!(app.count(4, open, [200, 429]).await, [2, 2]);
    // A credential that ends while it is used is a stranger's from then on.
    assert_eq!(app.get("/", Some(OPERATOR), THERE).await.status, 200);
    assert_eq!(app.count(5, ("/ended", Some(OPERATOR), THERE), [401, 429]).await, [3, 2]);
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_address() {
    let app = App::new();
    let mut statuses = Vec::new();
    for host in 1..4 {
        statuses.push(app.get("/", None, &format!("[2001:db8::{host}]:443")).await.status);
    }
    statuses.push(app.get("/", None, "[2001:db8:0:1::1]:443").await.status);
    // The same client by its IPv4 address, as a socket for both families shows it.
    for address in [HERE, HERE, "[::ffff:192.0.2.1]:5000"] {
        statuses.push(app.get("/", None, address).await.status);
    }
    assert_eq!(statuses, [401, 401, 429, 401, 401, 401, 429]);
}

#[tokio::test]
async fn health_is_always_answered() {
    let app = App::new();
    assert_eq!(app.count(50, ("/healthz", None, HERE), [200, 429]).await, [50, 0]);
    assert_eq!(app.count(50, ("/readyz", None, HERE), [200, 429]).await, [50, 0]);
    assert_eq!(app.get("/", None, HERE).await.status, 401, "nor does it use anything up");
}
