//! A private Postgres server.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::Handle;

use crate::place::Place;
use crate::programs::{self, PostgresPrograms};
use crate::server::{self, Share};
use crate::{DataDir, EmbeddedError, cluster, process};

const SUPERUSER: &str = "postgres";
const DATABASE: &str = "postgres";
/// One attempt to connect to a local socket; a server that is busy recovering answers at once.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A user's handle on a private Postgres server. The server runs while anybody, in any process,
/// holds one for the same data directory; stopping (or dropping) the last one stops it.
#[derive(Debug)]
pub struct Postgres {
    share: Share,
}

impl Postgres {
    /// Starts the cluster under the data directory, making it first when there is none, or joins
    /// the one that runs. Durability settings are Postgres's own defaults, all on.
    ///
    /// # Errors
    /// When there is no fitting Postgres on this machine, or the system refuses something.
    pub async fn start(dir: &DataDir) -> Result<Self, EmbeddedError> {
        Self::start_with(dir, &[]).await
    }

    /// Starts with further settings; they hold if this call is the one that starts the server.
    pub(crate) async fn start_with(
        dir: &DataDir,
        settings: &'static [&'static str],
    ) -> Result<Self, EmbeddedError> {
        let dir = dir.clone();
        crate::blocking(move |handle| {
            let (share, _) = server::start_or_join(&dir, handle, |place| {
                let major = cluster::major(place)?;
                Ok(Server {
                    programs: programs::postgres(&dir, major, place.run_as.as_ref())?,
                    settings,
                })
            })?;
            Ok(Self { share })
        })
        .await
    }

    /// The superuser, in the database `postgres`, by the private socket.
    pub fn connect_options(&self) -> PgConnectOptions {
        options(&cluster::socket_dir(&self.share.place))
    }

    /// The same as a `DATABASE_URL`, for this database.
    pub fn url(&self, database: &str) -> String {
        let socket_dir = cluster::socket_dir(&self.share.place);
        format!(
            "postgres://{SUPERUSER}@{}:{}/{}?sslmode=disable",
            percent_encoded(&socket_dir.to_string_lossy()),
            cluster::PORT,
            percent_encoded(database)
        )
    }

    /// The postmaster's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.share.pid()
    }

    /// Gives the handle back. If it is the last, the server is stopped, with everything written,
    /// and this returns when it has ended; clients that are still connected are cut off.
    ///
    /// # Errors
    /// When the server does not end in time.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        crate::blocking(move |_| self.share.release()).await
    }

    /// Kills the postmaster, and waits until its children have noticed and are gone too.
    pub(crate) fn kill(&self) -> Result<(), EmbeddedError> {
        self.share.halt(Signal::KILL)
    }

    /// Ends the server without writing anything out; for data that is about to be removed.
    pub(crate) fn abandon(&self) -> Result<(), EmbeddedError> {
        self.share.halt(Signal::QUIT)
    }
}

/// What the start of a Postgres server needs to know.
#[derive(Debug)]
pub(crate) struct Server {
    programs: PostgresPrograms,
    settings: &'static [&'static str],
}

impl server::Server for Server {
    const NAME: &'static str = "Postgres";
    const DIRECTORY: &'static str = "postgres";
    /// "Fast": rolls open transactions back and does not wait for clients to leave.
    const STOP: Signal = Signal::INT;
    /// It replays up to `max_wal_size` of log, on a disk that may be slow.
    const RECOVERY_WAIT: Duration = Duration::from_secs(600);

    fn pid_file(place: &Place) -> PathBuf {
        place.data().join("postmaster.pid")
    }

    fn prepare(&mut self, place: &Place, lock: &File) -> Result<Command, EmbeddedError> {
        cluster::ensure(place, &self.programs, lock)?;
        cluster::disown_stale_pid(place)?;
        let socket_dir = cluster::make_socket_dir(place)?;
        cluster::remove_stale_socket(place)?;
        let mut command =
            process::command(&self.programs.bin.join("postgres"), place.run_as.as_ref());
        command.arg("-D").arg(place.data());
        // Given at each start and not in the file: the data directory may have been moved. Only
        // the socket: nothing listens that another user could reach.
        command.args(["-c", "listen_addresses="]);
        command.args(["-c", "unix_socket_permissions=0700"]);
        command.args(["-c", &format!("port={}", cluster::PORT)]);
        command.arg("-c").arg(socket_setting(&socket_dir));
        for setting in self.settings {
            command.args(["-c", setting]);
        }
        Ok(command)
    }

    fn probe(&self, place: &Place, handle: &Handle) -> Result<(), String> {
        let options = options(&cluster::socket_dir(place)).disable_statement_logging();
        handle.block_on(async move {
            let connect = async { PgConnection::connect_with(&options).await?.close().await };
            match tokio::time::timeout(PROBE_TIMEOUT, connect).await {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(_) => Err("no answer on the socket".to_owned()),
            }
        })
    }

    /// A killed postmaster whose parent has not taken note of its end yet seems alive to the next one.
    /// We hold the lock that it held, so it is gone.
    fn may_retry(&mut self, log: &str) -> bool {
        log.contains("lock file \"postmaster.pid\" already exists")
    }
}

/// The setting is a list of directories: quotes keep a comma or space in the path together.
fn socket_setting(dir: &Path) -> OsString {
    format!("unix_socket_directories=\"{}\"", dir.to_string_lossy().replace('"', "\"\"")).into()
}

/// Everything is said here, so that the caller's `PGHOST` and the like do not matter.
fn options(socket_dir: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(cluster::PORT)
        .username(SUPERUSER)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
