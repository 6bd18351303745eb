//! Months of usage that are archived: nothing is lost, nothing counts twice, and who needs what is not
//! there is told so.

mod files;
mod moving;

use std::path::PathBuf;

use event_log::EventLog;
use event_log::database::Role;
use event_log::usage::archive::{self, Archive};
use event_log::usage::months::{close, detach};
use event_log::usage::{Fate, NewUsage, Price, UsageWriter};
use event_schemas::{Currency, Month, Unit};
use sqlx::PgConnection;
use tempfile::TempDir;

use crate::support::{TestLog, append, claims, organization, usage, usage_write};

fn january() -> Month {
    "2026-01".parse().expect("a month")
}

/// A log with usage of January and of the months beside it, of two organizations, in batches that
/// reach over their ends; with a directory for archives.
struct World {
    log: TestLog,
    process: EventLog,
    writer: UsageWriter,
    owner: PgConnection,
    reader: PgConnection,
    archives: TempDir,
}

impl World {
    async fn new() -> Self {
        let log = TestLog::new().await;
        let process = log.open().await;
        let world = Self {
            writer: UsageWriter::new(&process),
            owner: log.owner().await,
            reader: log.connect(Role::Projector).await,
            archives: tempfile::tempdir().expect("a directory"),
            process,
            log,
        };
        append(&world.process, claims("a", 0, 1)).await;
        for batch in 0..6_i64 {
            let records = (0..40).map(|n| varied(batch, n)).collect();
            world.write(u128::from(batch.unsigned_abs() % 2) + 1, records).await;
        }
        world
    }

    async fn write(&self, of: u128, records: Vec<NewUsage>) -> Vec<Fate> {
        let write = usage_write(organization(of), records);
        self.writer.write(&write).await.expect("nothing is in its way").fates
    }

    fn directory(&self) -> PathBuf {
        self.archives.path().join("usage-2026-01")
    }

    async fn archive(&mut self) -> Archive {
        let directory = self.directory();
        let written = archive::write(&mut self.reader, january(), &directory, &mut |_| {}).await;
        written.expect("it is written")
    }

    /// January closed, written and detached.
    async fn detached() -> (Self, Archive) {
        let mut world = Self::new().await;
        close(&mut world.owner, january()).await.expect("it is open");
        let archive = world.archive().await;
        detach(&mut world.owner, january()).await.expect("it is closed");
        (world, archive)
    }
}

/// Records of 28 December to 5 February, with everything that a record may have.
fn varied(batch: i64, n: i64) -> NewUsage {
    let day = chrono::DateTime::from_timestamp(1_766_880_000, 0).expect("28 December 2025");
    let occurred_at = day + chrono::Duration::minutes((n * 1_451 + batch * 97) % (39 * 1_440));
    let price = Price { version: 1 + n % 3, cost_pico: n * 1_000_003 - 7, currency: Currency::USD };
    let other = Price { currency: "EUR".parse().expect("a currency"), ..price };
    let mut record = usage(&format!("{batch}/{n}"), "2026-01-01T00:00:00Z");
    record.occurred_at = occurred_at + chrono::Duration::microseconds(n);
    record.price = [Some(price), Some(other), None][usize::try_from(n % 3).expect("small")];
    record.end_user = (n % 4 > 0).then(|| format!("Zoë \"{n}\"\n"));
    record.service_tier = (n % 5 == 0).then(|| "batch".to_owned());
    record.error_type = (n % 7 == 0).then(|| "500".to_owned());
    record.duration_ms = (n % 2 == 0).then_some(n);
    if n % 6 == 0 {
        record.units.set(Unit::WebSearches, 3);
    }
    record
}
