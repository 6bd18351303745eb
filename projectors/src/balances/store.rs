//! Accounts as rows. Amounts travel as text, and become `numeric` without having been anything else.

use std::collections::BTreeMap;

use event_schemas::{Amount, OrganizationId};
use sqlx::postgres::PgRow;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::account::{Account, Lot, Totals};
use super::entries::Key;
use super::journal::Journal;
use super::usage::currency;
use crate::projection::ProjectionError;

pub(super) type Accounts = BTreeMap<Key, Account>;

fn amount(row: &PgRow, column: &str) -> Result<Amount, sqlx::Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// These accounts, with the lots of which something is left and those that are named; of some accounts
/// those that anything was drawn of, too.
pub(super) async fn load(
    tx: &mut PgConnection,
    keys: &[Key],
    lot_ids: &[Uuid],
    drawn_of: &[Key],
) -> Result<Accounts, ProjectionError> {
    let mut accounts: Accounts = keys.iter().map(|key| (*key, Account::default())).collect();
    let organizations: Vec<Uuid> = keys.iter().map(|(id, _)| id.0).collect();
    let currencies: Vec<String> = keys.iter().map(|(_, currency)| currency.to_string()).collect();
    let rows = sqlx::query(
        "select organization_id, currency, purchased::text, granted::text, transferred_in::text,
             refunded::text, transferred_out::text, expired::text, consumed::text, overdraft::text,
             returned::text, balance::text, policy, exhausted, sequence
         from balances join unnest($1::uuid[], $2::text[]) as k(organization_id, currency)
             using (organization_id, currency)",
    )
    .bind(&organizations)
    .bind(&currencies)
    .fetch_all(&mut *tx)
    .await?;
    for row in rows {
        accounts.insert(key(&row)?, account(&row)?);
    }
    let lots = sqlx::query(
        "select * from (
             select l.* from credit_lots l
             join unnest($1::uuid[], $2::text[]) as k(organization_id, currency)
                 using (organization_id, currency)
             where l.remaining > 0
             union select l.* from credit_lots l where l.lot_id = any($3)
             union select l.* from credit_lots l
             join unnest($4::uuid[], $5::text[]) as k(organization_id, currency)
                 using (organization_id, currency)
             where l.drawn > 0
         ) l, lateral (select amount::text as amount_text, remaining::text as remaining_text,
             drawn::text as drawn_text, refunded::text as refunded_text,
             transferred_out::text as transferred_out_text, expired::text as expired_text) t",
    )
    .bind(&organizations)
    .bind(&currencies)
    .bind(lot_ids)
    .bind(drawn_of.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
    .bind(drawn_of.iter().map(|(_, currency)| currency.to_string()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    for row in lots {
        // A lot that an account's event names is one of that account: its decider saw to it.
        if let Some(account) = accounts.get_mut(&key(&row)?) {
            account.add(lot(&row)?);
        }
    }
    Ok(accounts)
}

fn key(row: &PgRow) -> Result<Key, ProjectionError> {
    let organization_id = OrganizationId(row.try_get("organization_id")?);
    Ok((organization_id, currency(row.try_get("currency")?)?))
}

fn account(row: &PgRow) -> Result<Account, sqlx::Error> {
    let policy: String = row.try_get("policy")?;
    let mut account = Account::default();
    account.totals = Totals {
        purchased: amount(row, "purchased")?,
        granted: amount(row, "granted")?,
        transferred_in: amount(row, "transferred_in")?,
        refunded: amount(row, "refunded")?,
        transferred_out: amount(row, "transferred_out")?,
        expired: amount(row, "expired")?,
        consumed: amount(row, "consumed")?,
    };
    account.overdraft = amount(row, "overdraft")?;
    account.returned = amount(row, "returned")?;
    account.balance = amount(row, "balance")?;
    account.policy = policy.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    account.exhausted = row.try_get("exhausted")?;
    account.sequence = row.try_get("sequence")?;
    Ok(account)
}

fn lot(row: &PgRow) -> Result<Lot, sqlx::Error> {
    Ok(Lot {
        id: row.try_get("lot_id")?,
        kind: row.try_get("kind")?,
        amount: amount(row, "amount_text")?,
        remaining: amount(row, "remaining_text")?,
        drawn: amount(row, "drawn_text")?,
        refunded: amount(row, "refunded_text")?,
        transferred_out: amount(row, "transferred_out_text")?,
        expired: amount(row, "expired_text")?,
        expires_at: row.try_get("expires_at")?,
        priority: row.try_get("priority")?,
        position: row.try_get("position")?,
        occurred_at: row.try_get("occurred_at")?,
    })
}

/// Writes the accounts as they are now.
pub(super) async fn write(tx: &mut PgConnection, accounts: &Accounts) -> Result<(), sqlx::Error> {
    let texts = |of: fn(&Account) -> Amount| -> Vec<String> {
        accounts.values().map(|account| of(account).to_string()).collect()
    };
    sqlx::query(
        "insert into balances (organization_id, currency, policy, exhausted, sequence, purchased,
             granted, transferred_in, refunded, transferred_out, expired, consumed, overdraft,
             balance, returned)
         select a, b, c, d, e, f::numeric, g::numeric, h::numeric, i::numeric, j::numeric,
             k::numeric, l::numeric, m::numeric, n::numeric, o::numeric
         from unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::bigint[], $6::text[],
             $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
             $13::text[], $14::text[], $15::text[])
             as t(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
         on conflict (organization_id, currency) do update
             set policy = excluded.policy, exhausted = excluded.exhausted,
                 sequence = excluded.sequence, purchased = excluded.purchased,
                 granted = excluded.granted, transferred_in = excluded.transferred_in,
                 refunded = excluded.refunded, transferred_out = excluded.transferred_out,
                 expired = excluded.expired, consumed = excluded.consumed,
                 overdraft = excluded.overdraft, balance = excluded.balance,
                 returned = excluded.returned",
    )
    .bind(accounts.keys().map(|(id, _)| id.0).collect::<Vec<_>>())
    .bind(accounts.keys().map(|(_, currency)| currency.to_string()).collect::<Vec<_>>())
    .bind(accounts.values().map(|account| account.policy.as_str()).collect::<Vec<_>>())
    .bind(accounts.values().map(|account| account.exhausted).collect::<Vec<_>>())
    .bind(accounts.values().map(|account| account.sequence).collect::<Vec<_>>())
    .bind(texts(|account| account.totals.purchased))
    .bind(texts(|account| account.totals.granted))
    .bind(texts(|account| account.totals.transferred_in))
    .bind(texts(|account| account.totals.refunded))
    .bind(texts(|account| account.totals.transferred_out))
    .bind(texts(|account| account.totals.expired))
    .bind(texts(|account| account.totals.consumed))
    .bind(texts(|account| account.overdraft))
    .bind(texts(|account| account.balance))
    .bind(texts(|account| account.returned))
    .execute(&mut *tx)
    .await?;
    write_lots(tx, accounts).await
}

async fn write_lots(tx: &mut PgConnection, accounts: &Accounts) -> Result<(), sqlx::Error> {
    let lots: Vec<(&Key, &Lot)> = accounts
        .iter()
        .flat_map(|(key, account)| account.lots().map(move |lot| (key, lot)))
        .collect();
    let texts = |of: fn(&Lot) -> Amount| -> Vec<String> {
        lots.iter().map(|(_, lot)| of(lot).to_string()).collect()
    };
    let expires_at: Vec<Option<DateTime<Utc>>> =
        lots.iter().map(|(_, lot)| lot.expires_at).collect();
    sqlx::query(
        "insert into credit_lots as l (lot_id, organization_id, currency, kind, expires_at, priority,
             position, occurred_at, amount, remaining, drawn, refunded, transferred_out, expired)
         select a, b, c, d, e, f, g, h, i::numeric, j::numeric, k::numeric, m::numeric, n::numeric,
             o::numeric
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
             $6::integer[], $7::bigint[], $8::timestamptz[], $9::text[], $10::text[], $11::text[],
             $12::text[], $13::text[], $14::text[]) as t(a, b, c, d, e, f, g, h, i, j, k, m, n, o)
         on conflict (lot_id) do update
             set remaining = excluded.remaining, drawn = excluded.drawn,
                 refunded = excluded.refunded, transferred_out = excluded.transferred_out,
                 expired = excluded.expired
             where (l.remaining, l.drawn, l.refunded, l.transferred_out, l.expired)
                 is distinct from (excluded.remaining, excluded.drawn, excluded.refunded,
                     excluded.transferred_out, excluded.expired)",
    )
    .bind(lots.iter().map(|(_, lot)| lot.id).collect::<Vec<_>>())
    .bind(lots.iter().map(|((id, _), _)| id.0).collect::<Vec<_>>())
    .bind(lots.iter().map(|((_, currency), _)| currency.to_string()).collect::<Vec<_>>())
    .bind(lots.iter().map(|(_, lot)| lot.kind.as_str()).collect::<Vec<_>>())
    .bind(expires_at)
    .bind(lots.iter().map(|(_, lot)| lot.priority).collect::<Vec<_>>())
    .bind(lots.iter().map(|(_, lot)| lot.position).collect::<Vec<_>>())
    .bind(lots.iter().map(|(_, lot)| lot.occurred_at).collect::<Vec<_>>())
    .bind(texts(|lot| lot.amount))
    .bind(texts(|lot| lot.remaining))
    .bind(texts(|lot| lot.drawn))
    .bind(texts(|lot| lot.refunded))
    .bind(texts(|lot| lot.transferred_out))
    .bind(texts(|lot| lot.expired))
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds a page's legs. Those of a day's usage grow with each page that has some of it.
pub(super) async fn post(tx: &mut PgConnection, journal: &Journal) -> Result<(), sqlx::Error> {
    let legs = journal.legs();
    let positions: Vec<Option<i64>> = legs.iter().map(|(entry, ..)| entry.position).collect();
    sqlx::query(
        "insert into credit_journal as j (organization_id, currency, booked_on, position, account,
             lot_id, amount)
         select a, b, c, d, e, f, g::numeric
         from unnest($1::uuid[], $2::text[], $3::date[], $4::bigint[], $5::text[], $6::uuid[],
             $7::text[]) as t(a, b, c, d, e, f, g)
         on conflict (organization_id, currency, booked_on, position, account, lot_id) do update
             set amount = j.amount + excluded.amount",
    )
    .bind(legs.iter().map(|(entry, ..)| entry.organization_id.0).collect::<Vec<_>>())
    .bind(legs.iter().map(|(entry, ..)| entry.currency.to_string()).collect::<Vec<_>>())
    .bind(legs.iter().map(|(entry, ..)| entry.booked_on).collect::<Vec<_>>())
    .bind(positions)
    .bind(legs.iter().map(|(_, leg, ..)| leg.as_str()).collect::<Vec<_>>())
    .bind(legs.iter().map(|(_, _, lot_id, _)| *lot_id).collect::<Vec<_>>())
    .bind(legs.iter().map(|(.., amount)| amount.to_string()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
