//! A company's OpenID Connect provider, on loopback: publishes its discovery document and key set,
//! mints tokens, changes keys, counts who asks, and fails on demand.
//!
//! ```no_run
//! # use embedded::testing::TestIssuer;
//! # async fn example(now: i64) {
//! let issuer = TestIssuer::start().await;
//! let configured = format!("{}=orgledger", issuer.url());
//! let claims = issuer.claims("orgledger", "ada@acme.example", now);
//! let token = issuer.mint(&claims);
//! # }
//! ```

mod key;
mod server;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use key::{TestKey, TestKeyKind};

/// The path of the key set; the discovery document's is the standard's.
const KEY_SET_PATH: &str = "/keys";

/// How an issuer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// With its documents.
    Documents,
    /// With this status and nothing else.
    Status(u16),
    /// To another address.
    Redirect(String),
    /// Not at all: the connection stays open.
    Silence,
}

/// A running issuer; gone with this value.
#[derive(Debug)]
pub struct TestIssuer {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    state: Mutex<State>,
    asked: watch::Sender<Asked>,
}

#[derive(Debug)]
struct State {
    signing: Arc<TestKey>,
    discovery: String,
    key_set: String,
    answer: Answer,
}

/// How often an issuer was asked for which of its documents, whatever it answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// The discovery document.
    pub discovery: usize,
    /// The key set.
    pub key_set: usize,
}

impl TestIssuer {
    /// Starts one that signs with ES256.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub async fn start() -> Self {
        Self::start_with(TestKeyKind::P256).await
    }

    /// Starts one that signs with keys of this kind.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub async fn start_with(kind: TestKeyKind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
        let address = listener.local_addr().expect("it is bound");
        let url = format!("http://{address}");
        let signing = Arc::new(TestKey::generate(kind));
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}{KEY_SET_PATH}") });
        let state = State {
            discovery: discovery.to_string(),
            key_set: key_set(&[signing.jwk()]),
            signing,
            answer: Answer::Documents,
        };
        let asked = watch::Sender::new(Asked::default());
        let shared = Arc::new(Shared { url, state: Mutex::new(state), asked });
        let server = tokio::spawn(server::serve(listener, shared.clone()));
        Self { shared, server }
    }

    /// Its name: the `iss` of its tokens, and where its discovery document is.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The key that it signs with.
    pub fn key(&self) -> Arc<TestKey> {
        self.shared.state().signing.clone()
    }

    /// The claims of a token that is valid from `now` (seconds since 1970) for an hour, for somebody
    /// with this verified address.
    pub fn claims(&self, audience: &str, email: &str, now: i64) -> Value {
        json!({
            "iss": self.url(),
            "sub": format!("subject-of-{email}"),
            "aud": audience,
            "iat": now,
            "exp": now + 3_600,
            "email": email,
            "email_verified": true,
        })
    }

    /// A token with these claims.
    pub fn mint(&self, claims: &Value) -> String {
        self.key().mint(claims)
    }

    /// Signs with a new key of this kind from now on, and publishes it alone.
    pub fn rotate(&self, kind: TestKeyKind) -> Arc<TestKey> {
        let key = Arc::new(TestKey::generate(kind));
        let mut state = self.shared.state();
        state.key_set = key_set(&[key.jwk()]);
        state.signing = key.clone();
        key
    }

    /// Publishes these keys, whichever it signs with.
    pub fn publish(&self, jwks: &[Value]) {
        self.shared.state().key_set = key_set(jwks);
    }

    /// Publishes a text in place of its key set.
    pub fn publish_text(&self, key_set: &str) {
        key_set.clone_into(&mut self.shared.state().key_set);
    }

    /// Publishes a text in place of its discovery document.
    pub fn publish_discovery(&self, discovery: &str) {
        discovery.clone_into(&mut self.shared.state().discovery);
    }

    /// Answers so from now on, whatever is asked for.
    pub fn answer(&self, answer: Answer) {
        self.shared.state().answer = answer;
    }

    /// How often it was asked.
    pub fn asked(&self) -> Asked {
        *self.shared.asked.borrow()
    }

    /// Waits until it was asked that often in all, for either document.
    pub async fn until_asked(&self, times: usize) {
        let mut asked = self.shared.asked.subscribe();
        // The sender lives in `self`.
        let _ = asked.wait_for(|asked| asked.discovery + asked.key_set >= times).await;
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// Left whole by whoever panicked: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_set(jwks: &[Value]) -> String {
    json!({ "keys": jwks }).to_string()
}
