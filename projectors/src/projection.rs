//! What a projection is, and the list of them.

use std::future::Future;
use std::sync::Arc;

use event_schemas::{Month, RecordedEvent};
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access_register::AccessRegister;
use crate::access_reviews::AccessReviews;
use crate::audit_log::AuditLog;
use crate::balances::Balances;
use crate::budgets::Budgets;
use crate::cost_per_feature::CostPerFeature;
use crate::error::RunError;
use crate::feed::FeedPage;
use crate::last_use::LastUse;
use crate::oversight::Oversight;
use crate::prices::Prices;

/// Why a page could not be applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The database failed.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// An event is not what this program knows. It is never skipped: a newer program, or one with
    /// an upcaster, has to read it.
    #[error("event {position} ({event_type} version {event_version}) cannot be read: {reason}")]
    Unreadable {
        /// The event's position.
        position: i64,
        /// Its type.
        event_type: String,
        /// Its version.
        event_version: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The tables do not take what an event says: it contradicts what stands there.
    #[error("event {position} ({event_type} {event_id}) cannot be applied: {error}")]
    Refused {
        /// The event's position.
        position: i64,
        /// Its type.
        event_type: String,
        /// The event.
        event_id: Uuid,
        /// What the database says.
        error: sqlx::Error,
    },
    /// Usage records that it needs have been archived. Sums without them would be wrong.
    #[error(
        "usage of {month} is archived, and its records are needed: restore it (`orgledger usage restore \
         --month {month}`), and it goes on"
    )]
    Archived {
        /// The first of the months that are needed.
        month: Month,
    },
}

impl ProjectionError {
    /// What the database says of an event, where it is known of which.
    pub(crate) fn refused(event: Option<&RecordedEvent>, error: sqlx::Error) -> Self {
        match event {
            Some(event) => Self::Refused {
                position: event.position,
                event_type: event.event_type.clone(),
                event_id: event.event_id,
                error,
            },
            None => error.into(),
        }
    }
}

/// A read model: tables, and how a page of the log changes them.
///
/// What its tables hold depends on the log alone: on no clock, no build, and not on where pages
/// begin and end.
pub trait Projection: Send + Sync + 'static {
    /// Its name, in `read.builds.projection` and in its builds' schemas.
    const NAME: &'static str;

    /// Grows with every change of what the tables hold: the next start builds them anew.
    const VERSION: i32;

    /// The tables that readers see, each through the view `read.<table>`.
    const VIEWS: &'static [&'static str];

    /// Questions to its tables that find what does not agree with each other, a line of text each. A
    /// build goes into service only where none finds anything. Their names are not qualified.
    const CHECKS: &'static [&'static str] = &[];

    /// The SQL that creates the indexes that only readers need. Where nobody reads, there are none.
    const INDEXES: &'static str = "";

    /// The SQL that creates its tables. Their names are not qualified.
    fn tables() -> &'static str;

    /// Applies what stands on a page, in order, within the transaction that also writes the
    /// checkpoint. Its tables' names need no schema.
    fn apply(
        &self,
        tx: &mut PgConnection,
        page: &FeedPage,
    ) -> impl Future<Output = Result<(), ProjectionError>> + Send;
}

/// [`Projection::apply`], for any projection.
trait Apply: Send + Sync {
    fn apply<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        page: &'a FeedPage,
    ) -> BoxFuture<'a, Result<(), ProjectionError>>;
}

impl<P: Projection> Apply for P {
    fn apply<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        page: &'a FeedPage,
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(Projection::apply(self, tx, page))
    }
}

/// A projection as the runtime sees it. Cheap to clone.
#[derive(Clone)]
pub struct Registered {
    /// [`Projection::NAME`].
    pub name: &'static str,
    /// [`Projection::VERSION`].
    pub version: i32,
    /// [`Projection::VIEWS`].
    pub views: &'static [&'static str],
    pub(crate) tables: &'static str,
    pub(crate) indexes: &'static str,
    pub(crate) checks: &'static [&'static str],
    projection: Arc<dyn Apply>,
}

impl Registered {
    /// A projection for the runtime to run.
    pub fn new<P: Projection>(projection: P) -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            views: P::VIEWS,
            tables: P::tables(),
            indexes: P::INDEXES,
            checks: P::CHECKS,
            projection: Arc::new(projection),
        }
    }

    pub(crate) async fn apply(
        &self,
        tx: &mut PgConnection,
        page: &FeedPage,
    ) -> Result<(), ProjectionError> {
        self.projection.apply(tx, page).await
    }
}

/// Every projection of orgledger.
pub fn all() -> Vec<Registered> {
    vec![
        Registered::new(AccessRegister),
        Registered::new(Balances),
        Registered::new(CostPerFeature),
        Registered::new(AccessReviews),
        Registered::new(AuditLog),
        Registered::new(LastUse),
        Registered::new(Oversight),
        Registered::new(Prices),
        Registered::new(Budgets),
    ]
}

/// The projection of that name.
pub fn named(name: &str) -> Result<Registered, RunError> {
    let named = all().into_iter().find(|projection| projection.name == name);
    named.ok_or_else(|| unknown(name))
}

pub(crate) fn unknown(name: &str) -> RunError {
    let known: Vec<&str> = all().iter().map(|projection| projection.name).collect();
    RunError::Unknown { name: name.to_owned(), known: known.join(", ") }
}
