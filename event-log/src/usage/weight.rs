//! How records are cut into messages of JetStream.

use event_schemas::RecordedUsage;

/// How much a message of usage records weighs at most: half the server's default `max_payload`, so
/// that an untouched server takes a full message.
const WEIGHT_MAX: usize = 512 * 1024;

/// What the numbers, ids and names of a record weigh. They take some 700 bytes as JSON, and may take
/// more one day.
const RECORD_WEIGHT: usize = 1_000;

/// The same of a correction, which has another price beside its record.
const CORRECTION_WEIGHT: usize = 1_200;

/// How many records each message carries. It hangs on nothing but the records: not on how they are
/// written, on the server, or on where a relay began.
///
/// This and the weights must never change: two relays of different versions that cut a batch
/// differently could each store a part of it.
pub(crate) fn record_cuts(records: &[RecordedUsage]) -> Vec<usize> {
    cuts(records.iter(), RECORD_WEIGHT)
}

/// How many corrections of these records each event carries, so that it fits into a message.
pub fn correction_cuts<'a>(records: impl Iterator<Item = &'a RecordedUsage>) -> Vec<usize> {
    cuts(records, CORRECTION_WEIGHT)
}

fn cuts<'a>(records: impl Iterator<Item = &'a RecordedUsage>, each: usize) -> Vec<usize> {
    let mut cuts = Vec::new();
    let (mut count, mut weight) = (0, 0);
    for record in records {
        let more = each + 2 * text_bytes(record);
        if count > 0 && weight + more > WEIGHT_MAX {
            cuts.push(count);
            (count, weight) = (0, 0);
        }
        count += 1;
        weight += more;
    }
    if count > 0 {
        cuts.push(count);
    }
    cuts
}

/// How long the sender's texts are. As JSON they are longer, but hardly ever twice as long.
fn text_bytes(record: &RecordedUsage) -> usize {
    let texts = [&record.feature, &record.provider, &record.model, &record.request_id];
    let tags = record.tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    texts.iter().map(|text| text.len()).sum::<usize>()
        + record.end_user.as_ref().map_or(0, String::len)
        + tags
        + said_since_units(record)
}

/// What records have been able to say since they carry units; nothing of one that says none of it,
/// which is cut as it always was.
fn said_since_units(record: &RecordedUsage) -> usize {
    let units: usize = record.units.iter().map(|(unit, _)| unit.as_str().len() + 10).sum();
    units
        + record.service_tier.as_ref().map_or(0, String::len)
        + record.error_type.as_ref().map_or(0, String::len)
}
