//! Every kind of problem: what it means and what to do about it, as pages and as a document.

use std::collections::BTreeMap;

use api_conventions::{Json, Path, Problem, ProblemKind, health};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::page::{escaped, html, inline, shell};

/// Every kind that anything here is answered with, by its `type`.
pub(crate) fn all() -> Vec<ProblemKind> {
    let kinds = command_api::problem_types().into_iter();
    let kinds = kinds.chain(query_api::problem_types()).chain(health::KINDS.iter().copied());
    let once: BTreeMap<&str, ProblemKind> = kinds.map(|kind| (kind.uri, kind)).collect();
    once.into_values().collect()
}

/// The document that is committed.
pub(crate) fn markdown() -> String {
    let mut text = String::from(
        "# Problems\n\n\
         Written by `make generate` from the code. Whatever is refused is answered with \
         `application/problem+json` (RFC 9457) and one of these as its `type`, which is stable: \
         programs compare it. A server says the same at the `type` itself, `GET /problems/…`.\n",
    );
    for kind in all() {
        text.push_str(&format!(
            "\n## `{}`\n\n**{} {}.** {} {}\n",
            kind.uri,
            kind.status.as_u16(),
            kind.title,
            kind.meaning(),
            kind.advice()
        ));
    }
    text
}

/// `GET /problems`
pub(super) async fn list(headers: HeaderMap) -> Response {
    let kinds = all();
    if !wants_html(&headers) {
        let kinds: Vec<Value> = kinds.iter().map(as_json).collect();
        return Json(json!({"problems": kinds})).into_response();
    }
    let sections = kinds.iter().map(section).collect::<String>();
    html(shell("Problems", &format!("<h1>Problems</h1>{sections}")))
}

/// `GET /problems/{name}`: where the `type` of a problem leads.
pub(super) async fn one(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let kinds = all();
    let kind = kinds.iter().find(|kind| kind.name() == name);
    let kind = kind.ok_or_else(|| Problem::not_found("kind of problem"))?;
    if !wants_html(&headers) {
        return Ok(Json(as_json(kind)).into_response());
    }
    Ok(html(shell(kind.title, &section(kind))))
}

fn as_json(kind: &ProblemKind) -> Value {
    json!({
        "type": kind.uri,
        "status": kind.status.as_u16(),
        "title": kind.title,
        "meaning": kind.meaning(),
        "advice": kind.advice(),
    })
}

fn section(kind: &ProblemKind) -> String {
    format!(
        "<h2>{} {}</h2><p><a href=\"{uri}\"><code>{uri}</code></a></p><p>{}</p><p>{}</p>",
        kind.status.as_u16(),
        escaped(kind.title),
        inline(&kind.meaning()),
        inline(&kind.advice()),
        uri = kind.uri,
    )
}

/// A browser names HTML; a program gets JSON.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

#[cfg(test)]
mod tests;
