//! Schemas, as tables of fields.

use serde_json::Value;

use super::{anchor, escaped, inline, text};

/// What a schema is called: a link where it stands elsewhere, else its type.
pub(super) fn reference(schema: &Value) -> String {
    if let Some(name) = named(schema) {
        let id = anchor(&format!("schema {name}"));
        return format!("<a href=\"#{id}\">{}</a>", escaped(name));
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().map(reference).collect::<Vec<_>>().join(" or ");
    }
    if schema.get("items").is_some() {
        return format!("list of {}", reference(&schema["items"]));
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        one => text(one),
    };
    match schema["format"].as_str() {
        Some(format) => format!("{types} ({})", escaped(format)),
        None => types,
    }
}

fn named(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// What a schema says: its description, its values or its fields, and what it has of others.
pub(super) fn fields(schema: &Value) -> String {
    let mut html = String::new();
    if let Some(description) = schema["description"].as_str() {
        html.push_str(&format!("<p>{}</p>", inline(description)));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        html.push_str(&match named(part) {
            Some(_) => format!("<p>All of {}, and:</p>", reference(part)),
            None => fields(part),
        });
    }
    for (number, choice) in schema["oneOf"].as_array().into_iter().flatten().enumerate() {
        let or = if number == 0 { "Either" } else { "or" };
        html.push_str(&format!("<p>{or} {}</p>{}", reference(choice), fields(choice)));
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|v| format!("<code>{}</code>", text(v))).collect();
        html.push_str(&format!("<p>{}</p>", values.join(", ")));
    }
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    let rows = properties.map(|(name, property)| {
        format!(
            "<tr><td><code>{}</code></td><td>{}{}</td><td>{}</td></tr>",
            escaped(name),
            reference(property),
            if is_required(name) { ", required" } else { "" },
            inline(description(property)),
        )
    });
    let rows = rows.collect::<String>();
    if !rows.is_empty() {
        html.push_str(&format!("<table>{rows}</table>"));
    }
    html
}

/// Its own, or that of what it may be.
fn description(property: &Value) -> &str {
    let choices = property["oneOf"].as_array();
    let of_choice = choices.into_iter().flatten().find_map(|choice| choice["description"].as_str());
    property["description"].as_str().or(of_choice).unwrap_or_default()
}
