use proptest::prelude::*;

use super::*;
use event_schemas::{Unit, Units};

use crate::testing::{at, id};

fn record() -> UsageRecord {
    UsageRecord {
        project_id: id(0x50),
        api_key_id: None,
        member_id: None,
        service_account_id: None,
        end_user: Some("user-7".to_owned()),
        feature: String::new(),
        provider: "openai".to_owned(),
        model: "gpt-5".to_owned(),
        request_id: "req-1".to_owned(),
        occurred_at: at(0),
        input_tokens: 100,
        cached_input_tokens: 60,
        cache_write_tokens: 40,
        output_tokens: 10,
        reasoning_tokens: 10,
        units: Units::NONE,
        service_tier: None,
        error_type: None,
        duration_ms: None,
        tags: BTreeMap::from([("team".to_owned(), "search".to_owned())]),
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "an outcome reads as a value")]
fn check(change: impl FnOnce(&mut UsageRecord), then: Result<(), UsageError>) {
    let mut record = record();
    change(&mut record);
    assert_eq!(record.check(at(0)), then);
}

/// A text field by the name that a refusal calls it, and how to set it.
type TextField = (&'static str, fn(&mut UsageRecord, String));
type CountField = (&'static str, fn(&mut UsageRecord, i64));

const REQUIRED: [TextField; 3] = [
    ("request_id", |record, text| record.request_id = text),
    ("provider", |record, text| record.provider = text),
    ("model", |record, text| record.model = text),
];

const OPTIONAL: [TextField; 2] = [
    ("feature", |record, text| record.feature = text),
    ("end_user", |record, text| record.end_user = Some(text)),
];

const COUNTS: [CountField; 5] = [
    ("input_tokens", |record, count| record.input_tokens = count),
    ("cached_input_tokens", |record, count| record.cached_input_tokens = count),
    ("cache_write_tokens", |record, count| record.cache_write_tokens = count),
    ("output_tokens", |record, count| record.output_tokens = count),
    ("reasoning_tokens", |record, count| record.reasoning_tokens = count),
];

#[test]
fn a_record_as_it_should_be_passes() {
    check(|_| {}, Ok(()));
}

#[test]
fn texts_are_bounded_and_printable() {
    for (field, set) in REQUIRED.into_iter().chain(OPTIONAL) {
        check(|record| set(record, "ü".repeat(200)), Ok(()));
        let too_long = UsageError::TooLong { field, max: 200 };
        check(|record| set(record, "ü".repeat(201)), Err(too_long));
        let control = UsageError::ControlCharacter { field };
        check(|record| set(record, "a\0b".to_owned()), Err(control));
    }
    for (field, set) in REQUIRED {
        check(|record| set(record, " ".to_owned()), Err(UsageError::Empty { field }));
    }
    for (_, set) in OPTIONAL {
        check(|record| set(record, String::new()), Ok(()));
    }
    check(|record| record.end_user = None, Ok(()));
}

#[test]
fn counts_are_within_reason() {
    for (field, set) in COUNTS {
        for count in [-1, TOKENS_MAX + 1, i64::MIN, i64::MAX] {
            let refused = UsageError::CountOutOfRange { field, count };
            check(|record| set(record, count), Err(refused));
        }
    }
    check(|record| record.input_tokens = TOKENS_MAX, Ok(()));
}

#[test]
fn a_part_is_not_more_than_the_whole() {
    let cached = UsageError::CachedAboveInput { cached: 100, input: 99 };
    check(|record| record.input_tokens = 99, Err(cached));
    let reasoning = UsageError::ReasoningAboveOutput { reasoning: 10, output: 9 };
    check(|record| record.output_tokens = 9, Err(reasoning));
}

#[test]
fn a_record_happened_in_this_age() {
    let set = |time: DateTime<Utc>| move |record: &mut UsageRecord| record.occurred_at = time;
    let second = Duration::seconds(1);
    let (soon, late) = (at(1), at(1) + second);
    check(set(soon), Ok(()));
    check(set(late), Err(UsageError::InTheFuture { occurred_at: late }));
    let first: DateTime<Utc> = "2000-01-01T00:00:00Z".parse().unwrap();
    let before = first - second;
    check(set(first), Ok(()));
    check(set(before), Err(UsageError::TooLongAgo { occurred_at: before }));
}

#[test]
fn tags_are_few_and_short() {
    let tags = |count: usize| (0..count).map(|n| (format!("k{n}"), String::new())).collect();
    check(|record| record.tags = tags(20), Ok(()));
    check(|record| record.tags = tags(21), Err(UsageError::TooManyTags { count: 21 }));
    let tag = |key: String, value: String| {
        |record: &mut UsageRecord| record.tags = BTreeMap::from([(key, value)])
    };
    let (key, value) = ("tag key", "tag value");
    check(tag("k".repeat(64), "v".repeat(256)), Ok(()));
    let long_key = UsageError::TooLong { field: key, max: 64 };
    check(tag("k".repeat(65), String::new()), Err(long_key));
    let long_value = UsageError::TooLong { field: value, max: 256 };
    check(tag("k".to_owned(), "v".repeat(257)), Err(long_value));
    check(tag(String::new(), String::new()), Err(UsageError::Empty { field: key }));
    let control = UsageError::ControlCharacter { field: value };
    check(tag("k".to_owned(), "\n".to_owned()), Err(control));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the counts are, checking does not overflow, and what passes can be priced.
    #[test]
    fn what_passes_can_be_priced(
        counts in prop::array::uniform5(prop_oneof![0..50_i64, any::<i64>(), 0..=TOKENS_MAX]),
        hours in -1_000_000..1_000_000_i64,
    ) {
        let mut record = record();
        for ((_, set), count) in COUNTS.into_iter().zip(counts) {
            set(&mut record, count);
        }
        record.occurred_at = at(hours);
        if record.check(at(0)).is_ok() {
            let Tokens { input, cached_input, cache_write, output, reasoning } = record.tokens();
            prop_assert!(cached_input + cache_write <= input && reasoning <= output);
            prop_assert!(counts.into_iter().all(|count| (0..=TOKENS_MAX).contains(&count)));
            prop_assert!(record.occurred_at <= at(1));
        }
    }
}

#[test]
fn units_are_within_reason() {
    let one = |unit, used| move |record: &mut UsageRecord| record.units.set(unit, used);
    check(one(Unit::WebSearches, TOKENS_MAX), Ok(()));
    for count in [-1, TOKENS_MAX + 1] {
        let refused = UsageError::CountOutOfRange { field: "web_searches", count };
        check(one(Unit::WebSearches, count), Err(refused));
    }
    let refused = UsageError::CountOutOfRange { field: "duration_ms", count: -1 };
    check(|record| record.duration_ms = Some(-1), Err(refused));
    let empty = UsageError::Empty { field: "error_type" };
    check(|record| record.error_type = Some(String::new()), Err(empty));
    check(|record| record.service_tier = Some("batch".to_owned()), Ok(()));
}

/// Of 100 input tokens 60 are cached and 40 written; of 20 output tokens 10 are reasoning.
#[test]
fn a_unit_is_not_more_than_what_it_is_a_part_of() {
    use Unit as U;
    let above = |part: U, whole| Err(UsageError::PartAboveWhole { part: part.as_str(), whole });
    let (input, cached) = ("input_tokens", "cached_input_tokens");
    for (units, then) in [
        (vec![(U::CacheWrite1hTokens, 40)], Ok(())),
        (
            vec![(U::CacheWrite1hTokens, 40), (U::CacheWrite12hTokens, 1)],
            above(U::CacheWrite12hTokens, "cache_write_tokens"),
        ),
        (vec![(U::AudioInputTokens, 60), (U::CachedAudioInputTokens, 60)], Ok(())),
        (vec![(U::AudioInputTokens, 1)], above(U::AudioInputTokens, input)),
        (
            vec![(U::AudioInputTokens, 61), (U::CachedAudioInputTokens, 61)],
            above(U::CachedAudioInputTokens, cached),
        ),
        (
            vec![(U::AudioInputTokens, 9), (U::CachedAudioInputTokens, 10)],
            above(U::CachedAudioInputTokens, "audio_input_tokens"),
        ),
        (
            vec![(U::CachedImageInputTokens, 1)],
            above(U::CachedImageInputTokens, "image_input_tokens"),
        ),
        (vec![(U::AudioOutputTokens, 6), (U::CitationTokens, 4)], Ok(())),
        (
            vec![(U::AudioOutputTokens, 6), (U::CitationTokens, 5)],
            above(U::CitationTokens, "output_tokens"),
        ),
        (vec![(U::LowContextWebSearches, 1)], above(U::LowContextWebSearches, "web_searches")),
        (vec![(U::OutputVideoMs, 5), (U::OutputVideo4kMs, 5)], Ok(())),
        (vec![(U::AnnotatedPages, 1)], above(U::AnnotatedPages, "pages")),
    ] {
        let units: Units = units.into_iter().collect();
        check(
            |record| {
                record.output_tokens = 20;
                record.units = units;
            },
            then,
        );
    }
}
