//! Why a query has no answer, and the one place where that becomes HTTP.

use api_conventions::problem::{COMMON, Problem, ProblemKind, USAGE_ARCHIVED};
use api_conventions::problem_kinds;
use event_schemas::Month;

problem_kinds! { pub(crate) OWN:
    /// The read model has not come as far as was asked.
    ///
    /// Send it again after `Retry-After`; `position` says how far it has come.
    NOT_YET_VISIBLE = "not-yet-visible" SERVICE_UNAVAILABLE "Not yet visible to queries";
    /// No build of the read model is in service.
    ///
    /// Send it again after `Retry-After`; `GET /v1/status` says how far the build has come.
    NOT_READY = "read-model-not-ready" SERVICE_UNAVAILABLE "The read model is still being built";
    /// The answer would be too long.
    ///
    /// Ask for less at once: fewer groupings, a shorter time, one organization.
    TOO_MANY_ROWS = "too-many-rows" UNPROCESSABLE_ENTITY "The answer would be too long";
    /// Too many usage records would have to be read one by one.
    ///
    /// Ask for a shorter time, or group by what is summed up beforehand: neither by end user nor by
    /// tag, service tier or error; and as known at the end of an hour instead of within it.
    TOO_MANY_RECORDS = "too-many-records" UNPROCESSABLE_ENTITY "Too much would have to be read";
    /// These read models stand apart from the log, and the question needs its usage records.
    ///
    /// Ask where the log is, or for what is summed up beforehand, as known now.
    RECORDS_ELSEWHERE = "records-elsewhere" UNPROCESSABLE_ENTITY "The usage records are not here";
}

/// Every kind of problem that a query can be answered with, by type.
pub fn problem_types() -> Vec<ProblemKind> {
    let mut kinds: Vec<ProblemKind> = COMMON.iter().chain(OWN).copied().collect();
    kinds.sort_unstable_by_key(|kind| kind.uri);
    kinds
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is no such thing, or not at that time.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A parameter is wrong.
    #[error("{field}: {why}")]
    Invalid {
        /// The parameter.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The read model has not come as far as was asked.
    #[error("the read model has reached position {reached}, not yet {wanted}")]
    NotYetVisible {
        /// The position asked for.
        wanted: i64,
        /// How far it has come.
        reached: i64,
    },
    /// No build of the read model is in service.
    #[error("no build of {0} is in service yet")]
    NotReady(&'static str),
    /// There is no checkpoint.
    #[error(
        "nothing is sealed yet; where it stays so, whoever runs orgledger has set no \
         ORGLEDGER_SIGNING_KEY"
    )]
    NotSealed,
    /// The answer would be too long.
    #[error("the answer would have more than {rows_max} rows: ask for less at once")]
    TooManyRows {
        /// The most rows of one answer.
        rows_max: usize,
    },
    /// Too many usage records would have to be read one by one.
    #[error(
        "{records} usage records would have to be read one by one, and at most {records_max} are"
    )]
    TooManyRecords {
        /// How many.
        records: i64,
        /// The most that are read.
        records_max: i64,
    },
    /// Usage records that would have to be read are not in the log's tables any more.
    #[error(
        "usage of {} is archived, and this would have to be read from its records: ask for a time without \
         it (`from`, `to`) or for what is summed up beforehand, or have it restored (`orgledger usage \
         restore`)", listed(.months)
    )]
    RecordsArchived {
        /// The months that they may be of.
        months: Vec<Month>,
    },
    /// The log is not in this database.
    #[error("these read models stand apart from the log, and this needs its usage records")]
    RecordsElsewhere,
    /// What stands in the read model, or what goes out, is not what it must be.
    #[error("a row cannot be read or written: {0}")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

fn listed(months: &[Month]) -> String {
    if months.is_empty() {
        return "that time".to_owned();
    }
    months.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl QueryError {
    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }

    pub(crate) fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::NotFound(what) => Self::not_found(what),
            QueryError::Invalid { field, why } => Self::invalid(field, why),
            QueryError::NotYetVisible { reached, .. } => Self::new(NOT_YET_VISIBLE)
                .with_detail(error.to_string())
                .with("position", reached)
                .retry_after_seconds(1),
            QueryError::NotReady(_) | QueryError::NotSealed => {
                Self::new(NOT_READY).with_detail(error.to_string()).retry_after_seconds(1)
            }
            QueryError::TooManyRows { rows_max } => {
                Self::new(TOO_MANY_ROWS).with_detail(error.to_string()).with("rows_max", rows_max)
            }
            QueryError::TooManyRecords { records_max, .. } => Self::new(TOO_MANY_RECORDS)
                .with_detail(error.to_string())
                .with("records_max", records_max),
            QueryError::RecordsArchived { .. } => {
                Self::new(USAGE_ARCHIVED).with_detail(error.to_string())
            }
            QueryError::RecordsElsewhere => {
                Self::new(RECORDS_ELSEWHERE).with_detail(error.to_string())
            }
            QueryError::Unreadable(_) => Self::internal(&error),
            QueryError::Database(error) => Self::database(&error),
        }
    }
}
