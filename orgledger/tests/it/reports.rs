//! Every example of docs/reports.md, run as its reader would.

use crate::support::examples::Examples;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_reports_says_something() {
    let examples = Examples::of("reports.md").await;
    let of = |word: &str| examples.with(word);
    assert!(of("--by feature,model").contains("summarization"));
    assert!(of("weekly-by-project").contains("Product-Prod"));
    assert!(of("focus-csv").starts_with("BilledCost,BillingAccountId,"));
    assert!(of("analyst grant").contains("password, shown this once: "));
    assert!(of("repeat('#'").contains(&"#".repeat(40)));
    assert!(of("analyst revoke").contains("is dropped"));
    let file = |name: &str| examples.file(name);
    assert!(file("costs.parquet").starts_with(b"PAR1") && file("costs.parquet").ends_with(b"PAR1"));
    let picture = String::from_utf8(file("cost-per-feature.svg")).unwrap();
    assert!(picture.contains("summarization") && picture.trim().ends_with("</svg>"), "{picture}");
    examples.end().await;
}
