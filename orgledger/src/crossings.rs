//! Balances that came to zero or below, or back above it. The balances know each crossing by the very
//! record or event; this puts it on record.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use command_api::credits::RecordCreditCrossing;
use event_schemas::OrganizationId;
use uuid::Uuid;

use crate::watch::{AT_ONCE, Eyes, Watch, found, record};

/// Looks for crossings.
pub(crate) struct Crossings;

/// In their order: an account that ran out and was filled up has both on record.
const UNRECORDED: &str = "select organization_id, currency, exhausted, balance::text, position
    from read.credit_crossings where recorded_at_position is null order by position limit $1";

impl Watch for Crossings {
    const NAME: &'static str = "crossings";
    const EVERY: Duration = Duration::from_secs(1);

    async fn look(eyes: &Eyes, now: DateTime<Utc>) -> anyhow::Result<()> {
        let rows = sqlx::query_as(UNRECORDED).bind(AT_ONCE).fetch_all(&eyes.read).await;
        let rows: Vec<(Uuid, String, bool, String, i64)> = found(rows)?;
        for (organization_id, currency, exhausted, balance, crossed_at) in rows {
            let crossing = RecordCreditCrossing {
                organization_id: OrganizationId(organization_id),
                currency: currency.parse().context("a currency of the balances")?,
                exhausted,
                balance: balance.parse().context("an amount of the balances")?,
                crossed_at,
            };
            record::<Self, _>(eyes, now, now, &crossing).await?;
        }
        Ok(())
    }
}
