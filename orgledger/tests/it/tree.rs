//! What the workspace is made of: which crate knows which, and what may come in from outside.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::support::workspace_root;

/// What is in the build for this machine, which a first build has brought: packages for other
/// systems may not be here, and nothing is downloaded for a test.
fn metadata() -> Metadata {
    let rustc = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut command = MetadataCommand::new();
    command.manifest_path(workspace_root().join("Cargo.toml"));
    let options = ["--offline", "--locked", "--filter-platform", host];
    command.other_options(options.map(str::to_owned));
    command.exec().unwrap()
}

/// The dependencies of a crate of ours that end up in what is shipped.
fn shipped(package: &Package) -> BTreeSet<&str> {
    let normal = package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development);
    normal.map(|one| one.name.as_str()).collect()
}

/// Which of our crates each may use; nothing else of ours.
const ARROWS: [(&str, &[&str]); 12] = [
    ("event-schemas", &[]),
    ("parquet-file", &[]),
    ("proofs", &[]),
    ("embedded", &[]),
    ("domain", &["event-schemas"]),
    ("event-log", &["event-schemas", "parquet-file", "proofs"]),
    ("api-conventions", &["event-schemas"]),
    ("command-api", &["api-conventions", "domain", "event-log", "event-schemas"]),
    ("projectors", &["event-log", "event-schemas", "proofs"]),
    ("query-api", &["api-conventions", "event-schemas", "parquet-file", "proofs"]),
    (
        "orgledger",
        &[
            "api-conventions",
            "command-api",
            "domain",
            "embedded",
            "event-log",
            "event-schemas",
            "parquet-file",
            "projectors",
            "proofs",
            "query-api",
        ],
    ),
    (
        "bench",
        &[
            "api-conventions",
            "command-api",
            "domain",
            "embedded",
            "event-log",
            "event-schemas",
            "parquet-file",
            "projectors",
            "proofs",
            "query-api",
        ],
    ),
];

#[test]
fn crates_know_only_those_that_they_may() {
    let metadata = metadata();
    let ours: BTreeMap<&str, &Package> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.as_str(), package))
        .collect();
    let listed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let there: BTreeSet<&str> = ours.keys().copied().collect();
    assert_eq!(there, listed, "a new crate needs its arrows here");
    for (name, may_use) in ARROWS {
        let uses = shipped(ours[name]);
        let of_ours: BTreeSet<&str> = uses.intersection(&there).copied().collect();
        let allowed: BTreeSet<&str> = may_use.iter().copied().collect();
        let too_much: Vec<&&str> = of_ours.difference(&allowed).collect();
        assert!(too_much.is_empty(), "{name} must not depend on {too_much:?}");
    }
}

#[test]
fn the_rules_know_no_clock_no_network_and_no_database() {
    let metadata = metadata();
    let edge = ["axum", "getrandom", "hyper", "rand", "reqwest", "sqlx", "tokio", "async-nats"];
    for name in ["domain", "event-schemas", "proofs"] {
        let package =
            metadata.workspace_packages().into_iter().find(|one| one.name == name).unwrap();
        let uses = shipped(package);
        let too_much: Vec<_> = edge.iter().filter(|one| uses.contains(**one)).collect();
        assert!(too_much.is_empty(), "{name} must not depend on {too_much:?}");
    }
}

/// Permissive, and MPL-2.0, whose copyleft ends at its own files. `deny.toml` says the same.
const LICENCES: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be met with allowed licences alone. `A/B` is an old way to write
/// `A OR B`.
fn is_allowed(expression: &str) -> bool {
    let words = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let (allowed, rest) = either(&words);
    assert!(rest.is_empty(), "'{expression}' is not understood");
    allowed
}

/// `a OR b`, and what follows it.
fn either<'a, 'b>(words: &'a [&'b str]) -> (bool, &'a [&'b str]) {
    let (mut allowed, mut rest) = both(words);
    while let ["OR", after @ ..] = rest {
        let (other, after) = both(after);
        allowed |= other;
        rest = after;
    }
    (allowed, rest)
}

/// `a AND b`, and what follows it.
fn both<'a, 'b>(words: &'a [&'b str]) -> (bool, &'a [&'b str]) {
    let (mut allowed, mut rest) = one(words);
    while let ["AND", after @ ..] = rest {
        let (other, after) = one(after);
        allowed &= other;
        rest = after;
    }
    (allowed, rest)
}

fn one<'a, 'b>(words: &'a [&'b str]) -> (bool, &'a [&'b str]) {
    match words {
        ["(", inside @ ..] => match either(inside) {
            (allowed, [")", after @ ..]) => (allowed, after),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, after @ ..] => {
            let with = format!("{licence} WITH {exception}");
            (LICENCES.contains(&&*with), after)
        }
        [licence, after @ ..] => (LICENCES.contains(licence), after),
        [] => (false, words),
    }
}

#[test]
fn licences_are_understood() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "(MIT OR GPL-2.0) AND ISC",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for not in [
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT OR ISC) AND AGPL-3.0",
        "MIT WITH Something-exception",
    ] {
        assert!(!is_allowed(not), "{not}");
    }
}

#[test]
fn what_comes_from_outside_is_free_and_from_crates_io() {
    let metadata = metadata();
    let ours: BTreeSet<_> = metadata.workspace_members.iter().collect();
    let mut wrong = Vec::new();
    let mut outside = 0;
    for package in metadata.packages.iter().filter(|package| !ours.contains(&package.id)) {
        outside += 1;
        let source = package.source.as_ref().map_or("a path", |source| source.repr.as_str());
        if source != "registry+https://github.com/rust-lang/crates.io-index" {
            wrong.push(format!("{} comes from {source}", package.name));
        }
        match package.license.as_deref() {
            Some(licence) if is_allowed(licence) => {}
            other => wrong.push(format!("{} has the licence {other:?}", package.name)),
        }
    }
    assert!(outside > 100, "only {outside} packages were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
