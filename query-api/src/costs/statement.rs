//! The SQL of a report.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use event_schemas::OrganizationId;
use sqlx::{Postgres, QueryBuilder};

use super::behind::OfLine;
use super::dimension::Dimension;
use super::known::Known;
use super::reading::{Reading, SUMS};
use crate::viewer::Visible;

/// What a report is made of: everything that has been looked up.
pub(super) struct Plan<'a> {
    pub(super) organization_id: OrganizationId,
    pub(super) by: &'a [Dimension],
    /// Only usage of these values.
    pub(super) only: &'a [(Dimension, String)],
    /// Only usage without any of these.
    pub(super) without: &'a [Dimension],
    pub(super) visible: &'a Visible,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    /// The name of a zone that Postgres knows, of letters, digits and `/_+-` alone.
    pub(super) time_zone: &'a str,
    pub(super) reading: Reading,
    pub(super) known: Known,
    /// The position of the picture.
    pub(super) position: i64,
}

/// A part of the answer: some rows of one table.
struct Part {
    reading: Reading,
    recorded: Recorded,
}

/// Which rows, by when they were recorded.
enum Recorded {
    AtAnyTime,
    /// On days before this one.
    BeforeDay(NaiveDate),
    /// In hours from one on and before another.
    InHours(Option<DateTime<Utc>>, DateTime<Utc>),
    /// Records of batches from this time on, up to a position; or what was corrected from then on.
    UptoPosition(Option<DateTime<Utc>>, i64),
}

impl Plan<'_> {
    /// The records that have to be read one by one: recorded from when on, and up to which position.
    pub(super) fn records(&self) -> Option<(Option<DateTime<Utc>>, i64)> {
        self.parts().into_iter().find_map(|part| match part.recorded {
            Recorded::UptoPosition(from, position) => Some((from, position)),
            Recorded::AtAnyTime | Recorded::BeforeDay(_) | Recorded::InHours(..) => None,
        })
    }

    fn parts(&self) -> Vec<Part> {
        let reading = self.reading;
        let part = |reading, recorded| Part { reading, recorded };
        let one_by_one = |from, position| {
            [Reading::Records, Reading::Corrections]
                .map(|reading| part(reading, Recorded::UptoPosition(from, position)))
        };
        let (position, before, in_part) = match self.known {
            Known::Nothing => return vec![],
            Known::All if reading == Reading::Records => {
                return one_by_one(None, self.position).into();
            }
            Known::All => return vec![part(reading, Recorded::AtAnyTime)],
            Known::Upto { position, .. } if reading == Reading::Records => {
                return one_by_one(None, position).into();
            }
            Known::Upto { position, before, in_part } => (position, before, in_part),
        };
        let day = before.date_naive();
        let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
        let mut parts = Vec::with_capacity(4);
        if reading == Reading::QuarterHourly {
            parts.push(part(reading, Recorded::InHours(None, before)));
        } else {
            parts.push(part(reading, Recorded::BeforeDay(day)));
            if before > midnight {
                let hours = Recorded::InHours(Some(midnight), before);
                parts.push(part(Reading::QuarterHourly, hours));
            }
        }
        if in_part {
            parts.extend(one_by_one(Some(before), position));
        }
        parts
    }

    fn columns(&self, write: &dyn Fn(usize, &Dimension) -> String) -> String {
        self.by.iter().enumerate().map(|(index, by)| write(index, by) + ", ").collect()
    }

    /// Sums by group and currency; none where there is nothing to read.
    pub(super) fn sums(&self, rows_max: usize) -> Option<QueryBuilder<'static, Postgres>> {
        let written = self.columns(&|index, by| by.written(&format!("d{index}"), self.time_zone));
        let parts = self.parts();
        let mut statement = QueryBuilder::new(format!(
            "select {written} currency, requests, failed_requests, unpriced_requests,
                 unbilled_requests, input_tokens, cached_input_tokens, cache_write_tokens,
                 output_tokens, reasoning_tokens, cost::text as cost from ("
        ));
        self.push_parts(&mut statement, &parts, SUMS, &|part| {
            (part.reading.table().to_owned(), part.reading.sums(), "")
        })?;
        statement.push(format_args!(" limit {}) sums", rows_max + 1));
        Some(statement)
    }

    /// What was used beside tokens, by group, currency and unit.
    pub(super) fn units(&self) -> Option<QueryBuilder<'static, Postgres>> {
        let written = self.columns(&|index, by| by.written(&format!("d{index}"), self.time_zone));
        let parts: Vec<Part> = match (self.reading, self.known) {
            (Reading::Records, _) | (_, Known::Nothing) => self.parts(),
            _ => Plan { reading: Reading::QuarterHourly, ..*self }.parts(),
        };
        let mut statement =
            QueryBuilder::new(format!("select {written} currency, unit, quantity from ("));
        let quantity = "sum(quantity)::bigint as quantity";
        self.push_parts(&mut statement, &parts, quantity, &|part| match part.reading {
            Reading::Records => (
                "log.usage_records".to_owned(),
                "sum(used.value::bigint)::bigint as quantity".to_owned(),
                "used.key",
            ),
            Reading::Corrections => (
                part.reading.table().to_owned(),
                "sum(sign * used.value::bigint)::bigint as quantity".to_owned(),
                "used.key",
            ),
            Reading::DailyByFeature
            | Reading::Daily
            | Reading::ByFeature
            | Reading::Hourly
            | Reading::QuarterHourly => {
                ("read.usage_units".to_owned(), quantity.to_owned(), "unit")
            }
        })?;
        statement.push(") sums");
        Some(statement)
    }

    /// The parts, summed up where there are several. `read` says of each its table, its sums, and
    /// what it is grouped by beside the dimensions and the currency.
    fn push_parts(
        &self,
        statement: &mut QueryBuilder<'static, Postgres>,
        parts: &[Part],
        summed_up: &str,
        read: &dyn Fn(&Part) -> (String, String, &'static str),
    ) -> Option<()> {
        let grouped = self.columns(&|index, _| format!("d{index}"));
        let unit = if parts.iter().any(|part| !read(part).2.is_empty()) { ", unit" } else { "" };
        if parts.len() > 1 {
            statement.push(format_args!("select {grouped} currency{unit}, {summed_up} from ("));
        }
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                statement.push(" union all ");
            }
            let (table, sums, more) = read(part);
            let time = part.reading.time();
            let selected = self
                .columns(&|index, by| format!("{} as d{index}", by.grouped(time, self.time_zone)));
            let more = if more.is_empty() { String::new() } else { format!(", {more} as unit") };
            statement.push(format_args!("select {selected} currency{more}, {sums} from "));
            self.push_rows(statement, part, &table, unit);
            statement.push(format_args!(" group by {grouped} currency{unit}"));
        }
        if parts.len() > 1 {
            statement.push(format_args!(") parts group by {grouped} currency{unit}"));
        }
        (!parts.is_empty()).then_some(())
    }

    /// The batches of which records are on a line, in the order of the log, with how many; at most so
    /// many, and with what all of them come to. None where there is nothing to read.
    pub(super) fn batches(
        &self,
        line: OfLine,
        batches_max: usize,
    ) -> Option<QueryBuilder<'static, Postgres>> {
        let parts = self.parts();
        let mut statement = QueryBuilder::new(
            "select first_position as position, records, min(since) over () as since,
                 (sum(records) over ())::bigint as all_records
             from (select batch_id, sum(records)::bigint as records, min(since) as since from (",
        );
        for (index, part) in parts.iter().enumerate() {
            if part.reading == Reading::Corrections {
                statement.push("select batch_id, coalesce(sum(sign) filter (where ");
                line.push(&mut statement);
                statement.push("), 0) as records, null::timestamptz as since from ");
            } else {
                statement.push("select batch.batch_id, count(*) filter (where ");
                line.push(&mut statement);
                statement.push(") as records, min(occurred_at) filter (where ");
                line.push(&mut statement);
                statement.push(") as since from ");
            }
            self.push_rows(&mut statement, part, part.reading.table(), "");
            statement.push(if index + 1 < parts.len() {
                " group by 1 union all "
            } else {
                " group by 1"
            });
        }
        statement.push(format_args!(
            ") parts group by batch_id having sum(records) > 0) found
             join log.usage_batches using (batch_id) order by 1 limit {}",
            batches_max + 1
        ));
        (!parts.is_empty()).then_some(statement)
    }

    /// The events that put records onto a line, took them from it, or changed what they cost on it, with
    /// how many; as of the batches.
    pub(super) fn repricings(
        &self,
        line: OfLine,
        events_max: usize,
    ) -> Option<QueryBuilder<'static, Postgres>> {
        let parts = self.parts();
        let part = parts.iter().find(|part| part.reading == Reading::Corrections)?;
        let mut statement = QueryBuilder::new(
            "select position, records, null::timestamptz as since,
                 (sum(records) over ())::bigint as all_records
             from (select position, count(distinct correction_ordinal) as records from ",
        );
        self.push_rows(&mut statement, part, part.reading.table(), "");
        statement.push(" and ");
        line.push(&mut statement);
        statement.push(format_args!(
            " group by position) found order by position limit {}",
            events_max + 1
        ));
        Some(statement)
    }

    /// `table where …`.
    fn push_rows(
        &self,
        statement: &mut QueryBuilder<'static, Postgres>,
        part: &Part,
        table: &str,
        unit: &str,
    ) {
        let time = part.reading.time();
        let used =
            if unit.is_empty() { "" } else { " cross join lateral json_each_text(units) as used" };
        match part.recorded {
            Recorded::UptoPosition(recorded_from, position)
                if part.reading == Reading::Corrections =>
            {
                statement.push(format_args!("{table}{used} where true"));
                self.push_corrections(statement, recorded_from, position);
            }
            Recorded::UptoPosition(recorded_from, position) => {
                statement.push("(select batch_id, first_position, first_day, last_day");
                statement.push(" from log.usage_batches where true");
                self.push_batches(statement, recorded_from, position);
                // Days are here to leave out partitions, and not to find records by: whole months.
                statement.push(format_args!(
                    ") batch join {table} record on record.batch_id = batch.batch_id
                         and occurred_day >= date_trunc('month', first_day::timestamp)::date
                         and occurred_day < (date_trunc('month', last_day::timestamp)
                             + interval '1 month')::date{used} where true"
                ));
                statement.push(" and first_position + ordinal <= ").push_bind(position);
            }
            Recorded::AtAnyTime => {
                statement.push(format_args!("{table} where true"));
            }
            Recorded::BeforeDay(day) => {
                statement.push(format_args!("{table} where recorded_day < ")).push_bind(day);
            }
            Recorded::InHours(from, before) => {
                statement.push(format_args!("{table} where recorded_hour < ")).push_bind(before);
                if let Some(from) = from {
                    statement.push(" and recorded_hour >= ").push_bind(from);
                }
            }
        }
        statement.push(" and organization_id = ").push_bind(self.organization_id.0);
        self.visible.push(statement, Some("project_id"), Some("member_id"));
        if let Some(from) = self.from {
            statement.push(format_args!(" and {time} >= ")).push_bind(from);
        }
        if let Some(to) = self.to {
            statement.push(format_args!(" and {time} < ")).push_bind(to);
        }
        for (dimension, value) in self.only {
            let column = dimension.grouped(time, self.time_zone);
            // Postgres takes no NUL, and no record holds a control character: it finds nothing either way.
            let value = value.replace('\0', "\u{1}");
            statement.push(format_args!(" and ({column})::text = ")).push_bind(value);
        }
        for dimension in self.without {
            let column = dimension.grouped(time, self.time_zone);
            statement.push(format_args!(" and coalesce(({column})::text, '') = ''"));
        }
    }

    /// `and …`: the corrections that count.
    pub(super) fn push_corrections(
        &self,
        statement: &mut QueryBuilder<'static, Postgres>,
        recorded_from: Option<DateTime<Utc>>,
        position: i64,
    ) {
        statement.push(" and position <= ").push_bind(position);
        statement.push(" and organization_id = ").push_bind(self.organization_id.0);
        if let Some(from) = recorded_from {
            statement.push(" and recorded_at >= ").push_bind(from);
        }
        if let Some(from) = self.from {
            statement.push(" and occurred_at >= ").push_bind(from);
        }
        if let Some(to) = self.to {
            statement.push(" and occurred_at < ").push_bind(to);
        }
    }

    /// `and …`: the months that the report looks at.
    pub(super) fn push_months(&self, statement: &mut QueryBuilder<'static, Postgres>) {
        if let Some(from) = self.from {
            statement
                .push(" and (month + interval '1 month')::date > ")
                .push_bind(from.date_naive());
        }
        if let Some(to) = self.to {
            let last = to - TimeDelta::microseconds(1);
            statement.push(" and month <= ").push_bind(last.date_naive());
        }
    }

    /// `and …`: the batches whose records are to be read one by one.
    pub(super) fn push_batches(
        &self,
        statement: &mut QueryBuilder<'static, Postgres>,
        recorded_from: Option<DateTime<Utc>>,
        position: i64,
    ) {
        statement.push(" and organization_id = ").push_bind(self.organization_id.0);
        statement.push(" and first_position <= ").push_bind(position);
        if let Some(from) = recorded_from {
            statement.push(" and recorded_at >= ").push_bind(from);
        }
        if let Some(from) = self.from {
            statement.push(" and last_day >= ").push_bind(from.date_naive());
        }
        if let Some(to) = self.to {
            let last = to - TimeDelta::microseconds(1);
            statement.push(" and first_day <= ").push_bind(last.date_naive());
        }
    }
}
