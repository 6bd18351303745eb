//! The one place where a refusal or failure becomes HTTP: a stable type, a status and, where one is
//! wrong, the field. No match here has a catch-all arm, so a new reason to refuse needs an answer.

pub(crate) mod failures;
mod kinds;
mod refusals;
mod webhooks;

use api_conventions::problem::COMMON;
use api_conventions::{Problem, ProblemKind};

pub use kinds::*;
pub(crate) use refusals::field_of_record;

use crate::refusal::{ExecuteError, Refusal};

/// Every kind of problem that a command can be answered with, by type.
pub fn problem_types() -> Vec<ProblemKind> {
    let mut kinds: Vec<ProblemKind> = COMMON.iter().chain(kinds::OWN).copied().collect();
    kinds.sort_unstable_by_key(|kind| kind.uri);
    kinds
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        failures::problem(error)
    }
}

/// A refusal as it is answered.
pub(crate) fn of_refusal(refusal: Refusal) -> Problem {
    refusals::problem(refusal)
}

/// What stands in the way, said in the words of the error.
fn said(kind: ProblemKind, error: &impl ToString) -> Problem {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    Problem::new(kind).with_detail(first.chain(characters).chain(['.']).collect::<String>())
}

/// The same for all that is not there or is another organization's, so that nobody can tell which.
fn not_found() -> Problem {
    Problem::not_found("resource")
}

#[cfg(test)]
mod tests;
