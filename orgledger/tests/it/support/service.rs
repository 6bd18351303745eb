//! A process that serves until it is told to end, or killed.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::watch;

use super::{Client, Place, within};

/// A running process. Dropping it kills it.
pub(crate) struct Service {
    name: String,
    child: Child,
    pid: Pid,
    stdout: Output,
    log: Output,
    base: String,
}

/// The lines that a process has written to a stream.
#[derive(Clone)]
struct Output(watch::Receiver<Lines>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
}

impl Output {
    fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (write, read) = watch::channel(Lines::default());
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                write.send_modify(|written| written.lines.push(line));
            }
            write.send_modify(|written| written.ended = true);
        });
        Self(read)
    }

    /// The first line that something is found in; none where the stream ends without.
    async fn find<T>(&self, mut find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let mut read = self.0.clone();
        let mut seen = 0;
        loop {
            {
                let written = read.borrow_and_update();
                let found = written.lines[seen..].iter().find_map(|line| find(line));
                if found.is_some() || written.ended {
                    return found;
                }
                seen = written.lines.len();
            }
            if read.changed().await.is_err() {
                return None;
            }
        }
    }

    fn text(&self) -> String {
        self.0.borrow().lines.join("\n")
    }
}

impl Drop for Service {
    /// Waits for its end, too: what it holds is free when this returns.
    fn drop(&mut self) {
        if self.child.start_kill().is_ok() {
            while matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

impl Service {
    /// Starts it, on any free port, and waits until it says that it is ready.
    pub(crate) async fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut service = Self::spawn(place, arguments);
        let ready = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "ready").then(|| line["address"].as_str().unwrap().to_owned())
        };
        let found = within("a service starts", service.log.find(ready)).await;
        match found {
            Some(address) => service.base = format!("http://{address}"),
            None => panic!("{} ended: {}", service.name, service.log.text()),
        }
        service
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(place: &Place, arguments: &[&str]) -> Self {
        let place = place
            .clone()
            .with("ORGLEDGER_LOG_FORMAT", "json")
            .with("ORGLEDGER_LISTEN", "127.0.0.1:0");
        let mut command = place.command(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        Self {
            name: arguments.join(" "),
            pid: Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap(),
            stdout: Output::of(child.stdout.take().unwrap()),
            log: Output::of(child.stderr.take().unwrap()),
            child,
            base: String::new(),
        }
    }

    /// Where it serves.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Somebody who asks it with that credential.
    pub(crate) fn client(&self, credential: &str) -> Client {
        Client::new(&self.base, credential)
    }

    /// Waits for a line of output in which something is found.
    pub(crate) async fn printed<T>(&self, find: impl FnMut(&str) -> Option<T>) -> T {
        let found = within("a line of output", self.stdout.find(find)).await;
        found.unwrap_or_else(|| {
            panic!("{} ended without it: {}\n{}", self.name, self.stdout.text(), self.log.text())
        })
    }

    /// Waits for a line of the log with that message.
    pub(crate) async fn logged(&self, message: &str) {
        let is_it = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == message).then_some(())
        };
        let found = within(message, self.log.find(is_it)).await;
        assert!(found.is_some(), "{} ended without '{message}': {}", self.name, self.log.text());
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Kills it as a crash would; returns when it is gone.
    pub(crate) async fn kill(mut self) {
        within("a killed process ends", self.child.kill()).await.unwrap();
    }

    /// Asks it to end, as service managers do.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid, Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        within("a service ends", self.child.wait()).await.unwrap()
    }

    /// Asks it to end and asserts that it does so in order.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "{}: {status}\n{}", self.name, self.log.text());
    }
}
