//! Rows with two time axes, from and to their table.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row as _};
use uuid::Uuid;

use super::{Fold, Row, Version};

pub(crate) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// How a row's own columns stand in its table; [`temporal_table!`] writes it.
pub(crate) trait Columns: Row + Send + Sync + 'static {
    const TABLE: &'static str;
    /// Names and types.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// Binds each column of all rows as one array, in the order of `COLUMNS`.
    fn bind<'q>(versions: &[Version<Self>], query: PgQuery<'q>) -> PgQuery<'q>;
    fn decode(row: &PgRow) -> Result<Self, sqlx::Error>;
}

/// Declares the rows of one table: a struct, its key, what it belongs to and its columns.
macro_rules! temporal_table {
    (
        $(#[$doc:meta])*
        $name:ident in $table:literal key($key:ty: $($key_field:ident),+) parents($($parent:ident),*) {
            $($field:ident: $field_type:ty = $column_type:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::struct_field_names)] // They are the columns'.
        pub(crate) struct $name {
            $(pub(crate) $field: $field_type,)+
        }

        impl $crate::temporal::Row for $name {
            type Key = $key;

            fn key(&self) -> $key {
                ($(self.$key_field),+)
            }

            fn parents(&self) -> Vec<uuid::Uuid> {
                let parents: &[Option<uuid::Uuid>] = &[$(self.$parent.into()),*];
                parents.iter().copied().flatten().collect()
            }
        }

        impl $crate::temporal::Columns for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), $column_type)),+];

            fn bind<'q>(
                versions: &[$crate::temporal::Version<Self>],
                query: $crate::temporal::PgQuery<'q>,
            ) -> $crate::temporal::PgQuery<'q> {
                query$(.bind(
                    versions.iter().map(|v| v.row.$field.clone()).collect::<Vec<$field_type>>(),
                ))+
            }

            fn decode(row: &sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: sqlx::Row::try_get(row, stringify!($field))?,)+ })
            }
        }
    };
}
pub(crate) use temporal_table;

/// The rows whose `column` is one of `ids`.
pub(crate) struct Touched<'a> {
    pub(crate) column: &'static str,
    pub(crate) ids: &'a [Uuid],
}

/// A page's rows of one table: where the stored ones stand, and the fold over them.
pub(crate) struct Loaded<R: Row> {
    places: Vec<String>,
    pub(crate) fold: Fold<R>,
}

/// Loads the rows that events from `earliest` on can change: known still, and still valid then.
pub(crate) async fn load<R: Columns>(
    connection: &mut PgConnection,
    touched: &[Touched<'_>],
    earliest: DateTime<Utc>,
) -> Result<Loaded<R>, sqlx::Error> {
    let touched: Vec<&Touched<'_>> = touched.iter().filter(|t| !t.ids.is_empty()).collect();
    if touched.is_empty() {
        return Ok(Loaded { places: Vec::new(), fold: Fold::over(Vec::new()) });
    }
    let conditions: Vec<String> = touched
        .iter()
        .zip(2..)
        .map(|(touched, n)| format!("{} = any(${n})", touched.column))
        .collect();
    let sql = format!(
        "select ctid::text as place, {}, valid_from, valid_to, known_from, opened_by, closed_by
         from {} where known_to is null and (valid_to is null or valid_to > $1) and ({})",
        names::<R>(),
        R::TABLE,
        conditions.join(" or "),
    );
    let mut query = sqlx::query(&sql).bind(earliest);
    for touched in touched {
        query = query.bind(touched.ids.to_vec());
    }
    let rows = query.fetch_all(connection).await?;
    let places = rows.iter().map(|row| row.get("place")).collect();
    let versions: Result<_, sqlx::Error> = rows.iter().map(version).collect();
    Ok(Loaded { places, fold: Fold::over(versions?) })
}

fn version<R: Columns>(row: &PgRow) -> Result<Version<R>, sqlx::Error> {
    Ok(Version {
        row: R::decode(row)?,
        valid_from: row.try_get("valid_from")?,
        valid_to: row.try_get("valid_to")?,
        known_from: row.try_get("known_from")?,
        known_to: None,
        opened_by: row.try_get("opened_by")?,
        closed_by: row.try_get("closed_by")?,
    })
}

/// Writes what a fold has changed.
pub(crate) async fn write<R: Columns>(
    connection: &mut PgConnection,
    loaded: &Loaded<R>,
) -> Result<(), sqlx::Error> {
    overrule(connection, loaded).await?;
    let inserted = loaded.fold.inserted();
    if inserted.is_empty() {
        return Ok(());
    }
    let own = R::COLUMNS.iter().zip(1..).map(|((_, kind), n)| format!("${n}::{kind}[]"));
    let times = ["timestamptz", "timestamptz", "bigint", "bigint", "bigint", "bigint"];
    let times = times.iter().zip(R::COLUMNS.len() + 1..).map(|(kind, n)| format!("${n}::{kind}[]"));
    let sql = format!(
        "insert into {} ({}, valid_from, valid_to, known_from, known_to, opened_by, closed_by)
         select * from unnest({})",
        R::TABLE,
        names::<R>(),
        own.chain(times).collect::<Vec<_>>().join(", "),
    );
    R::bind(inserted, sqlx::query(&sql))
        .bind(inserted.iter().map(|v| v.valid_from).collect::<Vec<_>>())
        .bind(inserted.iter().map(|v| v.valid_to).collect::<Vec<_>>())
        .bind(inserted.iter().map(|v| v.known_from).collect::<Vec<_>>())
        .bind(inserted.iter().map(|v| v.known_to).collect::<Vec<_>>())
        .bind(inserted.iter().map(|v| v.opened_by).collect::<Vec<_>>())
        .bind(inserted.iter().map(|v| v.closed_by).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Marks the stored rows that the log no longer says. They are found by where they stand: nobody
/// else writes to these tables while the build's row is locked, so they have not moved.
async fn overrule<R: Columns>(
    connection: &mut PgConnection,
    loaded: &Loaded<R>,
) -> Result<(), sqlx::Error> {
    let (places, known_to): (Vec<&str>, Vec<i64>) = loaded
        .fold
        .overruled()
        .map(|(index, position)| (loaded.places[index].as_str(), position))
        .unzip();
    if places.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "update {} t set known_to = u.known_to
         from unnest($1::text[]::tid[], $2::bigint[]) as u(place, known_to) where t.ctid = u.place",
        R::TABLE,
    );
    let done = sqlx::query(&sql).bind(&places).bind(known_to).execute(connection).await?;
    if usize::try_from(done.rows_affected()) == Ok(places.len()) {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}

fn names<R: Columns>() -> String {
    let names: Vec<&str> = R::COLUMNS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}
