//! `/v1/organizations/{organization_id}/settings` and `…/security`

use axum::http::Method;
use serde_json::{Value, json};

use super::groups::Acme;

fn settings() -> Value {
    json!({"default_role": "reader", "default_project_role": "reader",
        "invite_domains": ["Example.COM", "example.com"], "api_key_name_pattern": "^prod-",
        "api_key_rotation_days": 30, "api_key_lifetime_days_max": 90, "admins_max": 3,
        "time_zone": "Europe/Berlin"})
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole_and_count_at_once() {
    let acme = Acme::new().await;
    let path = format!("{}/settings", acme.path);
    let replaced = acme.olga.replace(&path, settings()).await;
    let tag = replaced.etag();
    replaced.ok();
    acme.olga.replace(&path, settings()).await.ok();
    assert_eq!(acme.app.count("organization.settings_changed").await, 1);
    let invites = format!("{}/invites", acme.path);
    let elsewhere = acme.olga.post(&invites, json!({"email": "eve@evil.example"})).await;
    elsewhere.refused_field(422, "domain-not-allowed", "email");
    acme.olga.post(&invites, json!({"email": "eve@example.com"})).await.ok();
    // Somebody has changed something since: the whole would overwrite it.
    let put = acme.olga.ask(Method::PUT, &path).if_match(&tag);
    put.json(&json!({"default_role": "member", "default_project_role": "member",
        "invite_domains": []}))
        .await
        .refused(412, "precondition-failed");
    acme.olga
        .post(&invites, json!({"email": "bob@evil.example"}))
        .await
        .refused(422, "domain-not-allowed");
    // What is left out is settled no more.
    let whole =
        json!({"default_role": "member", "default_project_role": "member", "invite_domains": []});
    acme.olga.replace(&path, whole).await.ok();
    acme.olga.post(&invites, json!({"email": "bob@evil.example"})).await.ok();
}

/// Neither sent again nor accepted: it would not be sent today.
#[tokio::test]
async fn an_invite_to_a_domain_that_is_allowed_no_more_is_worth_nothing() {
    let acme = Acme::new().await;
    let invites = format!("{}/invites", acme.path);
    let sent = acme.olga.post(&invites, json!({"email": "eve@elsewhere.example"})).await.ok();
    acme.olga.replace(&format!("{}/settings", acme.path), settings()).await.ok();
    let resend = format!("{invites}/{}/resend", sent["invite_id"].as_str().unwrap());
    let refused = acme.olga.post(&resend, json!({})).await;
    refused.refused_field(422, "domain-not-allowed", "email");
    let accepted = acme.app.accept(&acme.organization, &sent, "eve").await;
    accepted.refused(409, "invite-not-offered");
}

#[tokio::test]
async fn nothing_whole_is_replaced_unseen() {
    let acme = Acme::new().await;
    for (what, body) in [("settings", settings()), ("security", json!({"approvals": []}))] {
        let path = format!("{}/{what}", acme.path);
        let refused = acme.olga.put(&path, body).await;
        refused.refused_field(428, "precondition-required", "If-Match");
    }
    assert_eq!(acme.app.count("organization.settings_changed").await, 0);
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let acme = Acme::new().await;
    let path = format!("{}/settings", acme.path);
    let cases = [
        ("default_role", json!("admin"), 422),
        ("default_project_role", json!("owner"), 422),
        ("invite_domains", json!(["not a domain"]), 422),
        ("api_key_name_pattern", json!("("), 422),
        ("api_key_rotation_days", json!(0), 422),
        ("api_key_lifetime_days_max", json!(4000), 422),
        ("admins_max", json!(0), 422),
        ("admins_max", json!(-1), 400),
        ("time_zone", json!("CET"), 422),
        ("time_zone", json!("Europe/Atlantis"), 422),
        ("default_role", json!("emperor"), 400),
    ];
    for (field, value, status) in cases {
        let mut body = settings();
        body[field] = value;
        let kind = if status == 400 { "invalid-request" } else { "invalid-value" };
        acme.olga.replace(&path, body).await.refused_field(status, kind, field);
    }
    let missing = acme.olga.replace(&path, json!({})).await;
    missing.refused_field(400, "invalid-request", "default_role");
    assert_eq!(acme.app.count("organization.settings_changed").await, 0);
}

#[tokio::test]
async fn security_is_the_owners_alone() {
    let acme = Acme::new().await;
    let (_, adas) = acme.member("ada", "admin", None).await;
    let path = format!("{}/security", acme.path);
    let alone = json!({"approvals": ["grant_owner"]});
    acme.olga.replace(&path, alone).await.refused_field(422, "invalid-value", "approvals");
    let (_, zoes) = acme.app.joined(&acme.organization, "zoe", "owner").await;
    let body = json!({"identity_provider": {"issuer": "https://login.example.com",
        "email_domains": ["example.com"]}, "approvals": ["grant_owner", "grant_owner"]});
    let refused = adas.replace(&path, body.clone()).await.refused(403, "forbidden");
    assert_eq!(refused["permission"], "security.update");
    acme.olga.replace(&path, body.clone()).await.ok();
    acme.olga.replace(&path, body).await.ok();
    assert_eq!(acme.app.count("organization.security_changed").await, 1);
    let anybody = json!({"identity_provider": {"issuer": "https://login.example.com",
        "email_domains": []}, "approvals": []});
    let field = "identity_provider.email_domains";
    acme.olga.replace(&path, anybody).await.refused_field(422, "invalid-value", field);
    let unheard = json!({"approvals": ["everything"]});
    acme.olga.replace(&path, unheard).await.refused_field(400, "invalid-request", "approvals[0]");
    // To turn it off needs a second person.
    let waits = acme.olga.replace(&path, json!({"approvals": []})).await.ok();
    assert_eq!(acme.app.count("organization.security_changed").await, 1);
    let approval = waits["approval_id"].as_str().expect("it waits");
    let approve = format!("{}/approvals/{approval}/approve", acme.path);
    acme.olga.post(&approve, json!({})).await.refused(403, "second-person-needed");
    zoes.post(&approve, json!({})).await.ok();
    assert_eq!(acme.app.count("organization.security_changed").await, 2);
}

#[tokio::test]
async fn an_issuer_is_one_that_tokens_are_taken_of() {
    let acme = Acme::new().await;
    let path = format!("{}/security", acme.path);
    let naming = |issuer: &str, domain: &str| json!({"identity_provider": {"issuer": issuer, "email_domains": [domain]}, "approvals": []});
    let field = "identity_provider.issuer";
    for (issuer, says) in [
        ("https://login.example.org", "takes no tokens"),
        ("https://login.example.com/", "takes no tokens"),
        ("login.example.com", "https://"),
        ("http://login.example.com", "https://"),
        ("https://login.example.com?x", "https://"),
        ("https://login.example.com#x", "https://"),
        ("https://user@login.example.com", "https://"),
        ("", "https://"),
    ] {
        let refused = acme.olga.replace(&path, naming(issuer, "example.com")).await;
        let refused = refused.refused_field(422, "invalid-value", field);
        let detail = refused["detail"].as_str().expect("a text");
        assert!(detail.starts_with(field) && detail.contains(says), "{issuer}: {detail}");
        assert!(!detail.contains(crate::support::ISSUER), "{detail}");
    }
    for domain in ["example_com", "example.com.", "*.example.com", "https://example.com", "a b"] {
        let refused = acme.olga.replace(&path, naming(crate::support::ISSUER, domain)).await;
        refused.refused_field(422, "invalid-value", "identity_provider.email_domains");
    }
    acme.olga.replace(&path, naming(crate::support::ISSUER, "Example.COM")).await.ok();
    assert_eq!(acme.app.count("organization.security_changed").await, 1);
    // Who may not change it learns nothing of issuers.
    let (_, adas) = acme.member("ada", "admin", None).await;
    let refused = adas.replace(&path, naming("https://login.example.org", "example.com")).await;
    refused.refused(403, "forbidden");
}
