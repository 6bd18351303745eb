//! The three lock files of a server; the crate's page says what each means.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::EmbeddedError;

/// Longer than a start may take that is not recovering from a crash.
const START_WAIT: Duration = Duration::from_secs(120);
/// How often a lock is tried again: far below what a person notices.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// The lock files in one server's directory.
#[derive(Debug, Clone)]
pub(crate) struct Locks {
    dir: PathBuf,
}

impl Locks {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// Waits until nobody else starts or stops; held until dropped.
    pub(crate) fn start(&self) -> Result<File, EmbeddedError> {
        let path = self.dir.join("start.lock");
        let deadline = Instant::now() + START_WAIT;
        loop {
            if let Some(lock) = exclusive(&path)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(EmbeddedError::StartLocked {
                    path: self.dir.clone(),
                    waited_s: START_WAIT.as_secs(),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Becomes a user. Only under the start lock, so that no last user stops the server meanwhile.
    pub(crate) fn join(&self) -> Result<File, EmbeddedError> {
        let path = self.dir.join("users.lock");
        let file = open(&path)?;
        file.lock_shared().map_err(EmbeddedError::io("lock", &path))?;
        Ok(file)
    }

    /// Whether nobody uses the server. Only under the start lock, so that nobody joins meanwhile.
    pub(crate) fn is_unused(&self) -> Result<bool, EmbeddedError> {
        // A child that is being spawned on another thread holds a copy of our descriptors until it
        // has started its program, so a first "no" of a lock just released may not be the truth.
        for attempt in 0..5 {
            if attempt > 0 {
                std::thread::sleep(POLL);
            }
            if exclusive(&self.dir.join("users.lock"))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The lock to hand to a server process; `None` while a process of an earlier one lives.
    pub(crate) fn try_server(&self) -> Result<Option<File>, EmbeddedError> {
        exclusive(&self.dir.join("server.lock"))
    }
}

fn open(path: &Path) -> Result<File, EmbeddedError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(EmbeddedError::io("open", path))
}

fn exclusive(path: &Path) -> Result<Option<File>, EmbeddedError> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(EmbeddedError::io("lock", path)(error)),
    }
}
