//! Verifying a file of evidence, offline.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail, ensure};
use proofs::VerifyingKey;
use proofs::bundle::{Verified, verify};
use serde_json::json;

use super::anchored;
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
    let text = if args.json {
        serde_json::to_string_pretty(&as_json(&found, anchored))?
    } else {
        told(path, &found, anchored)
    };
    crate::print(&crate::printable(&text))
}

/// How many checkpoints of a file are among those that were kept.
#[derive(Clone, Copy)]
struct Compared {
    kept: usize,
    agreeing: usize,
}

fn compare(found: &Verified, anchor: &Path, keys: &[VerifyingKey]) -> anyhow::Result<Compared> {
    let kept = anchored::read(anchor, keys)?;
    let mut agreeing = 0;
    for checkpoint in &kept {
        if checkpoint.origin != found.origin {
            bail!(
                "{} is of the log {}, and the evidence of {}",
                anchor.display(),
                checkpoint.origin,
                found.origin
            );
        }
        let same_size = found.checkpoints.iter().find(|one| one.size == checkpoint.size);
        match same_size {
            Some(one) if one.root == checkpoint.root => agreeing += 1,
            Some(one) => bail!(
                "the log was WRITTEN ANEW: the checkpoint of size {} that was kept in {} has the root {}, \
                 and the one in the evidence {}",
                one.size,
                anchor.display(),
                checkpoint.root,
                one.root
            ),
            None => {}
        }
    }
    if let Some(newest) = kept.last().filter(|newest| newest.size > found.checkpoint.size) {
        eprintln!(
            "note: the newest checkpoint that was kept has the size {}, and the evidence ends at {}: it \
             is older than that",
            newest.size, found.checkpoint.size
        );
    }
    Ok(Compared { kept: kept.len(), agreeing })
}

fn as_json(found: &Verified, anchored: Option<Compared>) -> serde_json::Value {
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
        "corrections_left_out": found.corrections_left_out,
        "first_position": found.positions.map(|(first, _)| first),
        "last_position": found.positions.map(|(_, last)| last),
        "recorded_at": found.recorded_at,
        "sealed_at": found.head.sealed_at,
        "checkpoint": {
            "size": found.checkpoint.size,
            "root": found.checkpoint.root.to_string(),
            "signed_by": found.signers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "anchored": anchored.map(|compared| json!({ "kept": compared.kept, "agreeing": compared.agreeing })),
    })
}

fn told(path: &Path, found: &Verified, anchored: Option<Compared>) -> String {
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
    let rewritten = match anchored {
        Some(Compared { agreeing: 0, .. }) => {
            "that nobody who holds the signing key wrote the log anew: no checkpoint of this file has the \
             size of one that was kept, so ask the log itself (`orgledger verify --anchor`)"
        }
        Some(_) => "what was recorded after the newest checkpoint that was kept",
        None => {
            "that nobody who holds the signing key wrote the log anew and signed it again: only a \
             checkpoint that was kept elsewhere shows that (--anchor)"
        }
    };
    let corrections = match found.corrections {
        0 => String::new(),
        some => format!(", and {some} corrections of what they cost"),
    };
    let left_out = match found.corrections_left_out {
        0 => String::new(),
        some => format!(
            "; {some} corrections of what usage costs, which events here have the hashes of, are not in \
             this file"
        ),
    };
    let others = match found.others {
        0 => String::new(),
        some => format!(
            "; {some} earlier checkpoints by keys that are not named: what they sealed is under this one"
        ),
    };
    let agreeing = anchored.map_or_else(String::new, |compared| {
        format!(
            "  kept elsewhere   {} of {} checkpoints are in this file, and agree\n",
            compared.agreeing, compared.kept
        )
    });
    format!(
        "{}: VERIFIED\n\
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
         {agreeing}\
         proven: these leaves are complete, unaltered and in order, as they stood when that was signed\n\
         not proven: {rewritten}; nor that what was recorded was true; README.md and schemas/ are for \
         reading, and anybody may have changed them{left_out}",
        path.display(),
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
