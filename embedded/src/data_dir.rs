//! The directory that holds everything of one installation.

use std::path::{Path, PathBuf};

use crate::locks::Locks;
use crate::place::Place;
use crate::server::{self, Server as _};
use crate::unprivileged::set_mode;
use crate::{EmbeddedError, cluster, nats, place, postgres};

/// Tells a directory that we made from one that merely was named; only ours are removed.
const MARKER: &str = "ORGLEDGER-DATA-DIR";
/// Programs are no data: they are there before the first start and stay when data is removed.
const PROGRAMS: &str = "programs";

/// The directory with the private servers' files; it need not exist yet.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    programs: Option<PathBuf>,
}

impl DataDir {
    /// Names the directory; nothing is created before a server starts.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), programs: None }
    }

    /// Looks for programs in this directory too, after the data directory's own.
    #[must_use]
    pub fn with_programs(mut self, dir: impl Into<PathBuf>) -> Self {
        self.programs = Some(dir.into());
        self
    }

    /// The directory as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a private Postgres was begun in it.
    pub fn has_postgres(&self) -> bool {
        self.path.join(postgres::Server::DIRECTORY).is_dir()
    }

    /// Where programs are looked for before the machine's own.
    pub(crate) fn program_dirs(&self) -> Vec<PathBuf> {
        let own = self.path.join(PROGRAMS);
        std::iter::once(own).chain(self.programs.clone()).collect()
    }

    /// Creates the directory when it is not there, and returns its real path.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create(&self) -> Result<PathBuf, EmbeddedError> {
        let is_new = !self.path.exists();
        if is_new {
            std::fs::create_dir_all(&self.path).map_err(EmbeddedError::io("create", &self.path))?;
            // As root the servers run as somebody else, who must be able to pass.
            let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
            set_mode(&self.path, mode)?;
        }
        if is_new || self.is_bare()? {
            let marker = self.path.join(MARKER);
            let text =
                "Everything here belongs to orgledger. `orgledger demo --fresh` removes it.\n";
            std::fs::write(&marker, text).map_err(EmbeddedError::io("write", &marker))?;
        }
        self.path.canonicalize().map_err(EmbeddedError::io("open", &self.path))
    }

    /// Removes everything in the directory except `programs/`, and stops servers that run without
    /// users. A directory that does not exist is fine.
    ///
    /// # Errors
    /// [`EmbeddedError::InUse`] while anybody uses one of the servers;
    /// [`EmbeddedError::NotADataDir`] when orgledger did not make the directory.
    pub async fn remove(&self) -> Result<(), EmbeddedError> {
        let dir = self.clone();
        crate::blocking(move |_| dir.remove_now()).await
    }

    pub(crate) fn remove_now(&self) -> Result<(), EmbeddedError> {
        if !self.path.exists() || (self.is_bare()? && !self.path.join(MARKER).exists()) {
            return Ok(());
        }
        if !self.path.join(MARKER).exists() {
            return Err(EmbeddedError::NotADataDir { path: self.path.clone() });
        }
        let dir = self.path.canonicalize().map_err(EmbeddedError::io("open", &self.path))?;
        // All locks before the first removal: it is everything or nothing.
        let mut held = Vec::new();
        for name in [postgres::Server::DIRECTORY, nats::Server::DIRECTORY] {
            let anchor = dir.join(name);
            if !anchor.is_dir() {
                continue;
            }
            let locks = Locks::new(&anchor);
            let start = locks.start()?;
            if !locks.is_unused()? {
                return Err(EmbeddedError::InUse { path: dir });
            }
            held.push((anchor, start));
        }
        for (anchor, _start) in &held {
            let place = Place::prepare(anchor)?;
            if anchor.ends_with(postgres::Server::DIRECTORY) {
                server::stop_unused::<postgres::Server>(&place)?;
                cluster::remove_socket_dir(&place)?;
            } else {
                server::stop_unused::<nats::Server>(&place)?;
            }
            place::remove_elsewhere(&place)?;
        }
        for path in self.contents()? {
            let removed = if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            removed.map_err(EmbeddedError::io("remove", &path))?;
        }
        Ok(())
    }

    /// What is in the directory besides programs; the marker last, so that a removal cut short can
    /// be repeated.
    fn contents(&self) -> Result<Vec<PathBuf>, EmbeddedError> {
        let mut paths = std::fs::read_dir(&self.path)
            .and_then(|entries| {
                entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
            })
            .map_err(EmbeddedError::io("list", &self.path))?;
        paths.retain(|path| !path.ends_with(PROGRAMS));
        paths.sort_by_key(|path| path.ends_with(MARKER));
        Ok(paths)
    }

    fn is_bare(&self) -> Result<bool, EmbeddedError> {
        Ok(self.contents()?.is_empty())
    }
}
