//! Rows in Postgres's binary COPY format, as they come: cut into rows, not decoded.
//! Source: PostgreSQL documentation, COPY, "Binary Format".

use uuid::Uuid;

/// What a file begins with: the signature, no flags, no extension.
pub const COPY_HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What a file ends with.
pub const COPY_TRAILER: [u8; 2] = [0xff, 0xff];

/// The longest row that is read; a usage record has some hundred bytes and at most some thousand.
const ROW_BYTES_MAX: usize = 1024 * 1024;

/// Why bytes are no such rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not in Postgres's binary COPY format")]
pub struct CopyError;

/// Whose row: the first two columns of a usage record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    /// The batch.
    pub batch_id: Uuid,
    /// Its place in the batch.
    pub ordinal: i32,
}

/// Cuts rows out of bytes that come in pieces.
#[derive(Debug, Default)]
pub struct CopyRows {
    bytes: Vec<u8>,
    /// How much of them has been given out.
    done: usize,
    has_header: bool,
    ended: bool,
}

impl CopyRows {
    /// Adds a piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.done);
        self.done = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// The next row that is complete, with its place; none where more is needed, or at the end.
    pub fn next_row(&mut self) -> Result<Option<(RowPlace, &[u8])>, CopyError> {
        if !self.has_header {
            let Some(header) = self.bytes.get(..COPY_HEADER.len()) else { return Ok(None) };
            if header != COPY_HEADER {
                return Err(CopyError);
            }
            self.has_header = true;
            self.done = COPY_HEADER.len();
        }
        let rest = &self.bytes[self.done..];
        if self.ended {
            return if rest.is_empty() { Ok(None) } else { Err(CopyError) };
        }
        if rest.starts_with(&COPY_TRAILER) {
            self.ended = true;
            self.done += COPY_TRAILER.len();
            let more = self.bytes.len() > self.done;
            return if more { Err(CopyError) } else { Ok(None) };
        }
        let Some(length) = row_length(rest)? else { return Ok(None) };
        let row = &rest[..length];
        self.done += length;
        Ok(Some((place(row).ok_or(CopyError)?, row)))
    }

    /// Whether the trailer has come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

/// How long the row is that bytes begin with; none where it is not complete.
fn row_length(bytes: &[u8]) -> Result<Option<usize>, CopyError> {
    let Some((count, _)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
    let count = u16::from_be_bytes(*count);
    if count > 1_600 {
        // More columns than a table can have.
        return Err(CopyError);
    }
    let mut at = 2;
    for _ in 0..count {
        let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) else {
            return Ok(None);
        };
        at += 4;
        // -1 is null, and has no bytes.
        if *length != [0xff; 4] {
            at += usize::try_from(u32::from_be_bytes(*length)).map_err(|_| CopyError)?;
        }
        if at > ROW_BYTES_MAX {
            return Err(CopyError);
        }
    }
    Ok((bytes.len() >= at).then_some(at))
}

/// The first two columns: `uuid`, `integer`.
fn place(row: &[u8]) -> Option<RowPlace> {
    let batch_id = row.get(2..22)?.strip_prefix(&16_u32.to_be_bytes())?;
    let ordinal = row.get(22..30)?.strip_prefix(&4_u32.to_be_bytes())?;
    Some(RowPlace {
        batch_id: Uuid::from_slice(batch_id).ok()?,
        ordinal: i32::from_be_bytes(ordinal.try_into().ok()?),
    })
}
