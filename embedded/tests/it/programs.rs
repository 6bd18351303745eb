//! Which programs are taken, and what is said when none is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::data_dir;

fn script(path: &Path, version: &str) {
    std::fs::write(path, format!("#!/bin/sh\necho '{version}'\n")).expect("ours to write");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("ours");
}

/// What `with-servers` says when it cannot start.
fn refusal(variables: &[(&str, &Path)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_with-servers"))
        .arg("true")
        .envs(variables.iter().copied())
        .output()
        .expect("with-servers runs");
    assert_eq!(output.status.code(), Some(125));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn a_named_postgres_that_is_too_old_is_refused_with_its_version() {
    let (directory, _) = data_dir();
    script(&directory.path().join("postgres"), "postgres (PostgreSQL) 14.2 (Debian 14.2-1)");
    script(&directory.path().join("initdb"), "initdb");
    let said = refusal(&[("ORGLEDGER_POSTGRES_BIN", directory.path())]);
    assert!(said.contains("its version is 14.2, which is too old"), "{said}");
    assert!(said.contains("Needed: >= 15"), "{said}");
}

#[test]
fn a_named_directory_without_postgres_is_refused() {
    let (directory, _) = data_dir();
    let said = refusal(&[("ORGLEDGER_POSTGRES_BIN", directory.path())]);
    assert!(said.contains("it holds no program postgres"), "{said}");
}

#[test]
fn a_named_nats_server_that_is_too_old_is_refused_with_its_version() {
    let (directory, _) = data_dir();
    let program = directory.path().join("nats-server");
    script(&program, "nats-server: v2.9.10");
    let said = refusal(&[("ORGLEDGER_NATS_SERVER", &program)]);
    assert!(said.contains("its version is 2.9.10, which is too old"), "{said}");
}
