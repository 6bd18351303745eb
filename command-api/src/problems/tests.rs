use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use event_log::AppendError;

use super::*;
use crate::refusal::Refusal;

#[test]
fn every_type_is_there_once_and_reads_as_a_path() {
    let kinds = problem_types();
    for (kind, next) in kinds.iter().zip(&kinds[1..]) {
        assert_ne!(kind.uri, next.uri);
    }
    for kind in kinds {
        let name = kind.uri.strip_prefix("/problems/").expect(kind.uri);
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
        assert!(kind.status.is_client_error() || kind.status.is_server_error(), "{name}");
    }
}

#[test]
fn what_the_machinery_says_is_answered_as_what_to_do() {
    let check = |error: ExecuteError, status: u16, kind: &str, retry_after: Option<&str>| {
        let problem = Problem::from(error);
        assert_eq!(problem.kind().uri, format!("/problems/{kind}"));
        let response = problem.into_response();
        assert_eq!(response.status().as_u16(), status);
        let header = response.headers().get("retry-after").map(|v| v.to_str().expect("visible"));
        assert_eq!(header, retry_after, "{kind}");
    };
    let lost = || std::sync::Arc::new(sqlx::Error::PoolTimedOut);
    check(ExecuteError::Contended, 409, "concurrent-change", Some("1"));
    check(ExecuteError::Overloaded, 503, "overloaded", Some("1"));
    check(AppendError::Overloaded.into(), 503, "overloaded", Some("1"));
    check(AppendError::Closed.into(), 503, "unavailable", Some("1"));
    check(AppendError::Database(lost()).into(), 503, "unavailable", Some("1"));
    check(AppendError::Unknown(lost()).into(), 503, "outcome-unknown", Some("1"));
    check(sqlx::Error::PoolTimedOut.into(), 503, "unavailable", Some("1"));
    check(sqlx::Error::RowNotFound.into(), 500, "internal", None);
    check(ExecuteError::IdempotencyKeyReused, 422, "idempotency-key-reused", None);
}

#[test]
fn an_unknown_outcome_says_to_send_the_same_key_again() {
    let broken = AppendError::Unknown(std::sync::Arc::new(sqlx::Error::PoolTimedOut));
    let problem = format!("{:?}", Problem::from(ExecuteError::Log(broken)));
    assert!(problem.contains("Send it again with the same Idempotency-Key"), "{problem}");
    assert!(!problem.contains("pool"), "nothing of what is inside: {problem}");
}

#[test]
fn nobody_learns_who_has_a_name() {
    let taken = domain::name::NameError::Taken { holder_id: "somebody".to_owned() };
    let problem = Problem::from(ExecuteError::Refused(Refusal::Name(taken)));
    assert_eq!(problem.kind().status, StatusCode::CONFLICT);
    assert!(!format!("{problem:?}").contains("somebody"), "{problem:?}");
}
