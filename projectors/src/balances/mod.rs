//! Credits: what was bought, given, used up and is left, by organization and currency; lot by lot,
//! and with the double entry behind it.

mod account;
mod checks;
mod corrections;
mod entries;
mod history;
mod journal;
mod states;
mod store;
mod usage;

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::feed::{FeedPage, UsageSource};
use crate::projection::{Projection, ProjectionError};
use account::Entered;
use entries::{Entry, Key};
use history::History;
use journal::Journal;
use store::Accounts;
use usage::LotEnds;

/// Balances, and all that they are made of.
#[derive(Debug, Clone, Copy)]
pub struct Balances;

impl Projection for Balances {
    const NAME: &'static str = "balances";
    const VERSION: i32 = 5;
    const VIEWS: &'static [&'static str] = &[
        "balances",
        "credit_crossings",
        "credit_journal",
        "credit_lot_states",
        "credit_lots",
        "credit_movements",
        "credit_usage",
        "credit_usage_batches",
    ];
    const CHECKS: &'static [&'static str] = checks::ALL;

    fn tables() -> &'static str {
        include_str!("tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let mut entries = entries::events(page)?;
        let corrections = page.correction_source(tx).await?;
        let corrected = corrections.as_ref().map_or(&[][..], |source| &source.organizations);
        let ends = LotEnds::of(&entries, corrected);
        let source = page.usage_source(tx).await?;
        if let Some(source) = &source {
            let used = usage::add(tx, page, source, &ends).await?;
            entries.extend(used.into_iter().map(Entry::Usage));
        }
        if let Some(source) = &corrections {
            let corrected = corrections::add(tx, source, &ends).await?;
            entries.extend(corrected.into_iter().map(Entry::Correction));
        }
        // Between the parts of a batch nothing else stands.
        entries.sort_by_key(|entry| (entry.position(), entry.key()));
        if entries.is_empty() {
            return Ok(());
        }
        let keys: BTreeSet<Key> = entries.iter().map(Entry::key).collect();
        let lot_ids: Vec<Uuid> = entries.iter().filter_map(Entry::lot_id).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let gives_back = |entry: &&Entry<'_>| entry.gives_back();
        let drawn_of: Vec<Key> = entries.iter().filter(gives_back).map(Entry::key).collect();
        let mut accounts = store::load(tx, &keys, &lot_ids, &drawn_of).await?;
        let (mut journal, mut history) = (Journal::default(), History::default());
        for entry in &entries {
            enter(tx, source.as_ref(), entry, &mut accounts, &mut journal, &mut history).await?;
        }
        store::write(tx, &accounts).await?;
        store::post(tx, &journal).await?;
        history.write(tx).await?;
        Ok(())
    }
}

/// Enters one thing into its account.
async fn enter(
    tx: &mut PgConnection,
    source: Option<&UsageSource>,
    entry: &Entry<'_>,
    accounts: &mut Accounts,
    journal: &mut Journal,
    history: &mut History,
) -> Result<(), ProjectionError> {
    let key @ (organization_id, currency) = entry.key();
    let account = accounts.entry(key).or_default();
    let before = account.balance;
    let booked_on = entry.recorded_at().date_naive();
    // Usage is summed up by the day.
    let position = match entry {
        Entry::Event(..) | Entry::Correction(_) => Some(entry.position()),
        Entry::Usage(_) => None,
    };
    let booked = journal::Entry { organization_id, currency, booked_on, position };
    let mut legs = journal.entry(booked);
    match entry {
        Entry::Event(recorded, event) => {
            let at = Entered {
                position: recorded.position,
                sequence: recorded.sequence,
                occurred_at: recorded.occurred_at,
            };
            let amount = account.apply(event, at, &mut legs);
            history.event(key, recorded, event, amount)?;
            if let Some(exhausted) = account.crossed(before) {
                account.exhausted = exhausted;
                history.crossed(key, recorded.position, exhausted, account.balance);
            }
        }
        Entry::Correction(corrected) => {
            account.give_back(corrected.given_back, corrected.recorded_at, &mut legs);
            corrected.parts.iter().for_each(|part| account.consume(*part, &mut legs));
            if let Some(exhausted) = account.crossed(before) {
                account.exhausted = exhausted;
                history.crossed(key, corrected.position, exhausted, account.balance);
            }
        }
        Entry::Usage(used) => {
            used.parts.iter().for_each(|part| account.consume(*part, &mut legs));
            // Rare: only then the records are looked at one by one.
            if let (Some(exhausted), Some(source)) = (account.crossed(before), source) {
                account.exhausted = exhausted;
                let crossed = usage::crossed(tx, source, used, before).await?;
                history.crossed(key, crossed.position, exhausted, before - crossed.used);
            }
        }
    }
    history.lots.changed(entry, account, &legs.lots());
    Ok(())
}
