//! Reading what stands in entries, within limits: a hostile file costs no more memory than an honest
//! one.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line: an event has at most some megabytes, a list of all prices.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The largest entry that is read at once: a manifest, a proof.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// How much of an entry is read ahead.
const BUFFER_BYTES: usize = 256 * 1024;

/// The lines of an entry.
pub(super) struct Lines<R> {
    entry: BufReader<R>,
    line: Vec<u8>,
}

/// How reading a line ended.
pub(super) enum NextLine<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// The entry ends here.
    End,
    /// The line is too long, or the entry ends within it.
    Broken,
}

impl<R: Read> Lines<R> {
    pub(super) fn of(entry: R) -> Self {
        Self { entry: BufReader::with_capacity(BUFFER_BYTES, entry), line: Vec::new() }
    }

    pub(super) fn next_line(&mut self) -> io::Result<NextLine<'_>> {
        self.line.clear();
        let mut limited = (&mut self.entry).take(LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(NextLine::End);
        }
        Ok(match self.line.strip_suffix(b"\n") {
            Some(line) => NextLine::Line(line),
            None => NextLine::Broken,
        })
    }
}

/// A small entry as text; none where it is too large or no UTF-8.
pub(super) fn text(entry: impl Read) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    entry.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}
