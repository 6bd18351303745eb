use super::*;

#[test]
fn every_kind_says_what_it_means_and_what_to_do() {
    for kind in all() {
        let sentence = |text: &str| text.ends_with('.') && text.len() > 10;
        assert!(sentence(&kind.meaning()), "{}: {:?}", kind.uri, kind.meaning());
        assert!(sentence(&kind.advice()), "{}: {:?}", kind.uri, kind.advice());
        let name = kind.name();
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
    }
}

/// Kinds are declared in several places; one that is in no list would be in no document.
#[test]
fn every_type_that_stands_in_the_code_is_listed() {
    let listed: Vec<&str> = all().iter().map(|kind| kind.uri).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut declared = 0;
    for part in ["api-conventions", "command-api", "query-api", "orgledger"] {
        visit(&root.join(part).join("src"), &mut |text| {
            for name in declarations(text) {
                assert!(listed.contains(&format!("/problems/{name}").as_str()), "{name}");
                declared += 1;
            }
        });
    }
    assert_eq!(declared, listed.len(), "each is declared once");
}

/// The names in declarations of `problem_kinds!`: `NAME = "name" STATUS …`.
fn declarations(text: &str) -> Vec<&str> {
    let declared = text.split("problem_kinds! {").skip(1);
    let bodies = declared.filter_map(|rest| rest.split("\n}").next());
    bodies
        .flat_map(|body| body.split(" = \"").skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

fn visit(directory: &std::path::Path, read: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            visit(&path, read);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            read(&std::fs::read_to_string(&path).expect("text"));
        }
    }
}
