//! Clients: requests straight into a router, and what is expected of the replies.

use api_conventions::POSITION_HEADER;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use embedded::testing::unique_name;
use serde_json::Value;
use tower::ServiceExt as _;

use super::Owners;

/// Who asks, and where.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    credential: Option<String>,
    /// Owners who ask in their organizations, where it is not for itself.
    owners: Option<Owners>,
}

/// A request being put together.
pub(crate) struct Asking {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(router: Router, credential: Option<&str>) -> Self {
        Self { router, credential: credential.map(str::to_owned), owners: None }
    }

    /// The same, and in an organization that one of these owners is of, they ask.
    pub(crate) fn with_owners(self, owners: Owners) -> Self {
        Self { owners: Some(owners), ..self }
    }

    /// A request without anything but the credential.
    pub(crate) fn ask(&self, method: Method, path: &str) -> Asking {
        let (client, path, headers) = (self.clone(), path.to_owned(), Vec::new());
        Asking { client, method, path, headers }
    }

    async fn send(&self, asking: &Asking, body: &Bytes) -> Reply {
        let mut request = Request::builder().method(asking.method.clone()).uri(&asking.path);
        for (name, value) in &asking.headers {
            request = request.header(name, value);
        }
        if let Some(credential) = &self.credential {
            request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
        }
        let request = request.body(Body::from(body.clone())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("never fails");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("the whole body");
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Reply { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::POST, path).key(&unique_name()).json(&body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::PUT, path).json(&body).await
    }

    /// Replaces a whole document, whatever its version.
    pub(crate) async fn replace(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::PUT, path).if_match("*").json(&body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::PATCH, path).json(&body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.ask(Method::DELETE, path).empty().await
    }
}

impl Asking {
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn if_match(self, tag: &str) -> Self {
        self.header("if-match", tag)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) async fn empty(self) -> Reply {
        self.send(Bytes::new()).await
    }

    pub(crate) async fn json(self, body: &Value) -> Reply {
        self.text("application/json", body.to_string()).await
    }

    pub(crate) async fn text(self, content_type: &str, body: String) -> Reply {
        self.header("content-type", content_type).send(Bytes::from(body)).await
    }

    async fn send(self, body: Bytes) -> Reply {
        let owner = self.client.owners.as_ref().and_then(|owners| owners.of(&self.path));
        let credential = owner.or_else(|| self.client.credential.clone());
        Client { credential, ..self.client.clone() }.send(&self, &body).await
    }
}

impl Reply {
    /// The body of an answer.
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        let position = self.header(POSITION_HEADER);
        assert_eq!(position, self.body["position"].to_string(), "{self:?}");
        self.body
    }

    /// The id of what was made.
    pub(crate) fn id(self, field: &str) -> String {
        assert_eq!(self.status, StatusCode::CREATED, "{self:?}");
        let body = self.ok();
        body[field].as_str().unwrap_or_else(|| panic!("{field} of {body}")).to_owned()
    }

    /// The body of a refusal of that status and type.
    pub(crate) fn refused(self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.body["type"], format!("/problems/{kind}"), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        self.body
    }

    /// The body of a refusal that names a field.
    pub(crate) fn refused_field(self, status: u16, kind: &str, field: &str) -> Value {
        let body = self.refused(status, kind);
        assert_eq!(body["field"], field, "{body}");
        body
    }

    pub(crate) fn position(&self) -> i64 {
        self.body["position"].as_i64().unwrap_or_else(|| panic!("{self:?}"))
    }

    pub(crate) fn etag(&self) -> String {
        self.header("etag")
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().expect("visible").to_owned()
    }
}
