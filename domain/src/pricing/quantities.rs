//! What is counted once: a record's totals without their parts, and the parts.

use event_schemas::{Measure, Unit, Units, Whole};

use super::{PricingError, Tokens, Used};

/// Whether a quantity must have a rate for the record's cost to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Tokens: always, unless the model is priced by something else altogether.
    Tokens,
    /// The same use measured in another way, as images are beside their tokens: where nothing else
    /// of the record has one.
    OtherMeasure,
    /// What a provider charges beside the model, as searches are: always.
    Extra,
    /// The request itself: never.
    Request,
}

pub(super) const fn demand(measure: Measure) -> Demand {
    use Unit as U;
    let Measure::Unit(unit) = measure else { return Demand::Tokens };
    match unit {
        U::CacheWrite1hTokens
        | U::CacheWrite12hTokens
        | U::AudioInputTokens
        | U::CachedAudioInputTokens
        | U::CacheWriteAudioTokens
        | U::ImageInputTokens
        | U::CachedImageInputTokens
        | U::VideoInputTokens
        | U::CachedVideoInputTokens
        | U::AudioOutputTokens
        | U::ImageOutputTokens
        | U::VideoOutputTokens
        | U::CitationTokens => Demand::Tokens,
        U::WebSearches
        | U::LowContextWebSearches
        | U::HighContextWebSearches
        | U::MapSearches
        | U::FileSearches
        | U::CodeInterpreterSessions => Demand::Extra,
        U::Queries
        | U::InputImages
        | U::OutputImages
        | U::InputPixels
        | U::OutputPixels
        | U::InputCharacters
        | U::OutputCharacters
        | U::InputAudioMs
        | U::OutputAudioMs
        | U::InputVideoMs
        | U::OutputVideoMs
        | U::OutputVideo480pMs
        | U::OutputVideo720pMs
        | U::OutputVideo1080pMs
        | U::OutputVideo4kMs
        | U::ComputeMs
        | U::Pages
        | U::AnnotatedPages => Demand::OtherMeasure,
        U::Requests => Demand::Request,
    }
}

/// Whose rate prices what has none of its own, in this order.
pub(super) const fn stand_ins(measure: Measure) -> &'static [Measure] {
    use Measure::{CacheWrite, CachedInput, Input, Output, Reasoning};
    use Unit as U;
    match measure {
        Input | Output => &[],
        CachedInput | CacheWrite => &[Input],
        Reasoning => &[Output],
        Measure::Unit(unit) => match unit {
            U::CacheWrite1hTokens => &[CacheWrite, Input],
            U::CacheWrite12hTokens => &[Measure::Unit(U::CacheWrite1hTokens), CacheWrite, Input],
            U::AudioInputTokens | U::ImageInputTokens | U::VideoInputTokens => &[Input],
            U::CachedAudioInputTokens => &[CachedInput, Measure::Unit(U::AudioInputTokens), Input],
            U::CacheWriteAudioTokens => &[CacheWrite, Measure::Unit(U::AudioInputTokens), Input],
            U::CachedImageInputTokens => &[CachedInput, Measure::Unit(U::ImageInputTokens), Input],
            U::CachedVideoInputTokens => &[CachedInput, Measure::Unit(U::VideoInputTokens), Input],
            U::AudioOutputTokens
            | U::ImageOutputTokens
            | U::VideoOutputTokens
            | U::CitationTokens => &[Output],
            U::LowContextWebSearches | U::HighContextWebSearches => {
                &[Measure::Unit(U::WebSearches)]
            }
            U::OutputVideo480pMs
            | U::OutputVideo720pMs
            | U::OutputVideo1080pMs
            | U::OutputVideo4kMs => &[Measure::Unit(U::OutputVideoMs)],
            U::AnnotatedPages => &[Measure::Unit(U::Pages)],
            U::Requests
            | U::WebSearches
            | U::MapSearches
            | U::FileSearches
            | U::Queries
            | U::CodeInterpreterSessions
            | U::InputImages
            | U::OutputImages
            | U::InputPixels
            | U::OutputPixels
            | U::InputCharacters
            | U::OutputCharacters
            | U::InputAudioMs
            | U::OutputAudioMs
            | U::InputVideoMs
            | U::OutputVideoMs
            | U::ComputeMs
            | U::Pages => &[],
        },
    }
}

/// Hands over each quantity that is not zero, once: what is in a part is not in the whole any more.
pub(super) fn each(
    used: &Used<'_>,
    mut take: impl FnMut(Measure, i64) -> Result<(), PricingError>,
) -> Result<(), PricingError> {
    let Tokens { input, cached_input, cache_write, output, reasoning } = used.tokens;
    let mut take = |measure, count: i64| match count {
        0 => Ok(()),
        1.. => take(measure, count),
        ..0 => Err(PricingError::ImpossibleCounts),
    };
    if cached_input < 0 || cache_write < 0 || reasoning < 0 || output < 0 {
        return Err(PricingError::ImpossibleCounts);
    }
    let plain = less(less(input, cached_input)?, cache_write)?;
    if used.units.is_empty() {
        take(Measure::Input, plain)?;
        take(Measure::CachedInput, cached_input)?;
        take(Measure::CacheWrite, cache_write)?;
        take(Measure::Output, less(output, reasoning)?)?;
        take(Measure::Reasoning, reasoning)?;
    } else {
        of_input(used, plain, &mut take)?;
        of_output(used, &mut take)?;
        of_others(used.units, &mut take)?;
    }
    let requests = used.units.stated(Unit::Requests).unwrap_or(i64::from(!used.failed));
    take(Measure::Unit(Unit::Requests), requests)
}

fn less(whole: i64, part: i64) -> Result<i64, PricingError> {
    whole.checked_sub(part).ok_or(PricingError::ImpossibleCounts)
}

fn all_less(whole: i64, parts: &[i64]) -> Result<i64, PricingError> {
    parts.iter().try_fold(whole, |rest, part| less(rest, *part))
}

fn of_input(
    used: &Used<'_>,
    plain: i64,
    take: &mut impl FnMut(Measure, i64) -> Result<(), PricingError>,
) -> Result<(), PricingError> {
    use Unit as U;
    let count = |unit| used.units.get(unit);
    let cached = [
        (U::CachedAudioInputTokens, count(U::CachedAudioInputTokens)),
        (U::CachedImageInputTokens, count(U::CachedImageInputTokens)),
        (U::CachedVideoInputTokens, count(U::CachedVideoInputTokens)),
    ];
    let written = [
        (U::CacheWrite1hTokens, count(U::CacheWrite1hTokens)),
        (U::CacheWrite12hTokens, count(U::CacheWrite12hTokens)),
        (U::CacheWriteAudioTokens, count(U::CacheWriteAudioTokens)),
    ];
    let fresh = [
        (U::AudioInputTokens, all_less(count(U::AudioInputTokens), &[cached[0].1, written[2].1])?),
        (U::ImageInputTokens, less(count(U::ImageInputTokens), cached[1].1)?),
        (U::VideoInputTokens, less(count(U::VideoInputTokens), cached[2].1)?),
    ];
    for (whole, total, parts) in [
        (Measure::Input, plain, fresh),
        (Measure::CachedInput, used.tokens.cached_input, cached),
        (Measure::CacheWrite, used.tokens.cache_write, written),
    ] {
        take(whole, all_less(total, &parts.map(|(_, part)| part))?)?;
        parts.into_iter().try_for_each(|(unit, part)| take(Measure::Unit(unit), part))?;
    }
    Ok(())
}

fn of_output(
    used: &Used<'_>,
    take: &mut impl FnMut(Measure, i64) -> Result<(), PricingError>,
) -> Result<(), PricingError> {
    use Unit as U;
    let Tokens { output, reasoning, .. } = used.tokens;
    let parts =
        [U::AudioOutputTokens, U::ImageOutputTokens, U::VideoOutputTokens, U::CitationTokens]
            .map(|unit| (unit, used.units.get(unit)));
    take(Measure::Output, all_less(less(output, reasoning)?, &parts.map(|(_, part)| part))?)?;
    take(Measure::Reasoning, reasoning)?;
    parts.into_iter().try_for_each(|(unit, part)| take(Measure::Unit(unit), part))
}

/// Units that are in no count of tokens. Of one with parts the parts are taken off.
fn of_others(
    units: &Units,
    take: &mut impl FnMut(Measure, i64) -> Result<(), PricingError>,
) -> Result<(), PricingError> {
    use Unit as U;
    for (unit, count) in units.iter() {
        let measure = Measure::Unit(unit);
        if unit == U::Requests || demand(measure) == Demand::Tokens {
            continue;
        }
        let within = |part: Unit| part.part_of().contains(&Whole::Unit(unit));
        let parts = units.iter().filter(|(part, _)| within(*part));
        let rest = parts.into_iter().try_fold(count, |rest, (_, part)| less(rest, part))?;
        take(measure, rest)?;
    }
    Ok(())
}
