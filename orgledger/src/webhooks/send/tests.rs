use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;

use super::*;

fn message() -> Signed<'static> {
    Signed { id: "msg_1", timestamp: 1_614_265_330, body: b"{}".to_vec(), secrets: &[] }
}

/// A server on loopback, with answers of every kind.
async fn endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let long = "x".repeat(1024 * 1024);
    let elsewhere = (StatusCode::FOUND, [("location", "/taken")]);
    let routes = Router::new()
        .route("/taken", post(|| async { StatusCode::NO_CONTENT }))
        .route("/gone", post(|| async { StatusCode::GONE }))
        .route("/failed", post(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/elsewhere", post(move || async move { elsewhere }))
        .route("/long", post(move || async move { long }));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    base
}

async fn fate(sender: &Sender, url: &str) -> (Fate, Option<u16>, Option<String>) {
    let outcome = sender.send(url, message()).await;
    (outcome.fate, outcome.status, outcome.error)
}

#[tokio::test]
async fn success_is_what_answers_2xx_and_nothing_else() {
    let (sender, base) = (Sender::new(Addresses::Any).unwrap(), endpoint().await);
    let at = |path: &str| format!("{base}{path}");
    assert_eq!(fate(&sender, &at("/taken")).await, (Fate::Taken, Some(204), None));
    assert_eq!(fate(&sender, &at("/long")).await, (Fate::Taken, Some(200), None));
    let said = |text: &str| Some(text.to_owned());
    let gone = (Fate::Gone, Some(410), said("it answers 410 Gone"));
    assert_eq!(fate(&sender, &at("/gone")).await, gone);
    let failed = (Fate::Failed, Some(500), said("it answers 500 Internal Server Error"));
    assert_eq!(fate(&sender, &at("/failed")).await, failed);
    // It is not followed.
    let elsewhere = (Fate::Failed, Some(302), said("it answers 302 Found"));
    assert_eq!(fate(&sender, &at("/elsewhere")).await, elsewhere);
    let (fate, status, error) = fate(&sender, "http://127.0.0.1:1/").await;
    assert_eq!((fate, status), (Fate::Failed, None));
    assert!(error.as_ref().is_some_and(|it| it.starts_with("it cannot be reached")), "{error:?}");
}

#[test]
fn a_pause_is_asked_for_in_seconds_or_until_a_time() {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    let asked = |status, text: &str| {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        retry_after(status, &headers, now).map(|pause| pause.as_secs())
    };
    for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        assert_eq!(asked(status, "120"), Some(120));
        assert_eq!(asked(status, " 0 "), Some(0));
        assert_eq!(asked(status, "Sun, 01 Mar 2026 12:01:30 GMT"), Some(90));
        // What is over, and what is nothing of the kind, asks for nothing.
        for nothing in ["Sun, 01 Mar 2026 11:00:00 GMT", "", "-1", "1.5", "soon", &"9".repeat(30)] {
            assert_eq!(asked(status, nothing), None, "{nothing}");
        }
    }
    assert_eq!(asked(StatusCode::INTERNAL_SERVER_ERROR, "120"), None);
    assert_eq!(retry_after(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), now), None);
}

/// Nothing is asked: the server would answer.
#[tokio::test]
async fn what_is_not_public_is_not_asked() {
    let sender = Sender::new(Addresses::Public).unwrap();
    let base = endpoint().await;
    let port = base.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"] {
        let url = format!("https://{host}:{port}/taken");
        let (fate, status, error) = fate(&sender, &url).await;
        assert_eq!((fate, status), (Fate::Failed, None), "{host}");
        let error = error.unwrap();
        assert!(error.contains("private, local or reserved address"), "{host}: {error}");
    }
    // Not in the clear, wherever it is.
    let (fate, ..) = fate(&sender, "http://192.0.1.1/").await;
    assert_eq!(fate, Fate::Failed);
}

#[test]
fn each_secret_signs() {
    let secrets = [SigningSecret::new([1; 32]), SigningSecret::new([2; 32])];
    let signed = Signed { secrets: &secrets, ..message() };
    let signatures = signed.signatures();
    let each: Vec<&str> = signatures.split(' ').collect();
    assert_eq!(each.len(), 2);
    assert_eq!(each[0], secrets[0].sign("msg_1", 1_614_265_330, b"{}"));
    assert_eq!(each[1], secrets[1].sign("msg_1", 1_614_265_330, b"{}"));
}
