//! What is sent to do harm is refused as cleanly as any mistake, and what was secret in it is not in
//! the log.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use embedded::testing::{TestIssuer, TestKey, TestKeyKind, unique_name};
use event_log::clock;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::asker::Asker;
use super::sight::assert_without;
use super::tenant::Tenant;
use super::{AUDIENCE, Shared};
use crate::support::{CREDENTIAL, until, within};

const BODY_BYTES: usize = 10 * 1024 * 1024;

/// A word that each hostile text has in it and that nothing else has.
fn mark() -> String {
    format!("mark-{}", unique_name())
}

/// Tokens that nobody has made out to anybody, each with a word in it.
async fn tokens(shared: &Shared, mark: &str) -> Vec<(&'static str, String)> {
    let key = &shared.b.secrets[1];
    let (begin, end) = key.split_at(key.len() - 1);
    let changed = format!("{begin}{}", if end == "a" { "b" } else { "a" });
    let now = clock::now().timestamp();
    let address = format!("olga@{}.example", shared.b.canary);
    let claims = |issuer: &TestIssuer, audience: &str| {
        let mut claims = issuer.claims(audience, &address, now);
        claims["nonce"] = json!(mark);
        claims
    };
    let ours = claims(&shared.issuer, AUDIENCE);
    let with = |name: &str, value: Value| {
        let mut claims = ours.clone();
        claims[name] = value;
        shared.issuer.mint(&claims)
    };
    let stranger = TestIssuer::start().await;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = json!({ "alg": "none", "typ": "JWT", "kid": shared.issuer.key().id() });
    let own_key = TestKey::generate(TestKeyKind::P256);
    let header = shared.issuer.key().header();
    let whole = shared.issuer.mint(&ours);
    let cut = whole.rsplit_once('.').unwrap().0.to_owned();
    vec![
        ("a word", mark.to_owned()),
        ("a key's beginning", format!("olk_{mark}")),
        ("a token of an invite's form", format!("oli_{mark}")),
        ("a key with another end", changed),
        ("a key and more", format!("{key}{mark}")),
        ("a long word", mark.repeat(200)),
        ("alg none", format!("{}.{}.", part(&none), part(&ours))),
        ("alg none, signed", format!("{}.{}.{}", part(&none), part(&ours), part(&none))),
        ("expired", with("exp", json!(now - 3_600))),
        ("of the future", with("nbf", json!(now + 3_600))),
        ("another audience", shared.issuer.mint(&claims(&shared.issuer, mark))),
        ("another issuer", stranger.mint(&claims(&stranger, AUDIENCE))),
        ("another's key", own_key.sign(&header, &ours)),
        ("an issuer that is not who signs", stranger.key().sign(&header, &ours)),
        ("an unverified address", with("email_verified", json!(false))),
        ("a look-alike address", with("email", json!(address.replace("olga", "оlga")))),
        ("another's address", with("email", json!(format!("olga@{}.example", shared.a.canary)))),
        ("no signature", format!("{cut}.")),
        ("two parts", cut),
        ("not of its alphabet", format!("{whole}=+/")),
    ]
}

/// An answer as it came over the wire.
struct Raw {
    status: u16,
    head: String,
    body: String,
}

/// Sends bytes as they are, which no client would, and reads until the other side closes.
async fn send_raw(base: &str, bytes: &[u8]) -> Raw {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    // The server may have heard enough before the end.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = within("an answer to raw bytes", stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {answer:?}"));
    Raw { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request's head with further header lines.
fn head(line: &str, secret: &str, more: &str) -> Vec<u8> {
    format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\n\
         connection: close\r\n{more}\r\n"
    )
    .into_bytes()
}

async fn tokens_are_refused(shared: &Shared, stranger: &Asker, marks: &mut Vec<String>) {
    let mark = mark();
    for (what, token) in tokens(shared, &mark).await {
        let nobody = stranger.presenting(&token);
        for path in [shared.b.base.clone(), format!("{}/members", shared.b.base)] {
            let reply = nobody.get(&path).await;
            reply.assert_refused(what);
            assert_eq!(reply.status, 401, "{what}: {}", reply.text);
            assert_without(&reply.text, &[&token, &mark], what);
        }
        let body = json!({ "name": "x" });
        let path = format!("{}/projects", shared.b.base);
        let reply = nobody.command(Method::POST, &path, Some(&body)).await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.text);
        marks.push(token);
    }
    marks.push(mark);
}

/// Who signs in is let in at home; elsewhere there is nothing.
async fn people_sign_in_at_home(shared: &Shared, stranger: &Asker, marks: &mut Vec<String>) {
    let Shared { a, b, issuer, .. } = shared;
    let address = format!("olga@{}.example", b.canary);
    let token = issuer.mint(&issuer.claims(AUDIENCE, &address, clock::now().timestamp()));
    let olga = stranger.presenting(&token);
    let home = olga.get(&b.base).await;
    assert_eq!(home.status, 200, "{}", home.text);
    let unknown = super::unknown(&a.ids["organization_id"]);
    let mut seen = Vec::new();
    for id in [&a.ids["organization_id"], &unknown] {
        // Known again: by which rate they are held back hangs on what they were answered last.
        olga.get(&b.base).await.done();
        let reply = olga.get(&format!("/v1/organizations/{id}/members")).await;
        reply.assert_refused("somebody from elsewhere");
        seen.push(reply.seen_by_who_sent(std::slice::from_ref(id)));
    }
    assert_eq!(seen[0], seen[1]);
    marks.push(token);
}

/// A token that was used opens nothing, and neither does one whose invite was taken back.
async fn invites_are_good_once(b: &Tenant, stranger: &Asker, marks: &mut Vec<String>) {
    let mark = mark();
    let invite = json!({ "email": format!("{mark}@example.com"), "role": "member" });
    let path = format!("{}/invites", b.base);
    let made = b.owner.command(Method::POST, &path, Some(&invite)).await.done();
    let token = made["secret"].as_str().unwrap().to_owned();
    let accept = format!("{path}/{}/accept", made["invite_id"].as_str().unwrap());
    let invited = stranger.presenting(&token);
    let login = json!({ "login": mark });
    let accepted = invited.command(Method::POST, &accept, Some(&login)).await.done();
    for _ in 0..2 {
        let again = invited.command(Method::POST, &accept, Some(&login)).await;
        again.assert_refused("a replayed token");
        assert_eq!(again.status, 401, "{}", again.text);
    }
    marks.extend([mark, token, accepted["secret"].as_str().unwrap().to_owned()]);
}

async fn paths_and_headers_are_refused(shared: &Shared, marks: &mut Vec<String>) {
    let (b, base) = (&shared.b, shared.dev.base());
    let secret = &b.secrets[1];
    let mark = mark();
    let (ours, theirs) = (&b.base, &shared.a.ids["organization_id"]);
    let long = mark.repeat(2_000);
    let targets = [
        format!("{ours}/members/../../{theirs}/members"),
        format!("{ours}/members/..%2f..%2f{theirs}%2fmembers"),
        format!("{ours}/%2e%2e/{theirs}"),
        format!("{ours}%2f..%2f{theirs}"),
        format!("/v1/organizations/{theirs}%00{mark}"),
        format!("/v1/organizations/%00{mark}"),
        format!("{ours}/members/{mark}%0d%0ax-injected:%20{mark}"),
        format!("{ours}/members?state=active%0d%0ax-injected:%20{mark}"),
        format!("{ours}/members?cursor=1%0d%0ax-injected:%20{mark}"),
        format!("{ours}/members?limit=1%00&{mark}=%0a"),
        format!("{ours}/members/{long}"),
        format!("{ours}/members?cursor={long}"),
        format!("//v1/organizations/{theirs}"),
        format!("{ours}/members/\u{7f}{mark}"),
    ];
    for target in targets {
        let answer = send_raw(base, &head(&format!("GET {target}"), secret, "")).await;
        let what: String = target.chars().take(160).collect();
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
        assert!(!answer.head.to_lowercase().contains("\nx-injected"), "{what}: {}", answer.head);
        let is_problem = answer.head.contains("application/problem+json");
        // What is no HTTP at all is answered below everything that knows problems.
        assert!(is_problem || answer.body.is_empty(), "{what}: {}", answer.body);
        assert_without(&answer.body, &[&shared.a.canary], &what);
    }
    let many = (0..500).map(|n| format!("x-{n}: {mark}\r\n")).collect::<Vec<_>>().concat();
    for (what, more) in [
        ("NUL in a header", format!("x-request-id: a\0{mark}\r\n")),
        ("a bare CR", format!("x-request-id: a\r{mark}\r\n")),
        ("a folded header", format!("x-request-id: a\r\n {mark}: 1\r\n")),
        ("two credentials", format!("authorization: Bearer {mark}\r\n")),
        ("too many headers", many),
        ("a long header", format!("x-long: {}\r\n", mark.repeat(20_000))),
        ("two lengths", "content-length: 1\r\ncontent-length: 2\r\n".to_owned()),
    ] {
        let answer = send_raw(base, &head(&format!("GET {ours}"), secret, &more)).await;
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.head);
    }
    // What may stand in a header and not in an id is not repeated.
    let more = format!("x-request-id: <{mark}>%0d%0a\r\ntraceparent: {mark}\r\n");
    let answer = send_raw(base, &head(&format!("GET {ours}"), secret, &more)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_without(&answer.head, &[&mark], "an answer's head");
    marks.push(mark);
}

/// Bodies that are too large, too deep, or have in them what no text has.
async fn bodies_are_refused(shared: &Shared, marks: &mut Vec<String>) {
    let (b, base) = (&shared.b, shared.dev.base());
    let secret = &b.secrets[1];
    let mark = mark();
    for path in ["projects", "usage", "invites/bulk"] {
        for framing in
            [format!("content-length: {BODY_BYTES}"), "transfer-encoding: chunked".into()]
        {
            let line = format!("POST {}/{path}", b.base);
            let more =
                format!("idempotency-key: k\r\ncontent-type: application/json\r\n{framing}\r\n");
            let mut bytes = head(&line, secret, &more);
            let body = format!("{{\"name\":\"{}\"}}", mark.repeat(BODY_BYTES / mark.len() + 1));
            if framing.starts_with("transfer") {
                bytes.extend(format!("{:x}\r\n", body.len()).bytes());
            }
            bytes.extend(body.bytes());
            let answer = send_raw(base, &bytes).await;
            assert_eq!(answer.status, 413, "{path}, {framing}: {}", answer.body);
            assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
        }
    }
    let deep = format!("{}\"{mark}\"{}", "[".repeat(100_000), "]".repeat(100_000));
    let projects = format!("{}/projects", b.base);
    for body in [deep, format!("{{\"name\":\"{mark}"), format!("{{\"{mark}\":1}}"), mark.clone()] {
        let request = b.owner.request(Method::POST, &projects);
        let request = request.header("content-type", "application/json").body(body);
        b.owner.ask(request).await.assert_refused("a body that is none");
    }
    for text in ["a\r\nb", "a\0b", "\u{1b}[31m", "a\u{85}b"] {
        let body = json!({ "name": format!("{text}{mark}") });
        let reply = b.owner.command(Method::POST, &projects, Some(&body)).await;
        reply.assert_refused(&format!("{text:?} in a name"));
    }
    marks.push(mark);
}

/// Addresses that look like another's: with letters of another alphabet, or with what is not seen.
async fn look_alikes_are_refused(b: &Tenant, marks: &mut Vec<String>) {
    let open = json!({ "default_role": "member", "default_project_role": "member",
                       "invite_domains": [] });
    let settings = format!("{}/settings", b.base);
    let request = b.owner.request(Method::PUT, &settings).header("if-match", "*").json(&open);
    b.owner.ask(request).await.done();
    let mark = mark();
    for address in [
        format!("{mark}@ex\u{0430}mple.com"),
        format!("{mark}@\u{ff45}xample.com"),
        format!("{mark}\u{200b}@example.com"),
        format!("\u{043e}{mark}@example.com"),
        format!("{mark}@example.com\u{202e}"),
        format!("{mark}@example\u{3002}com"),
        format!("{mark}@example.com\r\nbcc: x@evil.example"),
        format!("{mark}@example.com, x@evil.example"),
        format!("\"{mark}@example.com\"@evil.example x"),
    ] {
        let invite = json!({ "email": address, "role": "member" });
        let path = format!("{}/invites", b.base);
        let reply = b.owner.command(Method::POST, &path, Some(&invite)).await;
        reply.assert_refused(&format!("{address:?}"));
    }
    marks.push(mark);
}

#[tokio::test]
async fn what_is_hostile_is_refused_and_its_secrets_are_not_logged() {
    let shared = Shared::start().await;
    let stranger = Asker::new(shared.dev.client("nobody"), "stranger");
    let mut marks = vec![CREDENTIAL.to_owned(), shared.a.canary.clone(), shared.b.canary.clone()];
    tokens_are_refused(&shared, &stranger, &mut marks).await;
    people_sign_in_at_home(&shared, &stranger, &mut marks).await;
    invites_are_good_once(&shared.b, &stranger, &mut marks).await;
    paths_and_headers_are_refused(&shared, &mut marks).await;
    bodies_are_refused(&shared, &mut marks).await;
    look_alikes_are_refused(&shared.b, &mut marks).await;

    let last = stranger.get("/healthz").await;
    let last = last.headers["x-request-id"].to_str().unwrap().to_owned();
    until("the log has come this far", || async { shared.dev.log().contains(&last) }).await;
    marks.extend(shared.b.secrets.iter().cloned());
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    assert_without(&shared.dev.log(), &marks, "the log");
    let metrics = stranger.get("/metrics").await.text;
    assert_without(&metrics, &marks, "the metrics");
    let panicked = shared.dev.log().contains("panicked");
    assert!(!panicked, "something panicked");
    shared.dev.stop().await;
}
