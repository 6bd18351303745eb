//! Pages of what is not temporal: each begins after the key at which the one before ended.

use api_conventions::{Cursor, Limit, Page};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::QueryError;

/// Where a page ended, and what it was a page of.
#[derive(serde::Serialize, serde::Deserialize)]
struct Place<Q, K> {
    of: Q,
    after: K,
}

/// The key that a cursor was made of; refused where it is another list's, or the same list's asked
/// for in other words.
pub(crate) fn after<Q, K>(
    list: &str,
    of: &Q,
    cursor: Option<&Cursor>,
) -> Result<Option<K>, QueryError>
where
    Q: DeserializeOwned + PartialEq,
    K: DeserializeOwned,
{
    let Some(cursor) = cursor else { return Ok(None) };
    let unfit = |why: &str| QueryError::invalid("cursor", why);
    let place: Place<Q, K> =
        cursor.key(list).map_err(|_| unfit("it is not a next_cursor of this list"))?;
    if place.of != *of {
        return Err(unfit("it belongs to a list that was asked for in other words"));
    }
    Ok(Some(place.after))
}

/// A page of items that were read with one more than the limit, so that it is seen whether there are
/// more.
pub(crate) fn page<T, Q: Serialize, K: Serialize>(
    list: &str,
    of: &Q,
    mut items: Vec<T>,
    limit: Limit,
    key: impl Fn(&T) -> K,
) -> Result<Page<T>, QueryError> {
    let has_more = items.len() > limit.get();
    items.truncate(limit.get());
    let next_cursor = match items.last().filter(|_| has_more) {
        Some(last) => {
            let place = Place { of, after: key(last) };
            Some(Cursor::new(list, &place).map_err(QueryError::unreadable)?)
        }
        None => None,
    };
    Ok(Page { items, next_cursor })
}

/// The limit of a statement that finds out whether there are more.
pub(crate) fn one_more(limit: Limit) -> i64 {
    i64::try_from(limit.get() + 1).unwrap_or(i64::MAX)
}
