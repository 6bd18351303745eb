//! What is in an archive: its manifest, and the counting and summing up that it rests on.

use std::collections::BTreeMap;

use event_schemas::{Amount, Currency, Month};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ArchiveError;
use super::rows::{COLUMNS, Fields};

/// What the manifests of this program begin with.
pub(super) const FORMAT: &str = "orgledger usage archive 1";

/// An archive's manifest. It says nothing of when or where it was written: the same records give the
/// same manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `orgledger usage archive 1`
    pub format: String,
    /// The log that the records are of.
    pub log_id: Uuid,
    /// The month.
    pub month: Month,
    /// The columns of a record, in the order in which `rows_sha256` has them.
    pub columns: Vec<String>,
    /// What the records come to.
    pub totals: Totals,
    /// The files, in order of position.
    pub files: Vec<ArchiveFile>,
}

/// What records come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// How many.
    pub records: i64,
    /// The position of the first; 0 where there is none.
    pub first_position: i64,
    /// The position of the last.
    pub last_position: i64,
    /// SHA-256, in hexadecimal, over the records in order of position, each as a row in Postgres's
    /// binary COPY format.
    pub rows_sha256: String,
    /// How many have no price.
    pub without_price: i64,
    /// What they cost, exactly, by currency.
    pub costs: BTreeMap<Currency, Amount>,
    /// By the price versions that they pin: positions of `price_list.published` events.
    pub price_versions: BTreeMap<i64, VersionTotals>,
}

/// What the records that a price version priced come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionTotals {
    /// How many.
    pub records: i64,
    /// What they cost, exactly, by currency.
    pub costs: BTreeMap<Currency, Amount>,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveFile {
    /// Its name, beside the manifest.
    pub name: String,
    /// How many records.
    pub records: i64,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
}

/// Records as they pass by, in order of position.
pub(super) struct Tally {
    records: i64,
    first_position: i64,
    last_position: i64,
    rows: Sha256,
    without_price: i64,
    /// In pico-units.
    costs: BTreeMap<Currency, i128>,
    versions: BTreeMap<i64, (i64, BTreeMap<Currency, i128>)>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            records: 0,
            first_position: 0,
            last_position: 0,
            rows: Sha256::new(),
            without_price: 0,
            costs: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }

    pub(super) fn records(&self) -> i64 {
        self.records
    }

    /// Adds a record: its row with the number of its fields, and the fields.
    pub(super) fn add(
        &mut self,
        position: i64,
        row: &[u8],
        fields: &Fields<'_>,
    ) -> Result<(), ArchiveError> {
        if position <= self.last_position {
            return Err(ArchiveError::Unlike(
                "records are not in order of position, or there twice",
            ));
        }
        if self.records == 0 {
            self.first_position = position;
        }
        self.last_position = position;
        self.records += 1;
        self.rows.update(row);
        let [version, cost] = ["price_version", "cost_pico"].map(|name| number(fields, name));
        let currency = field(fields, "currency").and_then(|text| std::str::from_utf8(text).ok());
        let currency: Option<Currency> = currency.and_then(|text| text.parse().ok());
        let (Some(version), Some(cost), Some(currency)) = (version, cost, currency) else {
            self.without_price += 1;
            return Ok(());
        };
        let cost = i128::from(cost);
        *self.costs.entry(currency).or_default() += cost;
        let (records, costs) = self.versions.entry(version).or_default();
        *records += 1;
        *costs.entry(currency).or_default() += cost;
        Ok(())
    }

    pub(super) fn totals(self) -> Totals {
        let amounts = |costs: BTreeMap<Currency, i128>| -> BTreeMap<Currency, Amount> {
            costs.into_iter().map(|(currency, pico)| (currency, Amount::from_pico(pico))).collect()
        };
        let version = |(version, (records, costs))| {
            (version, VersionTotals { records, costs: amounts(costs) })
        };
        Totals {
            records: self.records,
            first_position: self.first_position,
            last_position: self.last_position,
            rows_sha256: hex(&self.rows.finalize()),
            without_price: self.without_price,
            costs: amounts(self.costs),
            price_versions: self.versions.into_iter().map(version).collect(),
        }
    }
}

impl Totals {
    /// The first thing in which two of them are not the same; none where they are.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let differs = |what: &str, one: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| {
            Some(format!("{what}: {one:?} and not {other:?}"))
        };
        if self.records != other.records {
            return differs("records", &self.records, &other.records);
        }
        if self.costs != other.costs {
            return differs("costs", &self.costs, &other.costs);
        }
        if self.rows_sha256 != other.rows_sha256 {
            return differs("SHA-256 of the records", &self.rows_sha256, &other.rows_sha256);
        }
        (self != other).then(|| "what the price versions come to".to_owned())
    }
}

fn field<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a [u8]> {
    let place = COLUMNS.iter().position(|(column, _)| *column == name)?;
    fields.get(place).copied().flatten()
}

fn number(fields: &Fields<'_>, name: &str) -> Option<i64> {
    Some(i64::from_be_bytes(field(fields, name)?.try_into().ok()?))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
