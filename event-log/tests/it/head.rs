//! The head moves only with the entries that it covers: whoever may append cannot make a hole.

use event_log::database::Role;
use event_log::usage::UsageWriter;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::{TestLog, append, claims, organization, usage, usage_write};

const INTEGRITY_CONSTRAINT_VIOLATION: &str = "23000";

/// An event at a position.
fn event(position: i64) -> String {
    format!(
        "insert into log.events values ({position}, gen_random_uuid(), null, 'name', 'forged',
         {position}, 'name.claimed', '1', '{{}}', '{{}}', now(), now())"
    )
}

/// A batch of usage from a position on.
fn batch(first_position: i64, count: i64) -> String {
    format!("insert into log.usage_batches values {}", batch_row(first_position, count))
}

fn batch_row(first_position: i64, count: i64) -> String {
    format!(
        "({first_position}, gen_random_uuid(), gen_random_uuid(), {count}, '2026-03-01',
         '2026-03-01', 'x', '{{}}', now(), sha256('records'))"
    )
}

/// A statement that moves the head and does all that.
fn with_head(position: i64, parts: &[String]) -> String {
    let mut sql = format!("with head as (update log.head set position = {position})");
    for (n, part) in parts.iter().enumerate() {
        sql.push_str(&format!(", part{n} as ({part})"));
    }
    format!("{sql} select 1")
}

/// Three events and a batch of two records: the head stands at 5.
async fn filled() -> TestLog {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("a", 0, 3)).await;
    let records = vec![usage("r", "2026-03-01T12:00:00Z"), usage("s", "2026-03-01T12:00:00Z")];
    UsageWriter::new(&process).write(&usage_write(organization(1), records)).await.expect("fresh");
    log
}

/// That the statements, in one transaction, are refused by a rule of the log.
async fn refused(connection: &mut PgConnection, statements: &[String]) {
    let mut tx = connection.begin().await.expect("it begins");
    for (n, statement) in statements.iter().enumerate() {
        let Err(error) = (&mut *tx).execute(statement.as_str()).await else {
            assert!(n + 1 < statements.len(), "nothing is against it: {statements:?}");
            continue;
        };
        let error = error.into_database_error().expect("the server says no");
        let code = error.code();
        assert_eq!(code.as_deref(), Some(INTEGRITY_CONSTRAINT_VIOLATION), "{statement}: {error}");
        break;
    }
    tx.rollback().await.expect("it rolls back");
}

#[tokio::test]
async fn the_head_and_its_entries_are_written_together_or_not_at_all() {
    let log = filled().await;
    let before = log.entries().await;
    let head = |position: i64| format!("update log.head set position = {position}");
    let cases: Vec<Vec<String>> = vec![
        // Forward without entries, back, and anywhere by a trick.
        vec![head(6)],
        vec![head(4)],
        vec![head(0)],
        vec![with_head(6, &[]), event(6)],
        vec!["update log.head set position = 6, moved_from = 6".to_owned()],
        vec!["update log.head set moved_from = 4".to_owned(), event(5)],
        vec!["update log.head set recorded_at = 'infinity'".to_owned()],
        vec!["update log.head set recorded_at = '-infinity'".to_owned()],
        // Entries without the head, beyond it and within what is there.
        vec![event(6)],
        vec![batch(6, 1)],
        vec![event(4)],
        vec![batch(3, 1)],
        vec![batch(5, 1)],
        vec![event(6), head(6)],
        // Too few, too many, at the wrong place.
        vec![with_head(7, &[event(7)])],
        vec![with_head(7, &[event(6)])],
        vec![with_head(6, &[event(7)])],
        vec![with_head(7, &[batch(6, 1)])],
        vec![with_head(7, &[batch(6, 3)])],
        vec![with_head(
            8,
            &[format!(
                "{} , (6, gen_random_uuid(), null, 'n', 'f', 6, 'e', '1',
            '{{}}', '{{}}', now(), now())",
                event(8)
            )],
        )],
        // Both lanes at the same places.
        vec![with_head(7, &[event(7), batch(6, 1)])],
        vec![with_head(6, &[event(6), batch(6, 1)])],
        vec![with_head(6, &[event(6)]), batch(6, 1)],
        vec![with_head(6, &[batch(6, 1)]), event(6)],
        // Right, and then a hole after it.
        vec![with_head(6, &[event(6)]), with_head(8, &[event(8)])],
    ];
    for role in [Role::Writer, Role::Owner] {
        let mut connection = log.connect(role).await;
        for statements in &cases {
            refused(&mut connection, statements).await;
        }
    }
    assert_eq!(log.entries().await, before);
}

#[tokio::test]
async fn what_fills_its_place_exactly_is_taken_and_read() {
    let log = filled().await;
    let mut writer = log.connect(Role::Writer).await;
    let two = format!("{}, {}", batch(6, 2), batch_row(8, 3));
    for statement in [with_head(10, &[two]), with_head(11, &[event(11)])] {
        (&mut writer).execute(statement.as_str()).await.expect(&statement);
    }
    let page = event_log::read::read_page(&mut writer, 5, 100).await.expect("it has no hole");
    assert_eq!((page.upto, page.usage.len(), page.events.len()), (11, 2, 1));
    let process = log.open().await;
    assert_eq!(append(&process, claims("a", 3, 2)).await.first_position, 12);
}
