//! What an organization settles for itself, and who vouches for its people.

use event_schemas::{
    IdentityProvider, KeyOwner, OrganizationSettings, Permission, ProjectRole, SecuritySettings,
    SensitiveAction,
};

use super::*;
use crate::text::TextError;

fn settings() -> OrganizationSettings {
    OrganizationSettings::default()
}

fn change(by: Authority, settings: OrganizationSettings) -> Ask {
    Ask::ChangeSettings { by, settings }
}

fn changed(settings: OrganizationSettings) -> Was {
    Was::SettingsChanged { settings }
}

fn secure(by: Authority, security: SecuritySettings) -> Ask {
    Ask::ChangeSecurity { by, security }
}

fn domains(of: &[&str]) -> Vec<String> {
    of.iter().map(|domain| (*domain).to_owned()).collect()
}

fn trusting(email_domains: &[&str]) -> SecuritySettings {
    let issuer = "https://id.acme.example".to_owned();
    let email_domains = domains(email_domains);
    let identity_provider = Some(IdentityProvider { issuer, email_domains });
    SecuritySettings { identity_provider, approvals: vec![] }
}

#[test]
fn settings_are_changed_by_who_may() {
    let wanted = || OrganizationSettings { admins_max: Some(3), ..settings() };
    check(&staffed(), change(by(ben()), wanted()), Ok(vec![changed(wanted())]));
    check(&staffed(), change(by(ben()), settings()), Ok(vec![]));
    check(&staffed(), change(by(cyd()), wanted()), Err(Refused::NotAllowed(cyd())));
    check(&archived(), change(by(ben()), wanted()), Err(Refused::Archived));
    let known = organization(&with(staffed(), [changed(wanted())]));
    assert_eq!(known.settings(), wanted());
}

#[test]
fn domains_are_kept_in_the_form_in_which_they_are_compared() {
    let asked = OrganizationSettings {
        invite_domains: domains(&["Beta.example", "ACME.example", "acme.example"]),
        ..settings()
    };
    let kept = OrganizationSettings {
        invite_domains: domains(&["acme.example", "beta.example"]),
        ..settings()
    };
    check(&staffed(), change(by(ben()), asked.clone()), Ok(vec![changed(kept.clone())]));
    check(&with(staffed(), [changed(kept)]), change(by(ben()), asked), Ok(vec![]));
}

#[test]
fn what_cannot_be_a_setting_is_refused() {
    let check_field = |wanted, expected: &str| {
        let refused = crate::Decider::decide(&organization(&staffed()), change(by(ada()), wanted));
        match refused {
            Err(Refused::Setting { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    };
    for default_role in [Role::Owner, Role::Admin, Role::Billing] {
        check_field(OrganizationSettings { default_role, ..settings() }, "default_role");
    }
    let default_project_role = ProjectRole::Owner;
    let wanted = OrganizationSettings { default_project_role, ..settings() };
    check_field(wanted, "default_project_role");
    for domain in ["", "a@b", "a b", "ümlaut.example"] {
        let invite_domains = domains(&[domain]);
        check_field(OrganizationSettings { invite_domains, ..settings() }, "invite_domains");
    }
    for pattern in ["(", "a)|(b", &"a".repeat(201)] {
        let api_key_name_pattern = Some(pattern.to_owned());
        let wanted = OrganizationSettings { api_key_name_pattern, ..settings() };
        check_field(wanted, "api_key_name_pattern");
    }
    for days in [0, 3_651] {
        let api_key_rotation_days = Some(days);
        let wanted = OrganizationSettings { api_key_rotation_days, ..settings() };
        check_field(wanted, "api_key_rotation_days");
        let api_key_lifetime_days_max = Some(days);
        let wanted = OrganizationSettings { api_key_lifetime_days_max, ..settings() };
        check_field(wanted, "api_key_lifetime_days_max");
    }
    check_field(OrganizationSettings { admins_max: Some(0), ..settings() }, "admins_max");
    for zone in ["", "CET", "+02:00", "Europe/Berlin;"] {
        let time_zone = zone.to_owned();
        check_field(OrganizationSettings { time_zone, ..settings() }, "time_zone");
    }
}

#[test]
fn only_owners_say_who_vouches_for_people() {
    let asked = || trusting(&["ACME.example"]);
    let kept = Was::SecurityChanged { security: trusting(&["acme.example"]) };
    check(&staffed(), secure(by(ada()), asked()), Ok(vec![kept.clone()]));
    check(&staffed(), secure(by(ben()), asked()), Err(Refused::NotAllowed(ben())));
    check(&with(staffed(), [kept]), secure(by(ada()), asked()), Ok(vec![]));
    let anybody =
        crate::Decider::decide(&organization(&staffed()), secure(by(ada()), trusting(&[])));
    assert!(
        matches!(anybody, Err(Refused::Setting { field: "identity_provider.email_domains", .. })),
        "{anybody:?}"
    );
    let (grant, export) = (SensitiveAction::GrantOwner, SensitiveAction::ExportPersonalData);
    let twice =
        SecuritySettings { identity_provider: None, approvals: vec![export, grant, export] };
    let once = SecuritySettings { identity_provider: None, approvals: vec![grant, export] };
    let changed = vec![Was::SecurityChanged { security: once }];
    let two = with(staffed(), [added(id(9), "Zoe", Role::Owner)]);
    check(&two, secure(by(ada()), twice.clone()), Ok(changed));
    // Nobody could approve.
    for alone in [staffed(), with(two, [suspended(id(9))])] {
        let asked = crate::Decider::decide(&organization(&alone), secure(by(ada()), twice.clone()));
        assert!(matches!(asked, Err(Refused::Setting { field: "approvals", .. })), "{asked:?}");
    }
}

#[test]
fn who_is_vouched_for_is_the_one_member_with_that_address() {
    const ISSUER: &str = "https://id.acme.example";
    let security = trusting(&["acme.example"]);
    let given = with(staffed(), [Was::SecurityChanged { security }]);
    let signed_in =
        |events: &[Was], issuer: &str, email: &str| organization(events).signed_in(issuer, email);
    assert_eq!(signed_in(&given, ISSUER, "CYD@acme.example"), Some(cyd()));
    assert_eq!(signed_in(&given, "https://id.acme.example/", "cyd@acme.example"), None);
    // What folds to the address is somebody else's: whoever has it can have it verified.
    for alike in ["ｃyd@acme.example", "cyd@ａcme.example", "cyd@acme.exampl\u{ff45}"] {
        assert_eq!(signed_in(&given, ISSUER, alike), None, "{alike}");
    }
    assert_eq!(signed_in(&given, ISSUER, "dan@acme.example"), None);
    assert_eq!(signed_in(&staffed(), ISSUER, "cyd@acme.example"), None, "nobody is trusted");
    let away = with(given.clone(), [suspended(cyd())]);
    assert_eq!(signed_in(&away, ISSUER, "cyd@acme.example"), None);
    let left = with(given.clone(), [removed(cyd())]);
    assert_eq!(signed_in(&left, ISSUER, "cyd@acme.example"), None);
    // What the issuer says of other domains says nothing here.
    let elsewhere = Was::SecurityChanged { security: trusting(&["beta.example"]) };
    let given = with(given, [elsewhere]);
    assert_eq!(signed_in(&given, ISSUER, "cyd@acme.example"), None);
    assert_eq!(signed_in(&with(given, [Was::Archived {}]), ISSUER, "cyd@acme.example"), None);
}

#[test]
fn addresses_of_other_domains_are_neither_invited_nor_added() {
    let invite_domains = domains(&["acme.example"]);
    let given = with(staffed(), [changed(OrganizationSettings { invite_domains, ..settings() })]);
    let send = |by, email: &str| Ask::SendInvite {
        by,
        invite_id: invite(1),
        person_id: invitee(1),
        email: email.to_owned(),
        role: Role::Member,
        projects: vec![],
        expires_at: at(9),
        token_hash: None,
        now: at(0),
    };
    let add = |by, email: &str| Ask::AddMember {
        by,
        member_id: dan(),
        person_id: person(dan()),
        login: "Dan".to_owned(),
        email: Some(email.to_owned()),
        role: Role::Member,
    };
    let allowed = |asked| crate::Decider::decide(&organization(&given), asked).is_ok();
    for who in [by(ben()), OPERATOR] {
        for email in ["dan@sub.acme.example", "dan@acme.example.evil", "acme.example@evil"] {
            check(&given, send(who, email), Err(Refused::DomainNotAllowed));
            check(&given, add(who, email), Err(Refused::DomainNotAllowed));
        }
        assert!(allowed(send(who, "dan@ACME.example")) && allowed(add(who, "dan@ACME.example")));
    }
    // What is imported has happened elsewhere.
    assert!(allowed(add(Authority::System, "dan@evil")));
    let lookalike = Refused::Text(TextError::NotAscii);
    check(&given, send(by(ben()), "dan@аcme.example"), Err(lookalike.clone()));
    check(&given, add(by(ben()), "dаn@acme.example"), Err(lookalike));
}

#[test]
fn nobody_settles_a_default_role_that_allows_more_than_they_may() {
    let scopes = Some([Permission::SettingsUpdate].into_iter().collect());
    let owner = KeyOwner::Member { member_id: ben() };
    let key = Authority::ApiKey { owner, project_id: None, scopes, rank_max: None };
    let auditor = || OrganizationSettings { default_role: Role::Auditor, ..settings() };
    let above = Err(Refused::PermissionAboveOwn(Permission::OrganizationRead));
    check(&staffed(), change(key, auditor()), above);
    check(&staffed(), change(by(ben()), auditor()), Ok(vec![changed(auditor())]));
    // What stands may stay.
    let given = with(staffed(), [changed(auditor())]);
    let more = OrganizationSettings { admins_max: Some(3), ..auditor() };
    check(&given, change(key, more.clone()), Ok(vec![changed(more)]));
}
