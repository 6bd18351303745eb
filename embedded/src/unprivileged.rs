//! Running servers as an ordinary user when we are root, because Postgres refuses to run as root.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::{EmbeddedError, process};

/// Where root keeps what an unprivileged user cannot reach in its real place.
pub(crate) const SYSTEM_DIR: &str = "/var/lib/orgledger";

/// The user that servers run as when we are root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunAs {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl RunAs {
    /// Nobody but ourselves (`None`) unless we are root; as root the owner of the server's
    /// existing files, else `postgres`, else `nobody`.
    pub(crate) fn choose(existing: &Path) -> Result<Option<Self>, EmbeddedError> {
        let user = rustix::process::geteuid().as_raw();
        let owner = existing.symlink_metadata().ok();
        if user != 0 {
            return match owner {
                Some(file) if file.uid() != user => Err(EmbeddedError::ForeignDirectory {
                    path: existing.to_path_buf(),
                    owner: file.uid(),
                    user,
                }),
                _ => Ok(None),
            };
        }
        if let Some(file) = owner.filter(|file| file.uid() != 0) {
            return Ok(Some(Self {
                name: format!("id {}", file.uid()),
                uid: file.uid(),
                gid: file.gid(),
            }));
        }
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| account(&accounts, name))
            .map(Some)
            .ok_or(EmbeddedError::NoUnprivilegedUser)
    }

    /// Whether this user can enter a directory: asked of the system by trying, because modes alone
    /// do not say it (ACLs, mount options).
    pub(crate) fn can_enter(&self, dir: &Path) -> bool {
        process::command(Path::new("/bin/sh"), Some(self))
            .args(["-c", "cd -- \"$0\""])
            .arg(dir)
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn can_run(&self, program: &Path) -> bool {
        process::command(program, Some(self))
            .arg("--version")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

fn account(accounts: &str, name: &str) -> Option<RunAs> {
    let fields = accounts
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))?;
    Some(RunAs {
        name: name.to_owned(),
        uid: fields.get(2)?.parse().ok().filter(|uid| *uid != 0)?,
        gid: fields.get(3)?.parse().ok()?,
    })
}

/// Gives a path to the user; does nothing when we run servers as ourselves.
pub(crate) fn give(path: &Path, run_as: Option<&RunAs>) -> Result<(), EmbeddedError> {
    match run_as {
        Some(user) => std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid))
            .map_err(EmbeddedError::io("change the owner of", path)),
        None => Ok(()),
    }
}

/// The user id that servers and their files have.
pub(crate) fn uid(run_as: Option<&RunAs>) -> u32 {
    run_as.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid)
}

/// The program as the servers' user can run it: where it is, or a copy. `tree` is what must be
/// copied for the program to work.
pub(crate) fn reachable(
    program: &Path,
    tree: &Path,
    run_as: Option<&RunAs>,
) -> Result<PathBuf, EmbeddedError> {
    let Some(user) = run_as else {
        return Ok(program.to_path_buf());
    };
    if user.can_run(program) {
        return Ok(program.to_path_buf());
    }
    let out_of_reach = || EmbeddedError::ProgramOutOfReach {
        user: user.name.clone(),
        program: program.to_path_buf(),
    };
    let inside = program.strip_prefix(tree).map_err(|_| out_of_reach())?;
    let copy = copy_of(program, tree)?;
    let program = if inside.as_os_str().is_empty() { copy } else { copy.join(inside) };
    if user.can_run(&program) { Ok(program) } else { Err(out_of_reach()) }
}

/// Copies the tree under [`SYSTEM_DIR`], once for each state of the program.
fn copy_of(program: &Path, tree: &Path) -> Result<PathBuf, EmbeddedError> {
    let file = program.metadata().map_err(EmbeddedError::io("read", program))?;
    let identity = format!("{}\0{}\0{}\0{}", tree.display(), file.ino(), file.len(), file.mtime());
    let system = Path::new(SYSTEM_DIR);
    let copy = system.join(format!("programs-{}", digest(identity.as_bytes())));
    if copy.exists() {
        return Ok(copy);
    }
    make_public_dir(system)?;
    let staging = tempfile::Builder::new()
        .prefix("copying-")
        .tempdir_in(system)
        .map_err(EmbeddedError::io("create a directory in", system))?;
    let staged = staging.path().join("tree");
    tracing::info!(from = %tree.display(), to = %copy.display(), "copying programs to where the servers' user can run them");
    let copied = std::process::Command::new("cp")
        .arg("-RPp")
        .args([tree, &staged])
        .status()
        .map_err(EmbeddedError::io("copy", tree))?;
    if !copied.success() {
        return Err(EmbeddedError::io("copy", tree)(std::io::Error::other(format!(
            "cp: {copied}"
        ))));
    }
    set_mode(&staged, 0o755)?;
    match std::fs::rename(&staged, &copy) {
        // Somebody else was quicker with the same copy.
        Err(_) if copy.exists() => Ok(copy),
        Err(error) => Err(EmbeddedError::io("rename", &staged)(error)),
        Ok(()) => Ok(copy),
    }
}

/// Creates a directory that everybody may pass through but not list.
pub(crate) fn make_public_dir(path: &Path) -> Result<(), EmbeddedError> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(EmbeddedError::io("create", path))?;
    set_mode(path, 0o711)
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), EmbeddedError> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(EmbeddedError::io("set the permissions of", path))
}

/// FNV-1a, 64 bits, as hex: names must be the same in every build, which std's hasher does not
/// promise. Nothing relies on it being hard to collide; owners are checked.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// 16 hex digits from the system's random source.
pub(crate) fn random_hex() -> String {
    // The system's source fails only on systems that this crate does not run on.
    let random = getrandom::u64().expect("the system has a random source");
    format!("{random:016x}")
}
