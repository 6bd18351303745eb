//! One consistent picture of the read models.

use chrono::{DateTime, Utc};
use event_schemas::OrganizationId;
use sqlx::{Executor as _, PgConnection, PgPool, Postgres, Transaction};

use crate::error::QueryError;

/// A read model, as `read.builds` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// Who may do what: organizations, members, projects, keys.
    AccessRegister,
    /// Credits.
    Balances,
    /// Budgets and what is spent of them.
    Budgets,
    /// Usage and cost by the hour.
    CostPerFeature,
    /// Access reviews and their lines.
    AccessReviews,
    /// When what somebody has was used last.
    LastUse,
    /// Approvals, accesses of the operator, refusals, webhooks.
    Oversight,
    /// Every event of an organization, with what was before and what is after.
    AuditLog,
    /// Price lists, each version of them.
    Prices,
}

impl Projection {
    /// Its name in `read.builds`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessRegister => "access_register",
            Self::Balances => "balances",
            Self::Budgets => "budgets",
            Self::CostPerFeature => "cost_per_feature",
            Self::AccessReviews => "access_reviews",
            Self::LastUse => "last_use",
            Self::Oversight => "oversight",
            Self::AuditLog => "audit_log",
            Self::Prices => "prices",
        }
    }

    /// What holds back a switch to another build while it is locked: the first, by name, of the
    /// projection's views. A switch replaces them in that order, so whoever waits for this one
    /// holds none of the others, and nobody waits in a circle.
    pub const fn gate(self) -> &'static str {
        match self {
            Self::AccessRegister => "read.api_keys",
            Self::Balances => "read.balances",
            Self::Budgets => "read.budget_crossings",
            Self::CostPerFeature => "read.usage_by_feature",
            Self::AccessReviews => "read.access_review_attestations",
            Self::LastUse => "read.last_commands",
            Self::Oversight => "read.approvals",
            Self::AuditLog => "read.audit_log",
            Self::Prices => "read.own_price_lists",
        }
    }
}

/// Whose rows a picture has. What asks for others finds none: row-level security of the tables sees
/// to it, whatever the query says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// This organization's alone.
    Of(OrganizationId),
    /// Every organization's: for what by its nature asks across them.
    All,
}

impl Rows {
    /// What a transaction says first. Either ends with the transaction. A `select set_config(…)`
    /// would take the snapshot; this does not.
    fn statement(self) -> String {
        match self {
            Self::Of(OrganizationId(id)) => {
                format!("set local orgledger.organization_id to '{id}'")
            }
            Self::All => "set local role orgledger_operator".to_owned(),
        }
    }
}

/// One consistent picture of some read models: whatever is asked of it is of the same moment, the
/// same builds and the same position.
pub struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    position: i64,
    recorded_at: Option<DateTime<Utc>>,
}

impl Snapshot {
    /// The picture now, of at least `position_min`. The pool acts as `orgledger_reader`.
    pub async fn open(
        pool: &PgPool,
        rows: Rows,
        projections: &'static [Projection],
        position_min: i64,
    ) -> Result<Self, QueryError> {
        // Not in one go with the lock: where that fails, sqlx would not know of a transaction, and
        // leave it open.
        let mut transaction =
            pool.begin_with("begin isolation level repeatable read read only").await?;
        // LOCK takes no snapshot; the next statement does. So the picture is of a moment at which no
        // switch was under way, and the views stay what they are while it lasts.
        let mut statement = rows.statement();
        for projection in projections {
            statement.push_str(&format!("; lock table {} in access share mode", projection.gate()));
            let locked = transaction.execute(statement.as_str()).await;
            statement.clear();
            match locked {
                Err(error) if is_undefined(&error) => {
                    return Err(QueryError::NotReady(projection.name()));
                }
                locked => locked?,
            };
        }
        let mut snapshot = Self { transaction, position: i64::MAX, recorded_at: None };
        for projection in projections {
            snapshot.include(*projection).await?;
        }
        if snapshot.position < position_min {
            return Err(QueryError::NotYetVisible {
                wanted: position_min,
                reached: snapshot.position,
            });
        }
        Ok(snapshot)
    }

    /// The picture is of what all of its projections know: of the least of their positions.
    async fn include(&mut self, projection: Projection) -> Result<(), QueryError> {
        let (position, recorded_at): (i64, Option<DateTime<Utc>>) = sqlx::query_as(
            "select position, recorded_at from read.builds
             where projection = $1 and state = 'serving'",
        )
        .bind(projection.name())
        .fetch_optional(self.connection())
        .await?
        .ok_or(QueryError::NotReady(projection.name()))?;
        if position < self.position {
            self.position = position;
            self.recorded_at = recorded_at;
        }
        Ok(())
    }

    /// The position that it reflects.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// When the log learned of the event at that position.
    pub fn recorded_at(&self) -> Option<DateTime<Utc>> {
        self.recorded_at
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

/// The view is not there: the first build is still filling.
fn is_undefined(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("42P01")
}
