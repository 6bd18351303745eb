//! Why a batch could not be committed.

use std::sync::Arc;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::Verdict;
use crate::append::AppendError;
use crate::database::DatabaseError;

/// The constraint that a used idempotency key runs into.
const USED_KEY: &str = "idempotency_keys_pkey";

/// Why a batch failed, and whether it may have been written all the same.
pub(super) struct Failure {
    pub(super) error: Arc<sqlx::Error>,
    pub(super) outcome_unknown: bool,
}

impl Failure {
    /// Whether the server refused what was to be written, and not the connection or the role:
    /// SQLSTATE classes 22 (data exception), 23 (constraint) and 54 (program limit).
    pub(super) fn is_about_contents(&self) -> bool {
        let code = self.error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
    }

    /// Answers every append that has no verdict yet.
    pub(super) fn answer(&self, verdicts: &mut [Option<Verdict>]) {
        for verdict in verdicts.iter_mut().filter(|v| v.is_none()) {
            let error = Arc::clone(&self.error);
            *verdict = Some(Err(if self.outcome_unknown {
                AppendError::Unknown(error)
            } else {
                AppendError::Database(error)
            }));
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self { error: Arc::new(error), outcome_unknown: false }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Sqlx(error)
            | DatabaseError::Unreachable { source: error, .. }
            | DatabaseError::RoleRefused { source: error, .. } => error.into(),
            other @ (DatabaseError::TooOld { .. }
            | DatabaseError::Unsafe { .. }
            | DatabaseError::NotMigrated
            | DatabaseError::Vault(_)
            | DatabaseError::AboveRowSecurity { .. }
            | DatabaseError::Migrate(_)) => sqlx::Error::Configuration(Box::new(other)).into(),
        }
    }
}

/// Whether an idempotency key had been used before.
pub(super) fn is_used_key(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.and_then(sqlx::error::DatabaseError::constraint) == Some(USED_KEY)
}

/// Whether what was asked may have been done although the server did not say so. A server that
/// answers with a plain error has undone it.
pub(super) fn leaves_doubt(error: &sqlx::Error) -> bool {
    let refusal = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
    refusal.is_none_or(|e| matches!(e.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}
