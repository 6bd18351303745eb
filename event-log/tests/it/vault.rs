//! The vault: what is a person's is sealed in the log, opens for who has the keys, and for nobody once
//! the person is erased.

use std::collections::BTreeSet;
use std::sync::Arc;

use event_log::database::Role;
use event_log::read::read_page;
use event_log::{Append, AppendError, EventLog, MasterKeys, NewEvent, Vault, VaultError, vault};
use event_schemas::RecordedEvent;
use event_schemas::personal::{SEALED_PREFIX, erased};
use event_schemas::{Actor, EventMetadata, NameEvent, OrganizationId, PersonEvent, PersonId};
use sqlx::Executor as _;

use crate::support::{TestLog, at, eventually, id, master_keys, organization};

/// A login that nothing else in a test's database can look like.
const LOGIN: &str = "Zephyrine-Quux";

fn metadata(actor: &Actor) -> Arc<str> {
    let metadata = EventMetadata {
        actor: actor.clone(),
        credential: None,
        correlation_id: "a test".to_owned(),
        causation_id: None,
        traceparent: None,
        source_address: None,
    };
    serde_json::to_string(&metadata).expect("it serialises").into()
}

/// Something that was done by somebody in the system that a history came from.
fn done_by(login: &str, organization_id: OrganizationId, name: &str) -> NewEvent {
    let event = NameEvent::Claimed { holder_id: "holder".to_owned() };
    let actor = metadata(&Actor::external(login));
    let occurred_at = at("2026-03-01T12:00:00Z");
    NewEvent::new(&event, name.into(), Some(organization_id), actor, occurred_at)
        .expect("it serialises")
}

fn erasure(person_id: PersonId, organization_id: OrganizationId) -> NewEvent {
    let event = PersonEvent::Erased { person_id, reason: None };
    let actor = metadata(&Actor::system("test"));
    let occurred_at = at("2026-03-02T12:00:00Z");
    let stream = person_id.to_string().into();
    NewEvent::new(&event, stream, Some(organization_id), actor, occurred_at).expect("it serialises")
}

async fn append(log: &EventLog, events: Vec<NewEvent>) {
    log.append(Append { events, ..Append::default() }).await.expect("nothing is in its way");
}

/// The log's events as they are stored.
async fn stored(log: &TestLog) -> Vec<RecordedEvent> {
    let mut reader = log.connect(Role::Projector).await;
    read_page(&mut reader, 0, 100).await.expect("the log has no hole").events
}

/// The vault as a projector has it, with nothing remembered.
async fn vault(log: &TestLog, masters: MasterKeys) -> Vault {
    let pool =
        event_log::database::pool(&log.options(), Role::Projector, 3).await.expect("it connects");
    Vault::open(pool, masters).await.expect("the vault opens")
}

/// The actors of the log's events as that vault reads them.
async fn actors(log: &TestLog, vault: &Vault) -> Result<Vec<String>, VaultError> {
    let mut events = stored(log).await;
    vault.unseal(&mut events).await?;
    let actor =
        |event: &RecordedEvent| event.metadata["actor_id"].as_str().expect("an actor").to_owned();
    Ok(events.iter().map(actor).collect())
}

/// Everything that the database holds, as text.
async fn everything(log: &TestLog) -> String {
    let mut owner = log.owner().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema') order by 1",
    )
    .fetch_all(&mut owner)
    .await
    .expect("the catalogue tells");
    let mut text = String::new();
    for table in tables {
        let rows = format!("select coalesce(string_agg(t::text, chr(10)), '') from {table} t");
        text += &sqlx::query_scalar::<_, String>(&rows)
            .fetch_one(&mut owner)
            .await
            .expect("a table can be read");
    }
    text
}

#[tokio::test]
async fn a_login_stands_sealed_in_the_log_and_reads_as_it_was() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let acme = organization(1);
    append(&process, vec![done_by(LOGIN, acme, "a"), done_by(LOGIN, acme, "b")]).await;
    let events = stored(&log).await;
    let sealed: Vec<&str> =
        events.iter().map(|event| event.metadata["actor_id"].as_str().unwrap()).collect();
    assert!(sealed.iter().all(|text| text.starts_with(SEALED_PREFIX)), "{sealed:?}");
    assert_ne!(sealed[0], sealed[1], "the same login looks the same");
    let held = everything(&log).await.to_lowercase();
    assert!(!held.contains(&LOGIN.to_lowercase()));
    let opened = actors(&log, &vault(&log, master_keys()).await).await.unwrap();
    assert_eq!(opened, [LOGIN, LOGIN]);
}

#[tokio::test]
async fn a_sealed_text_opens_in_its_own_place_alone() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, vec![done_by(LOGIN, organization(1), "a")]).await;
    let event = stored(&log).await.remove(0);
    let elsewhere: [fn(&mut RecordedEvent); 4] = [
        |event| event.event_id = id(7),
        |event| event.organization_id = Some(organization(2)),
        |event| event.event_type = "name.released".to_owned(),
        |event| {
            let text = event.metadata["actor_id"].as_str().unwrap();
            event.metadata["actor_id"] = text[..text.len() - 4].into();
        },
    ];
    let vault = vault(&log, master_keys()).await;
    for change in elsewhere {
        let mut moved = [event.clone()];
        change(&mut moved[0]);
        let refused = vault.unseal(&mut moved).await.unwrap_err();
        assert!(matches!(refused, VaultError::TextChanged { .. }), "{refused}");
    }
    let mut clear = [event];
    clear[0].metadata["actor_id"] = "somebody".into();
    let refused = vault.unseal(&mut clear).await.unwrap_err();
    assert!(matches!(refused, VaultError::InTheClear { .. }), "{refused}");
}

#[tokio::test]
async fn who_acts_from_outside_is_the_same_person_in_one_organization_and_another_in_the_next() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let person = async |organization_id, login| {
        process.vault().external_person(organization_id, login).await.unwrap()
    };
    let acme = person(Some(organization(1)), LOGIN).await;
    assert_eq!(person(Some(organization(1)), "ZEPHYRINE-QUUX").await, acme);
    assert_ne!(person(Some(organization(2)), LOGIN).await, acme);
    assert_ne!(person(None, LOGIN).await, acme);
    // A log of its own has a key of its own: what is derived there says nothing here.
    let other = TestLog::new().await;
    let there = other.open().await;
    let there = there.vault().external_person(Some(organization(1)), LOGIN).await.unwrap();
    assert_ne!(there, acme);
}

#[tokio::test]
async fn an_erasure_and_its_event_are_one() {
    let log = TestLog::new().await;
    let [process, other] = [log.open().await, log.open().await];
    let acme = organization(1);
    append(&process, vec![done_by(LOGIN, acme, "a"), done_by("somebody-else", acme, "b")]).await;
    let reading = vault(&log, master_keys()).await;
    assert_eq!(actors(&log, &reading).await.unwrap(), [LOGIN, "somebody-else"]);
    let person_id = process.vault().external_person(Some(acme), LOGIN).await.unwrap();
    // What conflicts erases nobody.
    let stale = Append {
        events: vec![erasure(person_id, acme)],
        expected: vec![(crate::support::name_stream("a"), 0)],
        ..Append::default()
    };
    let refused = other.append(stale).await.unwrap_err();
    assert!(matches!(refused, AppendError::Conflict(_)), "{refused}");
    assert!(readable(&other, person_id).await);

    append(&other, vec![erasure(person_id, acme)]).await;
    assert!(!readable(&process, person_id).await);
    let gone = erased(person_id);
    // In this process it holds at once; who had the key in memory elsewhere hears of it.
    let fresh = vault(&log, master_keys()).await;
    assert_eq!(
        actors(&log, &fresh).await.unwrap()[..2],
        [gone.clone(), "somebody-else".to_owned()]
    );
    eventually("the erasure is heard of", async || {
        actors(&log, &reading).await.unwrap()[0] == gone
    })
    .await;
    // Whatever is brought in later, who was erased stays so.
    append(&process, vec![done_by(LOGIN, acme, "c")]).await;
    let later = stored(&log).await.pop().unwrap();
    assert_eq!(later.metadata["actor_id"], gone);
    assert!(!everything(&log).await.contains(LOGIN));
}

async fn readable(log: &EventLog, person_id: PersonId) -> bool {
    log.vault().readable(&[person_id]).await.expect("the vault tells")
        == BTreeSet::from([person_id])
}

#[tokio::test]
async fn a_destroyed_key_stays_destroyed_and_no_key_disappears() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let acme = organization(1);
    append(&process, vec![done_by(LOGIN, acme, "a")]).await;
    let mut owner = log.owner().await;
    for change in ["delete from vault.person_keys", "truncate vault.person_keys"] {
        let refused = owner.execute(change).await.unwrap_err().to_string();
        assert!(refused.contains("is refused"), "{change}: {refused}");
    }
    let person_id = process.vault().external_person(Some(acme), LOGIN).await.unwrap();
    append(&process, vec![erasure(person_id, acme)]).await;
    let revive = "update vault.person_keys
                  set wrapped_key = '\\x00', master_key_id = 'x', destroyed_at = null";
    let refused = owner.execute(revive).await.unwrap_err().to_string();
    assert!(refused.contains("destroyed for good"), "{refused}");
}

#[tokio::test]
async fn a_missing_key_and_a_wrong_master_key_are_errors_and_no_erasures() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, vec![done_by(LOGIN, organization(1), "a")]).await;
    let wrong = MasterKeys::parse(&"08".repeat(32)).unwrap();
    let refused = actors(&log, &vault(&log, wrong).await).await.unwrap_err();
    assert!(matches!(refused, VaultError::UnknownMasterKey { .. }), "{refused}");
    assert!(refused.to_string().contains("ORGLEDGER_MASTER_KEY"), "{refused}");
    let mut owner = log.owner().await;
    let lose = "alter table vault.person_keys disable trigger all; delete from vault.person_keys";
    owner.execute(lose).await.unwrap();
    let refused = actors(&log, &vault(&log, master_keys()).await).await.unwrap_err();
    assert!(matches!(refused, VaultError::KeyMissing { .. }), "{refused}");
    assert!(refused.to_string().contains("backup"), "{refused}");
}

#[tokio::test]
async fn a_new_master_key_takes_over_and_the_old_one_can_go() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let acme = organization(1);
    let logins: Vec<String> = (0..3).map(|n| format!("{LOGIN}-{n}")).collect();
    let events = logins.iter().map(|login| done_by(login, acme, login)).collect();
    append(&process, events).await;
    let derived = process.vault().external_person(Some(acme), LOGIN).await.unwrap();
    let person_id = process.vault().external_person(Some(acme), &logins[2]).await.unwrap();
    append(&process, vec![erasure(person_id, acme)]).await;
    let (old, new) = ("07".repeat(32), "09".repeat(32));
    let both = MasterKeys::parse(&format!("{new},{old}")).unwrap();
    // Two persons and what external actors are derived with; who was erased has no key.
    assert_eq!(vault::rewrap(&mut log.connect(Role::Writer).await, &both).await.unwrap(), 3);
    assert_eq!(vault::rewrap(&mut log.connect(Role::Writer).await, &both).await.unwrap(), 0);
    let alone = MasterKeys::parse(&new).unwrap();
    let opened = actors(&log, &vault(&log, alone.clone()).await).await.unwrap();
    assert_eq!(opened[..3], [logins[0].clone(), logins[1].clone(), erased(person_id)]);
    let restarted = EventLog::open(&log.options(), alone).await.unwrap();
    assert_eq!(restarted.vault().external_person(Some(acme), LOGIN).await.unwrap(), derived);
}

#[tokio::test]
async fn roles_that_need_no_keys_see_none() {
    let log = TestLog::new().await;
    for role in [Role::Relay, Role::Reader] {
        let mut connection = log.connect(role).await;
        let refused = connection.execute("select * from vault.person_keys").await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{role:?}: {refused}");
    }
    let mut projector = log.connect(Role::Projector).await;
    projector.execute("select * from vault.person_keys").await.unwrap();
    let destroy = "update vault.person_keys set destroyed_at = now()";
    let refused = projector.execute(destroy).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[tokio::test]
async fn many_processes_that_meet_a_person_at_once_make_one_key() {
    let log = TestLog::new().await;
    let acme = organization(1);
    let mut writing = tokio::task::JoinSet::new();
    for process in 0..4 {
        let open = log.open().await;
        writing.spawn(async move {
            for turn in 0..10 {
                let events = (0..5).map(|login| {
                    done_by(&format!("{LOGIN}-{turn}-{login}"), acme, &format!("{process}-{turn}"))
                });
                append(&open, events.collect()).await;
            }
        });
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap();
    }
    let opened = actors(&log, &vault(&log, master_keys()).await).await.unwrap();
    assert_eq!(opened.len(), 100, "a page of the 200");
    assert!(opened.iter().all(|login| login.starts_with(LOGIN)), "{opened:?}");
}
