//! The API's description for people: one page without scripts, and nothing loaded from elsewhere.

mod schema;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use utoipa::openapi::OpenApi as Document;

use schema::{fields, reference};

const STYLE: &str = include_str!("page.css");

/// What a page may do: look as it does.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// An answer that is a page.
pub(super) fn html(page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::OK, headers, page).into_response()
}

/// A page with this title around a body.
pub(super) fn shell(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{} · orgledger</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        escaped(title)
    )
}

/// The page of a document.
pub(super) fn documentation(document: &Document) -> String {
    let document = serde_json::to_value(document).unwrap_or_default();
    let operations = operations(&document);
    let mut tags: Vec<&str> = operations.iter().map(|operation| operation.tag).collect();
    tags.sort_unstable();
    tags.dedup();
    let mut body = format!(
        "<h1>{}</h1><p class=\"links\">version {} · <a href=\"/v1/openapi.json\">OpenAPI document</a> \
         · <a href=\"/problems\">problems</a></p>",
        text(&document["info"]["title"]),
        text(&document["info"]["version"]),
    );
    body.push_str(&prose(document["info"]["description"].as_str().unwrap_or_default()));
    body.push_str(&contents(&tags, &operations));
    for tag in tags {
        body.push_str(&format!("<h2 id=\"{}\">{}</h2>", anchor(tag), escaped(tag)));
        for operation in operations.iter().filter(|operation| operation.tag == tag) {
            body.push_str(&operation.section());
        }
    }
    body.push_str("<h2 id=\"schemas\">Schemas</h2>");
    let schemas = document["components"]["schemas"].as_object();
    for (name, schema) in schemas.into_iter().flatten() {
        let (id, name) = (anchor(&format!("schema {name}")), escaped(name));
        body.push_str(&format!("<h3 id=\"{id}\">{name}</h3>{}", fields(schema)));
    }
    shell("API", &body)
}

/// An operation, where it stands in the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    tag: &'a str,
    id: &'a str,
    described: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, described) in item.as_object().into_iter().flatten() {
            operations.push(Operation {
                method,
                path,
                tag: described["tags"][0].as_str().unwrap_or("others"),
                id: described["operationId"].as_str().unwrap_or_default(),
                described,
            });
        }
    }
    operations
}

fn contents(tags: &[&str], operations: &[Operation<'_>]) -> String {
    let mut list = String::from("<nav><h2>Operations</h2>");
    for tag in tags {
        list.push_str(&format!("<h3><a href=\"#{}\">{}</a></h3><ul>", anchor(tag), escaped(tag)));
        for operation in operations.iter().filter(|operation| operation.tag == *tag) {
            let summary = text(&operation.described["summary"]);
            list.push_str(&format!("<li><a href=\"#{}\">{summary}</a></li>", operation.id));
        }
        list.push_str("</ul>");
    }
    list.push_str("</nav>");
    list
}

impl Operation<'_> {
    fn section(&self) -> String {
        let described = self.described;
        let mut section = format!(
            "<section><h3 id=\"{}\"><code><b>{}</b> {}</code></h3>{}",
            self.id,
            self.method.to_uppercase(),
            escaped(self.path),
            prose(described["summary"].as_str().unwrap_or_default()),
        );
        section.push_str(&prose(described["description"].as_str().unwrap_or_default()));
        section.push_str(&self.parameters());
        for (kind, content) in contents_of(&described["requestBody"]) {
            section.push_str(&body_of("Request", kind, content));
        }
        let responses = described["responses"].as_object();
        let mut refusals = Vec::new();
        for (status, response) in responses.into_iter().flatten() {
            if status.starts_with('2') {
                for (kind, content) in contents_of(response) {
                    section.push_str(&body_of(&format!("Response {status}"), kind, content));
                }
            } else {
                refusals.push(format!(
                    "<tr><td><code>{status}</code></td><td>{}</td></tr>",
                    inline(response["description"].as_str().unwrap_or_default())
                ));
            }
        }
        section.push_str(&format!(
            "<details><summary>Refusals</summary><table>{}</table></details></section>",
            refusals.concat()
        ));
        section
    }

    fn parameters(&self) -> String {
        let parameters = self.described["parameters"].as_array();
        let rows = parameters.into_iter().flatten().map(|parameter| {
            let required = if parameter["required"] == true { "required" } else { "" };
            format!(
                "<tr><td><code>{}</code></td><td>{} {required}</td><td>{}</td></tr>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                inline(parameter["description"].as_str().unwrap_or_default()),
            )
        });
        let rows = rows.collect::<String>();
        if rows.is_empty() { rows } else { format!("<h4>Parameters</h4><table>{rows}</table>") }
    }
}

fn contents_of(body: &Value) -> impl Iterator<Item = (&String, &Value)> {
    body["content"].as_object().into_iter().flatten()
}

fn body_of(what: &str, kind: &str, content: &Value) -> String {
    let example = match &content["example"] {
        Value::Null => String::new(),
        Value::String(text) => format!("<pre>{}</pre>", escaped(text)),
        example => {
            let json = serde_json::to_string_pretty(example).unwrap_or_default();
            format!("<pre>{}</pre>", escaped(&json))
        }
    };
    format!(
        "<h4>{what}: {}, <code>{}</code></h4>{example}",
        reference(&content["schema"]),
        escaped(kind)
    )
}

/// The little Markdown that descriptions have: headings, lists, paragraphs, code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        html.push_str(&match block.strip_prefix("## ") {
            Some(heading) => format!("<h2>{}</h2>", inline(heading)),
            None => format!("<p>{}</p>", inline(block)),
        });
    }
    html
}

/// Text with `code`.
pub(super) fn inline(text: &str) -> String {
    let parts = escaped(text);
    let parts = parts.split('`').enumerate();
    parts
        .map(|(number, part)| match number % 2 {
            0 => part.to_owned(),
            _ => format!("<code>{part}</code>"),
        })
        .collect()
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

/// As text in HTML, and in its attributes.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

fn anchor(text: &str) -> String {
    text.to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(inline("a `<b>` & \"c\""), "a <code>&lt;b&gt;</code> &amp; &quot;c&quot;");
        assert_eq!(prose("## A\n\nb\nc\n\n\n"), "<h2>A</h2><p>b\nc</p>");
    }

    #[test]
    fn every_operation_and_schema_is_on_the_page_and_every_link_leads_somewhere() {
        let document = crate::api::document();
        let page = documentation(&document);
        for item in document.paths.paths.values() {
            for operation in [&item.get, &item.post, &item.put, &item.patch, &item.delete] {
                let id = operation.iter().filter_map(|operation| operation.operation_id.clone());
                for id in id {
                    assert!(page.contains(&format!("<h3 id=\"{id}\">")), "{id}");
                }
            }
        }
        let links: Vec<_> =
            page.split("href=\"#").skip(1).filter_map(|l| l.split('"').next()).collect();
        assert!(links.len() > 100, "{}", links.len());
        for link in links {
            assert_eq!(page.matches(&format!("id=\"{link}\"")).count(), 1, "{link}");
        }
        // Nothing is fetched from elsewhere; an example may name an address.
        for elsewhere in ["src=", "href=\"http", "url(", "<script", "@import"] {
            assert!(!page.contains(elsewhere), "{elsewhere}");
        }
    }
}
