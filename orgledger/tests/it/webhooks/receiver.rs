//! A server that webhooks lead to: it keeps what comes, and answers as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::support::until;

/// What came, in order, and what is answered, by path.
#[derive(Default)]
struct Kept {
    came: Vec<Came>,
    answers: HashMap<String, u16>,
    /// What `Retry-After` says, by path.
    pauses: HashMap<String, String>,
}

/// A message that came.
#[derive(Debug, Clone)]
pub(super) struct Came {
    pub(super) path: String,
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) signature: String,
    pub(super) body: Vec<u8>,
    /// What was answered.
    pub(super) answered: u16,
}

impl Came {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether one of its signatures is by that secret, as Standard Webhooks says.
    pub(super) fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signature.split(' ').any(|signature| signature == wanted)
    }
}

/// The server.
#[derive(Clone)]
pub(super) struct Receiver {
    base: String,
    kept: Arc<Mutex<Kept>>,
}

async fn take(
    State(kept): State<Arc<Mutex<Kept>>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    let mut kept = kept.lock().unwrap();
    let answered = kept.answers.get(&path).copied().unwrap_or(204);
    let pause = kept.pauses.get(&path).map(|pause| (RETRY_AFTER, pause.parse().unwrap()));
    kept.came.push(Came {
        path,
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: body.to_vec(),
        answered,
    });
    (StatusCode::from_u16(answered).unwrap(), pause.into_iter().collect())
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::default();
        let routes = Router::new().route("/{path}", post(take)).with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { base, kept }
    }

    /// An endpoint.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// What an endpoint answers from now on.
    pub(super) fn answer(&self, path: &str, status: u16) {
        self.kept.lock().unwrap().answers.insert(path.to_owned(), status);
    }

    /// How long an endpoint asks to be left alone from now on.
    pub(super) fn ask_for(&self, path: &str, pause: &str) {
        self.kept.lock().unwrap().pauses.insert(path.to_owned(), pause.to_owned());
    }

    /// All that came to an endpoint.
    pub(super) fn came(&self, path: &str) -> Vec<Came> {
        let kept = self.kept.lock().unwrap();
        kept.came.iter().filter(|came| came.path == path).cloned().collect()
    }

    /// The ids of what an endpoint has taken, each at its first time.
    pub(super) fn taken(&self, path: &str) -> Vec<String> {
        let mut taken = Vec::new();
        for came in self.came(path).into_iter().filter(|came| came.answered < 300) {
            if !taken.contains(&came.id) {
                taken.push(came.id);
            }
        }
        taken
    }

    /// Waits until so many messages came to an endpoint.
    pub(super) async fn has(&self, path: &str, messages: usize) -> Vec<Came> {
        let what = format!("{messages} messages come to /{path}");
        until(&what, async || self.came(path).len() >= messages).await;
        self.came(path)
    }

    /// Waits until an endpoint has taken so many events.
    pub(super) async fn has_taken(&self, path: &str, events: usize) -> Vec<String> {
        let what = format!("{events} events are taken by /{path}");
        until(&what, async || self.taken(path).len() >= events).await;
        self.taken(path)
    }
}
