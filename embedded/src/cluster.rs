//! The files of a private Postgres cluster: made once, in one step, and its socket's directory.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::place::Place;
use crate::programs::PostgresPrograms;
use crate::unprivileged::{self, digest, give, random_hex, set_mode};
use crate::{EmbeddedError, process};

/// Part of the socket file's name; no port is opened.
pub(crate) const PORT: u16 = 5432;
/// `sun_path` holds 104 bytes on the BSDs and macOS, 108 on Linux, with a closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 100;
/// Prefix of clusters that are not complete; what an interrupted `initdb` leaves.
const INCOMPLETE: &str = "incomplete-";

/// Written once; the operator may edit it afterwards. What durability needs (`fsync`,
/// `full_page_writes`, `synchronous_commit`) is on by default and stays so.
const SETTINGS: &str = "
# Settings of orgledger, written when the cluster was made.
max_connections = 200
shared_buffers = 256MB
# Fewer, larger checkpoints, and smaller log after each (below): the log is written all the time.
max_wal_size = 2GB
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
";

/// The version that made the cluster; `None` when there is no cluster yet.
pub(crate) fn major(place: &Place) -> Result<Option<u32>, EmbeddedError> {
    let file = place.data().join("PG_VERSION");
    match std::fs::read_to_string(&file) {
        Ok(version) => Ok(version.trim().parse().ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::io("read", &file)(error)),
    }
}

/// Makes the cluster unless it exists. It is made under another name and renamed when complete, so
/// that an interrupted attempt leaves nothing that looks like a cluster.
pub(crate) fn ensure(
    place: &Place,
    programs: &PostgresPrograms,
    lock: &File,
) -> Result<(), EmbeddedError> {
    if major(place)?.is_some() {
        return Ok(());
    }
    remove_incomplete(&place.home)?;
    let staging = place.home.join(format!("{INCOMPLETE}{}", random_hex()));
    place.make_private_dir(&staging)?;
    tracing::info!(version = programs.major, path = %place.data().display(), "making a Postgres cluster");
    init(place, programs, lock, &staging)?;
    std::fs::rename(&staging, place.data()).map_err(EmbeddedError::io("rename", &staging))?;
    File::open(&place.home)
        .and_then(|dir| dir.sync_all())
        .map_err(EmbeddedError::io("sync", &place.home))
}

fn init(
    place: &Place,
    programs: &PostgresPrograms,
    lock: &File,
    staging: &Path,
) -> Result<(), EmbeddedError> {
    let lock = lock.try_clone().map_err(EmbeddedError::io("open", &place.anchor))?;
    let mut command = process::command(&programs.bin.join("initdb"), place.run_as.as_ref());
    command
        .arg("--pgdata")
        .arg(staging)
        // Text compares by code point, in every version and on every system. Nobody but the
        // cluster's user reaches the socket, hence `trust`.
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C"])
        .args(["--auth=trust", "--data-checksums"])
        .stdin(Stdio::from(lock));
    if programs.major >= 17 {
        command.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    let output = command.output().map_err(EmbeddedError::io("run", &programs.bin))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(EmbeddedError::Init {
            path: staging.to_path_buf(),
            output: String::from_utf8_lossy(&text).into_owned(),
        });
    }
    let compression = wal_compression(place, programs, staging);
    let settings = staging.join("postgresql.conf");
    let write = || -> std::io::Result<()> {
        let mut file = File::options().append(true).open(&settings)?;
        std::io::Write::write_all(&mut file, SETTINGS.as_bytes())?;
        std::io::Write::write_all(&mut file, compression.as_bytes())?;
        file.sync_all()
    };
    write().map_err(EmbeddedError::io("write", &settings))
}

/// How whole pages are compressed in the write-ahead log. Usage fills the pages of an index all over, so
/// after each checkpoint there are many; Postgres's own method took a fifth of the processor's time
/// at full speed. Not every Postgres is built with another.
fn wal_compression(place: &Place, programs: &PostgresPrograms, cluster: &Path) -> &'static str {
    let mut command = process::command(&programs.bin.join("postgres"), place.run_as.as_ref());
    command.arg("-D").arg(cluster).args(["-c", "wal_compression=lz4", "-C", "wal_compression"]);
    match command.output() {
        Ok(output) if output.status.success() => "wal_compression = lz4\n",
        Ok(_) | Err(_) => "wal_compression = on\n",
    }
}

fn remove_incomplete(home: &Path) -> Result<(), EmbeddedError> {
    let entries = std::fs::read_dir(home).map_err(EmbeddedError::io("list", home))?;
    for entry in entries.flatten() {
        if entry.file_name().as_bytes().starts_with(INCOMPLETE.as_bytes()) {
            std::fs::remove_dir_all(entry.path())
                .map_err(EmbeddedError::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// Where the socket is: beside the cluster, or under the temporary directory when that path is too
/// long for a socket.
pub(crate) fn socket_dir(place: &Place) -> PathBuf {
    let beside = place.home.join("socket");
    let file = beside.join(format!(".s.PGSQL.{PORT}"));
    if file.as_os_str().len() <= SOCKET_PATH_BYTES_MAX && file.to_str().is_some() {
        return beside;
    }
    let identity = digest(place.home.as_os_str().as_bytes());
    Path::new("/tmp").join(format!("orgledger-{identity}"))
}

/// Creates the socket's directory, open to the servers' user only; one that somebody else made
/// there is refused, for whoever owns it could pose as the server.
pub(crate) fn make_socket_dir(place: &Place) -> Result<PathBuf, EmbeddedError> {
    let dir = socket_dir(place);
    let run_as = place.run_as.as_ref();
    match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
        Ok(()) => give(&dir, run_as)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(EmbeddedError::io("create", &dir)(error)),
    }
    let found = dir.symlink_metadata().map_err(EmbeddedError::io("read", &dir))?;
    let user = unprivileged::uid(run_as);
    if found.uid() == 0 && user != 0 && rustix::process::geteuid().is_root() && found.is_dir() {
        // Left by one of us killed between creating and giving it away.
        give(&dir, run_as)?;
    } else if found.uid() != user || !found.is_dir() {
        return Err(EmbeddedError::ForeignDirectory { path: dir, owner: found.uid(), user });
    }
    set_mode(&dir, 0o700)?;
    Ok(dir)
}

/// Removes the socket's directory.
pub(crate) fn remove_socket_dir(place: &Place) -> Result<(), EmbeddedError> {
    let dir = socket_dir(place);
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::io("remove", &dir)(error))
        }
        _ => Ok(()),
    }
}

/// A `postmaster.pid` left by a crash may name a process id that something else has by now, on
/// which Postgres refuses to start. Called with no process of the cluster alive: a process with that
/// id which does not work in the cluster's directory is somebody else's. Only the id is replaced, by
/// one that no system gives out; the rest of the file tells Postgres which shared memory to check.
pub(crate) fn disown_stale_pid(place: &Place) -> Result<(), EmbeddedError> {
    let file = place.data().join("postmaster.pid");
    let Some(pid) = process::read_pid(&file) else {
        return Ok(());
    };
    let entry = PathBuf::from(format!("/proc/{pid}"));
    // One that was killed and whose parent has not asked yet works nowhere, but still has its id.
    let is_zombie = entry.exists() && !process::is_alive(pid);
    if !is_zombie {
        let Ok(working_dir) = std::fs::read_link(entry.join("cwd")) else {
            return Ok(());
        };
        if place.data().canonicalize().is_ok_and(|data| data == working_dir) {
            return Ok(());
        }
    }
    let text = std::fs::read_to_string(&file).map_err(EmbeddedError::io("read", &file))?;
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    std::fs::write(&file, format!("{}\n{rest}", i32::MAX))
        .map_err(EmbeddedError::io("write", &file))
}

/// Removes the socket and its lock file that a killed postmaster has left: the lock names a process id
/// that something else may have by now, or the killed one itself while its parent has not asked for
/// its end, and Postgres then refuses to start. Called with no process of the cluster alive.
pub(crate) fn remove_stale_socket(place: &Place) -> Result<(), EmbeddedError> {
    let socket = socket_dir(place).join(format!(".s.PGSQL.{PORT}"));
    for left in [socket.with_extension(format!("{PORT}.lock")), socket] {
        match std::fs::remove_file(&left) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(EmbeddedError::io("remove", &left)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
