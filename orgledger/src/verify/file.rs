//! Verifying a file of evidence, offline.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail, ensure};
use proofs::VerifyingKey;
use proofs::bundle::{Verified, verify};
use serde_json::json;

use super::{anchored, record};
use crate::cli::seals::VerifyArgs;

/// Verifies it and says what it proves.
pub(super) fn run(path: &Path, keys: &[VerifyingKey], args: &VerifyArgs) -> anyhow::Result<()> {
    ensure!(
        !keys.is_empty(),
        "a file of evidence is verified against the log's public key: name it with --key. Take it from \
         somebody you trust, not from the file"
    );
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = verify(file, keys)
        .map_err(|trouble| anyhow!(crate::printable_line(&trouble.to_string())))
        .with_context(|| format!("{} is NOT VERIFIED", path.display()))?;
    let anchored = match &args.anchor {
        Some(anchor) => Some(compare(&found, anchor, keys)?),
        None => None,
    };
    let record = found.record.as_ref().map(record::read).transpose()?;
    let text = if args.json {
        serde_json::to_string_pretty(&as_json(&found, anchored, record.as_ref()))?
    } else {
        told(path, &found, anchored, record.as_ref())
    };
    let text = crate::printable(&text);
    match anchored {
        Some(compared) if !compared.with_newest() => {
            eprintln!("{text}");
            Err(compared.lacking())
        }
        Some(_) | None => crate::print(&text),
    }
}

/// How a file of evidence agrees with the checkpoints that were kept.
#[derive(Clone, Copy)]
struct Compared {
    kept: usize,
    /// The size of the newest.
    newest: u64,
    /// With how many it agrees.
    agreeing: usize,
    /// The size of the newest that it agrees with.
    upto: Option<u64>,
    /// The size of the newest that it could speak of, and does not.
    unsaid: Option<u64>,
}

fn compare(found: &Verified, anchor: &Path, keys: &[VerifyingKey]) -> anyhow::Result<Compared> {
    let kept = anchored::read(anchor, keys)?;
    let newest = kept.last().map_or(0, |newest| newest.size);
    let mut compared = Compared { kept: kept.len(), newest, agreeing: 0, upto: None, unsaid: None };
    for checkpoint in &kept {
        if checkpoint.origin != found.origin {
            bail!(
                "{} is of the log {}, and the evidence of {}",
                anchor.display(),
                checkpoint.origin,
                found.origin
            );
        }
        match found.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => {
                compared.agreeing += 1;
                compared.upto = Some(checkpoint.size);
            }
            Some(root) => bail!(
                "the log was WRITTEN ANEW: the checkpoint of size {} that was kept in {} has the root {}, \
                 and the log in the evidence had {root} at that size",
                checkpoint.size,
                anchor.display(),
                checkpoint.root,
            ),
            None if checkpoint.size < found.checkpoint.size => {
                compared.unsaid = Some(checkpoint.size);
            }
            None => {}
        }
    }
    if let Some(newest) = kept.last().filter(|newest| newest.size > found.checkpoint.size) {
        eprintln!(
            "note: the newest checkpoint that was kept has the size {}, and the evidence ends at {}: it \
             was taken before that, or from a log that was PUT BACK to an older state. Ask for evidence \
             of today",
            newest.size, found.checkpoint.size
        );
    }
    // Of the older ones, what the newest says covers all.
    compared.unsaid = compared.unsaid.filter(|size| compared.upto.is_none_or(|upto| *size > upto));
    Ok(compared)
}

impl Compared {
    /// Whether it agrees with the newest checkpoint that was kept. Who writes a log anew leaves out what
    /// would show it, so nothing less counts.
    fn with_newest(self) -> bool {
        self.upto == Some(self.newest)
    }

    fn lacking(self) -> anyhow::Error {
        anyhow!(
            "the evidence holds by itself, and is NOT COMPARED with the newest checkpoint that was kept, of \
             size {}: {ASK}",
            self.newest
        )
    }
}

fn as_json(
    found: &Verified,
    anchored: Option<Compared>,
    record: Option<&serde_json::Map<String, serde_json::Value>>,
) -> serde_json::Value {
    json!({
        "verified": true,
        "origin": found.origin,
        "organization_id": found.organization_id,
        "complete": found.is_complete(),
        "first": found.first,
        "end": found.end,
        "size": found.size,
        "events": found.events,
        "usage_records": found.usage_records,
        "corrections": found.corrections,
        "first_position": found.positions.map(|(first, _)| first),
        "last_position": found.positions.map(|(_, last)| last),
        "recorded_at": found.recorded_at,
        "sealed_at": found.head.sealed_at,
        "checkpoint": {
            "size": found.checkpoint.size,
            "root": found.checkpoint.root.to_string(),
            "signed_by": found.signers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "anchored": anchored.map(|compared| json!({
            "kept": compared.kept,
            "agreeing": compared.agreeing,
            "agreeing_size": compared.upto,
            "without_proof_size": compared.unsaid,
            "newest_size": compared.newest,
            "compared_with_newest": compared.with_newest(),
        })),
        "record": record,
    })
}

/// Evidence that says it of a checkpoint.
const ASK: &str = "ask for evidence that was exported with your file of checkpoints (`orgledger evidence \
    export … --anchor FILE`), or ask the log itself (`orgledger verify --anchor FILE`)";

/// What is not proven of a log that was written anew.
fn rewritten(anchored: Option<Compared>) -> String {
    match anchored {
        None => "that nobody who holds the signing key wrote the log anew and signed it again: only a \
                 checkpoint that was kept elsewhere shows that (--anchor)"
            .to_owned(),
        Some(Compared { upto: None, unsaid: None, .. }) => {
            "that nobody who holds the signing key wrote the log anew: it is older than every checkpoint \
             that was kept"
                .to_owned()
        }
        Some(Compared { upto: None, unsaid: Some(size), .. }) => format!(
            "that nobody who holds the signing key wrote the log anew: this file has no proof for a \
             checkpoint that was kept, of size {size} for instance; {ASK}"
        ),
        Some(Compared { upto: Some(upto), unsaid: Some(size), .. }) => format!(
            "that nobody who holds the signing key wrote anew what was recorded after the checkpoint of \
             size {upto}: this file has no proof for the one of size {size} that was kept; {ASK}"
        ),
        Some(Compared { upto: Some(upto), unsaid: None, .. }) => format!(
            "that nobody who holds the signing key wrote anew what was recorded after the checkpoint of \
             size {upto}, the newest that was kept and that it is compared with"
        ),
    }
}

fn told(
    path: &Path,
    found: &Verified,
    anchored: Option<Compared>,
    record: Option<&serde_json::Map<String, serde_json::Value>>,
) -> String {
    let range = if found.is_complete() {
        format!("all {} of the organization's tree", found.size)
    } else {
        format!("{} to before {}, of the {} in its tree", found.first, found.end, found.size)
    };
    let positions = found
        .positions
        .map_or_else(|| "none".to_owned(), |(first, last)| format!("{first} to {last}"));
    let until = found.recorded_at.map_or_else(|| "—".to_owned(), |at| at.to_rfc3339());
    let signers: Vec<String> = found.signers.iter().map(ToString::to_string).collect();
    let rewritten = rewritten(anchored);
    let corrections = match found.corrections {
        0 => String::new(),
        some => format!(", and {some} corrections of what they cost"),
    };
    let others = match found.others {
        0 => String::new(),
        some => format!(
            "; {some} earlier checkpoints by keys that are not named: what they sealed is under this one"
        ),
    };
    let agreeing = anchored.map_or_else(String::new, |compared| {
        format!(
            "  kept elsewhere   {} of {} checkpoints: the log of this file had that root at that size\n",
            compared.agreeing, compared.kept
        )
    });
    let (what, proven) = match (&found.record, record) {
        (Some(place), Some(record)) => (
            record::told(place, record),
            "this record is one of its batch, and as it was recorded; the batch is of this tree, as it \
             stood when that was signed. What it was priced at since is not here",
        ),
        (_, _) => (
            String::new(),
            "these leaves are complete, unaltered and in order, as they stood when that was signed",
        ),
    };
    format!(
        "{}: VERIFIED{}\n\
         \x20 log              {}\n\
         \x20 organization     {}\n\
         \x20 leaves           {range}\n\
         \x20 events           {}\n\
         \x20 usage records    {}{corrections}\n\
         \x20 positions        {positions}\n\
         \x20 recorded until   {until}\n\
         \x20 sealed at        {}\n\
         \x20 checkpoint       size {}, root {}\n\
         \x20 signed by        {}{others}\n\
         {agreeing}{what}\
         proven: {proven}\n\
         not proven: {rewritten}; nor that what was recorded was true; README.md and schemas/ are for \
         reading, and anybody may have changed them",
        path.display(),
        if anchored.is_some_and(|compared| !compared.with_newest()) {
            " BY ITSELF, and NOT COMPARED with what was kept"
        } else {
            ""
        },
        found.origin,
        found.organization_id,
        found.events,
        found.usage_records,
        found.head.sealed_at.to_rfc3339(),
        found.checkpoint.size,
        found.checkpoint.root,
        signers.join(", "),
    )
}
