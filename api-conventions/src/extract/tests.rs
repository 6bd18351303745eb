use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // Read by nobody: what matters is what does not fit them.
struct Order {
    name: String,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // As above.
struct Item {
    count: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // As above.
struct Search {
    limit: Option<crate::Limit>,
    position: Option<i64>,
}

fn check(problem: &Problem, kind: crate::ProblemKind, field: &str) {
    assert_eq!(problem.kind(), kind, "{problem:?}");
    assert!(format!("{problem:?}").contains(&format!("\"field\":\"{field}\"")), "{problem:?}");
}

#[test]
fn a_wrong_field_of_a_body_is_named() {
    let cases = [
        (r#"{"name": 7}"#, "name"),
        (r"{}", "name"),
        (r#"{"name": "a", "colour": "red"}"#, "colour"),
        (r#"{"name": "a", "name": "b"}"#, "name"),
        (r#"{"name": "a", "items": [{"count": 1}, {"count": 256}]}"#, "items[1].count"),
        (r#"{"name": "a", "items": [{}]}"#, "items[0].count"),
        (r#"{"name": "a", "items": [{"count": 1, "size": 2}]}"#, "items[0].size"),
        ("7", "body"),
        (" [\"a\", []]", "body"),
    ];
    for (text, field) in cases {
        let problem = from_json::<Order>(text.as_bytes()).expect_err(text);
        check(&problem, crate::problem::INVALID_REQUEST, field);
    }
}

#[test]
fn a_whole_number_is_an_integer_however_it_is_written() {
    for text in [
        r#"{"name": "a", "items": [{"count": 1.0}]}"#,
        r#"{"name": "\"1.0\\", "items": [{"count": 20.000}, {"count": 1}]}"#,
    ] {
        let order = from_json::<Order>(text.as_bytes()).expect(text);
        assert_eq!(order.name.contains(".0"), text.contains("1.0\\"), "{order:?}");
        assert!(matches!(order.items[0].count, 1 | 20), "{order:?}");
    }
    let cases = [
        (r#"{"name": "a", "items": [{"count": 1.5}]}"#, "items[0].count"),
        (r#"{"name": "a", "items": [{"count": 1.05}]}"#, "items[0].count"),
        (r#"{"name": "a", "items": [{"count": 1.0e9}]}"#, "items[0].count"),
        (r#"{"name": "a", "name": "b", "items": [{"count": 1.0}]}"#, "name"),
    ];
    for (text, field) in cases {
        let problem = from_json::<Order>(text.as_bytes()).expect_err(text);
        check(&problem, crate::problem::INVALID_REQUEST, field);
    }
}

#[test]
fn what_is_not_json_is_told_by_line_and_column() {
    for text in ["", "{", "{\"name\": \"a\"} x", "{\"name\": \"\u{1}\"}"] {
        let problem = from_json::<Order>(text.as_bytes()).expect_err(text);
        assert_eq!(problem.kind(), MALFORMED_JSON, "{text:?}");
    }
    assert!(from_json::<Order>(b"{\"name\": \"\xff\"}").is_err());
}

#[test]
fn a_wrong_parameter_of_a_query_is_named() {
    let cases = [
        ("limit=many", "limit"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=", "limit"),
        ("position=1.5", "position"),
        ("position=1&position=2", "position"),
        ("as-of=2024-01-01", "as-of"),
    ];
    for (text, field) in cases {
        let problem = from_query::<Search>(text).expect_err(text);
        check(&problem, crate::problem::INVALID_REQUEST, field);
    }
    let search = from_query::<Search>("position=7").expect("it is valid");
    assert_eq!(search.position, Some(7));
}

#[test]
fn json_is_known_by_its_media_type() {
    let check = |value: &'static str, expected| {
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, header::HeaderValue::from_static(value))]);
        assert_eq!(is_json(&headers), expected, "{value}");
    };
    check("application/json", true);
    check("Application/JSON; charset=utf-8", true);
    check("application/vnd.orgledger+json", true);
    check("text/plain", false);
    check("text/json+json", false);
    assert!(!is_json(&HeaderMap::new()));
}
