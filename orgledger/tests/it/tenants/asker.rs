//! Somebody who asks, with all that they were ever answered.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use embedded::testing::unique_name;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::support::{Client, send};

/// Headers that differ from one request to the next, whatever is asked.
const OF_THE_REQUEST: [&str; 5] = [
    "date",
    "x-request-id",
    "ratelimit",
    "orgledger-position",
    // Says the length of what is compared as it is.
    "content-length",
];

/// Members of bodies that say which request it was, or how far the log had come: each with what ends
/// its value.
const OF_THE_MOMENT: [(&str, &[char]); 4] = [
    ("\"instance\":\"", &['"']),
    ("\"position\":", &[',', '}']),
    ("\"recorded_at\":\"", &['"']),
    ("\"as_of\":\"", &['"']),
];

/// Somebody with a credential. Cheap to clone; a clone goes on with the same record.
#[derive(Clone)]
pub(super) struct Asker {
    client: Client,
    /// What the ids of their requests begin with.
    tag: &'static str,
    asked: Arc<AtomicU32>,
    received: Arc<Mutex<String>>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Asker {
    pub(super) fn new(client: Client, tag: &'static str) -> Self {
        Self { client, tag, asked: Arc::default(), received: Arc::default() }
    }

    /// The same side, with another credential.
    pub(super) fn presenting(&self, credential: &str) -> Self {
        Self { client: self.client.presenting(credential), ..self.clone() }
    }

    /// All that this side was answered: heads and bodies.
    pub(super) fn received(&self) -> String {
        self.received.lock().unwrap().clone()
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.ask(self.request(Method::GET, path)).await
    }

    /// Commands something, with an idempotency key of its own.
    pub(super) async fn command(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.ask(request).await
    }

    /// A request with an id and an idempotency key of its own.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.keyed(method, path, &unique_name())
    }

    /// A request with an id of its own and this idempotency key.
    pub(super) fn keyed(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let request = self.client.request(method, path).header("idempotency-key", key);
        request.header("x-request-id", format!("{}-{number:06}", self.tag))
    }

    /// Asks, and records what is answered.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Reply {
        let answer = send(request).await.unwrap();
        let reply = Reply { status: answer.status, headers: answer.headers, text: answer.text };
        let mut received = self.received.lock().unwrap();
        for (name, value) in &reply.headers {
            received.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
        }
        received.push_str(&reply.text);
        received.push('\n');
        reply
    }
}

impl Reply {
    /// Asserts that it is a success; the body.
    #[track_caller]
    pub(super) fn done(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Asserts that it is refused as a problem.
    #[track_caller]
    pub(super) fn assert_refused(&self, what: &str) {
        assert!((400..500).contains(&self.status), "{what}: {} {}", self.status, self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{what}");
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], self.status, "{what}: {problem}");
    }

    /// All of it that two who ask the same are to find alike, with `id` (which they asked with)
    /// blackened.
    pub(super) fn seen_by_who_sent(&self, id: &[String]) -> String {
        let mut text = format!("{}\n", self.status);
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| !OF_THE_REQUEST.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
            .collect();
        headers.sort_unstable();
        text.extend(headers);
        text.push_str(&without_the_moment(&self.text));
        id.iter().fold(text, |text, id| text.replace(id, "#"))
    }
}

fn without_the_moment(body: &str) -> String {
    let mut body = body.to_owned();
    for (begin, ends) in OF_THE_MOMENT {
        let mut parts = body.split(begin);
        let mut rest = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            rest.push_str(begin);
            rest.push_str(&part[part.find(ends).unwrap_or(0)..]);
        }
        body = rest;
    }
    body
}

#[cfg(test)]
mod tests {
    use super::without_the_moment;

    #[test]
    fn only_the_moment_is_blackened() {
        let check = |body: &str, expected: &str| assert_eq!(without_the_moment(body), expected);
        check(r#"{"a":1,"instance":"/requests/x","b":2}"#, r#"{"a":1,"instance":"","b":2}"#);
        check(r#"{"position":12,"items":[]}"#, r#"{"position":,"items":[]}"#);
        check(r#"{"items":[],"position":12}"#, r#"{"items":[],"position":}"#);
        check(r#"{"items":[]}"#, r#"{"items":[]}"#);
    }
}
