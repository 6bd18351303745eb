//! Problem responses (RFC 9457): one stable `type` for each way that a request can fail.

use std::error::Error;
use std::fmt;

pub use axum::http::StatusCode;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::observe;
use crate::words::shortened;

/// How much is said of a field's name, in characters.
const FIELD_CHARS_MAX: usize = 100;

/// How much is said of what is wrong with it, in characters.
const DETAIL_CHARS_MAX: usize = 2_200;

/// A way to fail: what stays the same however often it happens. APIs declare theirs as constants,
/// with [`problem_kinds!`](crate::problem_kinds), so that each `type` is written once and each is in
/// a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemKind {
    /// The stable `type`: a reference such as `/problems/seat-limit-reached`.
    pub uri: &'static str,
    /// The status.
    pub status: StatusCode,
    /// What it means, in a few words, always the same.
    pub title: &'static str,
    /// Its documentation: what it means, an empty line, and what to do about it.
    pub text: &'static str,
}

impl ProblemKind {
    /// What it means, in a sentence.
    pub fn meaning(&self) -> String {
        self.paragraph(0)
    }

    /// What to do about it, in a sentence; empty where that was forgotten.
    pub fn advice(&self) -> String {
        self.paragraph(1)
    }

    /// The name that its `type` ends in.
    pub fn name(&self) -> &'static str {
        self.uri.strip_prefix(PROBLEMS).unwrap_or(self.uri)
    }

    fn paragraph(&self, number: usize) -> String {
        let paragraphs: Vec<&str> = self.text.split("\n\n").collect();
        let lines = paragraphs.get(number).map(|text| text.lines().map(str::trim));
        lines.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What the `type` of every problem begins with.
pub const PROBLEMS: &str = "/problems/";

/// Declares kinds of problem, each as a constant, and the list of them. A kind's documentation is
/// what readers of the API get: a paragraph on what it means, then one on what to do about it.
#[macro_export]
macro_rules! problem_kinds {
    ($vis:vis $list:ident: $(
        $(#[doc = $doc:literal])+ $name:ident = $uri:literal $status:ident $title:literal;
    )+) => {
        $(
            $(#[doc = $doc])+
            pub const $name: $crate::ProblemKind = $crate::ProblemKind {
                uri: concat!("/problems/", $uri),
                status: $crate::problem::StatusCode::$status,
                title: $title,
                text: concat!($($doc, "\n"),+),
            };
        )+

        /// Every kind that is declared here.
        $vis const $list: &[$crate::ProblemKind] = &[$($name),+];
    };
}

problem_kinds! { pub COMMON:
    /// A parameter, header or field of the body is wrong; `field` names it.
    ///
    /// Correct what `field` names and send it again.
    INVALID_REQUEST = "invalid-request" BAD_REQUEST "The request is not valid";
    /// The body is not JSON.
    ///
    /// Correct it at `line` and `column`.
    MALFORMED_JSON = "malformed-json" BAD_REQUEST "The body is not valid JSON";
    /// The `Idempotency-Key` header is missing or unusable.
    ///
    /// Send one such header of 1 to 255 visible ASCII characters: a new one for each command, the
    /// same one when trying again.
    IDEMPOTENCY_KEY_REQUIRED = "idempotency-key-required" BAD_REQUEST
        "An idempotency key is required";
    /// No credential, or none that is known.
    ///
    /// Send one that works as `Authorization: Bearer …`; a revoked, rotated or expired one never
    /// works again.
    UNAUTHORIZED = "unauthorized" UNAUTHORIZED "Authentication is required";
    /// The caller is known and may not do this.
    ///
    /// Ask somebody whose role allows it, or ask for such a role.
    FORBIDDEN = "forbidden" FORBIDDEN "Not permitted";
    /// It does not exist, or not for this caller.
    ///
    /// Check the ids in the path, and that the credential belongs to their organization.
    NOT_FOUND = "not-found" NOT_FOUND "Not found";
    /// The resource has no such method.
    ///
    /// Use one of those that `Allow` names.
    METHOD_NOT_ALLOWED = "method-not-allowed" METHOD_NOT_ALLOWED "Method not allowed";
    /// Usage records that would have to be read one by one are not in the log's tables any more.
    ///
    /// Name a time that was not archived, or ask for what is summed up beforehand, as known now or at
    /// the end of an hour: sums stay. Who runs orgledger can restore a month.
    USAGE_ARCHIVED = "usage-archived" CONFLICT "The usage has been archived";
    /// Another change got there first.
    ///
    /// Read it again, and decide anew.
    CONFLICT = "conflict" CONFLICT "Conflict with another change";
    /// The `If-Match` header names another version.
    ///
    /// Read it again, apply your change to what is there now, and send it with the new `ETag`.
    PRECONDITION_FAILED = "precondition-failed" PRECONDITION_FAILED
        "It has changed since the version named";
    /// This replaces a whole document, which could undo somebody else's change unseen.
    ///
    /// Read it, and send its `ETag` as `If-Match`.
    PRECONDITION_REQUIRED = "precondition-required" PRECONDITION_REQUIRED
        "The version to change must be named";
    /// The body is larger than the route takes.
    ///
    /// Send at most `bytes_max` bytes at once.
    BODY_TOO_LARGE = "body-too-large" PAYLOAD_TOO_LARGE "The body is too large";
    /// The body's media type is not what the route takes.
    ///
    /// Send JSON, with `Content-Type: application/json`.
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE
        "Unsupported media type";
    /// Well formed, and not possible.
    ///
    /// Change what `detail` says.
    UNPROCESSABLE = "unprocessable" UNPROCESSABLE_ENTITY "The request cannot be carried out";
    /// More requests came with this credential, or from this address without a known one, than are
    /// taken.
    ///
    /// Wait as long as `Retry-After` says, and watch `RateLimit` from then on.
    TOO_MANY_REQUESTS = "too-many-requests" TOO_MANY_REQUESTS "Too many requests";
    /// Something of ours is broken; the request's id leads to the log.
    ///
    /// Tell the operator the `instance`.
    INTERNAL = "internal" INTERNAL_SERVER_ERROR "Internal error";
    /// Too much is waiting.
    ///
    /// Send it again after `Retry-After`, with the same `Idempotency-Key`.
    OVERLOADED = "overloaded" SERVICE_UNAVAILABLE "Too many requests are waiting";
    /// Something that the answer depends on is not there at the moment.
    ///
    /// Send it again after `Retry-After`, with the same `Idempotency-Key`.
    UNAVAILABLE = "unavailable" SERVICE_UNAVAILABLE "Temporarily unavailable";
    /// No answer within the time for one request.
    ///
    /// Send it again with the same `Idempotency-Key`: what was carried out is not carried out twice.
    TIMED_OUT = "timed-out" SERVICE_UNAVAILABLE "The request took too long";
}

/// A problem: one occurrence of a [`ProblemKind`].
pub struct Problem(Box<Occurrence>);

struct Occurrence {
    kind: ProblemKind,
    detail: Option<String>,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// An occurrence of `kind`.
    pub fn new(kind: ProblemKind) -> Self {
        Self(Box::new(Occurrence {
            kind,
            detail: None,
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// With what happened this time, for a person to read.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// With a member of its own, such as `field` or `position`.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// With a response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// With the advice to try again after that many seconds, as header and member.
    #[must_use]
    pub fn retry_after_seconds(self, seconds: u32) -> Self {
        self.with("retry_after_seconds", seconds)
            .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Its kind.
    pub fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    /// A member of its own that is a text.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.0.members.get(name)?.as_str()
    }

    /// 401, without a word on why.
    pub fn unauthorized() -> Self {
        Self::new(UNAUTHORIZED)
            .with_detail("Send a credential that is known here: Authorization: Bearer …")
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 404. What belongs to another organization does not exist here.
    pub fn not_found(what: &str) -> Self {
        Self::new(NOT_FOUND).with_detail(format!("There is no such {what} here."))
    }

    /// 400: the field (parameter, header or path into the body) and why.
    pub fn invalid(field: impl Into<String>, why: impl fmt::Display) -> Self {
        // A name may be the sender's own, as long as they like.
        let field = shortened(&field.into(), FIELD_CHARS_MAX).into_owned();
        let detail = format!("{field}: {why}");
        let detail = shortened(&detail, DETAIL_CHARS_MAX).into_owned();
        Self::new(INVALID_REQUEST).with_detail(detail).with("field", field)
    }

    /// 409: somebody else's change got there first.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(CONFLICT).with_detail(detail)
    }

    /// 422: well formed, and not possible.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(UNPROCESSABLE).with_detail(detail)
    }

    /// 413: more than that many bytes.
    pub fn too_large(bytes_max: usize) -> Self {
        Self::new(BODY_TOO_LARGE)
            .with_detail(format!("At most {bytes_max} bytes are taken."))
            .with("bytes_max", bytes_max)
    }

    /// 503: too much is waiting.
    pub fn overloaded() -> Self {
        Self::new(OVERLOADED).retry_after_seconds(1)
    }

    /// 503: no answer in time. What was asked may still have happened.
    pub fn timed_out() -> Self {
        Self::new(TIMED_OUT)
            .with_detail(
                "Whether it was carried out is not known. Sending it again with the same \
                 Idempotency-Key finds out.",
            )
            .retry_after_seconds(1)
    }

    /// 500: an opaque answer; the error and its sources are logged, here and nowhere else.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %with_sources(error), "internal error");
        Self::opaque()
    }

    /// A failure of the database: 503 where it is not there, else an opaque 500. Logged here.
    pub fn database(error: &sqlx::Error) -> Self {
        if !is_outage(error) {
            return Self::internal(error);
        }
        tracing::error!(error = %with_sources(error), "the database is not available");
        Self::new(UNAVAILABLE)
            .with_detail("The database does not answer at the moment.")
            .retry_after_seconds(1)
    }

    /// 500, for what has been logged already.
    pub(crate) fn opaque() -> Self {
        Self::new(INTERNAL).with_detail("It has been logged under this request's id.")
    }

    /// As it stands within another answer, of which it is a part: without the request's id.
    pub fn within(&self) -> Value {
        let mut body = self.body();
        if let Some(members) = body.as_object_mut() {
            members.remove("instance");
        }
        body
    }

    /// The body.
    fn body(&self) -> Value {
        let mut body = self.0.members.clone();
        body.insert("type".to_owned(), json!(self.0.kind.uri));
        body.insert("title".to_owned(), json!(self.0.kind.title));
        body.insert("status".to_owned(), json!(self.0.kind.status.as_u16()));
        if let Some(detail) = &self.0.detail {
            body.insert("detail".to_owned(), json!(detail));
        }
        if let Some(request_id) = observe::request_id() {
            body.insert("instance".to_owned(), json!(&*request_id));
        }
        Value::Object(body)
    }
}

/// The error and all that caused it, in one line.
pub fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Transparent errors repeat what stands before them.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

/// Whether the database is not there, as opposed to refusing what we said.
fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // 08: connection exception; 53: insufficient resources; 57P: the operator intervened.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| ["08", "53", "57P"].iter().any(|class| code.starts_with(class))),
        _ => false,
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.body())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body().to_string();
        let mut response = (self.0.kind.status, body).into_response();
        response.headers_mut().extend(self.0.headers);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// A problem (RFC 9457), as it stands in the API's description.
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code)] // Never built: it describes what `Problem::body` writes.
pub struct ProblemSchema {
    /// What kind of problem it is: stable, to be compared.
    #[schema(rename = "type", example = "/problems/not-found")]
    r#type: String,
    /// What the kind means.
    title: String,
    /// The status of the response.
    status: u16,
    /// What happened this time.
    detail: Option<String>,
    /// The request's id.
    instance: Option<String>,
    /// The parameter, header or field that is wrong.
    field: Option<String>,
    /// When trying again may help.
    retry_after_seconds: Option<u32>,
}
