//! The two axes of time: when it was true, and what the log knew.

use api_conventions::{AsOf, Position};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};

use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// Which state of a temporal table is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Temporal {
    /// What was true at this time; without it, what is true and has no end.
    pub as_of: Option<DateTime<Utc>>,
    /// As the log knew it at this position; without it, as the log knows it now.
    pub at_position: Option<i64>,
}

impl Temporal {
    /// What is true, as the log knows it now.
    pub const NOW: Self = Self { as_of: None, at_position: None };

    /// From parameters.
    pub fn new(as_of: Option<AsOf>, at_position: Option<Position>) -> Self {
        Self {
            as_of: as_of.map(|AsOf(time)| time),
            at_position: at_position.map(|Position(position)| position),
        }
    }

    /// The position that a picture must have to answer.
    pub fn position_min(self) -> i64 {
        self.at_position.unwrap_or(0)
    }

    /// Refuses where the picture has not come as far as is asked.
    pub(crate) fn check(self, snapshot: &Snapshot) -> Result<(), QueryError> {
        let (wanted, reached) = (self.position_min(), snapshot.position());
        if reached < wanted { Err(QueryError::NotYetVisible { wanted, reached }) } else { Ok(()) }
    }

    /// The same in fewer words: the position of the picture itself is what is known now.
    pub(crate) fn simplified(self, snapshot: &Snapshot) -> Self {
        let at_position = self.at_position.filter(|position| *position != snapshot.position());
        Self { at_position, ..self }
    }

    /// Adds `and …` for the temporal rows of `alias`.
    pub(crate) fn push(self, query: &mut QueryBuilder<'_, Postgres>, alias: &str) {
        self.push_known(query, alias);
        match self.as_of {
            None => {
                query.push(format_args!(" and {alias}.valid_to is null"));
            }
            Some(time) => {
                query.push(format_args!(" and {alias}.valid_from <= ")).push_bind(time);
                query.push(format_args!(" and ({alias}.valid_to is null or {alias}.valid_to > "));
                query.push_bind(time).push(")");
            }
        }
    }

    /// The same for what was known, whenever it was true.
    pub(crate) fn push_known(self, query: &mut QueryBuilder<'_, Postgres>, alias: &str) {
        match self.at_position {
            None => {
                query.push(format_args!(" and {alias}.known_to is null"));
            }
            Some(position) => {
                query.push(format_args!(" and {alias}.known_from <= ")).push_bind(position);
                query.push(format_args!(" and ({alias}.known_to is null or {alias}.known_to > "));
                query.push_bind(position).push(")");
            }
        }
    }
}
