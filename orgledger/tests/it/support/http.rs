//! Asking over HTTP.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Above what a server takes before it gives a request up itself.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// Somebody with a credential. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    credential: String,
}

/// The first owner of an organization.
pub(crate) struct Founder {
    /// Asks as them.
    pub(crate) client: Client,
    pub(crate) secret: String,
    /// The position at which they had become a member and had their key.
    pub(crate) position: i64,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn new(base: &str, credential: &str) -> Self {
        let http = reqwest::Client::builder().timeout(ANSWER_TIME_MAX).no_proxy();
        Self {
            http: http.build().unwrap(),
            base: base.to_owned(),
            credential: credential.to_owned(),
        }
    }

    /// The same person, asking another server.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Another person, asking the same server.
    pub(crate) fn presenting(&self, credential: &str) -> Self {
        Self { credential: credential.to_owned(), ..self.clone() }
    }

    /// Invites the organization's first owner, as whoever runs orgledger may, and takes the invite up
    /// in their name. `base` is the organization's path.
    pub(crate) async fn found(&self, base: &str, login: &str) -> Founder {
        let invite = json!({ "email": format!("{login}@example.com"), "role": "owner" });
        let invites = format!("{base}/invites");
        let invite = self.post(&invites, &format!("invite:{base}"), &invite).await.expect(201);
        let token = invite["secret"].as_str().unwrap();
        let accept = format!("{invites}/{}/accept", invite["invite_id"].as_str().unwrap());
        let login = json!({ "login": login });
        let accepted = self.presenting(token).post(&accept, "accept", &login).await.expect(201);
        let secret = accepted["secret"].as_str().unwrap().to_owned();
        Founder {
            client: self.presenting(&secret),
            secret,
            position: accepted["position"].as_i64().unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap()
    }

    pub(crate) async fn try_get(&self, path: &str) -> reqwest::Result<Answer> {
        send(self.request(Method::GET, path)).await
    }

    /// Commands something, with an idempotency key.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.try_post(path, key, body).await.unwrap()
    }

    /// The same, where the server may be gone.
    pub(crate) async fn try_post(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<Answer> {
        send(self.request(Method::POST, path).header("idempotency-key", key).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await.unwrap()
    }

    /// Asks anything; for what the others do not say.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.credential)
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await?,
    })
}

impl Answer {
    /// Asserts the status; the body.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Asserts that it is a problem of that status and type.
    pub(crate) fn assert_problem(&self, status: u16, kind: &str) {
        let body = self.expect(status);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(body["type"], format!("/problems/{kind}"));
        assert_eq!(body["status"], status);
    }
}
