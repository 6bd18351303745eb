//! What ends by time alone: invites that nobody accepted, keys and credits past their end.
//!
//! No decision depends on this: a key past its end is refused, an invite cannot be accepted and a lot
//! of credits is not drawn whether or not that is on record yet. This puts it on record, so that
//! reports and consumers of the log see it.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use command_api::api_keys::ExpireApiKey;
use command_api::break_glass::ExpireBreakGlass;
use command_api::credits::ExpireCredits;
use command_api::invites::ExpireInvite;
use event_schemas::{ApiKeyId, BreakGlassId, InviteId, LotId, OrganizationId};
use sqlx::PgPool;
use uuid::Uuid;

use crate::watch::{AT_ONCE, Eyes, Watch, found, record};

/// Looks for what has ended.
pub(crate) struct Expiry;

impl Watch for Expiry {
    const NAME: &'static str = "expiry";
    const EVERY: Duration = Duration::from_secs(30);

    async fn look(eyes: &Eyes, now: DateTime<Utc>) -> anyhow::Result<()> {
        for (organization_id, api_key_id) in due(&eyes.read, API_KEYS, now).await? {
            let expire = ExpireApiKey { organization_id, api_key_id: ApiKeyId(api_key_id) };
            record::<Self, _>(eyes, now, now, &expire).await?;
        }
        for (organization_id, invite_id) in due(&eyes.read, INVITES, now).await? {
            let expire = ExpireInvite { organization_id, invite_id: InviteId(invite_id) };
            record::<Self, _>(eyes, now, now, &expire).await?;
        }
        for (organization_id, break_glass_id) in due(&eyes.read, BREAK_GLASS, now).await? {
            let break_glass_id = BreakGlassId(break_glass_id);
            let expire = ExpireBreakGlass { organization_id, break_glass_id };
            record::<Self, _>(eyes, now, now, &expire).await?;
        }
        credits(eyes, now).await
    }
}

/// Says where the read models are not in the database that they are looked for in.
pub(crate) async fn check(read: &PgPool) {
    let there = sqlx::query_scalar::<_, bool>("select to_regclass('read.api_keys') is not null");
    match there.fetch_one(read).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(
            "nothing expires yet: the access register is not built in this database; if the read \
             models are in another one, name it in ORGLEDGER_READ_DATABASE_URL"
        ),
        Err(error) => tracing::warn!(%error, "nothing expires yet"),
    }
}

const API_KEYS: &str = "select organization_id, api_key_id from read.api_keys
    where known_to is null and valid_to is null and state = 'active' and expires_at <= $1
    order by expires_at limit $2";

const BREAK_GLASS: &str = "select organization_id, break_glass_id from read.break_glass
    where known_to is null and valid_to is null and state = 'open' and expires_at <= $1
    order by expires_at limit $2";

const INVITES: &str = "select organization_id, invite_id from read.invites
    where known_to is null and valid_to is null and state = 'open' and expires_at <= $1
    order by expires_at limit $2";

const CREDITS: &str = "select organization_id, currency, lot_id, expires_at from read.credit_lots
    where remaining > 0 and expires_at <= $1 order by expires_at limit $2";

async fn due(
    read: &PgPool,
    sql: &'static str,
    now: DateTime<Utc>,
) -> Result<Vec<(OrganizationId, Uuid)>, sqlx::Error> {
    let rows = sqlx::query_as(sql).bind(now).bind(AT_ONCE).fetch_all(read).await;
    let rows: Vec<(Uuid, Uuid)> = found(rows)?;
    Ok(rows.into_iter().map(|(org, id)| (OrganizationId(org), id)).collect())
}

/// What is left of a lot is gone when its time is over, not when somebody looks.
async fn credits(eyes: &Eyes, now: DateTime<Utc>) -> anyhow::Result<()> {
    let rows = sqlx::query_as(CREDITS).bind(now).bind(AT_ONCE).fetch_all(&eyes.read).await;
    let rows: Vec<(Uuid, String, Uuid, DateTime<Utc>)> = found(rows)?;
    for (organization_id, currency, lot_id, expires_at) in rows {
        let currency = currency.parse().context("a currency of the balances")?;
        let organization_id = OrganizationId(organization_id);
        let expire = ExpireCredits { organization_id, currency, lot_id: LotId(lot_id) };
        record::<Expiry, _>(eyes, now, expires_at, &expire).await?;
    }
    Ok(())
}
