//! What both servers have in common: starting or joining one, and the last user stopping it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::runtime::Handle;

use crate::locks::{Locks, POLL};
use crate::place::{self, Place};
use crate::{DataDir, EmbeddedError, process};

/// What is left of a killed server is gone by then.
const REMAINS_WAIT: Duration = Duration::from_secs(30);
/// A shutdown writes out what is in memory, which on a slow disk takes a while.
const STOP_WAIT: Duration = Duration::from_secs(120);
/// A person is told that it goes on, this often.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// What differs between the servers.
pub(crate) trait Server {
    /// As people say it.
    const NAME: &'static str;
    /// Its directory in the data directory.
    const DIRECTORY: &'static str;
    /// Stops it in order, without waiting for its clients.
    const STOP: Signal;
    /// How long a living server may take to recover from a crash; one that takes longer is stuck.
    const RECOVERY_WAIT: Duration;

    /// Where it writes its process id.
    fn pid_file(place: &Place) -> PathBuf;

    /// Makes everything ready for a start, and says how. Called with no process of the server
    /// alive; programs that it runs take `lock` as standard input, as the server will.
    fn prepare(&mut self, place: &Place, lock: &File) -> Result<Command, EmbeddedError>;

    /// Connects once, as a user would; the error is for a person.
    fn probe(&self, place: &Place, handle: &Handle) -> Result<(), String>;

    /// Whether a start that ended with these log lines may do better the next time.
    fn may_retry(&mut self, log: &str) -> bool;
}

/// One user's share in a running server; the last one dropped stops it.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) place: Place,
    name: &'static str,
    pid_file: PathBuf,
    stop: Signal,
    users_lock: Option<File>,
}

/// Starts the server, or joins the one that runs on this data directory.
pub(crate) fn start_or_join<S: Server>(
    dir: &DataDir,
    handle: &Handle,
    make: impl FnOnce(&Place) -> Result<S, EmbeddedError>,
) -> Result<(Share, S), EmbeddedError> {
    let anchor = place::anchor(dir, S::DIRECTORY)?;
    let locks = Locks::new(&anchor);
    let _start = locks.start()?;
    let place = Place::prepare(&anchor)?;
    let mut server = make(&place)?;
    let users_lock = locks.join()?;
    Attempt::new(&place, &locks).run(&mut server, handle)?;
    let share = Share {
        name: S::NAME,
        pid_file: S::pid_file(&place),
        stop: S::STOP,
        users_lock: Some(users_lock),
        place,
    };
    Ok((share, server))
}

/// One start, from the first look to the first connection.
struct Attempt<'a> {
    place: &'a Place,
    locks: &'a Locks,
    began: Instant,
    /// The server that this attempt spawned last, and where its log began.
    child: Option<(Child, u64)>,
    last_answer: String,
}

impl<'a> Attempt<'a> {
    fn new(place: &'a Place, locks: &'a Locks) -> Self {
        Self { place, locks, began: Instant::now(), child: None, last_answer: String::from("none") }
    }

    fn run<S: Server>(mut self, server: &mut S, handle: &Handle) -> Result<(), EmbeddedError> {
        let mut report_at = self.began + REPORT_EVERY;
        loop {
            self.look_after_child(server)?;
            if let Some(lock) = self.locks.try_server()? {
                self.spawn(server, lock)?;
            }
            match server.probe(self.place, handle) {
                Ok(()) => break,
                Err(answer) => self.last_answer = answer,
            }
            self.check_deadline::<S>()?;
            if Instant::now() >= report_at {
                report_at += REPORT_EVERY;
                tracing::info!(
                    server = S::NAME,
                    answer = self.last_answer,
                    "waiting for the server"
                );
            }
            std::thread::sleep(POLL);
        }
        if let Some((child, _)) = self.child {
            tracing::info!(
                server = S::NAME,
                pid = child.id(),
                elapsed_ms = self.began.elapsed().as_millis(),
                "started"
            );
            process::reap(child);
        } else {
            tracing::debug!(server = S::NAME, "joined a running server");
        }
        Ok(())
    }

    fn spawn<S: Server>(&mut self, server: &mut S, lock: File) -> Result<(), EmbeddedError> {
        let command = server.prepare(self.place, &lock)?;
        let log = self.place.log();
        let log_begin = log.metadata().map_or(0, |file| file.len());
        let child = process::spawn_server(command, lock, &log)?;
        self.child = Some((child, log_begin));
        Ok(())
    }

    /// Notices that the server we spawned has ended.
    fn look_after_child<S: Server>(&mut self, server: &mut S) -> Result<(), EmbeddedError> {
        let Some((child, log_begin)) = &mut self.child else {
            return Ok(());
        };
        let log = self.place.log();
        let status = child.try_wait().map_err(EmbeddedError::io("watch", &log))?;
        let Some(status) = status else {
            return Ok(());
        };
        let tail = process::tail(&log, *log_begin);
        self.child = None;
        if server.may_retry(&tail) {
            return Ok(());
        }
        Err(EmbeddedError::Died { server: S::NAME, status: status.to_string(), log, tail })
    }

    fn check_deadline<S: Server>(&self) -> Result<(), EmbeddedError> {
        let lives = process::read_pid(&S::pid_file(self.place)).is_some_and(process::is_alive);
        let limit = if lives || self.child.is_some() { S::RECOVERY_WAIT } else { REMAINS_WAIT };
        if self.began.elapsed() < limit {
            return Ok(());
        }
        Err(EmbeddedError::NotReady {
            server: S::NAME,
            waited_s: limit.as_secs(),
            last: self.last_answer.clone(),
            tail: process::tail(&self.place.log(), 0),
            log: self.place.log(),
        })
    }
}

impl Share {
    /// The server's process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        process::read_pid(&self.pid_file).filter(|pid| process::is_alive(*pid))
    }

    /// Gives the share back; the last one stops the server. Done twice, the second is nothing.
    pub(crate) fn release(&mut self) -> Result<(), EmbeddedError> {
        let Some(users_lock) = self.users_lock.take() else {
            return Ok(());
        };
        let locks = Locks::new(&self.place.anchor);
        let _start = locks.start()?;
        drop(users_lock);
        if !locks.is_unused()? {
            return Ok(());
        }
        self.halt(self.stop)
    }

    /// Ends the server with this signal, whoever uses it, and waits until all of it is gone.
    pub(crate) fn halt(&self, signal: Signal) -> Result<(), EmbeddedError> {
        halt(&self.place, self.name, &self.pid_file, signal)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!(server = self.name, %error, "the server was not stopped");
        }
    }
}

/// Stops a server that nobody uses any more. Only under the start lock.
pub(crate) fn stop_unused<S: Server>(place: &Place) -> Result<(), EmbeddedError> {
    halt(place, S::NAME, &S::pid_file(place), S::STOP)
}

fn halt(
    place: &Place,
    name: &'static str,
    pid_file: &Path,
    signal: Signal,
) -> Result<(), EmbeddedError> {
    let locks = Locks::new(&place.anchor);
    let began = Instant::now();
    let mut told = None;
    while locks.try_server()?.is_none() {
        // Read again and again: a server whose starter was killed may not have written it yet.
        let pid = process::read_pid(pid_file).filter(|pid| process::is_alive(*pid));
        if let Some(pid) = pid.filter(|pid| told != Some(*pid)) {
            process::signal(pid, signal);
            told = Some(pid);
        }
        if began.elapsed() >= STOP_WAIT {
            return Err(EmbeddedError::StillRunning {
                server: name,
                pid,
                waited_s: STOP_WAIT.as_secs(),
                log: place.log(),
            });
        }
        std::thread::sleep(POLL);
    }
    if told.is_some() {
        let elapsed_ms = began.elapsed().as_millis();
        tracing::info!(server = name, elapsed_ms, "stopped");
    }
    Ok(())
}
