//! What may be given for a value, from its JSON schema; and values read from the command line.

use std::io::Read as _;

use serde_json::Value;

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// An id.
    Id,
    /// A time as RFC 3339 writes it.
    Time,
    /// One of these.
    OneOf(Vec<String>),
    /// A whole number, from and to.
    Integer(Option<i64>, Option<i64>),
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// Anything, as JSON.
    Json,
    /// Several.
    List(Box<Kind>),
}

/// Schemas refer to others; deeper than this nothing of ours is.
const DEPTH_MAX: usize = 8;

/// The schema that counts: references followed, and of "nothing or this" the "this".
pub(super) fn settled<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEPTH_MAX {
        let next = referred(document, schema).or_else(|| only_alternative(schema));
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

fn referred<'a>(document: &'a Value, schema: &Value) -> Option<&'a Value> {
    document.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
}

/// The one alternative beside `null`.
fn only_alternative(schema: &Value) -> Option<&Value> {
    let mut others = alternatives(schema).filter(|one| one["type"] != "null");
    let only = others.next()?;
    others.next().is_none().then_some(only)
}

/// What `oneOf`, `anyOf` and `allOf` list.
pub(super) fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"].iter().filter_map(|of| schema[*of].as_array()).flatten()
}

/// The nearest description on the way to the schema that counts.
pub(super) fn description(document: &Value, schema: &Value) -> String {
    let mut schema = schema;
    for _ in 0..DEPTH_MAX {
        if let Some(text) = schema["description"].as_str() {
            return text.to_owned();
        }
        match referred(document, schema).or_else(|| only_alternative(schema)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    String::new()
}

impl Kind {
    /// What a schema allows.
    pub(super) fn of(document: &Value, schema: &Value) -> Self {
        let schema = settled(document, schema);
        if let Some(values) = listed(document, schema, DEPTH_MAX) {
            return Self::OneOf(values);
        }
        match type_of(schema) {
            Some("string") => match schema["format"].as_str() {
                Some("uuid") => Self::Id,
                Some("date-time") => Self::Time,
                Some(_) | None => Self::Text,
            },
            Some("integer") => {
                Self::Integer(schema["minimum"].as_i64(), schema["maximum"].as_i64())
            }
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::List(Box::new(Self::of(document, &schema["items"]))),
            None if is_text(document, schema) => Self::Text,
            Some(_) | None => Self::Json,
        }
    }

    /// What stands for a value in help.
    pub(super) fn value_name(&self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Id => "ID",
            Self::Time => "TIME",
            Self::OneOf(_) => "ONE",
            Self::Integer(..) | Self::Number => "NUMBER",
            Self::Boolean => "BOOL",
            Self::Json => "JSON",
            Self::List(of) => of.value_name(),
        }
    }

    /// Reads one value; of a list, one of its items, or for JSON as many as there are.
    pub(super) fn read(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text | Self::Time | Self::OneOf(_) => Ok(text.into()),
            Self::Id => uuid::Uuid::parse_str(text)
                .map(|id| id.to_string().into())
                .map_err(|_| "not an id such as 0190a1b2-77aa-7000-8000-000000000000".to_owned()),
            Self::Integer(min, max) => read_integer(text, *min, *max),
            Self::Number => text
                .parse::<serde_json::Number>()
                .map(Value::Number)
                .map_err(|_| "not a number".to_owned()),
            Self::Boolean => {
                text.parse::<bool>().map(Value::Bool).map_err(|_| "not true or false".to_owned())
            }
            Self::Json => one_document(&bytes_of(text)?),
            Self::List(of) if **of == Self::Json => documents(&bytes_of(text)?).map(Value::Array),
            Self::List(of) => of.read(text),
        }
    }
}

/// The texts that a schema lists, where it allows nothing else.
fn listed(document: &Value, schema: &Value, depth: usize) -> Option<Vec<String>> {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().filter(|value| !value.is_null()).collect();
        return values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    }
    if let Some(value) = schema["const"].as_str() {
        return Some(vec![value.to_owned()]);
    }
    let mut values = Vec::new();
    for one in alternatives(schema).filter(|one| one["type"] != "null") {
        values.extend(listed(document, settled(document, one), depth.checked_sub(1)?)?);
    }
    (!values.is_empty()).then_some(values)
}

/// Whether each alternative is some kind of text, as a date or a time.
fn is_text(document: &Value, schema: &Value) -> bool {
    let mut there = alternatives(schema).peekable();
    there.peek().is_some() && there.all(|one| type_of(settled(document, one)) == Some("string"))
}

/// The type, of "this or null" the "this".
fn type_of(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(one) => Some(one),
        Value::Array(several) => several.iter().filter_map(Value::as_str).find(|it| *it != "null"),
        _ => None,
    }
}

fn read_integer(text: &str, min: Option<i64>, max: Option<i64>) -> Result<Value, String> {
    let number: i64 = text.parse().map_err(|_| "not a whole number".to_owned())?;
    match (min, max) {
        (Some(min), _) if number < min => Err(format!("at least {min}")),
        (_, Some(max)) if number > max => Err(format!("at most {max}")),
        _ => Ok(number.into()),
    }
}

/// What is given: `@file` is what the file holds, `@-` what comes in, all else itself.
pub(super) fn bytes_of(text: &str) -> Result<Vec<u8>, String> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.as_bytes().to_vec());
    };
    if path == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// One JSON document.
pub(super) fn one_document(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))
}

/// JSON documents one after the other, as of a file with one a line; of an array, what is in it.
fn documents(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let mut documents = Vec::new();
    for document in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        match document.map_err(|error| format!("not JSON: {error}"))? {
            Value::Array(several) => documents.extend(several),
            one => documents.push(one),
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Kind;

    #[test]
    fn schemas_say_what_may_be_given() {
        let document = json!({ "components": { "schemas": {
            "Role": { "type": "string", "enum": ["owner", "reader"] },
            "Id": { "type": "string", "format": "uuid" },
            "Object": { "type": "object" },
        }}});
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let role = Kind::OneOf(vec!["owner".to_owned(), "reader".to_owned()]);
        for (schema, expected) in [
            (json!({ "type": "string" }), Kind::Text),
            (json!({ "type": ["string", "null"], "format": "date-time" }), Kind::Time),
            (reference("Role"), role.clone()),
            (json!({ "oneOf": [{ "type": "null" }, reference("Id")] }), Kind::Id),
            (json!({ "type": "array", "items": reference("Role") }), Kind::List(Box::new(role))),
            (
                json!({ "oneOf": [{ "const": "a" }, { "const": "b" }] }),
                Kind::OneOf(vec!["a".to_owned(), "b".to_owned()]),
            ),
            (json!({ "oneOf": [reference("Id"), reference("Object")] }), Kind::Json),
            (json!({ "oneOf": [reference("Id"), { "type": "string" }] }), Kind::Text),
            (json!({ "type": ["integer", "null"], "minimum": 0 }), Kind::Integer(Some(0), None)),
            (reference("Object"), Kind::Json),
            (Value::Null, Kind::Json),
        ] {
            assert_eq!(Kind::of(&document, &schema), expected, "{schema}");
        }
    }

    #[test]
    fn values_are_read_as_their_kind() {
        let objects = Kind::List(Box::new(Kind::Json));
        let read = |kind: &Kind, text: &str| kind.read(text);
        assert_eq!(read(&Kind::Integer(Some(0), Some(9)), "9"), Ok(json!(9)));
        assert!(read(&Kind::Integer(Some(0), Some(9)), "10").is_err());
        assert!(read(&Kind::Id, "../projects").is_err());
        assert_eq!(read(&Kind::Boolean, "true"), Ok(json!(true)));
        assert_eq!(read(&objects, r#"{"a":1}"#), Ok(json!([{ "a": 1 }])));
        assert_eq!(read(&objects, "[{\"a\":1}]\n{\"a\":2}"), Ok(json!([{ "a": 1 }, { "a": 2 }])));
        assert!(read(&objects, "{").is_err());
        let missing = read(&Kind::Json, "@/no/such.json").unwrap_err();
        assert!(missing.contains("/no/such.json"), "{missing}");
    }
}
