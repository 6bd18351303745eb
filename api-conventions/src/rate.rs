//! How often one credential may ask, and one address whose credential is not known.
//!
//! What was let in a moment ago has a bucket of its own. Everything else, without a credential or
//! with one that has not been let in yet, takes from the bucket of its source address before anybody
//! looks the credential up, and gets that token back if it was let in. So guessing is slowed down,
//! whatever is guessed. Answers carry `RateLimit-Policy` and `RateLimit` as the IETF draft
//! draft-ietf-httpapi-ratelimit-headers writes them.

mod bucket;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use quick_cache::sync::Cache;

use crate::authentication::bearer;
use crate::problem::{Problem, TOO_MANY_REQUESTS};
pub use bucket::RatePolicy;
use bucket::{Bucket, Tokens};

/// How many credentials, and how many addresses, have a bucket that is remembered. Who is forgotten
/// begins with a full one.
pub const BUCKETS_MAX: usize = 100_000;

/// The header that says how much may be asked.
pub const RATE_LIMIT_POLICY_HEADER: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The header that says how much of it is left.
pub const RATE_LIMIT_HEADER: HeaderName = HeaderName::from_static("ratelimit");

/// Limits the rate of requests. One for all the routes of a process.
pub struct RateLimiter {
    credential: Limit,
    address: Limit,
    /// Credentials are only known by a hash that nobody outside can foresee.
    hasher: RandomState,
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
}

/// The buckets of one kind.
struct Limit {
    name: &'static str,
    policy: RatePolicy,
    buckets: Cache<u64, Arc<Bucket>>,
}

impl RateLimiter {
    /// Each credential gets `policy`; each address, for what is not known, a tenth of it.
    pub fn new(policy: RatePolicy) -> Self {
        let started = Instant::now();
        Self::with_clock(policy, move || started.elapsed())
    }

    /// The same, with the time since any moment as `clock` tells it.
    pub fn with_clock(
        policy: RatePolicy,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self {
            credential: Limit::new("credential", policy),
            address: Limit::new("address", policy.tenth()),
            hasher: RandomState::new(),
            clock: Box::new(clock),
        }
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        let credential = bearer(request.headers()).map(|text| self.hasher.hash_one(text));
        let known = credential
            .and_then(|credential| Some((credential, self.credential.buckets.get(&credential)?)));
        match known {
            Some((credential, bucket)) => self.known(credential, &bucket, request, next).await,
            None => self.stranger(credential, request, next).await,
        }
    }

    /// A credential that was let in the last time.
    async fn known(
        &self,
        credential: u64,
        bucket: &Bucket,
        request: Request,
        next: Next,
    ) -> Response {
        let tokens = match bucket.take(self.credential.policy, (self.clock)()) {
            Ok(tokens) => tokens,
            Err(empty) => return self.credential.refuse(empty),
        };
        let mut response = next.run(request).await;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.credential.buckets.remove(&credential);
        }
        self.credential.tell(&mut response, tokens);
        response
    }

    /// No credential, or one that has to be looked at first.
    async fn stranger(&self, credential: Option<u64>, request: Request, next: Next) -> Response {
        let bucket = self.address.bucket(self.hasher.hash_one(source(&request)));
        let tokens = match bucket.take(self.address.policy, (self.clock)()) {
            Ok(tokens) => tokens,
            Err(empty) => return self.address.refuse(empty),
        };
        let mut response = next.run(request).await;
        let is_known = response.extensions().get::<LetIn>().is_some()
            && response.status() != StatusCode::UNAUTHORIZED;
        let Some(credential) = credential.filter(|_| is_known) else {
            self.address.tell(&mut response, tokens);
            return response;
        };
        bucket.give_back(self.address.policy);
        let bucket = self.credential.bucket(credential);
        // Requests that came at the same time may have emptied it; this one is answered already.
        let taken = bucket.take(self.credential.policy, (self.clock)());
        let tokens = taken.unwrap_or_else(|empty| empty.tokens);
        self.credential.tell(&mut response, tokens);
        response
    }
}

impl Limit {
    fn new(name: &'static str, policy: RatePolicy) -> Self {
        Self { name, policy, buckets: Cache::new(BUCKETS_MAX) }
    }

    fn bucket(&self, of: u64) -> Arc<Bucket> {
        let made: Result<_, std::convert::Infallible> =
            self.buckets.get_or_insert_with(&of, || Ok(Arc::default()));
        made.unwrap_or_default()
    }

    fn refuse(&self, empty: bucket::Empty) -> Response {
        metrics::counter!("orgledger_http_rate_limited_total", "of" => self.name).increment(1);
        let mut response = Problem::new(TOO_MANY_REQUESTS)
            .with_detail(format!(
                "At most {} requests at once and {} a second are taken of one {}.",
                self.policy.burst, self.policy.per_second, self.name
            ))
            .with("violated-policies", vec![self.name])
            .retry_after_seconds(empty.token_in_seconds)
            .into_response();
        self.tell(&mut response, empty.tokens);
        response
    }

    /// Says what may be asked, and what is left of it.
    fn tell(&self, response: &mut Response, tokens: Tokens) {
        let (burst, window) = (self.policy.burst, self.policy.window_seconds());
        let policy = format!("\"{}\";q={burst};w={window}", self.name);
        let left = format!("\"{}\";r={};t={}", self.name, tokens.left, tokens.full_in_seconds);
        for (name, text) in [(RATE_LIMIT_POLICY_HEADER, policy), (RATE_LIMIT_HEADER, left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(name, value);
            }
        }
    }
}

/// Says of a response that its request's credential was let in.
#[derive(Debug, Clone, Copy)]
struct LetIn;

/// Marks the response to a request whose credential is known.
pub(crate) fn let_in(mut response: Response) -> Response {
    response.extensions_mut().insert(LetIn);
    response
}

/// The address, of IPv6 the network: somebody who has one address has all of it.
fn source(request: &Request) -> Option<IpAddr> {
    let ConnectInfo(address) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(match address.ip().to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    })
}

/// Puts the limit around all routes that are there so far.
pub fn limit(router: Router, limiter: Arc<RateLimiter>) -> Router {
    router.layer(from_fn_with_state(limiter, limit_rate))
}

async fn limit_rate(
    State(limiter): State<Arc<RateLimiter>>,
    request: Request,
    next: Next,
) -> Response {
    limiter.answer(request, next).await
}
