//! `orgledger generate`: the files that are made from the code and committed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Writes every generated file; with `check`, only compares.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(".");
    if !root.join("event-schemas").is_dir() {
        bail!("run this in the root of the repository");
    }
    let mut stale = Vec::new();
    for (path, contents) in files()? {
        let path = root.join(path);
        let there = std::fs::read_to_string(&path).ok();
        if there.as_ref() == Some(&contents) {
            continue;
        }
        if check {
            stale.push(path.display().to_string());
            continue;
        }
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&path, contents)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    if !stale.is_empty() {
        bail!("not what the code says; run `make generate`: {}", stale.join(", "));
    }
    Ok(())
}

fn files() -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files: Vec<(PathBuf, String)> = event_schemas::published::files()
        .into_iter()
        .map(|(path, contents)| (Path::new("event-schemas").join(path), contents))
        .collect();
    files.push(("docs/openapi.json".into(), crate::api::text(&crate::api::document())));
    Ok(files)
}
