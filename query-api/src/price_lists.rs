//! Price lists: what was in force at a time, of what the log knew at a position.

use api_conventions::{Cursor, Limit, Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{ModelPrice, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use utoipa::ToSchema;

use crate::error::QueryError;
use crate::keyset;
use crate::organizations;
use crate::parameters::{OrganizationPath, Point as _, PriceListQuery, Refusals};
use crate::snapshot::{Projection, Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

const NOUN: &str = "price list";

/// The read models that price lists are read from.
pub const READS: &[Projection] = &[Projection::AccessRegister, Projection::Prices];

/// A price list, in the version that is in force.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PriceListView)]
pub struct PriceList {
    /// The list.
    pub price_list_id: String,
    /// Whether it is the organization's own; else it is of all.
    pub own: bool,
    /// The version, from 1.
    pub version: i32,
    /// The provider whose models it prices; `*` for every provider.
    pub provider: String,
    /// The currency of every price in it.
    pub currency: String,
    /// From when on it is in force.
    pub effective_from: DateTime<Utc>,
    /// Where the prices were taken from.
    pub source: Option<String>,
    /// What comes on top of the prices of all, for models that are not in it, in percent.
    pub mark_up_percent: Option<String>,
    /// How many models it prices.
    pub models: i64,
    /// The prices; left out unless they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub prices: Option<Vec<ModelPrice>>,
    /// The position of the event that published it: the price version that usage records pin.
    pub position: i64,
    /// Who published it, as `kind:id`.
    pub actor: String,
    /// When.
    pub published_at: DateTime<Utc>,
}

/// Which price lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceListsQuery {
    /// Of this organization, and of all.
    pub organization_id: OrganizationId,
    /// Of this provider only, as the lists call it.
    pub provider: Option<String>,
    /// With their prices.
    pub prices: bool,
    /// What was in force at a time; without one, what was published to be last. What the log knew at a
    /// position.
    pub temporal: Temporal,
}

/// The lists in force, by id.
pub async fn price_lists(
    snapshot: &mut Snapshot,
    query: &PriceListsQuery,
    limit: Limit,
    cursor: Option<&Cursor>,
) -> Result<Page<PriceList>, QueryError> {
    let after: Option<String> = keyset::after(NOUN, query, cursor)?;
    query.temporal.check(snapshot)?;
    organizations::check_exists(snapshot, query.organization_id, query.temporal).await?;
    let mut statement = QueryBuilder::new(
        "select distinct on (l.price_list_id collate \"C\") l.price_list_id, l.own, l.version, l.provider,
             l.currency, l.effective_from, l.source, l.mark_up_percent,
             jsonb_array_length(l.models)::bigint as models, ",
    );
    statement.push(if query.prices { "l.models as prices" } else { "null::jsonb as prices" });
    statement.push(
        ", l.position, l.actor, l.published_at
         from (select o.position, o.price_list_id, true as own, o.version, o.provider, o.currency,
                   o.effective_from, o.source, o.mark_up_percent, o.models, o.actor, o.published_at
               from read.own_price_lists o where o.organization_id = ",
    );
    statement.push_bind(query.organization_id.0);
    statement.push(
        " union all
               select a.position, a.price_list_id, false, a.version, a.provider, a.currency,
                   a.effective_from, a.source, a.mark_up_percent, a.models, a.actor, a.published_at
               from read.price_lists_of_all a) l where true",
    );
    if let Some(position) = query.temporal.at_position {
        statement.push(" and l.position <= ").push_bind(position);
    }
    if let Some(time) = query.temporal.as_of {
        statement.push(" and l.effective_from <= ").push_bind(time);
    }
    if let Some(provider) = &query.provider {
        statement.push(" and l.provider = ").push_bind(provider.clone());
    }
    if let Some(after) = after {
        statement.push(" and l.price_list_id collate \"C\" > ").push_bind(after);
    }
    // Of two from the same time on, the later known.
    statement.push(
        " order by l.price_list_id collate \"C\", l.effective_from desc, l.position desc limit ",
    );
    statement.push_bind(keyset::one_more(limit));
    let rows = statement.build().fetch_all(snapshot.connection()).await?;
    let lists = rows.iter().map(list).collect::<Result<Vec<_>, _>>()?;
    keyset::page(NOUN, query, lists, limit, |list| list.price_list_id.clone())
}

fn list(row: &PgRow) -> Result<PriceList, sqlx::Error> {
    let prices: Option<Json<Vec<ModelPrice>>> = row.try_get("prices")?;
    Ok(PriceList {
        price_list_id: row.try_get("price_list_id")?,
        own: row.try_get("own")?,
        version: row.try_get("version")?,
        provider: row.try_get("provider")?,
        currency: row.try_get("currency")?,
        effective_from: row.try_get("effective_from")?,
        source: row.try_get("source")?,
        mark_up_percent: row.try_get("mark_up_percent")?,
        models: row.try_get("models")?,
        prices: prices.map(|Json(prices)| prices),
        position: row.try_get("position")?,
        actor: row.try_get("actor")?,
        published_at: row.try_get("published_at")?,
    })
}

/// The price lists that price the organization's usage, its own and those of all, each in the version
/// that is in force.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/price-lists",
    operation_id = "list_price_lists", tag = "price lists",
    params(OrganizationPath, PriceListQuery),
    responses((status = 200, body = Page<PriceList>), Refusals))]
pub(crate) async fn list_price_lists(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<PriceListQuery>,
) -> Result<Reflecting<Page<PriceList>>, Problem> {
    viewer.must(Permission::UsageRead)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, query.position_min()).await?;
    let which = PriceListsQuery {
        organization_id: path.organization_id,
        // Nothing that was published has a NUL in it.
        provider: query.provider.clone().map(|provider| provider.replace('\0', "\u{fffd}")),
        prices: query.prices.unwrap_or_default(),
        temporal: query.temporal(),
    };
    let limit = query.limit.unwrap_or_default();
    let body = price_lists(&mut snapshot, &which, limit, query.cursor.as_ref()).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}
