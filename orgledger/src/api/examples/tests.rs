use std::collections::BTreeSet;

use serde_json::Map;

use super::*;

fn document() -> Value {
    serde_json::to_value(crate::api::document()).expect("JSON")
}

fn operations(document: &Value) -> Vec<&Value> {
    let paths = document["paths"].as_object().expect("paths");
    paths.values().flat_map(|item| item.as_object().expect("operations").values()).collect()
}

/// What is wrong with a value, by a schema of the document.
fn wrong(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut whole = schema.as_object().expect("a schema").clone();
    whole.insert("components".to_owned(), document["components"].clone());
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&Value::Object(whole))
        .expect("it is a schema");
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Every name of a field that is in the document's schemas.
fn field_names(schemas: &Value, names: &mut BTreeSet<String>) {
    match schemas {
        Value::Object(schema) => {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                names.extend(properties.keys().cloned());
            }
            // A map that lists which names it may have.
            let listed = schemas.pointer("/propertyNames/enum").and_then(Value::as_array);
            names.extend(listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
            schema.values().for_each(|value| field_names(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| field_names(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every name of a field that an example has; labels are anybody's.
fn names_used(example: &Value, names: &mut BTreeSet<String>) {
    match example {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(name.clone());
                if name != "tags" {
                    names_used(value, names);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names_used(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// All bodies of an operation: what they are, and their content.
fn bodies(operation: &Value) -> Vec<(String, &Map<String, Value>)> {
    let responses = operation["responses"].as_object().expect("responses");
    let all = responses.iter().map(|(status, response)| (status.clone(), response));
    let all = all.chain([("request".to_owned(), &operation["requestBody"])]);
    all.flat_map(|(what, body)| {
        let contents = body["content"].as_object().into_iter().flatten();
        contents.map(move |(kind, content)| {
            (format!("{what} {kind}"), content.as_object().expect("an object"))
        })
    })
    .collect()
}

#[test]
fn every_body_and_parameter_has_an_example_that_is_one() {
    let document = document();
    let mut known = BTreeSet::new();
    field_names(&document["components"]["schemas"], &mut known);
    let operations = operations(&document);
    assert!(operations.len() > 40, "{}", operations.len());
    for operation in operations {
        let id = operation["operationId"].as_str().expect("an id");
        for (what, content) in bodies(operation) {
            let example = content.get("example");
            if what.ends_with(PARQUET) {
                assert_eq!(example, None, "{id}: text that stands for a file");
                continue;
            }
            let example = example.unwrap_or_else(|| panic!("{id}: no example of {what}"));
            let wrong = wrong(&document, &content["schema"], example);
            assert!(wrong.is_empty(), "{id}, {what}: {wrong:?}");
            let mut used = BTreeSet::new();
            names_used(example, &mut used);
            let unknown: Vec<_> = used.difference(&known).collect();
            assert!(unknown.is_empty(), "{id}, {what}: {unknown:?}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = &parameter["name"];
            let is_free = name == "cursor";
            assert!(is_free || parameter.get("example").is_some(), "{id}: no example of {name}");
            let wrong = parameter
                .get("example")
                .map_or(vec![], |example| wrong(&document, &parameter["schema"], example));
            assert!(wrong.is_empty(), "{id}, {name}: {wrong:?}");
        }
    }
}

#[test]
fn no_example_is_of_an_operation_that_is_not_there() {
    let document = document();
    let ids: BTreeSet<_> =
        operations(&document).iter().filter_map(|o| o["operationId"].as_str()).collect();
    let read = |text| serde_json::from_str::<BTreeMap<String, Example>>(text).expect("a table");
    for (id, example) in read(command_api::EXAMPLES).iter().chain(&read(query_api::EXAMPLES)) {
        assert!(ids.contains(id.as_str()), "{id}");
        let shows = [&example.request, &example.response].into_iter().any(Option::is_some);
        assert!(shows || example.text.is_some(), "{id}");
    }
}

#[test]
fn every_operation_says_who_may_ask_and_what_it_does() {
    let document = document();
    assert_eq!(document["security"][0]["credential"], json!([]));
    assert_eq!(document["components"]["securitySchemes"]["credential"]["scheme"], "bearer");
    for operation in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{id}");
        assert!(operation["responses"]["429"].is_object(), "{id}");
    }
}
