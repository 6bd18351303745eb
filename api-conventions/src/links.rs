//! The `Link` header of pages (RFC 8288): the same request for the next page, and for the first.

use axum::extract::Request;
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::paging::Cursor;

/// Says of a response that it is a page, and where the next one begins. A handler puts it into the
/// response's extensions.
#[derive(Debug, Clone)]
pub struct NextPage(pub Option<Cursor>);

/// Middleware for routes that answer pages: what is a [`NextPage`] gets its `Link` header.
pub async fn link_pages(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let mut response = next.run(request).await;
    let page = response.extensions().get::<NextPage>();
    if let Some(value) = page.and_then(|NextPage(cursor)| link(&uri, cursor.as_ref())) {
        response.headers_mut().insert(header::LINK, value);
    }
    response
}

/// The links of a page that was asked for by `uri`. They are relative to it, so they are right
/// behind any proxy that keeps the path.
fn link(uri: &Uri, next: Option<&Cursor>) -> Option<HeaderValue> {
    let mut links = Vec::new();
    if let Some(cursor) = next {
        links.push(format!("<{}>; rel=\"next\"", with_cursor(uri, Some(cursor))));
    }
    links.push(format!("<{}>; rel=\"first\"", with_cursor(uri, None)));
    HeaderValue::try_from(links.join(", ")).ok()
}

/// Path and query with another cursor. The query is written anew: nothing in it can end the link.
fn with_cursor(uri: &Uri, cursor: Option<&Cursor>) -> String {
    let given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(given.filter(|(name, _)| name != "cursor"));
    if let Some(cursor) = cursor {
        query.append_pair("cursor", &cursor.to_string());
    }
    let query = query.finish();
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{}{separator}{query}", uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_is_asked_of_the_next_page() {
        let check = |uri: &str, cursor: Option<&str>, expected: &str| {
            let cursor = cursor.map(|text| text.parse().expect("a cursor"));
            let value = link(&uri.parse().expect("a URI"), cursor.as_ref()).expect("visible");
            assert_eq!(value, expected, "{uri}");
        };
        check("/v1/x", None, "</v1/x>; rel=\"first\"");
        check("/v1/x", Some("1a"), "</v1/x?cursor=1a>; rel=\"next\", </v1/x>; rel=\"first\"");
        check(
            "/v1/x?cursor=10&as_of=2026-01-01T00:00:00%2B01:00&limit=2",
            Some("1a"),
            "</v1/x?as_of=2026-01-01T00%3A00%3A00%2B01%3A00&limit=2&cursor=1a>; rel=\"next\", \
             </v1/x?as_of=2026-01-01T00%3A00%3A00%2B01%3A00&limit=2>; rel=\"first\"",
        );
        check("/v1/x?%63ursor=10&a=%3E;b%22", None, "</v1/x?a=%3E%3Bb%22>; rel=\"first\"");
    }
}
