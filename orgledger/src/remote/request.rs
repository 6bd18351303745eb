//! The request that a command line asks for.

use anyhow::{Context, bail};
use clap::ArgMatches;
use clap::parser::ValueSource;
use reqwest::header::HeaderName;
use reqwest::{Method, Url};
use serde_json::{Map, Value};

use super::arguments::plain;
use super::operation::{Field, Operation, Place};
use super::schema::{Kind, one_document};

/// A request, as often as it must be sent.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, String)>,
    /// The `Idempotency-Key`, where it takes one.
    pub(super) key: Option<String>,
    /// The media type and the bytes.
    pub(super) body: Option<(String, Vec<u8>)>,
}

impl Request {
    /// Whether sending it twice does no more than sending it once.
    pub(super) fn is_repeatable(&self) -> bool {
        self.key.is_some() || self.method == Method::GET
    }

    /// The same, for another page.
    pub(super) fn at_cursor(&mut self, cursor: &str) {
        let others: Vec<(String, String)> =
            self.url.query_pairs().filter(|(name, _)| name != "cursor").map(owned).collect();
        self.url.query_pairs_mut().clear().extend_pairs(others).append_pair("cursor", cursor);
    }
}

fn owned<A: Into<String>, B: Into<String>>((a, b): (A, B)) -> (String, String) {
    (a.into(), b.into())
}

/// What the values given for a command of that operation ask for.
pub(super) fn request(operation: &Operation, given: &ArgMatches) -> anyhow::Result<Request> {
    let method = Method::from_bytes(operation.method.as_bytes())?;
    let mut headers = Vec::new();
    if operation.takes_version
        && let Some(version) = given.get_one::<String>("if-match")
    {
        headers.push((reqwest::header::IF_MATCH, version.clone()));
    }
    for field in operation.fields.iter().filter(|field| field.place == Place::Header) {
        if let Some(value) = value(field, given) {
            headers.push((HeaderName::from_bytes(field.name.as_bytes())?, plain(&value)));
        }
    }
    let key = operation.takes_key.then(|| {
        let given = given.get_one::<String>("idempotency-key").cloned();
        given.unwrap_or_else(new_key)
    });
    Ok(Request { method, url: url(operation, given)?, headers, key, body: body(operation, given)? })
}

/// A name that no command has had.
#[allow(clippy::disallowed_methods)] // The edge: whoever sends a command names it.
fn new_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn url(operation: &Operation, given: &ArgMatches) -> anyhow::Result<Url> {
    let mut url = given.get_one::<Url>("server").cloned().context("no server is named")?;
    let mut segments = Vec::new();
    for segment in operation.path.split('/').filter(|segment| !segment.is_empty()) {
        let parameter = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(name) = parameter else {
            segments.push(segment.to_owned());
            continue;
        };
        let mut of_path = operation.fields.iter().filter(|field| field.place == Place::Path);
        let field = of_path.find(|field| field.name == name);
        let value = field.and_then(|field| value(field, given));
        let value = plain(&value.with_context(|| format!("{name} is not given"))?);
        // These would be taken as steps, and lead to another resource.
        if matches!(&*value, "" | "." | "..") {
            bail!("'{value}' cannot be {name}");
        }
        segments.push(value);
    }
    url.path_segments_mut()
        .ok()
        .context("the server's URL takes no path")?
        .pop_if_empty()
        .extend(segments);
    let query = query(operation, given);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

fn query(operation: &Operation, given: &ArgMatches) -> Vec<(String, String)> {
    let mut query = Vec::new();
    let is_whole = operation.has_pages && given.get_flag("all");
    for field in operation.fields.iter().filter(|field| field.place == Place::Query) {
        match (value(field, given), &field.kind) {
            (Some(Value::Array(several)), _) => {
                query.extend(several.iter().map(|one| (field.name.clone(), plain(one))));
            }
            (Some(value), _) => query.push((field.name.clone(), plain(&value))),
            // All pages are as few as can be.
            (None, Kind::Integer(_, Some(max))) if is_whole && field.name == "limit" => {
                query.push((field.name.clone(), max.to_string()));
            }
            (None, _) => {}
        }
    }
    if operation.has_pages
        && let Some(cursor) = given.get_one::<String>("cursor")
    {
        query.push(("cursor".to_owned(), cursor.clone()));
    }
    if let Some(format) = given.get_one::<String>("format")
        && operation.formats.contains(format)
    {
        query.push(("format".to_owned(), format.clone()));
    }
    query
}

fn body(operation: &Operation, given: &ArgMatches) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    let Some(body) = &operation.body else { return Ok(None) };
    let media_type = match body.media_types.len() {
        0 => bail!("{} takes a body of no known kind", operation.words),
        1 => body.media_types[0].clone(),
        _ => given.get_one::<String>("content-type").cloned().unwrap_or_default(),
    };
    let fields = operation.fields.iter().filter(|field| field.place == Place::Body);
    let values: Map<String, Value> = fields
        .filter_map(|field| value(field, given).map(|value| (field.name.clone(), value)))
        .collect();
    let whole = given.get_one::<Vec<u8>>("body");
    Ok(match whole {
        Some(whole) if values.is_empty() => Some((media_type, whole.clone())),
        Some(whole) => {
            match one_document(whole).map_err(|error| anyhow::anyhow!("--body: {error}"))? {
                Value::Object(mut object) => {
                    object.extend(values);
                    Some((media_type, serde_json::to_vec(&object)?))
                }
                _ => bail!("--body is no JSON object, so flags cannot replace what is in it"),
            }
        }
        None if values.is_empty() && !body.is_required => None,
        None => Some((media_type, serde_json::to_vec(&values)?)),
    })
}

/// What was given for a field; of a list, all of it.
fn value(field: &Field, given: &ArgMatches) -> Option<Value> {
    if matches!(given.value_source(&field.flag)?, ValueSource::DefaultValue) {
        return None;
    }
    let Kind::List(_) = field.kind else {
        return given.get_one::<Value>(&field.flag).cloned();
    };
    let mut several = Vec::new();
    for one in given.get_many::<Value>(&field.flag)? {
        match one {
            Value::Array(within) => several.extend(within.iter().cloned()),
            one => several.push(one.clone()),
        }
    }
    Some(Value::Array(several))
}
