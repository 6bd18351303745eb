//! Entity tags: a resource's version is the sequence of its stream, as a strong tag (`"7"`).

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::problem::{PRECONDITION_FAILED, PRECONDITION_REQUIRED, Problem};

/// The `ETag` of a resource whose stream stands at `sequence`.
pub fn etag(sequence: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{sequence}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// `If-Match`, for what replaces a whole document: without it somebody else's change could be undone
/// unseen, so it is refused with 428.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatchRequired(pub IfMatch);

impl<S: Sync> FromRequestParts<S> for IfMatchRequired {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match IfMatch::from_request_parts(parts, state).await? {
            IfMatch::Absent => Err(Problem::new(PRECONDITION_REQUIRED)
                .with_detail("Read it, and send its ETag as If-Match.")
                .with("field", "If-Match")),
            named => Ok(Self(named)),
        }
    }
}

/// The `If-Match` header: which versions the caller wants to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// No header: any version, and what does not exist yet.
    Absent,
    /// `*`: any version of what exists.
    Any,
    /// One of these sequences. Tags that are not ours, and weak ones, match nothing.
    Sequences(Vec<i64>),
}

impl IfMatch {
    /// 412, unless a resource at `sequence` (0: not there) is what the caller wants to change.
    pub fn check(&self, sequence: i64) -> Result<(), Problem> {
        let matches = match self {
            Self::Absent => true,
            Self::Any => sequence > 0,
            Self::Sequences(sequences) => sequences.contains(&sequence),
        };
        if matches {
            return Ok(());
        }
        Err(Problem::new(PRECONDITION_FAILED)
            .with_detail(format!("It stands at version \"{sequence}\"."))
            .with("sequence", sequence)
            .with_header(header::ETAG, etag(sequence)))
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut sequences = Vec::new();
        for tag in text.split(',').map(str::trim) {
            let strong = tag.strip_prefix("W/").unwrap_or(tag);
            let inner = strong.strip_prefix('"')?.strip_suffix('"')?;
            if let (Ok(sequence), true) = (inner.parse(), strong.len() == tag.len()) {
                sequences.push(sequence);
            }
        }
        Some(Self::Sequences(sequences))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let values: Vec<_> = parts.headers.get_all(header::IF_MATCH).iter().collect();
        if values.is_empty() {
            return Ok(Self::Absent);
        }
        let texts: Result<Vec<_>, _> = values.iter().map(|value| value.to_str()).collect();
        texts
            .ok()
            .and_then(|texts| Self::parse(&texts.join(",")))
            .ok_or_else(|| Problem::invalid("If-Match", "give entity tags such as \"7\", or *"))
    }
}

/// Middleware for routes that read: what the caller has already, by its `If-None-Match`, is answered
/// 304, without a body.
pub async fn answer_unmodified(request: Request, next: Next) -> Response {
    let asked: Vec<HeaderValue> =
        request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let mut response = next.run(request).await;
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let has_it = tag.is_some_and(|tag| asked.iter().any(|asked| names(asked, tag)));
    if has_it && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

/// Whether a header names this tag. Tags are compared weakly, as RFC 9110 wants it here.
fn names(header: &HeaderValue, tag: &str) -> bool {
    let Ok(text) = header.to_str() else { return false };
    let mut tags = text.split(',').map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_sequences() {
        let check = |text: &str, expected| assert_eq!(IfMatch::parse(text), expected, "{text}");
        check("\"7\"", Some(IfMatch::Sequences(vec![7])));
        check("\"7\", \"8\"", Some(IfMatch::Sequences(vec![7, 8])));
        check("W/\"7\"", Some(IfMatch::Sequences(vec![])));
        check("\"another server's\"", Some(IfMatch::Sequences(vec![])));
        check("*", Some(IfMatch::Any));
        check("7", None);
        check("\"7", None);
        check("\"", None);
    }

    #[test]
    fn what_a_caller_has_is_known_by_any_of_its_tags() {
        let check = |text: &'static str, expected| {
            assert_eq!(names(&HeaderValue::from_static(text), "\"7\""), expected, "{text}");
        };
        check("\"7\"", true);
        check("\"6\", W/\"7\"", true);
        check("*", true);
        check("\"6\"", false);
        check("7", false);
    }

    #[test]
    fn only_the_version_named_may_be_changed() {
        let check = |condition: &IfMatch, sequence, ok| {
            assert_eq!(condition.check(sequence).is_ok(), ok, "{condition:?} {sequence}");
        };
        check(&IfMatch::Absent, 0, true);
        check(&IfMatch::Any, 0, false);
        check(&IfMatch::Any, 3, true);
        check(&IfMatch::Sequences(vec![7, 8]), 8, true);
        check(&IfMatch::Sequences(vec![7]), 8, false);
        check(&IfMatch::Sequences(vec![]), 8, false);
    }
}
