//! Writing bundles.

use std::io::{self, Write};

use super::{
    Earlier, HEAD, MANIFEST, Manifest, README, SCHEMAS, consistency_name, corrections_name,
    events_name, proof_name, usage_name,
};
use crate::copy::{COPY_HEADER, COPY_TRAILER};
use crate::keys::VerifyingKey;
use crate::tlog_proof::Proof;

const README_TEXT: &str = include_str!("readme.md");

const HOLDS_LEAVES: &str = "\
This file holds what the log `{origin}` recorded for the organization `{organization}`: leaves {first} to
before {end} of the {size} in its tree, byte for byte as they are stored, and the proofs that they are
complete, unaltered and in order.
";

const HOLDS_A_RECORD: &str = "\
This file holds one usage record that the log `{origin}` recorded for the organization `{organization}`:
record {ordinal} (the first is 0) of the batch that is leaf {first} of the {size} in its tree, byte for byte
as it is stored, and the proofs that it is of that batch, and the batch in the tree. Of the other records it
has hashes alone.
";

/// Writes a bundle, one entry after another. The same leaves give the same bytes.
pub struct BundleWriter<W: Write> {
    tar: tar::Builder<W>,
    earlier: usize,
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
        let mut writer = Self { tar: tar::Builder::new(out), earlier: 0, part: 0 };
        let keys: Vec<String> = keys.iter().map(|key| format!("    {key}")).collect();
        let holds = match &manifest.record {
            None => HOLDS_LEAVES.to_owned(),
            Some(record) => HOLDS_A_RECORD.replace("{ordinal}", &record.ordinal.to_string()),
        };
        let readme = README_TEXT
            .replace("{holds}", holds.trim_end())
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

    /// Adds that the log begins with what it was before; before the schemas.
    pub fn earlier(&mut self, earlier: &Earlier) -> io::Result<()> {
        self.earlier += 1;
        self.entry(&consistency_name(self.earlier), earlier.to_string().as_bytes())
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
