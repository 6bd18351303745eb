mod real;

use event_schemas::{Measure as M, Unit as U, When};

use super::*;

fn skipped(catalogue: &Catalogue) -> Vec<(&str, Option<&str>, Why)> {
    let all = catalogue.skipped.iter();
    all.map(|one| (&*one.model, one.price.as_deref(), one.why)).collect()
}

fn rates(rates: &Rates) -> Vec<(M, String)> {
    rates.iter().map(|(measure, rate)| (measure, rate.to_string())).collect()
}

fn said(measure: M, rate: &str) -> (M, String) {
    (measure, rate.to_owned())
}

#[test]
fn genai_prices_has_tiers_times_and_rules() {
    let catalogue = read(
        r#"[{"id": "acme", "models": [
            {"id": "m", "match": {"or": [{"equals": "m"}, {"starts_with": "m-"}]}, "prices": {
                "input_mtok": {"base": 1.25, "tiers": [{"start": 272000, "price": 2.5}]},
                "output_mtok": {"base": 10, "tiers": [{"start": 200000, "price": 15}]},
                "web_searches_kcount": 10, "smells_mtok": 1}},
            {"id": "t", "match": {"equals": "t"}, "prices": [
                {"prices": {"input_mtok": 1}},
                {"constraint": {"start_date": "2026-09-01"}, "prices": {"input_mtok": 2}},
                {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"},
                    "prices": {"input_mtok": 3}}]},
            {"id": "none", "match": {"equals": "none"}, "prices": {}}],
          "provider_match": {"contains": "acme"}, "model_match": {"starts_with": "m"},
          "fallback_model_providers": ["other"], "pricing_urls": []}]"#,
    )
    .unwrap();
    assert_eq!((catalogue.models, catalogue.priced), (3, 2));
    let unknown = ("m", Some("smells_mtok"), Why::NoUnit);
    assert_eq!(skipped(&catalogue), [unknown, ("none", None, Why::NoPrice)]);
    let [list] = catalogue.lists.as_slice() else { panic!("{:?}", catalogue.lists) };
    let terms = &list.terms;
    assert_eq!(terms.fallback_providers, ["other"]);
    assert!(terms.provider_matches.is_some() && terms.model_matches.is_some());
    let m = &terms.models[0];
    let plain =
        [said(M::Input, "1.25"), said(M::Output, "10"), said(M::Unit(U::WebSearches), "10")];
    assert_eq!(rates(&m.rates), plain);
    let above: Vec<_> =
        m.above.iter().map(|above| (above.input_tokens, rates(&above.rates))).collect();
    let levels = [(200_000, vec![said(M::Output, "15")]), (272_000, vec![said(M::Input, "2.5")])];
    assert_eq!(above, levels);
    let t = &terms.models[1];
    assert_eq!(rates(&t.rates), [said(M::Input, "1")]);
    assert!(matches!(t.at_times[0].when, When::FromDate(_)));
    assert!(matches!(t.at_times[1].when, When::Daily { .. }));
    assert_eq!(rates(&t.at_times[1].rates), [said(M::Input, "3")]);
}

#[test]
fn litellm_has_a_key_for_each_price() {
    let catalogue = read(
        r#"{"sample_spec": {"input_cost_per_token": 0.0},
            "acme/m": {"litellm_provider": "acme", "mode": "chat", "max_tokens": 5,
                "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-7,
                "input_cost_per_token_batches": 7.5e-08,
                "input_cost_per_token_above_200k_tokens": 3e-07,
                "input_cost_per_token_above_200k_tokens_priority": 5e-07,
                "input_cost_per_token_cache_hit": 1.5e-08,
                "search_context_cost_per_query": {"search_context_size_low": 0.005,
                    "search_context_size_medium": 0.008, "search_context_size_high": 0.008},
                "input_dbu_cost_per_token": 2e-06, "output_cost_per_image_1K": 0.1},
            "whisper": {"litellm_provider": "acme", "mode": "audio_transcription",
                "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001},
            "ranged": {"litellm_provider": "vertex_ai-models", "mode": "chat", "tiered_pricing": [
                {"input_cost_per_token": 5e-08, "range": [0, 256000.0]},
                {"input_cost_per_token": 2.5e-07, "range": [256000.0, 1000000.0]}]},
            "nothing": {"litellm_provider": "acme", "mode": "chat"}}"#,
    )
    .unwrap();
    assert_eq!((catalogue.models, catalogue.priced), (5, 3));
    assert_eq!(
        skipped(&catalogue),
        [
            ("acme/m", Some("input_dbu_cost_per_token"), Why::NoUnit),
            ("acme/m", Some("output_cost_per_image_1K"), Why::UnknownCondition),
            ("nothing", None, Why::NoPrice),
            ("sample_spec", None, Why::NotAModel),
            ("whisper", Some("output_cost_per_second"), Why::SaidBefore),
        ]
    );
    let [acme, vertex] = catalogue.lists.as_slice() else { panic!("{:?}", catalogue.lists) };
    assert_eq!((&*acme.provider, &*vertex.provider), ("acme", "vertex_ai"));
    let m = &acme.terms.models[0];
    assert_eq!(m.matches, MatchRule::Equals("m".to_owned()));
    assert_eq!(
        rates(&m.rates),
        [
            said(M::Input, "0.15"),
            said(M::CachedInput, "0.015"),
            said(M::Output, "0.6"),
            said(M::Unit(U::WebSearches), "8"),
            said(M::Unit(U::LowContextWebSearches), "5"),
        ]
    );
    assert_eq!(rates(&m.above[0].rates), [said(M::Input, "0.3")]);
    let tiers: Vec<_> = m.service_tiers.iter().map(|tier| &*tier.tier).collect();
    assert_eq!(tiers, ["priority", "batch"]);
    assert_eq!(rates(&m.service_tiers[0].above[0].rates), [said(M::Input, "0.5")]);
    assert_eq!(rates(&m.service_tiers[1].rates), [said(M::Input, "0.075")]);
    let whisper = acme.terms.models.last().unwrap();
    assert_eq!(rates(&whisper.rates), [said(M::Unit(U::InputAudioMs), "0.1")]);
    let ranged = &vertex.terms.models[0];
    assert_eq!((ranged.above[0].input_tokens, rates(&ranged.rates).len()), (256_000, 1));
}

#[test]
fn what_is_no_catalogue_is_told() {
    for text in ["", "{}", "[]", "{\"a\": 1}", "[1]", "null", "{"] {
        assert!(read(text).is_err(), "{text}");
    }
}
