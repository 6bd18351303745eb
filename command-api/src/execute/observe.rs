//! Metrics of commands: how many came to what, and how long they took.

use std::time::Instant;

use super::Answer;
use crate::refusal::ExecuteError;

/// What a command came to, as a metric's label: few values.
pub(super) fn outcome_of<O>(answer: &Result<Answer<O>, ExecuteError>) -> &'static str {
    match answer {
        Ok(answer) if answer.replayed => "replayed",
        Ok(_) => "done",
        Err(error) => failure(error),
    }
}

/// Why a command was not done, as a metric's label.
pub(crate) fn failure(error: &ExecuteError) -> &'static str {
    match error {
        ExecuteError::Refused(_) | ExecuteError::IdempotencyKeyReused => "refused",
        ExecuteError::Contended => "contended",
        ExecuteError::Overloaded | ExecuteError::UsageQueueFull => "overloaded",
        ExecuteError::Log(_)
        | ExecuteError::Load(_)
        | ExecuteError::Database(_)
        | ExecuteError::Json(_)
        | ExecuteError::Vault(_)
        | ExecuteError::BalancesBehind
        | ExecuteError::Random(_) => "failed",
    }
}

/// Reports a command.
pub(crate) fn command(name: &'static str, started: Instant, outcome: &'static str) {
    metrics::counter!("orgledger_commands_total", "command" => name, "outcome" => outcome)
        .increment(1);
    metrics::histogram!("orgledger_command_seconds", "command" => name)
        .record(started.elapsed().as_secs_f64());
}
