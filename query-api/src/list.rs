//! Lists of what is temporal: ordered by name, in pages, all pages of one position.

use std::marker::PhantomData;

use api_conventions::{Cursor, Limit, Page};
use chrono::{DateTime, Utc};
use event_schemas::{
    GroupId, MemberId, OrganizationEvent, OrganizationId, ProjectId, RoleId, ServiceAccountId,
    StreamEvent as _,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use crate::error::QueryError;
use crate::organizations;
use crate::snapshot::{Projection, Snapshot};
use crate::temporal::Temporal;
use crate::viewer::Visible;

/// Rows of a temporal view (or of a join of some) that can be listed and looked up.
pub trait Listed: Sized {
    /// What one of them is called.
    const NOUN: &'static str;
    /// The views and their aliases. `t` has the organization.
    const FROM: &'static str;
    /// The aliases of all the views.
    const ALIASES: &'static [&'static str];
    /// What is read of them.
    const COLUMNS: &'static str;
    /// The read models that the views are of.
    const READS: &'static [Projection] = &[Projection::AccessRegister];
    /// The text that lists are ordered by.
    const SORT: &'static str;
    /// What identifies one, and orders those of the same name.
    const ID: &'static str;

    /// Whose history tells when one of them changes; none where it is not read one by one.
    const STREAM: Option<Stream> = None;
    /// What says which project one belongs to, where they belong to projects.
    const PROJECT: Option<&'static str> = None;
    /// What says which member's one is, where they are members'.
    const OWNER: Option<&'static str> = None;

    /// What a list of one member's goes by.
    const MEMBER: &'static str = "t.member_id";
    /// What a list of one group's goes by.
    const GROUP: &'static str = "t.group_id";
    /// What a list of those in one state goes by: one of the words of [`State`].
    const STATE: &'static str = "t.state";

    /// Reads the columns.
    fn read(row: &PgRow) -> Result<Self, sqlx::Error>;
}

/// The stream that a thing is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// One of its own, of this type.
    Own(&'static str),
    /// That of its organization.
    Organization,
}

/// What has become of something. Each list knows some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It counts.
    Active,
    /// A member whose access is suspended.
    Suspended,
    /// A service account whose keys are refused.
    Disabled,
    /// An invite that can be accepted.
    Open,
    /// An invite that has become a member.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

impl State {
    /// As the views say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Disabled => "disabled",
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Whose, and which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Of this organization; none for what is no organization's.
    pub organization_id: Option<OrganizationId>,
    /// Of this project only.
    pub project_id: Option<ProjectId>,
    /// Of this member only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<MemberId>,
    /// Of this service account only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_id: Option<ServiceAccountId>,
    /// Of this group only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
    /// Of this custom role only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<RoleId>,
    /// In this state only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

impl Scope {
    /// All of an organization.
    pub fn organization(organization_id: OrganizationId) -> Self {
        Self { organization_id: Some(organization_id), ..Self::default() }
    }

    /// Of a project only.
    #[must_use]
    pub fn project(self, project_id: Option<ProjectId>) -> Self {
        Self { project_id, ..self }
    }

    /// In that state only.
    #[must_use]
    pub fn state(self, state: Option<impl Into<State>>) -> Self {
        Self { state: state.map(Into::into), ..self }
    }

    fn push<T: Listed>(self, query: &mut QueryBuilder<'_, Postgres>) {
        let conditions = [
            ("t.organization_id", self.organization_id.map(|id| id.0)),
            ("t.project_id", self.project_id.map(|id| id.0)),
            (T::MEMBER, self.member_id.map(|id| id.0)),
            ("t.service_account_id", self.service_account_id.map(|id| id.0)),
            (T::GROUP, self.group_id.map(|id| id.0)),
            ("t.role_id", self.role_id.map(|id| id.0)),
        ];
        for (column, id) in conditions {
            if let Some(id) = id {
                query.push(format_args!(" and {column} = ")).push_bind(id);
            }
        }
        if let Some(state) = self.state {
            query.push(format_args!(" and {} = ", T::STATE)).push_bind(state.as_str());
        }
    }
}

/// Where a page ended, and what it was a page of. It names the last item by its id alone: a cursor
/// stands in addresses and in the logs of whoever passes them on, and the text that lists are ordered
/// by may be a person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    scope: Scope,
    as_of: Option<DateTime<Utc>>,
    at_position: i64,
    id: Uuid,
}

/// A page that is asked for.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    scope: Scope,
    temporal: Temporal,
    limit: Limit,
    after: Option<Uuid>,
    visible: Visible,
    items: PhantomData<T>,
}

impl<T: Listed> Listing<T> {
    /// The page after `cursor`, or the first. A cursor brings its list's position along.
    pub fn new(
        scope: Scope,
        temporal: Temporal,
        limit: Option<Limit>,
        cursor: Option<&Cursor>,
    ) -> Result<Self, QueryError> {
        let limit = limit.unwrap_or_default();
        let Some(cursor) = cursor else {
            let (after, visible) = (None, Visible::All);
            return Ok(Self { scope, temporal, limit, after, visible, items: PhantomData });
        };
        let unfit = |why: &str| QueryError::invalid("cursor", why);
        let place: Place =
            cursor.key(T::NOUN).map_err(|_| unfit("it is not a next_cursor of this list"))?;
        let same_position = temporal.at_position.is_none_or(|asked| asked == place.at_position);
        if place.scope != scope || place.as_of != temporal.as_of || !same_position {
            return Err(unfit("it belongs to a list that was asked for in other words"));
        }
        let temporal = Temporal { at_position: Some(place.at_position), ..temporal };
        let after = Some(place.id);
        Ok(Self { scope, temporal, limit, after, visible: Visible::All, items: PhantomData })
    }

    /// Lists only what somebody sees.
    #[must_use]
    pub fn visible(self, visible: Visible) -> Self {
        Self { visible, ..self }
    }

    /// The position that a picture must have to answer.
    pub fn position_min(&self) -> i64 {
        self.temporal.position_min()
    }

    /// The state of the views that is listed.
    pub fn temporal(&self) -> Temporal {
        self.temporal
    }

    fn statement(&self, temporal: Temporal) -> QueryBuilder<'static, Postgres> {
        let mut query = QueryBuilder::new(format!(
            "select {columns}, {sort} collate \"C\" as sort_text, {id} as sort_id
             from {from} where true",
            columns = T::COLUMNS,
            sort = T::SORT,
            id = T::ID,
            from = T::FROM,
        ));
        self.scope.push::<T>(&mut query);
        self.visible.push(&mut query, T::PROJECT, T::OWNER);
        for alias in T::ALIASES {
            temporal.push(&mut query, alias);
        }
        if let Some(id) = self.after {
            query.push(format_args!(
                " and ({sort} collate \"C\", {id}) > (
                    select {sort} collate \"C\", {id} from {from} where {id} = ",
                sort = T::SORT,
                id = T::ID,
                from = T::FROM,
            ));
            query.push_bind(id);
            self.scope.push::<T>(&mut query);
            for alias in T::ALIASES {
                temporal.push(&mut query, alias);
            }
            query.push(")");
        }
        query.push(" order by sort_text, sort_id limit ");
        query.push_bind(i64::try_from(self.limit.get() + 1).unwrap_or(i64::MAX));
        query
    }
}

/// A page.
pub async fn list<T: Listed>(
    snapshot: &mut Snapshot,
    listing: &Listing<T>,
) -> Result<Page<T>, QueryError> {
    listing.temporal.check(snapshot)?;
    if let Some(organization_id) = listing.scope.organization_id {
        organizations::check_exists(snapshot, organization_id, listing.temporal).await?;
    }
    let position = listing.temporal.at_position.unwrap_or(snapshot.position());
    let temporal = listing.temporal.simplified(snapshot);
    let mut query = listing.statement(temporal);
    let rows = query.build().fetch_all(snapshot.connection()).await?;
    let has_more = rows.len() > listing.limit.get();
    let rows = &rows[..rows.len().min(listing.limit.get())];
    let next_cursor = match rows.last().filter(|_| has_more) {
        Some(row) => {
            let place = Place {
                scope: listing.scope,
                as_of: listing.temporal.as_of,
                at_position: position,
                id: row.try_get("sort_id")?,
            };
            Some(Cursor::new(T::NOUN, &place).map_err(QueryError::unreadable)?)
        }
        None => None,
    };
    let items = rows.iter().map(T::read).collect::<Result<_, _>>()?;
    Ok(Page { items, next_cursor })
}

/// The version of a thing that is there: the sequence that a command on it names in `If-Match`. What
/// was at another time, or was known at another position, has none.
pub async fn sequence<T: Listed>(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    id: Uuid,
    temporal: Temporal,
) -> Result<Option<i64>, QueryError> {
    let Some(stream) = T::STREAM.filter(|_| temporal == Temporal::NOW) else { return Ok(None) };
    let (stream_type, stream_id) = match stream {
        Stream::Own(stream_type) => (stream_type, id),
        Stream::Organization => (OrganizationEvent::STREAM, organization_id.0),
    };
    let sequence = sqlx::query_scalar(
        "select sequence from read.sequences
         where stream_type = $1 and stream_id = $2 and organization_id = $3",
    );
    let sequence = sequence.bind(stream_type).bind(stream_id).bind(organization_id.0);
    Ok(sequence.fetch_optional(snapshot.connection()).await?)
}

/// One of an organization's, by id.
pub async fn get<T: Listed>(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    id: Uuid,
    temporal: Temporal,
    visible: &Visible,
) -> Result<T, QueryError> {
    temporal.check(snapshot)?;
    let mut query =
        QueryBuilder::new(format!("select {} from {} where {} = ", T::COLUMNS, T::FROM, T::ID));
    query.push_bind(id);
    Scope::organization(organization_id).push::<T>(&mut query);
    visible.push(&mut query, T::PROJECT, T::OWNER);
    for alias in T::ALIASES {
        temporal.push(&mut query, alias);
    }
    let row = query.build().fetch_optional(snapshot.connection()).await?;
    Ok(T::read(&row.ok_or(QueryError::NotFound(T::NOUN))?)?)
}
