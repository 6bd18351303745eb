//! Examples of a page, run as their reader would: on the demonstration.

use embedded::testing::programs_dir;
use embedded::{DataDir, Postgres};
use tempfile::TempDir;
use tokio::process::Command;

use super::{Directory, within, workspace_root};

const FRESH: [&str; 5] = ["demo", "--fresh", "--exit", "--listen", "127.0.0.1:0"];

/// The demonstration, and what the examples of a page printed on it.
pub(crate) struct Examples {
    printed: Vec<(String, String)>,
    pub(crate) work: TempDir,
    postgres: Postgres,
    _directory: Directory,
}

impl Examples {
    /// Runs every example of a page under `docs`.
    pub(crate) async fn of(page: &str) -> Self {
        let directory = Directory::new();
        directory.place().print(&FRESH).await;
        let data_dir = DataDir::new(directory.path()).with_programs(programs_dir());
        let postgres = Postgres::start(&data_dir).await.unwrap();
        let url = postgres.url("orgledger");
        let (_, server) = url.split_once('@').unwrap();
        let work = tempfile::tempdir().unwrap();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_orgledger")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut printed = Vec::new();
        for example in examples(page) {
            let mut command = Command::new("bash");
            command
                .args(["-ceuo", "pipefail", &example])
                .current_dir(work.path())
                .env("PATH", &path)
                .env("ORGLEDGER_DATA_DIR", directory.path())
                .env(
                    "ORGLEDGER_POSTGRES_BIN",
                    std::env::var("ORGLEDGER_POSTGRES_BIN").unwrap_or_default(),
                )
                .env("ORGANIZATION", "Acme Corp")
                .env("ANALYST_URL", format!("postgres://grace@{server}"))
                .stdin(std::process::Stdio::null());
            if std::env::var_os("ORGLEDGER_POSTGRES_BIN").is_none() {
                command.env_remove("ORGLEDGER_POSTGRES_BIN");
            }
            let output = within("the example ends", command.output()).await.unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{example}\n{text}\n{complaint}");
            printed.push((example, text));
        }
        Self { printed, work, postgres, _directory: directory }
    }

    /// What the first example with a word in it printed.
    pub(crate) fn with(&self, word: &str) -> &str {
        let found = self.printed.iter().find(|(example, _)| example.contains(word));
        &found.unwrap_or_else(|| panic!("no example with {word}")).1
    }

    /// What an example wrote into a file.
    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.work.path().join(name)).unwrap()
    }

    pub(crate) async fn end(self) {
        self.postgres.stop().await.unwrap();
    }
}

fn examples(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(workspace_root().join("docs").join(page)).unwrap();
    let found = text.split("```sh\n").skip(1);
    found.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}
