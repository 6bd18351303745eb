use std::net::IpAddr;

use event_schemas::WebhookEvent as Was;

use super::{
    Addresses, EVENT_TYPES_MAX, GRACE, UrlError, Webhook, WebhookCommand as Ask,
    WebhookDisabledReason as Reason, WebhookError as Refused, WebhookTerms, addresses, matches,
};
use crate::testing::{self, acme, at, folded, id, open_organization};
use crate::text::TextError;

const URL: &str = "https://alerts.acme.example/in";

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<Webhook>(given, when, then);
}

fn terms(url: &str, event_types: &[&str]) -> WebhookTerms {
    let event_types = event_types.iter().map(|one| (*one).to_owned()).collect();
    WebhookTerms { url: url.to_owned(), description: None, event_types }
}

fn create_at(url: &str, event_types: &[&str], addresses: Addresses) -> Ask {
    let (organization, terms) = (open_organization(acme()), terms(url, event_types));
    Ask::Create { webhook_id: id(1), organization, terms, addresses }
}

fn create(event_types: &[&str]) -> Ask {
    create_at(URL, event_types, Addresses::Public)
}

fn created_at(url: &str, event_types: &[&str]) -> Was {
    let WebhookTerms { url, description, event_types } = terms(url, event_types);
    Was::Created { webhook_id: id(1), organization_id: acme(), url, description, event_types }
}

fn created() -> Was {
    created_at(URL, &["budget.*"])
}

fn change(terms: WebhookTerms) -> Ask {
    Ask::Change { organization: open_organization(acme()), terms, addresses: Addresses::Public }
}

fn changed(terms: WebhookTerms) -> Was {
    let WebhookTerms { url, description, event_types } = terms;
    Was::Changed { webhook_id: id(1), organization_id: acme(), url, description, event_types }
}

fn rotated(secret_number: u32, hour: i64) -> Was {
    let previous_signs_until = at(hour) + GRACE;
    let (webhook_id, organization_id) = (id(1), acme());
    Was::SecretRotated { webhook_id, organization_id, secret_number, previous_signs_until }
}

fn disabled(reason: Reason) -> Was {
    Was::Disabled { webhook_id: id(1), organization_id: acme(), reason }
}

fn enabled() -> Was {
    Was::Enabled { webhook_id: id(1), organization_id: acme() }
}

fn removed() -> Was {
    Was::Removed { webhook_id: id(1), organization_id: acme() }
}

fn disable() -> Ask {
    Ask::Disable { organization: open_organization(acme()) }
}

fn enable() -> Ask {
    Ask::Enable { organization: open_organization(acme()) }
}

fn remove() -> Ask {
    Ask::Remove { organization: open_organization(acme()) }
}

fn replay(after_position: i64, upto_position: Option<i64>) -> Ask {
    Ask::Replay { organization: open_organization(acme()), after_position, upto_position }
}

fn give_up(url: &str, is_gone: bool) -> Ask {
    Ask::GiveUp { url: url.to_owned(), is_gone }
}

#[test]
fn a_webhook_is_created_once_for_event_types_that_there_are() {
    check(&[], create(&["budget.*"]), Ok(vec![created()]));
    check(&[created()], create(&["budget.*"]), Err(Refused::AlreadyExists));
    check(&[created(), removed()], create(&["budget.*"]), Err(Refused::AlreadyExists));
    let some = ["member.added", "budget.*", "member.added", "*"];
    check(&[], create(&some), Ok(vec![created_at(URL, &["*", "budget.*", "member.added"])]));
    check(&[], create(&[]), Err(Refused::NoEventTypes));
    for unknown in ["", "budget", "budget.reached", "budget*", ".*", "bud.*", "budget.*.x", "**"] {
        check(&[], create(&[unknown]), Err(Refused::UnknownEventType(unknown.to_owned())));
    }
    let many = vec!["*"; EVENT_TYPES_MAX + 1];
    check(&[], create(&many), Err(Refused::TooManyEventTypes));
}

#[test]
fn an_entry_covers_a_type_a_noun_or_all() {
    assert!(matches("*", "member.added") && matches("member.added", "member.added"));
    assert!(matches("member.*", "member.added") && !matches("member.*", "members.added"));
    assert!(!matches("member.added", "member.added_twice") && !matches("mem*", "member.added"));
    let webhook: Webhook = folded(&[created_at(URL, &["budget.*", "member.added"])]);
    let target = webhook.target().unwrap();
    assert!(target.wants("budget.exhausted") && target.wants("member.added"));
    assert!(!target.wants("member.removed") && !target.wants("usage.recorded"));
}

#[test]
fn a_url_is_kept_as_it_will_be_asked() {
    let kept = [
        ("https://Alerts.Acme.example", "https://alerts.acme.example/"),
        ("https://alerts.acme.example:443/in?a=1", "https://alerts.acme.example/in?a=1"),
        ("https://alerts.acme.example:8443/in", "https://alerts.acme.example:8443/in"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700::1]/", "https://[2606:4700::1]/"),
    ];
    for (url, as_kept) in kept {
        let ask = create_at(url, &["*"], Addresses::Public);
        check(&[], ask, Ok(vec![created_at(as_kept, &["*"])]));
    }
    for url in ["http://127.0.0.1:9/in", "http://localhost:9/in", "https://10.0.0.7/in"] {
        let ask = create_at(url, &["*"], Addresses::Any);
        check(&[], ask, Ok(vec![created_at(url, &["*"])]));
    }
}

#[test]
fn a_url_that_must_not_be_asked_is_refused() {
    let long = format!("https://acme.example/{}", "x".repeat(2_000));
    let public = [
        ("", UrlError::NotOne),
        ("acme.example/in", UrlError::NotOne),
        ("https://", UrlError::NotOne),
        ("https://acme.example:0/", UrlError::NotOne),
        (long.as_str(), UrlError::NotOne),
        ("data:text/plain,hi", UrlError::NotOne),
        ("http://acme.example/in", UrlError::NotEncrypted),
        ("http://127.0.0.1/in", UrlError::NotEncrypted),
        ("ftp://acme.example/in", UrlError::NotEncrypted),
        ("https://ada@acme.example/in", UrlError::UserInfo),
        ("https://:secret@acme.example/in", UrlError::UserInfo),
        ("https://acme.example/in#part", UrlError::Fragment),
        ("https://localhost/in", UrlError::NotPublic),
        ("https://a.localhost./in", UrlError::NotPublic),
        ("https://127.0.0.1/in", UrlError::NotPublic),
        ("https://2130706433/in", UrlError::NotPublic),
        ("https://0x7f.1/in", UrlError::NotPublic),
        ("https://169.254.169.254/latest/meta-data", UrlError::NotPublic),
        ("https://[::1]/in", UrlError::NotPublic),
        ("https://[::ffff:10.0.0.1]/in", UrlError::NotPublic),
    ];
    for (url, why) in public {
        let ask = create_at(url, &["*"], Addresses::Public);
        check(&[], ask, Err(Refused::Url(why)));
    }
    for url in ["http://acme.example/in", "http://10.0.0.1/in"] {
        let ask = create_at(url, &["*"], Addresses::Any);
        check(&[], ask, Err(Refused::Url(UrlError::NotEncrypted)));
    }
}

#[test]
fn addresses_of_some_networks_own_are_not_public() {
    let own = [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    for address in own {
        assert!(!addresses::is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2606:4700::1",
        "2a00:1450::1",
        "2001:4860:4860::8888",
    ];
    for address in public {
        assert!(addresses::is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
}

#[test]
fn a_webhook_is_changed_as_a_whole_where_it_is_there() {
    let other = WebhookTerms {
        description: Some("on call".to_owned()),
        ..terms("https://other.acme.example/in", &["budget.exhausted"])
    };
    check(&[created()], change(other.clone()), Ok(vec![changed(other.clone())]));
    check(&[created(), changed(other.clone())], change(other.clone()), Ok(vec![]));
    check(&[created()], change(terms(URL, &["budget.*", "budget.*"])), Ok(vec![]));
    check(&[], change(other.clone()), Err(Refused::NotFound));
    check(&[created(), removed()], change(other.clone()), Err(Refused::NotFound));
    let organization = open_organization(id(9));
    let foreign = Ask::Change { organization, terms: other.clone(), addresses: Addresses::Public };
    check(&[created()], foreign, Err(Refused::NotFound));
    let long = WebhookTerms { description: Some("x".repeat(1_001)), ..other };
    let too_long = TextError::TooLong { what: "reason", max: 1_000 };
    check(&[created()], change(long), Err(Refused::Description(too_long)));
}

#[test]
fn what_was_allowed_when_it_was_created_stays_while_nothing_is_changed() {
    let local = created_at("http://127.0.0.1:9/in", &["*"]);
    check(std::slice::from_ref(&local), change(terms("http://127.0.0.1:9/in", &["*"])), Ok(vec![]));
    let refused = Err(Refused::Url(UrlError::NotEncrypted));
    check(&[local], change(terms("http://127.0.0.1:9/in", &["budget.*"])), refused);
}

#[test]
fn the_secret_before_signs_for_a_day_and_no_longer() {
    let rotate =
        |hour| Ask::RotateSecret { organization: open_organization(acme()), now: at(hour) };
    check(&[created()], rotate(5), Ok(vec![rotated(2, 5)]));
    check(&[created(), rotated(2, 5)], rotate(6), Ok(vec![rotated(3, 6)]));
    check(&[], rotate(5), Err(Refused::NotFound));
    let signs = |events: &[Was], hour: i64| -> Vec<u32> {
        let webhook: Webhook = folded(events);
        webhook.target().unwrap().secrets(at(hour)).collect()
    };
    assert_eq!(signs(&[created()], 5), [1]);
    assert_eq!(signs(&[created(), rotated(2, 5)], 28), [2, 1]);
    assert_eq!(signs(&[created(), rotated(2, 5)], 29), [2]);
    assert_eq!(signs(&[created(), rotated(2, 5), rotated(3, 6)], 7), [3, 2]);
}

#[test]
fn a_webhook_is_disabled_and_enabled_once() {
    let requested = || disabled(Reason::Requested);
    check(&[created()], disable(), Ok(vec![requested()]));
    check(&[created(), requested()], disable(), Ok(vec![]));
    check(&[created(), disabled(Reason::Gone)], disable(), Ok(vec![]));
    check(&[created()], enable(), Ok(vec![]));
    check(&[created(), disabled(Reason::Failing)], enable(), Ok(vec![enabled()]));
    check(&[created(), removed()], enable(), Err(Refused::NotFound));
    let webhook: Webhook = folded(&[created(), requested()]);
    assert!(webhook.target().is_none() && !webhook.has_ended());
}

#[test]
fn an_endpoint_that_takes_nothing_disables_its_webhook_and_no_other_endpoints() {
    check(&[created()], give_up(URL, false), Ok(vec![disabled(Reason::Failing)]));
    check(&[created()], give_up(URL, true), Ok(vec![disabled(Reason::Gone)]));
    check(&[created()], give_up("https://before.acme.example/", false), Ok(vec![]));
    check(&[created(), disabled(Reason::Requested)], give_up(URL, false), Ok(vec![]));
    check(&[created(), removed()], give_up(URL, false), Ok(vec![]));
}

#[test]
fn events_of_the_past_are_asked_for_by_position() {
    let asked = |after_position, upto_position| Was::ReplayRequested {
        webhook_id: id(1),
        organization_id: acme(),
        after_position,
        upto_position,
    };
    check(&[created()], replay(0, None), Ok(vec![asked(0, None)]));
    check(&[created()], replay(6, Some(7)), Ok(vec![asked(6, Some(7))]));
    check(&[created(), disabled(Reason::Gone)], replay(6, None), Ok(vec![asked(6, None)]));
    check(&[created()], replay(-1, None), Err(Refused::EmptyReplay));
    check(&[created()], replay(7, Some(7)), Err(Refused::EmptyReplay));
    check(&[created(), removed()], replay(0, None), Err(Refused::NotFound));
}

#[test]
fn a_test_is_asked_for_as_often_as_somebody_likes_disabled_or_not() {
    let ask = || Ask::Test { organization: open_organization(acme()) };
    let asked = Was::TestRequested { webhook_id: id(1), organization_id: acme() };
    check(&[created(), asked.clone()], ask(), Ok(vec![asked.clone()]));
    check(&[created(), disabled(Reason::Failing)], ask(), Ok(vec![asked]));
    check(&[created(), removed()], ask(), Err(Refused::NotFound));
    check(&[], ask(), Err(Refused::NotFound));
}

#[test]
fn a_webhook_is_removed_once() {
    check(&[created()], remove(), Ok(vec![removed()]));
    check(&[created(), removed()], remove(), Ok(vec![]));
    check(&[], remove(), Err(Refused::NotFound));
    let foreign = Ask::Remove { organization: open_organization(id(9)) };
    check(&[created(), removed()], foreign, Err(Refused::NotFound));
    assert!(folded::<Webhook>(&[created(), removed()]).has_ended());
}
