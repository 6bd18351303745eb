//! What a gateway is told before it serves a request: whether there is credit for it, and something
//! left of every budget that would block it.

use api_conventions::{Path, Position, Problem, Query};
use axum::extract::State;
use event_schemas::{
    Amount, ApiKeyId, CreditPolicy, Currency, MemberId, OrganizationId, Permission, ProjectId,
};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{READS, amount};
use crate::budgets::{Asked, BudgetAuthorization, blocking};
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
    /// Whether to go on: every account and every budget that was asked about allows it.
    pub allowed: bool,
    /// One for each currency that was asked about and has an account. Where there is none, nothing
    /// stands against going on.
    pub accounts: Vec<AccountAuthorization>,
    /// One for each budget that applies to what was asked about and blocks when it is used up.
    pub budgets: Vec<BudgetAuthorization>,
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
const BALANCES_AND_BUDGETS: &[Projection] = &[Projection::Balances, Projection::Budgets];
const KEYS_BALANCES_AND_BUDGETS: &[Projection] =
    &[Projection::AccessRegister, Projection::Balances, Projection::Budgets];

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
    /// In this currency; without it, in all. One that ISO 4217 does not have is refused.
    #[param(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<Currency>,
    /// The project that something is to be used in; without it, the one of the API key that is named or
    /// asked with, where it opens one alone. Its budgets count. One that is not there is not found.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// The API key that something is to be used with. Its budgets count, and its member's. One that is not
    /// there, or was revoked, is not found.
    #[param(value_type = Option<Uuid>)]
    api_key_id: Option<ApiKeyId>,
    /// The member whose key it is to be; without it, the one of the API key that is named. Their budgets
    /// count. One that is not there is not found.
    #[param(value_type = Option<Uuid>)]
    member_id: Option<MemberId>,
    /// The feature that something is to be used for. Its budgets count.
    feature: Option<String>,
}

impl AuthorizationQuery {
    /// What is to be used, as far as somebody who does not see all of the organization may ask about it.
    fn asked(&self, viewer: &Viewer, visible: &Visible) -> Result<Asked, Problem> {
        let project_id = self.project_id.or(viewer.only_in());
        if let Visible::Only { projects, own } = visible {
            if project_id.is_some_and(|id| !projects.contains(&id)) {
                return Err(Problem::not_found("project"));
            }
            if self.member_id.is_some() && self.member_id != *own {
                viewer.must(Permission::UsageRecord)?;
            }
        }
        Ok(Asked {
            currency: self.currency,
            project_id,
            api_key_id: self.api_key_id,
            member_id: self.member_id,
            feature: self.feature.clone(),
        })
    }
}

/// A picture with the budgets. Before there is a first build of them there are none that could block.
async fn with_budgets(
    state: &QueryState,
    organization_id: OrganizationId,
    asks_of_register: bool,
    position_min: i64,
) -> Result<(Snapshot, bool), QueryError> {
    let rows = Rows::Of(organization_id);
    let reads = if asks_of_register { KEYS_BALANCES_AND_BUDGETS } else { BALANCES_AND_BUDGETS };
    match state.snapshot(rows, reads, position_min).await {
        Err(QueryError::NotReady(projection)) if projection == Projection::Budgets.name() => {
            let reads = if asks_of_register { READS } else { BALANCES };
            Ok((state.snapshot(rows, reads, position_min).await?, false))
        }
        snapshot => Ok((snapshot?, true)),
    }
}

/// What the access register is asked for: whether these are there.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_field_names)] // They are the parameters'.
struct Named {
    api_key_id: Option<ApiKeyId>,
    project_id: Option<ProjectId>,
    member_id: Option<MemberId>,
}

impl Named {
    /// Of what somebody named; without the project and the member of which it is known already.
    fn of(query: &AuthorizationQuery, visible: &Visible) -> Self {
        let (seen, own) = match visible {
            Visible::All => (&[][..], None),
            Visible::Only { projects, own } => (projects.as_slice(), *own),
        };
        Self {
            api_key_id: query.api_key_id,
            project_id: query.project_id.filter(|id| !seen.contains(id)),
            member_id: query.member_id.filter(|id| own != Some(*id)),
        }
    }

    fn is_anything(self) -> bool {
        self.api_key_id.is_some() || self.project_id.is_some() || self.member_id.is_some()
    }
}

/// Refuses what is not there, and fills in whose the key is and where it works.
async fn of_named(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    named: Named,
    asked: &mut Asked,
    visible: &Visible,
) -> Result<(), QueryError> {
    if !named.is_anything() {
        return Ok(());
    }
    let row = sqlx::query(
        "select key.api_key_id is not null as has_key, key.project_id, key.member_id,
             exists (select from read.projects where organization_id = $1 and project_id = $3
                         and known_to is null and valid_to is null) as has_project,
             exists (select from read.members where organization_id = $1 and member_id = $4
                         and known_to is null and valid_to is null) as has_member
         from (values (1)) one left join read.api_keys key
             on organization_id = $1 and api_key_id = $2 and known_to is null and valid_to is null",
    )
    .bind(organization_id.0)
    .bind(named.api_key_id.map(|id| id.0))
    .bind(named.project_id.map(|id| id.0))
    .bind(named.member_id.map(|id| id.0))
    .fetch_one(snapshot.connection())
    .await?;
    let not_there = [
        ("API key", named.api_key_id.is_some() && !row.try_get("has_key")?),
        ("project", named.project_id.is_some() && !row.try_get("has_project")?),
        ("member", named.member_id.is_some() && !row.try_get("has_member")?),
    ];
    if let Some((what, _)) = not_there.into_iter().find(|(_, is_missing)| *is_missing) {
        return Err(QueryError::NotFound(what));
    }
    if named.api_key_id.is_none() {
        return Ok(());
    }
    let project_id = row.try_get::<Option<Uuid>, _>("project_id")?.map(ProjectId);
    let member_id = row.try_get::<Option<Uuid>, _>("member_id")?.map(MemberId);
    if let Visible::Only { projects, own: _ } = visible
        && !project_id.is_some_and(|id| projects.contains(&id))
    {
        return Err(QueryError::NotFound("API key"));
    }
    if project_id.is_some() && asked.project_id.is_some() && asked.project_id != project_id {
        // In the project that is asked about it is not there.
        return Err(QueryError::NotFound("API key"));
    }
    asked.project_id = asked.project_id.or(project_id);
    asked.member_id = asked.member_id.or(member_id);
    Ok(())
}

/// Refuses a currency that is none. Where there is an account in it, or a budget, it was one.
fn refuse_no_currency(currency: Option<Currency>) -> Result<(), QueryError> {
    match currency {
        Some(currency) if !currency.is_in_use() => {
            let why = format!(
                "{currency} is no currency that is in use today, by ISO 4217; such as USD or EUR"
            );
            Err(QueryError::invalid("currency", why))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a gateway is to go on: where every account that is asked about has something left or may fall
/// below zero, and no budget that blocks is used up.
///
/// The organization's own budgets count always, those of a project, an API key, a member or a feature
/// where it is named. Whoever may record usage may ask, with a project's API key too. It is advice: usage
/// that happened is recorded whatever was answered.
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
    let visible = if shows_amounts {
        Visible::All
    } else {
        viewer.visible(&state, Permission::UsageRecord).await?
    };
    match &visible {
        Visible::All => {}
        Visible::Only { projects, .. } if !projects.is_empty() => {}
        Visible::Only { .. } => viewer.must(Permission::CreditsRead)?,
    }
    let mut asked = query.asked(&viewer, &visible)?;
    let organization_id = path.organization_id;
    let position_min = highest(&[query.min_position]);
    let named = Named::of(&query, &visible);
    let (mut snapshot, has_budgets) =
        with_budgets(&state, organization_id, named.is_anything(), position_min).await?;
    of_named(&mut snapshot, organization_id, named, &mut asked, &visible).await?;
    let found = accounts(&mut snapshot, organization_id, query.currency, shows_amounts).await?;
    let budgets = if has_budgets {
        let shows_budgets = viewer.may(Permission::UsageRead);
        blocking(&mut snapshot, organization_id, &asked, shows_budgets).await?
    } else {
        Vec::new()
    };
    let position = snapshot.position();
    if found.is_empty() && budgets.is_empty() {
        refuse_no_currency(query.currency)?;
        // Who has an account is there; for who has none it takes another look.
        drop(snapshot);
        let mut snapshot = state.snapshot(Rows::Of(organization_id), READS, position_min).await?;
        organizations::check_exists(&mut snapshot, organization_id, Temporal::NOW).await?;
    }
    let allowed =
        found.iter().all(|account| account.allowed) && budgets.iter().all(|budget| budget.allowed);
    let body = CreditAuthorization { organization_id, position, allowed, accounts: found, budgets };
    Ok(Reflecting::new(position, body))
}
