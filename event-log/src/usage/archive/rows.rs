//! A record as a row of `COPY` in binary and as a row of a Parquet table: each is made of the other,
//! to the last bit.
//!
//! Source of the first: PostgreSQL documentation, COPY, "Binary Format".

use chrono::{DateTime, NaiveDate};
use parquet_file::{Column, Kind, Values};
use uuid::Uuid;

use super::ArchiveError;
use crate::usage::copy::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS, SIGNATURE};

/// What a column of `log.usage_records` is, in Postgres and in Parquet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// `uuid`
    Uuid,
    /// `integer`
    Integer,
    /// `bigint`
    Bigint,
    /// `bigint`, in units of 10⁻¹²: a decimal in Parquet.
    Pico,
    /// `text`, or `json` as it was written.
    Text,
    /// `timestamptz`
    Time,
    /// `date`
    Date,
}

/// The columns of `log.usage_records`, in the order in which they are copied.
pub(super) const COLUMNS: [(&str, Is); 29] = [
    ("batch_id", Is::Uuid),
    ("ordinal", Is::Integer),
    ("organization_id", Is::Uuid),
    ("project_id", Is::Uuid),
    ("api_key_id", Is::Uuid),
    ("member_id", Is::Uuid),
    ("service_account_id", Is::Uuid),
    ("end_user", Is::Text),
    ("feature", Is::Text),
    ("provider", Is::Text),
    ("model", Is::Text),
    ("request_id", Is::Text),
    ("occurred_at", Is::Time),
    ("occurred_day", Is::Date),
    ("request_key", Is::Uuid),
    ("content_key", Is::Uuid),
    ("input_tokens", Is::Bigint),
    ("cached_input_tokens", Is::Bigint),
    ("cache_write_tokens", Is::Bigint),
    ("output_tokens", Is::Bigint),
    ("reasoning_tokens", Is::Bigint),
    ("price_version", Is::Bigint),
    ("cost_pico", Is::Pico),
    ("currency", Is::Text),
    ("tags", Is::Text),
    ("units", Is::Text),
    ("service_tier", Is::Text),
    ("error_type", Is::Text),
    ("duration_ms", Is::Bigint),
];

/// What the archive calls the column of costs: there it is an amount.
const COST: &str = "cost";

/// The columns of an archive's files: the position, then those of the table.
pub(super) fn columns() -> Vec<Column> {
    let of_table = COLUMNS.iter().map(|(name, is)| match is {
        Is::Uuid => Column::new(*name, Kind::Uuid),
        Is::Integer | Is::Bigint => Column::new(*name, Kind::Integer),
        Is::Pico => Column::new(COST, Kind::Decimal),
        Is::Text => Column::new(*name, Kind::Text),
        Is::Time => Column::new(*name, Kind::Time),
        Is::Date => Column::new(*name, Kind::Date),
    });
    std::iter::once(Column::new("position", Kind::Integer)).chain(of_table).collect()
}

/// A row's fields, as they stand in it.
pub(super) type Fields<'a> = Vec<Option<&'a [u8]>>;

/// Rows of `COPY` in binary, one after another.
pub(super) struct CopiedRows<'a> {
    rest: &'a [u8],
}

impl<'a> CopiedRows<'a> {
    /// Of a whole answer, with its header.
    pub(super) fn of(copied: &'a [u8]) -> Result<Self, ArchiveError> {
        let unlike = || ArchiveError::Copied("it does not begin as COPY in binary does");
        let rest = copied.strip_prefix(SIGNATURE).ok_or_else(unlike)?;
        // Flags, and the length of a header that goes on, which none does.
        let rest = rest.strip_prefix(&[0_u8; 8]).ok_or_else(unlike)?;
        Ok(Self { rest })
    }

    /// The next row: all of it, with the number of its fields, and the fields; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<(&'a [u8], Fields<'a>)>, ArchiveError> {
        let begin = self.rest;
        let count = i16::from_be_bytes(self.bytes()?);
        if count == -1 {
            return Ok(None);
        }
        let mut fields = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        for _ in 0..count {
            let length = i32::from_be_bytes(self.bytes()?);
            fields.push(match usize::try_from(length) {
                Ok(length) => Some(self.take(length)?),
                Err(_) => None,
            });
        }
        Ok(Some((&begin[..begin.len() - self.rest.len()], fields)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ArchiveError> {
        let cut_off = ArchiveError::Copied("it ends within a row");
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(cut_off)?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| ArchiveError::Copied("it ends within a number"))
    }
}

/// The values of some rows, a vector for each column.
pub(super) fn empty() -> Vec<Values> {
    let columns = columns();
    let of = |column: &Column| match column.kind {
        Kind::Text => Values::Text(Vec::new()),
        Kind::Integer => Values::Integer(Vec::new()),
        Kind::Boolean => Values::Boolean(Vec::new()),
        Kind::Decimal => Values::Decimal(Vec::new()),
        Kind::Time => Values::Time(Vec::new()),
        Kind::Date => Values::Date(Vec::new()),
        Kind::Uuid => Values::Uuid(Vec::new()),
    };
    columns.iter().map(of).collect()
}

/// Adds a row: its position, and its fields as Postgres has them.
pub(super) fn push(
    values: &mut [Values],
    position: i64,
    fields: &[Option<&[u8]>],
) -> Result<(), ArchiveError> {
    if fields.len() != COLUMNS.len() || values.len() != COLUMNS.len() + 1 {
        return Err(ArchiveError::Copied(
            "a row has more or fewer fields than the table has columns",
        ));
    }
    let (first, others) = values.split_at_mut(1);
    if let Values::Integer(positions) = &mut first[0] {
        positions.push(Some(position));
    }
    for (((_, is), field), values) in COLUMNS.iter().zip(fields).zip(others) {
        put(values, *is, *field)?;
    }
    Ok(())
}

fn put(values: &mut Values, is: Is, field: Option<&[u8]>) -> Result<(), ArchiveError> {
    match (is, values) {
        (Is::Uuid, Values::Uuid(values)) => {
            values.push(field.map(fixed).transpose()?.map(Uuid::from_bytes));
        }
        (Is::Integer, Values::Integer(values)) => {
            values.push(field.map(fixed).transpose()?.map(|n| i32::from_be_bytes(n).into()));
        }
        (Is::Bigint, Values::Integer(values)) => {
            values.push(field.map(fixed).transpose()?.map(i64::from_be_bytes));
        }
        (Is::Pico, Values::Decimal(values)) => {
            values.push(field.map(fixed).transpose()?.map(|n| i64::from_be_bytes(n).into()));
        }
        (Is::Text, Values::Text(values)) => {
            let text = field.map(|text| std::str::from_utf8(text).map(str::to_owned)).transpose();
            values.push(text.map_err(|_| ArchiveError::Copied("a text is not UTF-8"))?);
        }
        (Is::Time, Values::Time(values)) => {
            let micros = field.map(fixed).transpose()?.map(i64::from_be_bytes);
            let time = |micros: i64| {
                let since_1970 = micros.checked_add(POSTGRES_EPOCH_MICROS);
                since_1970.and_then(DateTime::from_timestamp_micros)
            };
            values.push(known(micros, time, "a time is beyond all that is written")?);
        }
        (Is::Date, Values::Date(values)) => {
            let days = field.map(fixed).transpose()?.map(i32::from_be_bytes);
            let date = |days: i32| {
                days.checked_add(POSTGRES_EPOCH_DAYS).and_then(NaiveDate::from_num_days_from_ce_opt)
            };
            values.push(known(days, date, "a day is beyond all that is written")?);
        }
        (
            Is::Uuid | Is::Integer | Is::Bigint | Is::Pico | Is::Text | Is::Time | Is::Date,
            Values::Text(_)
            | Values::Integer(_)
            | Values::Boolean(_)
            | Values::Decimal(_)
            | Values::Time(_)
            | Values::Date(_)
            | Values::Uuid(_),
        ) => return Err(ArchiveError::Copied("a column is of another kind")),
    }
    Ok(())
}

fn known<A, B>(
    stored: Option<A>,
    read: impl Fn(A) -> Option<B>,
    why: &'static str,
) -> Result<Option<B>, ArchiveError> {
    stored.map(|stored| read(stored).ok_or(ArchiveError::Copied(why))).transpose()
}

fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N], ArchiveError> {
    field.try_into().map_err(|_| ArchiveError::Copied("a field has another length than its type"))
}

/// How many rows of a file these are.
pub(super) fn count(values: &[Values]) -> usize {
    positions(values).map_or(0, <[_]>::len)
}

/// The position of a row of a file.
pub(super) fn position(values: &[Values], row: usize) -> Result<i64, ArchiveError> {
    let position = positions(values).and_then(|positions| positions.get(row).copied().flatten());
    position.ok_or(ArchiveError::Unlike("a row has no position"))
}

fn positions(values: &[Values]) -> Option<&[Option<i64>]> {
    match values.first()? {
        Values::Integer(positions) => Some(positions),
        Values::Text(_)
        | Values::Boolean(_)
        | Values::Decimal(_)
        | Values::Time(_)
        | Values::Date(_)
        | Values::Uuid(_) => None,
    }
}

/// Writes a row of a file as Postgres copies it, with the number of its fields.
pub(super) fn encode(values: &[Values], row: usize, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
    if values.len() != COLUMNS.len() + 1 {
        return Err(ArchiveError::Unlike("it has more or fewer columns than the table"));
    }
    let count = i16::try_from(COLUMNS.len()).unwrap_or(i16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for ((_, is), values) in COLUMNS.iter().zip(&values[1..]) {
        let missing = ArchiveError::Unlike("a column has fewer rows than the first");
        match (is, values) {
            (Is::Uuid, Values::Uuid(values)) => {
                let id = values.get(row).ok_or(missing)?;
                field(out, id.as_ref().map(|id| id.as_bytes().as_slice()));
            }
            (Is::Integer, Values::Integer(values)) => {
                let number = values.get(row).ok_or(missing)?.map(i32::try_from).transpose();
                let number = number.map_err(|_| ArchiveError::Unlike("a number is too large"))?;
                field(out, number.map(i32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice));
            }
            (Is::Bigint, Values::Integer(values)) => {
                bigint(out, *values.get(row).ok_or(missing)?);
            }
            (Is::Pico, Values::Decimal(values)) => {
                let pico = values.get(row).ok_or(missing)?.map(i64::try_from).transpose();
                bigint(out, pico.map_err(|_| ArchiveError::Unlike("an amount is too large"))?);
            }
            (Is::Text, Values::Text(values)) => {
                field(out, values.get(row).ok_or(missing)?.as_deref().map(str::as_bytes));
            }
            (Is::Time, Values::Time(values)) => {
                let time = values.get(row).ok_or(missing)?;
                bigint(out, time.map(|time| time.timestamp_micros() - POSTGRES_EPOCH_MICROS));
            }
            (Is::Date, Values::Date(values)) => {
                let day = values.get(row).ok_or(missing)?;
                let days =
                    day.map(|day| chrono::Datelike::num_days_from_ce(&day) - POSTGRES_EPOCH_DAYS);
                field(out, days.map(i32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice));
            }
            (
                Is::Uuid | Is::Integer | Is::Bigint | Is::Pico | Is::Text | Is::Time | Is::Date,
                Values::Text(_)
                | Values::Integer(_)
                | Values::Boolean(_)
                | Values::Decimal(_)
                | Values::Time(_)
                | Values::Date(_)
                | Values::Uuid(_),
            ) => return Err(ArchiveError::Unlike("a column is of another kind")),
        }
    }
    Ok(())
}

fn bigint(out: &mut Vec<u8>, number: Option<i64>) {
    field(out, number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
}

fn field(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let length = bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_that_are_copied() {
        let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.join(", "), crate::usage::copy::COLUMNS);
    }

    #[test]
    fn a_row_becomes_values_and_the_same_row_again() {
        let bytes: Vec<u8> = (1..=16).collect();
        let full = |is: Is| match is {
            Is::Uuid => bytes.clone(),
            Is::Integer => i32::MAX.to_be_bytes().to_vec(),
            Is::Bigint => i64::MIN.to_be_bytes().to_vec(),
            Is::Pico => (-7_i64).to_be_bytes().to_vec(),
            Is::Text => "{\"a\" :  \"Zürich\"}".as_bytes().to_vec(),
            Is::Time => 812_345_678_901_i64.to_be_bytes().to_vec(),
            Is::Date => 9_490_i32.to_be_bytes().to_vec(),
        };
        let mut copied = [SIGNATURE, &[0; 8]].concat();
        let begin = copied.len();
        for nulls in [false, true] {
            copied.extend_from_slice(&29_i16.to_be_bytes());
            for (_, is) in COLUMNS {
                field(&mut copied, (!nulls).then(|| full(is)).as_deref());
            }
        }
        let end = copied.len();
        copied.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut rows = CopiedRows::of(&copied).expect("a header");
        let mut values = empty();
        while let Some((_, fields)) = rows.next().expect("a row") {
            push(&mut values, 7, &fields).expect("of the table's columns");
        }
        let mut again = Vec::new();
        for row in 0..2 {
            assert_eq!(position(&values, row).expect("a position"), 7);
            encode(&values, row, &mut again).expect("as it was");
        }
        assert_eq!(again, copied[begin..end]);
        let cut_off = CopiedRows::of(&copied[..end - 5]).and_then(|mut rows| {
            rows.next()?;
            rows.next()
        });
        assert!(matches!(cut_off, Err(ArchiveError::Copied(_))));
    }
}
