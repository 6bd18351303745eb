//! Writing row groups.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use crate::ParquetError;
use crate::columns::{Column, Values, days, decimal, text, uuid};

/// Writes one table.
pub struct ParquetWriter<W: Write + Send> {
    columns: Vec<Column>,
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file with these columns.
    pub fn new(into: W, columns: Vec<Column>) -> Result<Self, ParquetError> {
        let fields: Result<Vec<_>, _> = columns.iter().map(Column::schema).collect();
        let schema = Type::group_type_builder("table").with_fields(fields?).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("orgledger ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(into, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { columns, file })
    }

    /// Writes a row group: the values of each column, in the header's order. Some ten or hundred
    /// thousand rows are a good size.
    pub fn write(&mut self, values: &[Values]) -> Result<(), ParquetError> {
        self.check(values)?;
        let mut group = self.file.next_row_group()?;
        let mut values = values.iter();
        while let Some(mut column) = group.next_column()? {
            if let Some(values) = values.next() {
                write_column(&mut column, values)?;
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Writes the footer; without it the file is none.
    pub fn finish(self) -> Result<W, ParquetError> {
        Ok(self.file.into_inner()?)
    }

    fn check(&self, values: &[Values]) -> Result<(), ParquetError> {
        let wrong =
            |column: &str, why| Err(ParquetError::Mismatch { column: column.to_owned(), why });
        if values.len() != self.columns.len() {
            return wrong("all", "there are more or fewer than the header has");
        }
        for (column, one) in self.columns.iter().zip(values) {
            if one.kind() != column.kind {
                return wrong(&column.name, "it is of another kind");
            }
            if one.len() != values[0].len() {
                return wrong(&column.name, "it has more or fewer rows than the first");
            }
        }
        Ok(())
    }
}

fn write_column(
    column: &mut SerializedColumnWriter<'_>,
    values: &Values,
) -> Result<(), ParquetError> {
    match values {
        Values::Text(values) => put::<ByteArrayType, _>(column, values, |value| text(value)),
        Values::Integer(values) => put::<Int64Type, _>(column, values, |value| *value),
        Values::Boolean(values) => put::<BoolType, _>(column, values, |value| *value),
        Values::Decimal(values) => {
            put::<FixedLenByteArrayType, _>(column, values, |value| decimal(*value))
        }
        Values::Time(values) => {
            put::<Int64Type, _>(column, values, chrono::DateTime::timestamp_micros)
        }
        Values::Date(values) => put::<Int32Type, _>(column, values, |value| days(*value)),
        Values::Uuid(values) => {
            put::<FixedLenByteArrayType, _>(column, values, |value| uuid(*value))
        }
    }
}

/// What is there, and beside it for each row whether it is.
fn put<D: DataType, V>(
    column: &mut SerializedColumnWriter<'_>,
    values: &[Option<V>],
    stored: impl Fn(&V) -> D::T,
) -> Result<(), ParquetError> {
    let there: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<D::T> = values.iter().flatten().map(stored).collect();
    column.typed::<D>().write_batch(&values, Some(&there), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use uuid::Uuid;

    use super::*;
    use crate::Kind;

    #[test]
    fn what_was_written_is_read_again() {
        let columns = [
            ("text", Kind::Text),
            ("integer", Kind::Integer),
            ("boolean", Kind::Boolean),
            ("decimal", Kind::Decimal),
            ("time", Kind::Time),
            ("date", Kind::Date),
            ("uuid", Kind::Uuid),
        ];
        let columns = columns.map(|(name, kind)| Column::new(name, kind)).to_vec();
        let mut writer = ParquetWriter::new(Vec::new(), columns).expect("a header");
        let time = DateTime::from_timestamp_micros(-1_500_000);
        let group = [
            Values::Text(vec![Some("Zürich".to_owned()), None]),
            Values::Integer(vec![None, Some(i64::MIN)]),
            Values::Boolean(vec![Some(true), None]),
            Values::Decimal(vec![
                Some(-1),
                Some(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ]),
            Values::Time(vec![time, None]),
            Values::Date(vec![NaiveDate::from_ymd_opt(2026, 1, 31), None]),
            Values::Uuid(vec![Some(Uuid::from_u128(1)), None]),
        ];
        writer.write(&group).expect("a group");
        writer.write(&group).expect("another");
        let file = writer.finish().expect("a footer");
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).expect("a file");
        let rows: Vec<String> = reader
            .get_row_iter(None)
            .expect("rows")
            .map(|row| row.expect("a row").to_string())
            .collect();
        assert_eq!(rows.len(), 4);
        let first = "{text: \"Zürich\", integer: null, boolean: true, decimal: -0.000000000001, \
             time: 1969-12-31 23:59:58.500000 +00:00, date: 2026-01-31, \
             uuid: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]}";
        let second = "{text: null, integer: -9223372036854775808, boolean: null, \
             decimal: 99999999999999999999999999.999999999999, time: null, date: null, uuid: null}";
        assert_eq!(rows, [first, second, first, second]);
        let mut writer = ParquetWriter::new(Vec::new(), vec![Column::new("n", Kind::Integer)])
            .expect("a header");
        for wrong in [vec![], vec![Values::Text(vec![])]] {
            let refused = writer.write(&wrong);
            assert!(matches!(refused, Err(ParquetError::Mismatch { .. })), "{wrong:?}");
        }
    }
}
