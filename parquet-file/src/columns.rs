//! The columns of a table, and their values.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};
use uuid::Uuid;

/// How many digits an amount has, and how many of them after the point.
const DECIMAL_PRECISION: i32 = 38;
const DECIMAL_SCALE: i32 = 12;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// 64 bits, signed.
    Integer,
    /// True or false.
    Boolean,
    /// An amount of 10⁻¹² units: `DECIMAL(38, 12)`.
    Decimal,
    /// A time, in microseconds of UTC.
    Time,
    /// A day.
    Date,
    /// A UUID.
    Uuid,
}

/// A column's name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// The values of one column in one row group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Of [`Kind::Text`].
    Text(Vec<Option<String>>),
    /// Of [`Kind::Integer`].
    Integer(Vec<Option<i64>>),
    /// Of [`Kind::Boolean`].
    Boolean(Vec<Option<bool>>),
    /// Of [`Kind::Decimal`], in units of 10⁻¹².
    Decimal(Vec<Option<i128>>),
    /// Of [`Kind::Time`]; what is finer than a microsecond is cut off.
    Time(Vec<Option<DateTime<Utc>>>),
    /// Of [`Kind::Date`].
    Date(Vec<Option<NaiveDate>>),
    /// Of [`Kind::Uuid`].
    Uuid(Vec<Option<Uuid>>),
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }

    pub(crate) fn schema(&self) -> Result<TypePtr, ParquetError> {
        let (physical, logical) = match self.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Integer => (Physical::INT64, None),
            Kind::Boolean => (Physical::BOOLEAN, None),
            Kind::Decimal => (
                Physical::FIXED_LEN_BYTE_ARRAY,
                Some(LogicalType::decimal(DECIMAL_SCALE, DECIMAL_PRECISION)),
            ),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
            Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
            Kind::Uuid => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)),
        };
        let mut column = Type::primitive_type_builder(&self.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        column = match self.kind {
            Kind::Decimal => {
                column.with_length(16).with_precision(DECIMAL_PRECISION).with_scale(DECIMAL_SCALE)
            }
            Kind::Uuid => column.with_length(16),
            Kind::Text | Kind::Integer | Kind::Boolean | Kind::Time | Kind::Date => column,
        };
        Ok(Arc::new(column.build()?))
    }
}

impl Values {
    /// What they are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Integer(_) => Kind::Integer,
            Self::Boolean(_) => Kind::Boolean,
            Self::Decimal(_) => Kind::Decimal,
            Self::Time(_) => Kind::Time,
            Self::Date(_) => Kind::Date,
            Self::Uuid(_) => Kind::Uuid,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Boolean(values) => values.len(),
            Self::Decimal(values) => values.len(),
            Self::Time(values) => values.len(),
            Self::Date(values) => values.len(),
            Self::Uuid(values) => values.len(),
        }
    }
}

pub(crate) fn text(value: &str) -> ByteArray {
    value.as_bytes().to_vec().into()
}

/// Two's complement, the highest byte first.
pub(crate) fn decimal(value: i128) -> FixedLenByteArray {
    value.to_be_bytes().to_vec().into()
}

pub(crate) fn uuid(value: Uuid) -> FixedLenByteArray {
    value.as_bytes().to_vec().into()
}

/// Days since 1970.
pub(crate) fn days(value: NaiveDate) -> i32 {
    let days = value.signed_duration_since(NaiveDate::default()).num_days();
    // Within what chrono's dates can say, it fits.
    i32::try_from(days).unwrap_or(i32::MAX)
}
