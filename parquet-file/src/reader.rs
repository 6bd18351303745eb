//! Reading row groups back.

use chrono::{DateTime, Days, NaiveDate};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::file::reader::{ChunkReader, FileReader as _, RowGroupReader, SerializedFileReader};
use uuid::Uuid;

use crate::ParquetError;
use crate::columns::{Column, Kind, Values};

/// Reads one table that a [`crate::ParquetWriter`] wrote, or another that is just like it.
pub struct ParquetReader<R: ChunkReader + 'static> {
    columns: Vec<Column>,
    file: SerializedFileReader<R>,
}

impl<R: ChunkReader + 'static> ParquetReader<R> {
    /// Opens a file that has these columns, in this order.
    pub fn new(from: R, columns: Vec<Column>) -> Result<Self, ParquetError> {
        let file = SerializedFileReader::new(from)?;
        let there = file.metadata().file_metadata().schema().get_fields();
        for (column, field) in columns.iter().zip(there) {
            if *column.schema()? != **field {
                return Err(mismatch(&column.name, "the file has another in its place"));
            }
        }
        if there.len() != columns.len() {
            return Err(mismatch("all", "the file has more or fewer"));
        }
        Ok(Self { columns, file })
    }

    /// How many row groups it has.
    pub fn groups(&self) -> usize {
        self.file.num_row_groups()
    }

    /// The values of each column in a row group.
    pub fn read(&self, group: usize) -> Result<Vec<Values>, ParquetError> {
        let group = self.file.get_row_group(group)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let columns = self.columns.iter().enumerate();
        columns.map(|(place, column)| read_column(&*group, place, column, rows)).collect()
    }
}

fn read_column(
    group: &dyn RowGroupReader,
    place: usize,
    column: &Column,
    rows: usize,
) -> Result<Values, ParquetError> {
    let name = column.name.as_str();
    let beyond = || mismatch(name, "a value is not one of its kind");
    Ok(match (column.kind, group.get_column_reader(place)?) {
        (Kind::Text, ColumnReader::ByteArrayColumnReader(from)) => {
            Values::Text(take(from, rows, name, |value| text(&value).ok_or_else(beyond))?)
        }
        (Kind::Integer, ColumnReader::Int64ColumnReader(from)) => {
            Values::Integer(take(from, rows, name, Ok)?)
        }
        (Kind::Boolean, ColumnReader::BoolColumnReader(from)) => {
            Values::Boolean(take(from, rows, name, Ok)?)
        }
        (Kind::Decimal, ColumnReader::FixedLenByteArrayColumnReader(from)) => {
            let decimal = |value| Ok(i128::from_be_bytes(fixed(&value).ok_or_else(beyond)?));
            Values::Decimal(take(from, rows, name, decimal)?)
        }
        (Kind::Time, ColumnReader::Int64ColumnReader(from)) => {
            let time = |micros| DateTime::from_timestamp_micros(micros).ok_or_else(beyond);
            Values::Time(take(from, rows, name, time)?)
        }
        (Kind::Date, ColumnReader::Int32ColumnReader(from)) => {
            Values::Date(take(from, rows, name, |days| date(days).ok_or_else(beyond))?)
        }
        (Kind::Uuid, ColumnReader::FixedLenByteArrayColumnReader(from)) => {
            let uuid = |value| Ok(Uuid::from_bytes(fixed(&value).ok_or_else(beyond)?));
            Values::Uuid(take(from, rows, name, uuid)?)
        }
        // The header was compared: it says how each kind is stored.
        (
            Kind::Text
            | Kind::Integer
            | Kind::Boolean
            | Kind::Decimal
            | Kind::Time
            | Kind::Date
            | Kind::Uuid,
            _,
        ) => return Err(mismatch(name, "it is stored otherwise")),
    })
}

/// All rows of a column: what is there, and nothing where it is null.
fn take<D: DataType, V>(
    mut from: ColumnReaderImpl<D>,
    rows: usize,
    name: &str,
    read: impl Fn(D::T) -> Result<V, ParquetError>,
) -> Result<Vec<Option<V>>, ParquetError> {
    let (mut there, mut stored) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    while there.len() < rows {
        let left = rows - there.len();
        let (got, ..) = from.read_records(left, Some(&mut there), None, &mut stored)?;
        if got == 0 {
            return Err(mismatch(name, "it has fewer rows than its group"));
        }
    }
    let mut stored = stored.into_iter();
    let value = |is_there: i16| {
        if is_there == 0 { Ok(None) } else { stored.next().map(&read).transpose() }
    };
    there.into_iter().map(value).collect()
}

fn mismatch(column: &str, why: &'static str) -> ParquetError {
    ParquetError::Mismatch { column: column.to_owned(), why }
}

fn text(value: &ByteArray) -> Option<String> {
    std::str::from_utf8(value.data()).ok().map(str::to_owned)
}

fn fixed<const N: usize>(value: &FixedLenByteArray) -> Option<[u8; N]> {
    value.data().try_into().ok()
}

/// Days since 1970.
fn date(days: i32) -> Option<NaiveDate> {
    let apart = Days::new(days.unsigned_abs().into());
    let epoch = NaiveDate::default();
    if days < 0 { epoch.checked_sub_days(apart) } else { epoch.checked_add_days(apart) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParquetWriter;

    fn columns() -> Vec<Column> {
        [
            ("text", Kind::Text),
            ("integer", Kind::Integer),
            ("boolean", Kind::Boolean),
            ("decimal", Kind::Decimal),
            ("time", Kind::Time),
            ("date", Kind::Date),
            ("uuid", Kind::Uuid),
        ]
        .map(|(name, kind)| Column::new(name, kind))
        .to_vec()
    }

    fn group(number: i64) -> Vec<Values> {
        vec![
            Values::Text(vec![Some(format!("Zürich {number}")), None, Some(String::new())]),
            Values::Integer(vec![None, Some(i64::MIN + number), Some(0)]),
            Values::Boolean(vec![Some(true), None, Some(false)]),
            Values::Decimal(vec![Some((-1_i128).pow(2) - 2), Some(i128::from(number)), None]),
            Values::Time(vec![DateTime::from_timestamp_micros(-1_500_000 - number), None, None]),
            Values::Date(vec![
                NaiveDate::from_ymd_opt(1969, 12, 30),
                NaiveDate::from_ymd_opt(2026, 1, 31),
                None,
            ]),
            Values::Uuid(vec![Some(Uuid::from_u128(1)), None, Some(Uuid::max())]),
        ]
    }

    fn file(columns: Vec<Column>, groups: &[Vec<Values>]) -> bytes::Bytes {
        let mut writer = ParquetWriter::new(Vec::new(), columns).expect("a header");
        for group in groups {
            writer.write(group).expect("a group");
        }
        bytes::Bytes::from(writer.finish().expect("a footer"))
    }

    #[test]
    fn what_was_written_is_read_again() {
        let written = [group(1), group(2)];
        let reader = ParquetReader::new(file(columns(), &written), columns()).expect("a file");
        assert_eq!(reader.groups(), 2);
        for (number, group) in written.iter().enumerate() {
            assert_eq!(reader.read(number).expect("a group"), *group);
        }
    }

    #[test]
    fn many_rows_of_many_pages_are_all_read() {
        let texts = (0..200_000).map(|n| (n % 7 != 0).then(|| format!("{n} and more of it")));
        let texts = Values::Text(texts.collect());
        let column = || vec![Column::new("text", Kind::Text)];
        let reader = ParquetReader::new(file(column(), &[vec![texts.clone()]]), column());
        assert_eq!(reader.expect("a file").read(0).expect("a group"), [texts]);
    }

    #[test]
    fn another_table_is_refused() {
        let others = [
            vec![Column::new("text", Kind::Text)],
            [columns(), vec![Column::new("more", Kind::Text)]].concat(),
            columns().into_iter().rev().collect(),
            [vec![Column::new("text", Kind::Uuid)], columns()[1..].to_vec()].concat(),
        ];
        for other in others {
            let refused = ParquetReader::new(file(columns(), &[group(1)]), other.clone());
            assert!(matches!(refused.err(), Some(ParquetError::Mismatch { .. })), "{other:?}");
        }
        let cut_off = file(columns(), &[group(1)]).slice(..40);
        assert!(ParquetReader::new(cut_off, columns()).is_err());
    }
}
