//! What a gateway is told before it serves a request: whether there is credit for it.

use api_conventions::{Path, Position, Problem, Query};
use axum::extract::State;
use event_schemas::{Amount, CreditPolicy, Currency, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::{IntoParams, ToSchema};

use super::{READS, amount};
use crate::error::QueryError;
use crate::organizations;
use crate::parameters::{OrganizationPath, Refusals};
use crate::snapshot::{Projection, Rows, Snapshot};
use crate::state::{QueryState, Reflecting, highest};
use crate::temporal::Temporal;
use crate::viewer::{Viewer, Visible};

/// Whether there is credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CreditAuthorization {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// The position of the log that this reflects.
    pub position: i64,
    /// Whether to go on: every account that was asked about allows it.
    pub allowed: bool,
    /// One for each currency that was asked about and has an account. Where there is none, nothing
    /// stands against going on.
    pub accounts: Vec<AccountAuthorization>,
}

/// Whether there is credit in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccountAuthorization {
    /// The currency.
    pub currency: String,
    /// Whether to go on.
    pub allowed: bool,
    /// Why.
    pub reason: AuthorizationReason,
    /// What the account's owner wants where it has run out.
    pub policy: CreditPolicy,
    /// What can be used: the balance without what has expired and is not on record as such yet. Null
    /// to who may not see credits.
    #[schema(value_type = Option<String>)]
    pub available: Option<Amount>,
}

/// Why a gateway is told to go on, or not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizationReason {
    /// Something is left.
    CreditsLeft,
    /// Nothing is left, and the account may fall below zero.
    OverdraftAllowed,
    /// Nothing is left.
    CreditsExhausted,
}

impl AuthorizationReason {
    fn of(policy: CreditPolicy, available: Amount) -> Self {
        match policy {
            CreditPolicy::Allow | CreditPolicy::Block if available.is_positive() => {
                Self::CreditsLeft
            }
            CreditPolicy::Allow => Self::OverdraftAllowed,
            CreditPolicy::Block => Self::CreditsExhausted,
        }
    }

    fn allows(self) -> bool {
        match self {
            Self::CreditsLeft | Self::OverdraftAllowed => true,
            Self::CreditsExhausted => false,
        }
    }
}

/// What an authorization is read from, where there is an account: nothing else is looked at.
const BALANCES: &[Projection] = &[Projection::Balances];

async fn accounts(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    currency: Option<Currency>,
    shows_amounts: bool,
) -> Result<Vec<AccountAuthorization>, QueryError> {
    let rows = sqlx::query(
        "select b.currency, b.policy, (b.balance - coalesce((
                 select sum(l.remaining) from read.credit_lots l
                 where l.organization_id = b.organization_id and l.currency = b.currency
                     and l.remaining > 0 and l.expires_at <= now()), 0))::text as available
         from read.balances b
         where b.organization_id = $1 and ($2::text is null or b.currency = $2)
         order by b.currency collate \"C\"",
    )
    .bind(organization_id.0)
    .bind(currency.map(|currency| currency.to_string()))
    .fetch_all(snapshot.connection())
    .await?;
    rows.iter().map(|row| account(row, shows_amounts)).collect()
}

fn account(row: &PgRow, shows_amounts: bool) -> Result<AccountAuthorization, QueryError> {
    let policy: String = row.try_get("policy")?;
    let policy: CreditPolicy = policy.parse().map_err(QueryError::unreadable)?;
    let available = amount(row, "available")?;
    let reason = AuthorizationReason::of(policy, available);
    Ok(AccountAuthorization {
        currency: row.try_get("currency")?,
        allowed: reason.allows(),
        reason,
        policy,
        available: shows_amounts.then_some(available),
    })
}

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuthorizationQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// In this currency; without it, in all.
    #[param(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<Currency>,
}

/// Whether a gateway is to go on: always where something is left, and by the account's policy where
/// nothing is. Whoever may record usage may ask, with a project's API key too. It is advice: usage that
/// happened is recorded whatever was answered.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/credits/authorization",
    operation_id = "get_credit_authorization", tag = "credits",
    params(OrganizationPath, AuthorizationQuery),
    responses((status = 200, body = CreditAuthorization), Refusals))]
pub(crate) async fn get_credit_authorization(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<AuthorizationQuery>,
) -> Result<Reflecting<CreditAuthorization>, Problem> {
    let shows_amounts = viewer.may(Permission::CreditsRead);
    if !shows_amounts {
        match viewer.visible(&state, Permission::UsageRecord).await? {
            Visible::All => {}
            Visible::Only { projects, .. } if !projects.is_empty() => {}
            Visible::Only { .. } => viewer.must(Permission::CreditsRead)?,
        }
    }
    let organization_id = path.organization_id;
    let rows = Rows::Of(organization_id);
    let position_min = highest(&[query.min_position]);
    let mut snapshot = state.snapshot(rows, BALANCES, position_min).await?;
    let found = accounts(&mut snapshot, organization_id, query.currency, shows_amounts).await?;
    let position = snapshot.position();
    if found.is_empty() {
        // Who has an account is there; for who has none it takes another look.
        drop(snapshot);
        let mut snapshot = state.snapshot(rows, READS, position_min).await?;
        organizations::check_exists(&mut snapshot, organization_id, Temporal::NOW).await?;
    }
    let allowed = found.iter().all(|account| account.allowed);
    let body = CreditAuthorization { organization_id, position, allowed, accounts: found };
    Ok(Reflecting::new(position, body))
}
