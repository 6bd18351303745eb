//! Extractors that answer bad input with a problem which names the field and why.

use axum::body::Bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::limits::BodyLimit;
use crate::problem::{MALFORMED_JSON, Problem, UNSUPPORTED_MEDIA_TYPE};
use crate::words::{in_json, wanted};

/// A JSON body, in or out. Declare request types with `#[serde(deny_unknown_fields)]`: a misspelt
/// field is refused, not ignored.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(UNSUPPORTED_MEDIA_TYPE)
                .with_detail("Send JSON, with Content-Type: application/json."));
        }
        from_json(&body(request, state).await?).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The whole body, within the route's limit.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let bytes_max = request.extensions().get::<BodyLimit>().map_or(0, |limit| limit.bytes_max);
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            Problem::too_large(bytes_max)
        }
        _ => Problem::invalid("body", "it ended before it was complete"),
    })
}

/// Reads a JSON object, and says where it is wrong.
pub fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    // A list would be taken for the fields in their order.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::invalid("body", "it is a list and must be an object"));
    }
    match read(text) {
        // To JSON Schema 1.0 is an integer, to serde it is none.
        Err(refused) => with_whole_numbers(text).map_or(Err(refused), |text| read(&text)),
        value => value,
    }
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            let why = error.inner().to_string();
            Problem::invalid(field(error.path(), &why), in_json(&why))
        } else {
            malformed(error.inner())
        }
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// The same JSON with `1.0` written as `1` and spaces, so that every column stays where it was; none
/// where nothing in it is written so.
fn with_whole_numbers(text: &[u8]) -> Option<Vec<u8>> {
    let mut whole = text.to_vec();
    let (mut in_string, mut at) = (false, 0);
    while at < text.len() {
        match text[at] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            b'.' if !in_string => {
                let zeros = text[at + 1..].iter().take_while(|byte| **byte == b'0').count();
                let after_digit = at > 0 && text[at - 1].is_ascii_digit();
                let ends = text.get(at + 1 + zeros).is_none_or(|next| b",]} \t\r\n".contains(next));
                if after_digit && zeros > 0 && ends {
                    whole[at..=at + zeros].fill(b' ');
                }
            }
            _ => {}
        }
        at += 1;
    }
    (whole != text).then_some(whole)
}

/// The answer to a text that is not JSON.
pub fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(MALFORMED_JSON)
        .with_detail(error.to_string())
        .with("line", error.line())
        .with("column", error.column())
}

/// The path to the wrong field. Of a field that is missing or unknown serde reports the place of
/// the object that it belongs to, or says its name only in words.
fn field(path: &serde_path_to_error::Path, why: &str) -> String {
    let at_root = path.iter().all(|segment| matches!(segment, Segment::Unknown));
    let place = if at_root { String::new() } else { path.to_string() };
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| why.strip_prefix(start)?.split('`').next());
    match named {
        Some(name) if place.is_empty() => name.to_owned(),
        Some(name) if place == name || place.ends_with(&format!(".{name}")) => place,
        Some(name) => format!("{place}.{name}"),
        None if place.is_empty() => "body".to_owned(),
        None => place,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The path's parameters. With more than one, take a struct with a field for each: a tuple's error
/// cannot name the parameter.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(match error.into_kind() {
                    ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
                        Problem::invalid(key, format!("'{value}' is not {}", wanted(expected_type)))
                    }
                    ErrorKind::DeserializeError { key, message, .. } => {
                        Problem::invalid(key, in_json(&message))
                    }
                    ErrorKind::InvalidUtf8InPathParam { key } => {
                        Problem::invalid(key, "it is not UTF-8")
                    }
                    kind => Problem::invalid("path", kind),
                })
            }
            Err(rejection) => Err(Problem::internal(&rejection)),
        }
    }
}

/// The query's parameters. Declare their struct with `#[serde(deny_unknown_fields)]`: a misspelt
/// `as-of` must not be answered as if it had not been asked.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        from_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn from_query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(text.as_bytes());
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let why = error.inner().to_string();
        match field(error.path(), &why) {
            place if place == "body" => Problem::invalid("query", in_json(&why)),
            place => Problem::invalid(place, in_json(&why)),
        }
    })
}

#[cfg(test)]
mod tests;
