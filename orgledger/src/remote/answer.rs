//! What a server answered, as its caller wants to see it.

use std::io::IsTerminal as _;

use anyhow::bail;
use reqwest::StatusCode;
use serde_json::Value;

use super::connection::{Answer, Credential};
use super::ordered::Json;
use super::request::Request;
use crate::report::text;

/// The answer's document, where it is one; an error for what is not a success.
pub(super) fn document(request: &Request, answer: &Answer) -> anyhow::Result<Option<Json>> {
    if answer.status == StatusCode::NOT_MODIFIED {
        eprintln!("orgledger: it has not changed");
        return Ok(None);
    }
    if !answer.status.is_success() {
        bail!(refusal(request, answer));
    }
    if answer.header("idempotent-replayed") == Some("true") {
        eprintln!(
            "orgledger: this had been carried out already; this is what it left then, without any \
             secret, for a secret is shown once"
        );
    }
    let is_json =
        answer.header("content-type").is_some_and(|it| it.starts_with("application/json"));
    if !is_json {
        return Ok(None);
    }
    match serde_json::from_slice(&answer.body) {
        Ok(document) => Ok(Some(document)),
        Err(error) => bail!("the answer is not the JSON that it claims to be: {error}"),
    }
}

/// Why there is no success, in a line: `title: detail (field) [type]`.
fn refusal(request: &Request, answer: &Answer) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let member = |name: &str| problem[name].as_str().filter(|text| !text.is_empty());
    let status = answer.status.as_u16();
    let Some(title) = member("title") else {
        let server = request.url.origin().ascii_serialization();
        return match answer.header("location") {
            Some(elsewhere) => format!("{server} answers {status} and points to {elsewhere}"),
            None => format!("{server} answers {status}; is that an orgledger?"),
        };
    };
    let mut line = title.to_owned();
    if let Some(detail) = member("detail") {
        line.push_str(&format!(": {}", detail.trim_end_matches('.')));
    }
    if let Some(field) = member("field") {
        line.push_str(&format!(" ({field})"));
    }
    if let Some(kind) = member("type") {
        line.push_str(&format!(" [{kind}]"));
    }
    match (status, &request.key, member("instance")) {
        // Where the server says what is the matter, there is no need to guess.
        (401, _, _) if member("detail").is_some_and(|said| said != UNKNOWN) => {}
        (401, _, _) => line.push_str(unknown(answer.asked_with)),
        (500.., Some(key), _) => line.push_str(&format!(
            "\nwith --idempotency-key {key} the same command can be sent again"
        )),
        (500.., None, Some(id)) => line.push_str(&format!("\nthe request's id is {id}")),
        _ => {}
    }
    // What others wrote cannot move the cursor or colour the terminal.
    line.replace(|letter: char| letter.is_control() && letter != '\n', " ")
}

/// What a server says of a credential of which it knows no more.
const UNKNOWN: &str = "Send a credential that is known here: Authorization: Bearer …";

/// What may be the matter with a credential that is not known. What exactly it is, only the server's log
/// says.
fn unknown(credential: Credential) -> &'static str {
    match credential {
        Credential::None => {
            "\na credential is given with --credential-file or ORGLEDGER_CREDENTIAL; that of \
             `orgledger dev` is the file operator-credential in its data directory"
        }
        Credential::ApiKey => {
            "\nthis API key was revoked, rotated or has expired, or its owner may not act any more, or it \
             is another server's: an administrator sees it in `orgledger api-keys list`, and makes another; \
             one that was made under break-glass access rests from the end of that until its review"
        }
        Credential::InviteToken => {
            "\nan invite's token opens `orgledger invites accept` with its own --invite and --organization, \
             once, and nothing else; from then on the key counts that accepting it has shown"
        }
        Credential::IssuersToken => {
            "\nan issuer's token counts in one --organization that trusts the issuer, for the member who \
             has its address; a new one may be needed, for they soon expire"
        }
        Credential::Other => {
            "\nthis is not an operator's credential of that server; that of `orgledger dev` is the file \
             operator-credential in its data directory"
        }
    }
}

/// Prints what was answered: JSON for a terminal on many lines, else on one; what is no JSON as it came.
pub(super) fn print(
    as_table: bool,
    document: Option<&Json>,
    answer: &Answer,
) -> anyhow::Result<()> {
    let Some(document) = document else {
        return match &*answer.body {
            [] => Ok(()),
            bytes => match std::str::from_utf8(bytes) {
                Ok(text) => crate::print(text),
                Err(_) => crate::print_bytes(bytes),
            },
        };
    };
    crate::print(&if as_table {
        table(document)
    } else if std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(document)?
    } else {
        serde_json::to_string(document)?
    })
}

/// Prints the headers to standard error.
pub(super) fn print_headers(answer: &Answer) {
    eprintln!("{}", answer.status.as_u16());
    for (name, value) in &answer.headers {
        eprintln!("{name}: {}", value.to_str().unwrap_or("?"));
    }
}

/// The answer's one list of objects as a table, else its fields, one a line.
fn table(document: &Json) -> String {
    let Json::Object(fields) = document else { return cell(document) };
    let mut lists = fields.iter().filter_map(|(_, value)| match value {
        Json::List(items) if items.iter().all(|item| matches!(item, Json::Object(_))) => {
            Some(items)
        }
        _ => None,
    });
    if let (Some(items), None) = (lists.next(), lists.next()) {
        return rows(items);
    }
    let rows = fields.iter().map(|(name, value)| vec![name.clone(), cell(value)]).collect();
    text::table(&["field", "value"], &[], rows)
}

fn rows(items: &[Json]) -> String {
    let mut headings: Vec<&str> = Vec::new();
    for item in items {
        let Json::Object(fields) = item else { continue };
        for (name, _) in fields {
            if !headings.contains(&&**name) {
                headings.push(name);
            }
        }
    }
    if headings.is_empty() {
        return "none".to_owned();
    }
    let is_number = |heading: &&str| {
        let mut cells = items.iter().filter_map(|item| item.get(heading));
        cells.all(|cell| matches!(cell, Json::Number(_) | Json::Null))
    };
    let right: Vec<usize> =
        (0..headings.len()).filter(|column| is_number(&headings[*column])).collect();
    let row = |item: &Json| {
        let cells = headings.iter().map(|name| item.get(name).map_or(String::new(), cell));
        cells.collect()
    };
    text::table(&headings, &right, items.iter().map(row).collect())
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(value) => value.to_string(),
        Json::Number(value) => value.to_string(),
        Json::Text(text) => text.clone(),
        Json::List(_) | Json::Object(_) => serde_json::to_string(value).unwrap_or_default(),
    }
}

/// Adds a further page to the pages so far; answers the cursor of the next.
pub(super) fn add_page(whole: &mut Json, page: Json) -> Option<String> {
    let next = page.get("next_cursor").and_then(Json::as_text).map(str::to_owned);
    if let (Some(Json::List(items)), Json::Object(fields)) = (whole.get_mut("items"), page) {
        for (name, value) in fields {
            if let ("items", Json::List(further)) = (&*name, value) {
                items.extend(further);
            }
        }
    }
    next
}
