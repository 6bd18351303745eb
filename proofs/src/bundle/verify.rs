//! Verifying a bundle: one pass, in memory that does not depend on its size.

use std::io::{self, Read};

use tar::{Entry, EntryType};

use super::part::text;
use super::reading::Reading;
use super::trouble::{Trouble, Verified};
use super::{
    CONSISTENCY, EARLIER_MAX, HEAD, MANIFEST, Manifest, README, SCHEMAS, consistency_name,
    corrections_name, events_name, proof_name, usage_name,
};
use crate::checkpoint::Checkpoint;
use crate::keys::VerifyingKey;
use crate::leaf::HeadLeaf;
use crate::tlog_proof::{Proof, ProofError};

/// Verifies a bundle against keys that one trusts.
pub fn verify(bundle: impl Read, keys: &[VerifyingKey]) -> Result<Verified, Trouble> {
    let mut archive = tar::Archive::new(bundle);
    // Raw: names that do not fit, sparse files and the like are nothing that a bundle has.
    let mut entries = archive.entries()?.raw(true);
    let mut named = || next(&mut entries);
    take(named()?, README)?;
    let (_, entry) = take(named()?, MANIFEST)?;
    let manifest = read_manifest(entry)?;
    let (_, entry) = take(named()?, HEAD)?;
    let mut reading = Reading::begin(manifest, entry, keys)?;
    let mut entry = named()?;
    let mut number = 1;
    while entry.as_ref().is_some_and(|(name, _)| name.starts_with(CONSISTENCY)) {
        // None has the name of one too many.
        let expected = if number > EARLIER_MAX { SCHEMAS } else { &consistency_name(number) };
        let (name, proof) = take(entry, expected)?;
        reading.earlier(&name, proof)?;
        number += 1;
        entry = named()?;
    }
    while entry.as_ref().is_some_and(|(name, _)| name.starts_with(SCHEMAS)) {
        entry = named()?;
    }
    let mut part = 1;
    while reading.size() < reading.manifest.end {
        let mut head = None;
        if entry.as_ref().is_some_and(|(name, _)| *name == proof_name(part)) {
            let (name, proof) = take(entry, &proof_name(part))?;
            head = reading.proven_head(&name, proof)?;
            entry = named()?;
        }
        let (_, lines) = take(entry, &events_name(part))?;
        reading.lines(lines, head)?;
        entry = named()?;
        if reading.wants_records() {
            let (_, rows) = take(entry, &usage_name(part))?;
            reading.records(rows)?;
            entry = named()?;
        }
        if reading.wants_corrections() {
            let name = corrections_name(part);
            if entry.as_ref().is_some_and(|(there, _)| *there == name) {
                let (_, lines) = take(entry, &name)?;
                reading.corrections(lines)?;
                entry = named()?;
            } else {
                reading.without_corrections()?;
            }
        }
        part += 1;
    }
    if let Some((found, _)) = entry {
        return Err(Trouble::OtherEntry { expected: "its end".to_owned(), found });
    }
    reading.end()
}

type Named<'a, R> = (String, Entry<'a, R>);

/// The next entry, with its name; none at the end.
fn next<'a, R: Read>(
    entries: &mut impl Iterator<Item = io::Result<Entry<'a, R>>>,
) -> Result<Option<Named<'a, R>>, Trouble> {
    let Some(entry) = entries.next().transpose()? else { return Ok(None) };
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    if entry.header().entry_type() != EntryType::Regular {
        return Err(Trouble::OtherEntry { expected: "a plain file".to_owned(), found: name });
    }
    Ok(Some((name, entry)))
}

/// That entry, or what is there instead.
fn take<'a, R: Read>(entry: Option<Named<'a, R>>, expected: &str) -> Result<Named<'a, R>, Trouble> {
    match entry {
        Some((name, entry)) if name == expected => Ok((name, entry)),
        other => {
            let found = other.map_or_else(|| "nothing".to_owned(), |(name, _)| name);
            Err(Trouble::OtherEntry { expected: expected.to_owned(), found })
        }
    }
}

fn read_manifest(entry: impl Read) -> Result<Manifest, Trouble> {
    let refused = |reason: String| Trouble::Manifest(reason);
    let text = text(entry)?.ok_or_else(|| refused("it is too large, or no text".to_owned()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    if manifest.format != Manifest::FORMAT {
        let format = manifest.format;
        return Err(refused(format!(
            "it is '{format}', and this program reads '{}'",
            Manifest::FORMAT
        )));
    }
    if manifest.first > manifest.end || manifest.end > manifest.size {
        return Err(refused("its range of leaves is none".to_owned()));
    }
    Ok(manifest)
}

/// Where an organization's tree stands, by a proof in an entry.
pub(super) fn read_head(
    name: &str,
    entry: impl Read,
    keys: &[VerifyingKey],
) -> Result<(HeadLeaf, Checkpoint, Vec<VerifyingKey>), Trouble> {
    let refused = |error| Trouble::Proof { name: name.to_owned(), error };
    let malformed = |what| refused(ProofError::Malformed(what));
    let text = text(entry)?.ok_or_else(|| malformed("it is too large, or no text"))?;
    let proof = Proof::parse(&text).map_err(refused)?;
    let record =
        proof.extra.as_deref().ok_or_else(|| malformed("it has no leaf in its extra data"))?;
    let head = HeadLeaf::parse(record);
    let head = head.map_err(|_| malformed("its extra data are no leaf of the log's tree"))?;
    let checkpoint = proof.verify(head.hash(), keys).map_err(refused)?;
    let signers = proof.checkpoint.verified_by(keys).map_err(|error| refused(error.into()))?;
    Ok((head, checkpoint, signers.into_iter().cloned().collect()))
}
