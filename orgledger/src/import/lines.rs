//! Reading files line by line, compressed or not, and telling one line from another.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;
use command_api::api_keys::secret::Pepper;
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

/// The longest line that is read; a longer one is not what it claims to be.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What some programs begin UTF-8 text with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Opens a file for reading; one whose name ends in `.gz` is decompressed on the way.
pub(crate) fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead + Send>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    let mut source: Box<dyn BufRead + Send> = if compressed {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(BufReader::new(file))
    };
    // Told here, since who reads on after an error may be told that the file has ended.
    let begin = source.fill_buf().with_context(|| format!("{} cannot be read", path.display()))?;
    if begin.starts_with(BYTE_ORDER_MARK) {
        source.consume(BYTE_ORDER_MARK.len());
    }
    Ok(source)
}

/// A line of a file, numbered from 1. What is wrong with a line that cannot be read stands in its
/// place.
pub(crate) struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Its text, or why it has none.
    pub text: Result<String, String>,
}

/// The lines of a file.
pub(crate) struct Lines {
    source: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    /// Reads lines from `source`.
    pub(crate) fn new(source: Box<dyn BufRead + Send>) -> Self {
        Self { source, number: 0 }
    }

    /// The next line that is not blank; none at the end of the file.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let mut limited = (&mut self.source).take(LINE_BYTES_MAX);
            if limited.read_until(b'\n', &mut bytes).context("the file cannot be read on")? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let number = self.number;
            if bytes.len() as u64 == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
                self.source.skip_until(b'\n').context("the file cannot be read on")?;
                let why = format!("the line is longer than {LINE_BYTES_MAX} bytes");
                return Ok(Some(Line { number, text: Err(why) }));
            }
            match String::from_utf8(bytes) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => return Ok(Some(Line { number, text: Ok(text.trim().to_owned()) })),
                Err(_) => {
                    let text = Err("the line is not UTF-8 text".to_owned());
                    return Ok(Some(Line { number, text }));
                }
            }
        }
    }
}

/// Names lines by what they say, so that the same line is known again in a second run, in a longer
/// file, and when other lines were put before it. The same text twice in one file is two lines.
#[derive(Default)]
pub(crate) struct LineKeys {
    pepper: Option<Pepper>,
    seen: HashMap<[u8; 32], u64>,
}

impl LineKeys {
    /// Keys of lines that name people: whoever has the log alone cannot try what a line may have
    /// said.
    pub(crate) fn under(pepper: &Pepper) -> Self {
        Self { pepper: Some(pepper.clone()), seen: HashMap::new() }
    }

    /// The key of the next line with this text.
    pub(crate) fn key(&mut self, text: &str) -> String {
        let hash: [u8; 32] = match &self.pepper {
            Some(pepper) => pepper.mac(&[b"line", &[0], text.as_bytes()]),
            None => Sha256::digest(text.as_bytes()).into(),
        };
        let nth = self.seen.entry(hash).or_default();
        *nth += 1;
        let hex = hash.iter().fold(String::with_capacity(64), |mut hex, byte| {
            use std::fmt::Write;
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        format!("{hex}:{nth}")
    }
}
