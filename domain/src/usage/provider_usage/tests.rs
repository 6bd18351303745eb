use serde_json::json;

use super::*;

/// Input, cached, written, output, reasoning; units; tier.
type Said = ([i64; 5], Vec<(Unit, i64)>, Option<&'static str>);

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "an answer reads as a value")]
fn check(shape: UsageShape, answer: Value, (counts, units, tier): Said) {
    let read = provider_usage(shape, &answer).unwrap();
    let Tokens { input, cached_input, cache_write, output, reasoning } = read.tokens;
    assert_eq!([input, cached_input, cache_write, output, reasoning], counts);
    assert_eq!(read.units, units.into_iter().collect());
    assert_eq!(read.service_tier.as_deref(), tier);
}

#[test]
fn openai_counts_the_parts_within_the_whole() {
    let answer = json!({"model": "gpt-5", "service_tier": "flex", "usage": {
        "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": null}}});
    let said = ([100, 60, 0, 50, 30], vec![(Unit::AudioInputTokens, 10)], Some("flex"));
    check(UsageShape::OpenAiChat, answer.clone(), said);
    let read = provider_usage(UsageShape::OpenAiChat, &answer).unwrap();
    assert_eq!(read.model.as_deref(), Some("gpt-5"));
    let answer = json!({"usage": {"input_tokens": 100, "output_tokens": 50,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 7},
        "output_tokens_details": {"reasoning_tokens": 30}}, "service_tier": "default"});
    check(UsageShape::OpenAiResponses, answer, ([100, 60, 7, 50, 30], vec![], None));
    let answer = json!({"usage": {"prompt_tokens": 100, "total_tokens": 100}});
    check(UsageShape::OpenAiEmbeddings, answer, ([100, 0, 0, 0, 0], vec![], None));
}

#[test]
fn anthropic_counts_the_cache_beside_the_input() {
    let answer = json!({"usage": {"input_tokens": 10, "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 30, "output_tokens": 50, "service_tier": "priority",
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "server_tool_use": {"web_search_requests": 2}}});
    let units = vec![(Unit::CacheWrite1hTokens, 20), (Unit::WebSearches, 2)];
    check(UsageShape::Anthropic, answer, ([100, 60, 30, 50, 0], units, Some("priority")));
    let answer = json!({"usage": {"inputTokens": 10, "cacheReadInputTokens": 60,
        "cacheWriteInputTokens": 30, "outputTokens": 50}});
    check(UsageShape::BedrockConverse, answer, ([100, 60, 30, 50, 0], vec![], None));
}

#[test]
fn google_counts_thoughts_and_tools_beside() {
    let of = |modality, tokens| json!({"modality": modality, "tokenCount": tokens});
    let answer = json!({"modelVersion": "gemini", "usageMetadata": {
        "promptTokenCount": 100, "toolUsePromptTokenCount": 20, "cachedContentTokenCount": 40,
        "candidatesTokenCount": 50, "thoughtsTokenCount": 30, "serviceTier": "STANDARD",
        "promptTokensDetails": [of("TEXT", 50), of("AUDIO", 20), of("DOCUMENT", 30)],
        "toolUsePromptTokensDetails": [of("AUDIO", 5), of("TEXT", 15)],
        "cacheTokensDetails": [of("AUDIO", 10), of("IMAGE", 30)],
        "candidatesTokensDetails": [of("IMAGE", 50)]}});
    let units = vec![
        (Unit::AudioInputTokens, 25),
        (Unit::CachedAudioInputTokens, 10),
        (Unit::ImageInputTokens, 30),
        (Unit::CachedImageInputTokens, 30),
        (Unit::ImageOutputTokens, 50),
    ];
    check(UsageShape::Google, answer, ([120, 40, 0, 80, 30], units, None));
}

#[test]
fn others_count_in_their_own_ways() {
    let chat = json!({"usage": {"prompt_tokens": 100, "completion_tokens": 50,
        "prompt_cache_hit_tokens": 40, "reasoning_tokens": 5, "citation_tokens": 3,
        "num_search_queries": 2,
        "completion_tokens_details": {"reasoning_tokens": 5}}});
    check(UsageShape::OpenAiChat, chat.clone(), ([100, 40, 0, 50, 5], vec![], None));
    check(UsageShape::XAi, chat.clone(), ([100, 40, 0, 55, 5], vec![], None));
    let units = vec![(Unit::CitationTokens, 3), (Unit::WebSearches, 2)];
    check(UsageShape::Perplexity, chat, ([100, 40, 0, 58, 5], units, None));
    let cohere = json!({"usage": {"billed_units": {"input_tokens": 5, "output_tokens": 6},
        "tokens": {"input_tokens": 70, "output_tokens": 6}}});
    check(UsageShape::Cohere, cohere, ([5, 0, 0, 6, 0], vec![], None));
    let realtime = json!({"response": {"usage": {"input_tokens": 90, "output_tokens": 9,
        "input_token_details": {"audio_tokens": 80, "cached_tokens": 50,
            "cached_tokens_details": {"audio_tokens": 45, "text_tokens": 5}},
        "output_token_details": {"audio_tokens": 8}}}});
    let units = vec![
        (Unit::AudioInputTokens, 80),
        (Unit::CachedAudioInputTokens, 45),
        (Unit::AudioOutputTokens, 8),
    ];
    check(UsageShape::OpenAiRealtime, realtime, ([90, 50, 0, 9, 0], units, None));
    let images = json!({"usage": {"input_tokens": 30, "output_tokens": 100,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 20}}});
    let units = vec![(Unit::ImageInputTokens, 20), (Unit::ImageOutputTokens, 100)];
    check(UsageShape::OpenAiImages, images, ([30, 0, 0, 100, 0], units, None));
}

/// Of 100 tokens 80 were audio and 60 cached: at least 40 must have been both.
#[test]
fn what_must_have_been_cached_audio_is() {
    let answer = json!({"usage": {"prompt_tokens": 100, "completion_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 80}}});
    let units = vec![(Unit::AudioInputTokens, 80), (Unit::CachedAudioInputTokens, 40)];
    check(UsageShape::OpenAiChat, answer, ([100, 60, 0, 0, 0], units, None));
}

#[test]
fn what_cannot_be_read_is_named() {
    let missing = |field| Err(UnreadableUsage::Missing { field });
    let no_count = |field: &str| Err(UnreadableUsage::NotACount { field: field.to_owned() });
    for (shape, answer, then) in [
        (UsageShape::OpenAiChat, json!({}), missing("usage")),
        (UsageShape::OpenAiChat, json!({"usage": null}), missing("usage")),
        (UsageShape::Anthropic, json!({"usage": {"input_tokens": 1}}), missing("output_tokens")),
        (UsageShape::Google, json!({"usage": {}}), missing("usageMetadata")),
        (
            UsageShape::OpenAiChat,
            json!({"usage": {"prompt_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": -1}}}),
            no_count("prompt_tokens_details.cached_tokens"),
        ),
        (
            UsageShape::OpenAiEmbeddings,
            json!({"usage": {"prompt_tokens": 1.5}}),
            no_count("prompt_tokens"),
        ),
    ] {
        assert_eq!(provider_usage(shape, &answer), then, "{answer}");
    }
}

#[test]
fn each_provider_and_api_has_a_shape() {
    for (provider, api, shape) in [
        ("openai", "chat", Some(UsageShape::OpenAiChat)),
        ("groq", "default", Some(UsageShape::OpenAiChat)),
        ("azure", "responses", Some(UsageShape::OpenAiResponses)),
        ("google", "anthropic", Some(UsageShape::Anthropic)),
        ("anthropic", "chat", Some(UsageShape::OpenAiChat)),
        ("google", "default", Some(UsageShape::Google)),
        ("x-ai", "chat", Some(UsageShape::XAi)),
        ("openai", "carrier-pigeon", None),
    ] {
        assert_eq!(UsageShape::of(provider, api), shape, "{provider} {api}");
    }
}

/// The object alone says as much as within its answer, but for what the answer says beside it.
#[test]
fn an_object_alone_is_known_by_its_fields() {
    let object = |value: &Value| value.as_object().unwrap().clone();
    for (provider, said, shape) in [
        ("openai", json!({"prompt_tokens": 1, "completion_tokens": 2}), UsageShape::OpenAiChat),
        ("azure", json!({"input_tokens": 1, "output_tokens": 2}), UsageShape::OpenAiResponses),
        (
            "aws",
            json!({"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3}),
            UsageShape::Anthropic,
        ),
        ("google", json!({"promptTokenCount": 1, "thoughtsTokenCount": 2}), UsageShape::Google),
        ("aws", json!({"inputTokens": 1, "outputTokens": 2}), UsageShape::BedrockConverse),
        ("cohere", json!({"billed_units": {"input_tokens": 1}}), UsageShape::Cohere),
        (
            "xai",
            json!({"prompt_tokens": 1, "completion_tokens": 2, "reasoning_tokens": 3}),
            UsageShape::XAi,
        ),
        ("perplexity", json!({"prompt_tokens": 1, "citation_tokens": 3}), UsageShape::Perplexity),
        (
            "openai",
            json!({"input_tokens": 1, "output_tokens": 2, "input_token_details": {}}),
            UsageShape::OpenAiRealtime,
        ),
        (
            "openai",
            json!({"input_tokens": 3, "output_tokens": 2,
                "input_tokens_details": {"text_tokens": 1, "image_tokens": 2}}),
            UsageShape::OpenAiImages,
        ),
    ] {
        assert_eq!(UsageShape::of_object(provider, &object(&said)), Some(shape), "{said}");
        let wrapped = match shape {
            UsageShape::Google => json!({"usageMetadata": said}),
            UsageShape::OpenAiRealtime => json!({"response": {"usage": said}}),
            _ => json!({"usage": said}),
        };
        let alone = usage_object(provider, object(&said));
        assert!(alone.is_ok(), "{said}: {alone:?}");
        assert_eq!(alone, provider_usage(shape, &wrapped), "{said}");
    }
    for said in [json!({}), json!({"tokens_used": 7}), json!({"output_tokens": 7})] {
        assert_eq!(usage_object("openai", object(&said)), Err(UnreadableUsage::Unknown), "{said}");
    }
}

#[test]
fn absurd_counts_are_refused_before_they_are_added_up() {
    let said = json!({"input_tokens": i64::MAX, "output_tokens": 1,
        "cache_read_input_tokens": i64::MAX});
    let read = usage_object("anthropic", said.as_object().unwrap().clone());
    assert!(matches!(read, Err(UnreadableUsage::NotACount { .. })), "{read:?}");
}
