//! Pages of an audit log. A cursor has a fingerprint of what was asked instead of its words, for they
//! may be longer than a cursor may, and name somebody.

use api_conventions::{Cursor, Limit, Page};

use super::{AuditEntry, AuditFilter};
use crate::error::QueryError;
use crate::keyset;

/// Where the page before ended.
pub(super) fn after(
    list: &str,
    filter: &AuditFilter,
    cursor: Option<&Cursor>,
) -> Result<Option<i64>, QueryError> {
    keyset::after(list, &fingerprint(filter)?, cursor)
}

/// A page of entries that were read with one more than the limit.
pub(super) fn page(
    list: &str,
    filter: &AuditFilter,
    entries: Vec<AuditEntry>,
    limit: Limit,
) -> Result<Page<AuditEntry>, QueryError> {
    keyset::page(list, &fingerprint(filter)?, entries, limit, |entry| entry.position)
}

/// FNV-1a, 64 bits, over what was asked: whoever makes up another one gets another list's page, and no
/// more than they may see.
fn fingerprint(filter: &AuditFilter) -> Result<u64, QueryError> {
    let asked = serde_json::to_vec(filter).map_err(QueryError::unreadable)?;
    Ok(asked.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}
