//! Writing bundles.

use std::io::{self, Write};

use super::{
    HEAD, MANIFEST, Manifest, README, SCHEMAS, corrections_name, events_name, proof_name,
    usage_name,
};
use crate::copy::{COPY_HEADER, COPY_TRAILER};
use crate::keys::VerifyingKey;
use crate::tlog_proof::Proof;

const README_TEXT: &str = include_str!("readme.md");

/// Writes a bundle, one entry after another. The same leaves give the same bytes.
pub struct BundleWriter<W: Write> {
    tar: tar::Builder<W>,
    part: u64,
}

impl<W: Write> BundleWriter<W> {
    /// Begins it. `keys` are named in the README, for who has the right ones from elsewhere to compare.
    pub fn new(
        out: W,
        manifest: &Manifest,
        head: &Proof,
        keys: &[VerifyingKey],
    ) -> io::Result<Self> {
        let mut writer = Self { tar: tar::Builder::new(out), part: 0 };
        let keys: Vec<String> = keys.iter().map(|key| format!("    {key}")).collect();
        let readme = README_TEXT
            .replace("{origin}", &manifest.origin)
            .replace("{organization}", &manifest.organization_id.to_string())
            .replace("{first}", &manifest.first.to_string())
            .replace("{end}", &manifest.end.to_string())
            .replace("{size}", &manifest.size.to_string())
            .replace("{keys}", &keys.join("\n"));
        writer.entry(README, readme.as_bytes())?;
        let mut text = serde_json::to_vec_pretty(manifest)?;
        text.push(b'\n');
        writer.entry(MANIFEST, &text)?;
        writer.entry(HEAD, head.to_string().as_bytes())?;
        Ok(writer)
    }

    /// Adds an event's schema, before the first part.
    pub fn schema(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.entry(&format!("{SCHEMAS}{name}"), text.as_bytes())
    }

    /// Adds a part: its lines, the rows of its batches one after another, and where its tree was sealed
    /// within it.
    pub fn part(&mut self, lines: &[u8], rows: &[u8], head: Option<&Proof>) -> io::Result<()> {
        self.part += 1;
        if let Some(head) = head {
            self.entry(&proof_name(self.part), head.to_string().as_bytes())?;
        }
        self.entry(&events_name(self.part), lines)?;
        if !rows.is_empty() {
            let file = [&COPY_HEADER[..], rows, &COPY_TRAILER[..]].concat();
            self.entry(&usage_name(self.part), &file)?;
        }
        Ok(())
    }

    /// Adds to the part what its events correct: the lines that they have the hashes of, in order.
    pub fn corrections(&mut self, lines: &[u8]) -> io::Result<()> {
        self.entry(&corrections_name(self.part), lines)
    }

    /// Ends it.
    pub fn finish(self) -> io::Result<W> {
        let mut out = self.tar.into_inner()?;
        out.flush()?;
        Ok(out)
    }

    fn entry(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o444);
        header.set_mtime(0);
        self.tar.append_data(&mut header, name, bytes)
    }
}
