//! Usage and its corrections, held against budgets.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::Amount;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::crossings::{self, Crossing};
use super::periods;
use super::spending::{self, Counted, Key, pico};
use super::uncounted::Stretch;
use crate::feed::UsageSource;
use crate::projection::ProjectionError;

/// What stands of a budget in a period.
struct Standing {
    spent: Amount,
    amount: Amount,
    thresholds: Vec<i32>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

impl Standing {
    /// What is reached where this much is spent, by how much that is: each threshold, and all of it.
    fn limits(&self) -> impl Iterator<Item = (Option<i32>, Amount)> + '_ {
        let shares = self.thresholds.iter().map(|percent| Some(*percent)).chain([None]);
        shares.map(|threshold| {
            let pico = self.amount.pico().saturating_mul(i128::from(threshold.unwrap_or(100)));
            // The least number of whole pico-units that is that share.
            (threshold, Amount::from_pico(pico / 100 + i128::from(pico % 100 > 0)))
        })
    }
}

/// Adds what stands on the page with no event of a budget between: records one by one, and all that an
/// event corrects at once. What is given back un-reaches nothing.
pub(super) async fn count(
    tx: &mut PgConnection,
    source: Option<&UsageSource>,
    stretch: &Stretch,
) -> Result<(), ProjectionError> {
    let counted = spending::add(tx, source, stretch).await?;
    if counted.is_empty() {
        return Ok(());
    }
    let mut standings = load(tx, &counted).await?;
    let mut crossed = Vec::new();
    for part in &counted {
        let Some(standing) = standings.get_mut(&part.key) else { continue };
        let before = standing.spent;
        standing.spent = before + part.used;
        let reached: Vec<_> = standing
            .limits()
            .filter(|(_, limit)| before < *limit && *limit <= standing.spent)
            .collect();
        for (threshold, limit) in reached {
            let (position, used) = match (part.batch_id, source) {
                // Rare: only then the records are looked at one by one.
                (Some(batch_id), Some(source)) => {
                    record(tx, source, (part, batch_id), standing, limit - before).await?
                }
                (None, _) | (_, None) => (part.position, part.used),
            };
            crossed.push(Crossing {
                budget_id: part.key.0,
                period: part.key.1,
                amount: standing.amount,
                threshold,
                spent: before + used,
                position,
            });
        }
    }
    store(tx, &standings).await?;
    crossings::write(tx, &crossed).await?;
    Ok(())
}

async fn load(
    tx: &mut PgConnection,
    counted: &[Counted],
) -> Result<BTreeMap<Key, Standing>, ProjectionError> {
    let keys: std::collections::BTreeSet<Key> = counted.iter().map(|part| part.key).collect();
    let (budgets, days): (Vec<Uuid>, Vec<NaiveDate>) = keys.into_iter().unzip();
    let rows = sqlx::query(&format!(
        "select c.budget_id, k.day, coalesce(p.spent, 0)::numeric(38,12)::text as spent,
             t.amount::text as amount, t.thresholds, {starts_at} as starts_at, {ends_at} as ends_at
         from unnest($1::uuid[], $2::date[]) as k(budget_id, day)
         join budget_counts c using (budget_id)
         left join budget_periods p on p.budget_id = k.budget_id and p.period = k.day
         cross join lateral (
             select amount, thresholds from budget_terms t
             where t.budget_id = k.budget_id and t.from_period <= k.day
             order by t.from_period desc limit 1) t",
        starts_at = periods::starts_at("k.day"),
        ends_at = periods::ends_at("k.day"),
    ))
    .bind(budgets)
    .bind(days)
    .fetch_all(tx)
    .await?;
    let read = |row: &PgRow| {
        let key = (row.try_get("budget_id")?, row.try_get("day")?);
        let standing = Standing {
            spent: amount(row.try_get("spent")?)?,
            amount: amount(row.try_get("amount")?)?,
            thresholds: row.try_get("thresholds")?,
            starts_at: row.try_get("starts_at")?,
            ends_at: row.try_get("ends_at")?,
        };
        Ok((key, standing))
    };
    rows.iter().map(read).collect()
}

/// The first record of the batch with which it comes to `limit` or more of the budget in the period:
/// its position, and what had been used of the batch up to it.
async fn record(
    tx: &mut PgConnection,
    source: &UsageSource,
    (part, batch_id): (&Counted, Uuid),
    standing: &Standing,
    limit: Amount,
) -> Result<(i64, Amount), ProjectionError> {
    let row = sqlx::query(&format!(
        "select ordinal::bigint, running::text from (
             select u.ordinal, sum(u.cost_pico) over (order by u.ordinal) as running
             from {table} u join budget_counts c on {counts}
             where u.batch_id = $1 and u.occurred_day between $2 and $3 and u.cost_pico <> 0
                 and c.budget_id = $4 and ($5::timestamptz is null or u.occurred_at >= $5)
                 and ($6::timestamptz is null or u.occurred_at < $6)
         ) records where running >= $7::numeric order by ordinal limit 1",
        table = source.table,
        counts = periods::COUNTS,
    ))
    .bind(batch_id)
    .bind(source.first_day)
    .bind(source.last_day)
    .bind(part.key.0)
    .bind(standing.starts_at)
    .bind(standing.ends_at)
    .bind(limit.pico().to_string())
    .fetch_one(tx)
    .await?;
    let ordinal: i64 = row.try_get(0)?;
    Ok((part.position + ordinal, pico(row.try_get(1)?)?))
}

async fn store(
    tx: &mut PgConnection,
    standings: &BTreeMap<Key, Standing>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into budget_periods (budget_id, organization_id, period, spent)
         select c.budget_id, c.organization_id, s.day, s.spent::numeric
         from unnest($1::uuid[], $2::date[], $3::text[]) as s(budget_id, day, spent)
         join budget_counts c using (budget_id)
         on conflict (budget_id, period) do update set spent = excluded.spent",
    )
    .bind(standings.keys().map(|(budget_id, _)| *budget_id).collect::<Vec<_>>())
    .bind(standings.keys().map(|(_, day)| *day).collect::<Vec<_>>())
    .bind(standings.values().map(|standing| standing.spent.to_string()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

fn amount(text: &str) -> Result<Amount, ProjectionError> {
    Ok(text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}
