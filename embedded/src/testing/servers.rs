//! Servers of a test's own, gone when the test is.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::watchdog::Watchdog;
use crate::{DataDir, EmbeddedError, Nats, Postgres};

/// Whether what is committed would survive the machine's crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Real,
    /// Postgres does not wait for the disk. A killed *process* still loses nothing; the machine would.
    Relaxed,
}

/// A private Postgres and a private nats-server in a temporary directory. Dropping it, a panic and
/// even `kill -9` of this process end the servers and remove the directory.
#[derive(Debug)]
pub struct TestServers {
    // Dropped in this order: the servers, the directory, and last the watchdog.
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    durability: Durability,
    data_dir: DataDir,
    _directory: TempDir,
    _watchdog: Watchdog,
}

impl TestServers {
    /// Starts both servers, with real durability.
    ///
    /// # Errors
    /// When one cannot be started.
    pub async fn start() -> Result<Self, EmbeddedError> {
        Self::start_with(Durability::Real).await
    }

    /// Starts both servers.
    ///
    /// # Errors
    /// When one cannot be started.
    pub async fn start_with(durability: Durability) -> Result<Self, EmbeddedError> {
        let mut servers = Self::prepare(durability)?;
        servers.start_postgres().await?;
        servers.start_nats().await?;
        Ok(servers)
    }

    /// Starts Postgres only, with real durability.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_postgres_only() -> Result<Self, EmbeddedError> {
        let mut servers = Self::prepare(Durability::Real)?;
        servers.start_postgres().await?;
        Ok(servers)
    }

    fn prepare(durability: Durability) -> Result<Self, EmbeddedError> {
        let directory = temporary_data_dir();
        let data_dir = DataDir::new(directory.path().join("data")).with_programs(programs_dir());
        let watchdog = Watchdog::start(directory.path())?;
        Ok(Self {
            postgres: None,
            nats: None,
            durability,
            data_dir,
            _directory: directory,
            _watchdog: watchdog,
        })
    }

    /// The data directory, for a further user of the same servers.
    pub fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// The running Postgres.
    pub fn postgres(&self) -> &Postgres {
        self.postgres.as_ref().expect("Postgres has been started")
    }

    /// The running nats-server.
    pub fn nats(&self) -> &Nats {
        self.nats.as_ref().expect("nats-server has been started")
    }

    /// Kills Postgres as a crash would; every connection to it breaks. Returns when it is gone.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill_postgres(&mut self) -> Result<(), EmbeddedError> {
        match self.postgres.take() {
            Some(postgres) => crate::blocking(move |_| postgres.kill()).await,
            None => Ok(()),
        }
    }

    /// Kills nats-server as a crash would. Returns when it is gone.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill_nats(&mut self) -> Result<(), EmbeddedError> {
        match self.nats.take() {
            Some(nats) => crate::blocking(move |_| nats.kill()).await,
            None => Ok(()),
        }
    }

    /// Starts Postgres, again after a kill; at the same address.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_postgres(&mut self) -> Result<&Postgres, EmbeddedError> {
        let settings: &[&str] = match self.durability {
            Durability::Real => &[],
            Durability::Relaxed => &["fsync=off", "full_page_writes=off"],
        };
        let postgres = Postgres::start_with(&self.data_dir, settings).await?;
        Ok(self.postgres.insert(postgres))
    }

    /// Starts nats-server, again after a kill; at the same address.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_nats(&mut self) -> Result<&Nats, EmbeddedError> {
        let nats = Nats::start(&self.data_dir).await?;
        Ok(self.nats.insert(nats))
    }
}

impl Drop for TestServers {
    fn drop(&mut self) {
        // The data is about to be removed: nothing needs to be written out first.
        let ended = [
            self.postgres.take().map(|postgres| postgres.abandon()),
            self.nats.take().map(|nats| nats.kill()),
            // Some of it may be outside of the temporary directory.
            Some(self.data_dir.remove_now()),
        ];
        for error in ended.into_iter().flatten().filter_map(Result::err) {
            tracing::warn!(%error, "a test's servers were not removed");
        }
    }
}

/// A temporary directory that the servers' user can pass through even when tests run as root. Put
/// data directories into it, so that nothing is left elsewhere.
///
/// # Panics
/// When the system refuses.
pub fn temporary_data_dir() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    tempfile::Builder::new()
        .prefix("orgledger-test-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempdir()
        .expect("the temporary directory takes a directory")
}

/// Where `make test` puts programs that this machine lacks.
pub fn programs_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/programs")
}
