//! Where one server's files are, and who owns them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::unprivileged::{self, RunAs, SYSTEM_DIR, make_public_dir, random_hex};
use crate::{DataDir, EmbeddedError};

/// In the anchor: the path of the home, when that is elsewhere.
const LOCATION: &str = "location";

/// One server's directories.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// `<data dir>/<server>`: locks, and normally everything else.
    pub(crate) anchor: PathBuf,
    /// Holds `data` and the log; the anchor unless the servers' user cannot enter that.
    pub(crate) home: PathBuf,
    /// Who runs the server; `None` is ourselves.
    pub(crate) run_as: Option<RunAs>,
}

/// Creates the directory that the locks are in.
pub(crate) fn anchor(dir: &DataDir, server: &str) -> Result<PathBuf, EmbeddedError> {
    let anchor = dir.create()?.join(server);
    make_public_dir(&anchor)?;
    Ok(anchor)
}

impl Place {
    /// Finds or chooses the home. Only under the start lock.
    pub(crate) fn prepare(anchor: &Path) -> Result<Self, EmbeddedError> {
        if let Some(home) = elsewhere(anchor)? {
            if !home.is_dir() {
                return Err(EmbeddedError::PlaceMissing {
                    data_dir: anchor.to_path_buf(),
                    place: home,
                });
            }
            return Self::at(anchor, home);
        }
        let place = Self::at(anchor, anchor.to_path_buf())?;
        match &place.run_as {
            Some(user) if !user.can_enter(anchor) => {
                let home = move_elsewhere(anchor, user)?;
                Ok(Self { home, ..place })
            }
            _ => Ok(place),
        }
    }

    fn at(anchor: &Path, home: PathBuf) -> Result<Self, EmbeddedError> {
        Ok(Self { run_as: RunAs::choose(&home.join("data"))?, anchor: anchor.to_path_buf(), home })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// Creates a directory that only the servers' user can enter.
    pub(crate) fn make_private_dir(&self, path: &Path) -> Result<(), EmbeddedError> {
        std::fs::create_dir_all(path).map_err(EmbeddedError::io("create", path))?;
        unprivileged::set_mode(path, 0o700)?;
        unprivileged::give(path, self.run_as.as_ref())
    }
}

fn elsewhere(anchor: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let file = anchor.join(LOCATION);
    match std::fs::read(&file) {
        Ok(path) => Ok(Some(PathBuf::from(OsStr::from_bytes(&path)))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::io("read", &file)(error)),
    }
}

/// Chooses a home that the user can enter and records it. Its name is random, not derived from the
/// data directory: somebody who removed that one by hand expects a new one to be empty.
fn move_elsewhere(anchor: &Path, user: &RunAs) -> Result<PathBuf, EmbeddedError> {
    make_public_dir(Path::new(SYSTEM_DIR))?;
    let server = anchor.file_name().unwrap_or_default().to_string_lossy();
    let home = Path::new(SYSTEM_DIR).join(format!("{server}-{}", random_hex()));
    make_public_dir(&home)?;
    tracing::info!(
        wanted = %anchor.display(), used = %home.display(), user = user.name,
        "the servers' user cannot enter the data directory; its files go elsewhere"
    );
    write_durably(&anchor.join(LOCATION), home.as_os_str().as_bytes())?;
    Ok(home)
}

/// Removes what is outside the data directory.
pub(crate) fn remove_elsewhere(place: &Place) -> Result<(), EmbeddedError> {
    if place.home == place.anchor {
        return Ok(());
    }
    std::fs::remove_dir_all(&place.home).map_err(EmbeddedError::io("remove", &place.home))
}

/// Writes a file so that after a crash there is the old one or the new one.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> Result<(), EmbeddedError> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let write = || -> std::io::Result<()> {
        // Created with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(EmbeddedError::io("write", path))
}
