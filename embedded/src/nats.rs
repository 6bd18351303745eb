//! A private nats-server with `JetStream`.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectOptions};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::place::{Place, write_durably};
use crate::server::{self, Share};
use crate::unprivileged::{give, random_hex};
use crate::{DataDir, EmbeddedError, process, programs};

const USER: &str = "orgledger";
/// A usage batch travels as one message; the server's default of 1 MB is too small for that.
const PAYLOAD_BYTES_MAX: u32 = 8 << 20;
/// One attempt to connect on loopback.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// A port that was free may be taken a moment later; this often in a row is no accident.
const PORT_ATTEMPTS_MAX: u8 = 5;

/// A user's handle on a private nats-server. It runs while anybody, in any process, holds one for
/// the same data directory; stopping (or dropping) the last one stops it.
#[derive(Debug)]
pub struct Nats {
    share: Share,
    access: Access,
}

impl Nats {
    /// Starts the server under the data directory, or joins the one that runs. It listens on
    /// loopback only, with a random password, and syncs every message to disk.
    ///
    /// # Errors
    /// When there is no fitting nats-server on this machine, or the system refuses something.
    pub async fn start(dir: &DataDir) -> Result<Self, EmbeddedError> {
        let dir = dir.clone();
        crate::blocking(move |handle| {
            let (share, server) = server::start_or_join(&dir, handle, |place| {
                Ok(Server {
                    program: programs::nats_server(&dir, place.run_as.as_ref())?,
                    access: Access::load(place)?,
                    port_attempts: 0,
                })
            })?;
            Ok(Self { share, access: server.access })
        })
        .await
    }

    /// The address with the credentials in it, as `NATS_URL` has it. `async_nats::connect` ignores
    /// credentials in addresses: take them out, or use [`Nats::connect`].
    pub fn url(&self) -> String {
        self.access.url()
    }

    /// A new connection.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        self.access.options().connect(self.access.address()).await
    }

    /// The server's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.share.pid()
    }

    /// Gives the handle back. If it is the last, the server is stopped, and this returns when it
    /// has ended.
    ///
    /// # Errors
    /// When the server does not end in time.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        crate::blocking(move |_| self.share.release()).await
    }

    /// Ends the server at once, as a crash would, and waits until it is gone.
    pub(crate) fn kill(&self) -> Result<(), EmbeddedError> {
        self.share.halt(Signal::KILL)
    }
}

/// How to reach the server; kept, so that a client's address still holds after a restart.
#[derive(Debug, Clone)]
struct Access {
    port: u16,
    password: String,
}

impl Access {
    fn file(place: &Place) -> PathBuf {
        place.anchor.join("access.json")
    }

    fn load(place: &Place) -> Result<Self, EmbeddedError> {
        let file = Self::file(place);
        let stored = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or(Value::Null),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
            Err(error) => return Err(EmbeddedError::io("read", &file)(error)),
        };
        let port = stored["port"].as_u64().and_then(|port| port.try_into().ok());
        if let (Some(port), Some(password)) = (port, stored["password"].as_str()) {
            let password = password.to_owned();
            return Ok(Self { port, password });
        }
        let access = Self { port: free_port(place)?, password: random_hex() + &random_hex() };
        access.store(place)?;
        Ok(access)
    }

    fn store(&self, place: &Place) -> Result<(), EmbeddedError> {
        let text = json!({ "port": self.port, "password": self.password });
        write_durably(&Self::file(place), text.to_string().as_bytes())
    }

    fn url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn options(&self) -> ConnectOptions {
        ConnectOptions::with_user_and_password(USER.to_owned(), self.password.clone())
    }
}

/// A port that nobody listens on just now.
fn free_port(place: &Place) -> Result<u16, EmbeddedError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EmbeddedError::io("find a free port for", &place.anchor))
}

/// What the start of a nats-server needs to know.
#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    access: Access,
    port_attempts: u8,
}

impl Server {
    /// Text and paths are quoted as JSON strings, which the configuration's syntax includes.
    fn configuration(&self, place: &Place) -> String {
        let data = place.data();
        let quoted = |path: PathBuf| Value::from(path.to_string_lossy()).to_string();
        format!(
            "# Written by orgledger at each start.\n\
             host: \"127.0.0.1\"\n\
             port: {port}\n\
             server_name: \"orgledger\"\n\
             pid_file: {pid_file}\n\
             max_payload: {PAYLOAD_BYTES_MAX}\n\
             authorization {{ user: \"{USER}\", password: \"{password}\" }}\n\
             jetstream {{\n  store_dir: {store_dir}\n  sync_interval: always\n}}\n",
            port = self.access.port,
            pid_file = quoted(<Self as server::Server>::pid_file(place)),
            password = self.access.password,
            store_dir = quoted(data.join("jetstream")),
        )
    }
}

impl server::Server for Server {
    const NAME: &'static str = "nats-server";
    const DIRECTORY: &'static str = "nats";
    const STOP: Signal = Signal::INT;
    /// It reads the ends of its streams.
    const RECOVERY_WAIT: Duration = Duration::from_secs(60);

    fn pid_file(place: &Place) -> PathBuf {
        place.data().join("nats.pid")
    }

    fn prepare(&mut self, place: &Place, _lock: &File) -> Result<Command, EmbeddedError> {
        // Nobody of ours listens now. Only the stored port keeps clients' addresses valid, but if
        // somebody else has it, another one it must be.
        if self.port_attempts > 0
            || TcpListener::bind((Ipv4Addr::LOCALHOST, self.access.port)).is_err()
        {
            self.access.port = free_port(place)?;
            self.access.store(place)?;
        }
        place.make_private_dir(&place.data())?;
        // What it says may be another process's id by now.
        let pid_file = <Self as server::Server>::pid_file(place);
        if let Err(error) = std::fs::remove_file(&pid_file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(EmbeddedError::io("remove", &pid_file)(error));
        }
        let file = place.data().join("nats.conf");
        write_durably(&file, self.configuration(place).as_bytes())?;
        give(&file, place.run_as.as_ref())?;
        let mut command = process::command(&self.program, place.run_as.as_ref());
        command.arg("--config").arg(file);
        Ok(command)
    }

    fn probe(&self, _place: &Place, handle: &Handle) -> Result<(), String> {
        let options = self.access.options().connection_timeout(PROBE_TIMEOUT);
        handle
            .block_on(options.connect(self.access.address()))
            .map(|client| {
                let version = client.server_info().version;
                tracing::debug!(version, "nats-server answers");
            })
            .map_err(|error| error.to_string())
    }

    fn may_retry(&mut self, log: &str) -> bool {
        self.port_attempts += 1;
        log.contains("address already in use") && self.port_attempts < PORT_ATTEMPTS_MAX
    }
}
