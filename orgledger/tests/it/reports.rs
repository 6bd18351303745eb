//! Every example of docs/reports.md, run as its reader would.

use embedded::testing::programs_dir;
use embedded::{DataDir, Postgres};
use tokio::process::Command;

use crate::support::{Directory, within, workspace_root};

const FRESH: [&str; 5] = ["demo", "--fresh", "--exit", "--listen", "127.0.0.1:0"];

fn examples() -> Vec<String> {
    let text = std::fs::read_to_string(workspace_root().join("docs/reports.md")).unwrap();
    let found = text.split("```sh\n").skip(1);
    found.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_reports_says_something() {
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
    for example in examples() {
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
            .env("ANALYST_URL", format!("postgres://grace@{server}"));
        if std::env::var_os("ORGLEDGER_POSTGRES_BIN").is_none() {
            command.env_remove("ORGLEDGER_POSTGRES_BIN");
        }
        let output = within("the example ends", command.output()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{example}\n{text}\n{complaint}");
        printed.push((example, text));
    }
    let of = |word: &str| -> &str {
        let found = printed.iter().find(|(example, _)| example.contains(word));
        &found.unwrap_or_else(|| panic!("no example with {word}")).1
    };
    assert!(of("--by feature,model").contains("summarization"));
    assert!(of("weekly-by-project").contains("Product-Prod"));
    assert!(of("focus-csv").starts_with("BilledCost,BillingAccountId,"));
    assert!(of("analyst grant").contains("password, shown this once: "));
    assert!(of("repeat('#'").contains(&"#".repeat(40)));
    assert!(of("analyst revoke").contains("is dropped"));
    let file = |name: &str| std::fs::read(work.path().join(name)).unwrap();
    assert!(file("costs.parquet").starts_with(b"PAR1") && file("costs.parquet").ends_with(b"PAR1"));
    let picture = String::from_utf8(file("cost-per-feature.svg")).unwrap();
    assert!(picture.contains("summarization") && picture.trim().ends_with("</svg>"), "{picture}");
    postgres.stop().await.unwrap();
}
