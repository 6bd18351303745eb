//! Removing a data directory.

use embedded::{DataDir, EmbeddedError, Postgres};

use crate::support::data_dir;

#[tokio::test]
async fn it_is_not_removed_while_somebody_uses_it() {
    let (_directory, data_dir) = data_dir();
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    let refusal = data_dir.remove().await.expect_err("in use");
    assert!(matches!(refusal, EmbeddedError::InUse { .. }), "{refusal}");
    postgres.stop().await.expect("stops");
    data_dir.remove().await.expect("nobody uses it");
    data_dir.remove().await.expect("nothing left to do");
    assert!(!data_dir.path().join("postgres").exists());
}

#[tokio::test]
async fn programs_are_no_data() {
    let (_directory, data_dir) = data_dir();
    let path = data_dir.create().expect("ours");
    std::fs::create_dir(path.join("programs")).expect("ours");
    std::fs::write(path.join("other"), "data").expect("ours");
    data_dir.remove().await.expect("nobody uses it");
    let left: Vec<_> = path.read_dir().expect("there").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["programs"]);
}

#[tokio::test]
async fn a_directory_of_somebody_elses_is_not_removed() {
    let (directory, _) = data_dir();
    std::fs::write(directory.path().join("thesis.tex"), "years of work").expect("ours");
    let refusal = DataDir::new(directory.path()).remove().await.expect_err("not made by us");
    assert!(matches!(refusal, EmbeddedError::NotADataDir { .. }), "{refusal}");
    assert!(directory.path().join("thesis.tex").exists());
}
