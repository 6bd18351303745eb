//! What was used in the provider's own words: the usage object of its answer, as it came.

use domain::pricing::Tokens;
use domain::usage::UsageRecord;
use domain::usage::provider_usage::{UnreadableUsage, usage_object};
use serde_json::{Map, Value};

use super::RecordFate;
use super::record_text::invalid;

/// Puts what the object says into the record. Units may stand beside it, since no provider's object
/// has all that it charges for; what is said in both is refused, for one of them would be lost.
pub(super) fn take_over(
    record: &mut UsageRecord,
    object: Map<String, Value>,
) -> Result<(), RecordFate> {
    let counts = [
        ("input_tokens", record.input_tokens),
        ("cached_input_tokens", record.cached_input_tokens),
        ("cache_write_tokens", record.cache_write_tokens),
        ("output_tokens", record.output_tokens),
        ("reasoning_tokens", record.reasoning_tokens),
    ];
    if let Some((field, _)) = counts.iter().find(|(_, count)| *count != 0) {
        return Err(invalid(Some(field), "usage stands beside it and says the same: send either"));
    }
    let said = usage_object(&record.provider, object).map_err(|error| unreadable(&error))?;
    let Tokens { input, cached_input, cache_write, output, reasoning } = said.tokens;
    record.input_tokens = input;
    record.cached_input_tokens = cached_input;
    record.cache_write_tokens = cache_write;
    record.output_tokens = output;
    record.reasoning_tokens = reasoning;
    for (unit, count) in said.units.iter() {
        if record.units.stated(unit).is_some() {
            let field = format!("units.{}", unit.as_str());
            return Err(invalid(Some(&field), "usage says it, too: send either"));
        }
        record.units.set(unit, count);
    }
    record.service_tier = record.service_tier.take().or(said.service_tier);
    Ok(())
}

fn unreadable(error: &UnreadableUsage) -> RecordFate {
    let field = match error {
        UnreadableUsage::Missing { field } => format!("usage.{field}"),
        UnreadableUsage::NotACount { field } => format!("usage.{field}"),
        UnreadableUsage::Unknown => "usage".to_owned(),
    };
    invalid(Some(&field), &error.to_string())
}
