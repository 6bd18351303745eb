//! What is answered where the machinery failed, or could not say yes or no.

use api_conventions::Problem;
use api_conventions::problem::UNAVAILABLE;
use cqrs_es::persist::PersistenceError;
use event_log::aggregates::LoadError;
use event_log::{AppendError, VaultError};

use super::kinds::{CONCURRENT_CHANGE, IDEMPOTENCY_KEY_REUSED, OUTCOME_UNKNOWN, USAGE_QUEUE_FULL};
use super::{refusals, said};
use crate::refusal::ExecuteError;

/// How soon trying again can help, in seconds.
const RETRY_AFTER: u32 = 1;

pub(super) fn problem(error: ExecuteError) -> Problem {
    match error {
        ExecuteError::Refused(refusal) => refusals::problem(refusal),
        ExecuteError::IdempotencyKeyReused => {
            said(IDEMPOTENCY_KEY_REUSED, &error).with("field", "Idempotency-Key")
        }
        ExecuteError::Contended => concurrent_change(),
        ExecuteError::Overloaded => Problem::overloaded(),
        ExecuteError::UsageQueueFull => usage_queue_full(),
        ExecuteError::Log(error) => append(&error),
        ExecuteError::Load(error) => load(&error),
        ExecuteError::Vault(error) => vault(&error),
        ExecuteError::BalancesBehind => said(UNAVAILABLE, &error).retry_after_seconds(RETRY_AFTER),
        ExecuteError::Database(error) => Problem::database(&error),
        ExecuteError::Json(error) => Problem::internal(&error),
        ExecuteError::Random(_) => Problem::internal(&error),
    }
}

fn concurrent_change() -> Problem {
    Problem::new(CONCURRENT_CHANGE)
        .with_detail("Nothing was changed. Send it again.")
        .retry_after_seconds(RETRY_AFTER)
}

/// What waits is written in about a second; see `event_log::usage::RECORDS_WAITING_MAX`.
pub(crate) fn usage_queue_full() -> Problem {
    Problem::new(USAGE_QUEUE_FULL)
        .with_detail("Nothing of it was recorded. Send all of it again.")
        .retry_after_seconds(RETRY_AFTER)
}

fn append(error: &AppendError) -> Problem {
    match error {
        // The executor deals with these two; were one left over, sending it again would help.
        AppendError::Conflict(_) | AppendError::Replayed(_) => concurrent_change(),
        AppendError::Overloaded => Problem::overloaded(),
        AppendError::Database(error) => Problem::database(error),
        AppendError::Unknown(source) => {
            tracing::error!(error = %source, "the outcome of a command is not known");
            Problem::new(OUTCOME_UNKNOWN)
                .with_detail(
                    "The connection broke while it was being recorded. Send it again with the same \
                     Idempotency-Key: it is carried out once, whatever happened.",
                )
                .retry_after_seconds(RETRY_AFTER)
        }
        AppendError::Vault(error) => vault(error),
        AppendError::Closed => Problem::new(UNAVAILABLE)
            .with_detail("This server is shutting down; nothing was changed.")
            .retry_after_seconds(RETRY_AFTER),
    }
}

fn load(error: &LoadError) -> Problem {
    match error {
        LoadError::Read { source, .. } => match source {
            PersistenceError::ConnectionError(cause) | PersistenceError::UnknownError(cause) => {
                match cause.downcast_ref::<sqlx::Error>() {
                    Some(cause) => Problem::database(cause),
                    None => Problem::internal(error),
                }
            }
            PersistenceError::OptimisticLockError | PersistenceError::DeserializationError(_) => {
                Problem::internal(error)
            }
        },
        LoadError::Payload { .. } => Problem::internal(error),
        LoadError::Vault { source, .. } => vault(source),
    }
}

/// What is said of keys is for who runs orgledger: it is logged and not answered.
fn vault(error: &VaultError) -> Problem {
    match error {
        VaultError::Sqlx(error) => Problem::database(error),
        VaultError::KeyMissing { .. }
        | VaultError::UnknownMasterKey { .. }
        | VaultError::KeyChanged { .. }
        | VaultError::TextChanged { .. }
        | VaultError::InTheClear { .. }
        | VaultError::NoPerson { .. }
        | VaultError::Erased { .. }
        | VaultError::Json(_)
        | VaultError::Random
        | VaultError::Cipher => Problem::internal(error),
    }
}
