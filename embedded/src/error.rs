//! What can go wrong, each with what to do about it.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// A program that was found but cannot be used.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// Where it is.
    pub path: PathBuf,
    /// Why it was passed over.
    pub reason: String,
}

/// Why a private server could not be started, joined or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No usable program was found.
    #[error(
        "no {program} {needed} found{}.\nInstall it ({how}), or name it in {variable}.",
        listed(.rejected)
    )]
    NoProgram {
        /// `Postgres` or `nats-server`.
        program: &'static str,
        /// The version needed, as people say it.
        needed: String,
        /// What was found and passed over.
        rejected: Vec<Rejected>,
        /// How to install it.
        how: &'static str,
        /// The environment variable that names it.
        variable: &'static str,
    },
    /// The program that the environment names cannot be used.
    #[error("{variable} names {}, but {}. Needed: {needed}.", .rejected.path.display(), .rejected.reason)]
    NamedProgram {
        /// The environment variable.
        variable: &'static str,
        /// The version needed, as people say it.
        needed: String,
        /// The program and the reason.
        rejected: Rejected,
    },
    /// The system refused a file operation.
    #[error("cannot {action} {}: {source}{}", .path.display(), advice(.source))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Started as root, and there is nobody to run the servers as.
    #[error(
        "Postgres refuses to run as root, and this machine has neither a user `postgres` nor `nobody`. \
         Start orgledger as an ordinary user, or add the user: useradd --system postgres"
    )]
    NoUnprivilegedUser,
    /// The unprivileged user cannot reach the programs, and they cannot be copied either.
    #[error(
        "started as root, the servers run as the user `{user}`, who cannot run {}. \
         Make it readable for that user, or start orgledger as an ordinary user.", .program.display()
    )]
    ProgramOutOfReach {
        /// The unprivileged user.
        user: String,
        /// The program.
        program: PathBuf,
    },
    /// A directory belongs to another user.
    #[error(
        "{} belongs to user id {owner}, not to you (user id {user}). \
         Run orgledger as that user, or choose another --data-dir.", .path.display()
    )]
    ForeignDirectory {
        /// The directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// The user id that was expected.
        user: u32,
    },
    /// The files were moved to a place that is gone.
    #[error(
        "the files of {} were put into {}, which is not there any more. \
         Bring it back, or start on another --data-dir.", .data_dir.display(), .place.display()
    )]
    PlaceMissing {
        /// The data directory's part for this server.
        data_dir: PathBuf,
        /// Where its files were.
        place: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb could not make a cluster in {}:\n{output}", .path.display())]
    Init {
        /// Where.
        path: PathBuf,
        /// What it said.
        output: String,
    },
    /// The server ended while it was being started.
    #[error("{server} ended while starting ({status}). The end of its log, {}:\n{tail}", .log.display())]
    Died {
        /// `Postgres` or `nats-server`.
        server: &'static str,
        /// How it ended.
        status: String,
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The server did not answer in time.
    #[error(
        "{server} did not answer within {waited_s} s (last answer: {last}). The end of its log, {}:\n{tail}",
        .log.display()
    )]
    NotReady {
        /// `Postgres` or `nats-server`.
        server: &'static str,
        /// How long it was waited for, in seconds.
        waited_s: u64,
        /// The last attempt's error.
        last: String,
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The server did not end in time.
    #[error("{server} (process {pid:?}) did not end within {waited_s} s; see {}", .log.display())]
    StillRunning {
        /// `Postgres` or `nats-server`.
        server: &'static str,
        /// Its process id, when known.
        pid: Option<u32>,
        /// How long it was waited for, in seconds.
        waited_s: u64,
        /// The log file.
        log: PathBuf,
    },
    /// Another process is starting or stopping the server and does not finish.
    #[error("another process has been starting or stopping the server of {} for {waited_s} s", .path.display())]
    StartLocked {
        /// The data directory's part for this server.
        path: PathBuf,
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// The data directory is used by another process.
    #[error("{} is in use by another orgledger; stop that first", .path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// A directory that orgledger did not make is not removed.
    #[error("{} was not made by orgledger, so it is not removed; remove it yourself", .path.display())]
    NotADataDir {
        /// The directory.
        path: PathBuf,
    },
    /// The async runtime ended in the middle.
    #[error("the work on the server was interrupted: {0}")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl EmbeddedError {
    /// For `map_err` on file operations: `.map_err(EmbeddedError::io("create", &path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

fn listed(rejected: &[Rejected]) -> String {
    let mut text = String::new();
    for program in rejected {
        let _ = write!(text, "\n  passed over {}: {}", program.path.display(), program.reason);
    }
    text
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". The disk is full: free some space, or choose a --data-dir on another disk"
        }
        io::ErrorKind::PermissionDenied => {
            ". You may not: choose a --data-dir of your own, or run as its owner"
        }
        io::ErrorKind::ReadOnlyFilesystem => ". The disk is read-only: choose another --data-dir",
        _ => "",
    }
}
