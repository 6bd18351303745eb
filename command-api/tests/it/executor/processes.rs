//! Two processes on one database, each with its own cache: neither ever decides wrongly because of
//! what the other has done meanwhile.

use command_api::members::{AddMember, AddMemberRequest};
use command_api::{ExecuteError, Refusal};
use event_schemas::OrganizationRole;
use serde_json::json;

use crate::support::{App, Client, Process, Reply, by_member};

/// How often a race is run: enough that it goes either way.
const RACES: usize = 20;

async fn adds_as(
    process: &Process,
    organization: &str,
    member: &str,
    login: &str,
) -> Result<(), ExecuteError> {
    let add = AddMember {
        organization_id: organization.parse().expect("an id"),
        request: AddMemberRequest {
            login: login.to_owned(),
            email: None,
            role: Some(OrganizationRole::Member),
        },
    };
    process.executor.execute(&by_member(member), &add).await.map(drop)
}

#[tokio::test]
async fn a_role_withdrawn_or_given_elsewhere_counts_at_once() {
    let app = App::new().await;
    let other = app.process().await;
    let organization = app.organization().await;
    let admin = app.member(&organization, "ada", "admin").await;
    let role = format!("/v1/organizations/{organization}/members/{admin}/role");
    // The other process has the roster in its cache from here on.
    adds_as(&other, &organization, &admin, "one").await.expect("an admin may");

    app.admin().put(&role, json!({"role": "reader"})).await.ok();
    let refused = adds_as(&other, &organization, &admin, "two").await;
    assert!(
        matches!(refused, Err(ExecuteError::Refused(Refusal::NotPermitted { .. }))),
        "{refused:?}"
    );

    app.admin().put(&role, json!({"role": "admin"})).await.ok();
    adds_as(&other, &organization, &admin, "three").await.expect("an admin may again");
    assert_eq!(app.count("member.added").await, 4, "with the owner");
}

#[tokio::test]
async fn what_another_process_made_or_ended_is_known_at_once() {
    let app = App::new().await;
    let (here, there) = (app.admin(), app.process().await.admin());
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let projects = format!("/v1/organizations/{organization}/projects");
    // Both know the organization and its project.
    for client in [&here, &there] {
        client.patch(&format!("{projects}/{project}"), json!({"name": "Alpha"})).await.ok();
    }
    there.post(&projects, json!({"name": "alpha"})).await.refused(409, "name-taken");
    here.post(&format!("{projects}/{project}/archive"), json!({})).await.ok();
    let late = json!({"project_id": project, "name": "indexer"});
    let accounts = format!("/v1/organizations/{organization}/service-accounts");
    there.post(&accounts, late).await.refused(409, "project-archived");
    // Its name is free again there too.
    there.post(&projects, json!({"name": "ALPHA"})).await.ok();
    here.post(&projects, json!({"name": "alpha"})).await.refused_field(409, "name-taken", "name");
}

/// Sends one request to each process at the same moment.
async fn race(
    here: impl Future<Output = Reply> + Send + 'static,
    there: impl Future<Output = Reply> + Send + 'static,
) -> [Reply; 2] {
    let (here, there) = (tokio::spawn(here), tokio::spawn(there));
    [here.await.expect("no panic"), there.await.expect("no panic")]
}

async fn delete(client: Client, path: String) -> Reply {
    client.delete(&path).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_owners_removed_at_once_one_stays() {
    let app = App::new().await;
    let other = app.process().await;
    for race_number in 0..RACES {
        let (organization, (first, _)) = app.founded("ada").await;
        let second = app.member(&organization, "bob", "owner").await;
        app.let_operator_in(&organization).await;
        let member = |id: &str| format!("/v1/organizations/{organization}/members/{id}");
        // Both processes have the roster with both owners in their caches.
        let role = format!("{}/role", member(&second));
        other.admin().put(&role, json!({"role": "owner"})).await.ok();

        let replies =
            race(delete(app.operator(), member(&first)), delete(other.operator(), member(&second)))
                .await;
        let [done, refused]: [Vec<_>; 2] = {
            let (done, refused) = replies.into_iter().partition(|reply| reply.status.is_success());
            [done, refused]
        };
        assert_eq!((done.len(), refused.len()), (1, 1), "race {race_number}");
        for reply in refused {
            reply.refused(409, "last-owner");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_claimed_twice_at_once_is_given_once() {
    let app = App::new().await;
    let (here, there) = (app.admin(), app.process().await.admin());
    for n in 0..RACES {
        let create = |client: &Client, name: String| {
            let client = client.clone();
            async move { client.post("/v1/organizations", json!({"name": name})).await }
        };
        let replies =
            race(create(&here, format!("Acme {n}")), create(&there, format!("ACME {n}"))).await;
        let created = replies.iter().filter(|reply| reply.status.is_success()).count();
        assert_eq!(created, 1, "{replies:?}");
        for reply in replies.into_iter().filter(|reply| !reply.status.is_success()) {
            let refusal = reply.refused_field(409, "name-taken", "name");
            assert!(!refusal.to_string().contains(&created_id(&app).await), "{refusal}");
        }
    }
    let races = i64::try_from(RACES).expect("few");
    assert_eq!(app.count("organization.created").await, races);
}

async fn created_id(app: &App) -> String {
    sqlx::query_scalar(
        "select aggregate_id from log.events where event_type = 'organization.created'
         order by position desc limit 1",
    )
    .fetch_one(app.pool())
    .await
    .expect("an organization")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_assigned_to_a_project_after_they_were_removed() {
    let app = App::new().await;
    let other = app.process().await;
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let base = format!("/v1/organizations/{organization}");
    for n in 0..RACES {
        let member = app.member(&organization, &format!("login-{n}"), "member").await;
        let (here, there) = (app.admin(), other.admin());
        let assign = format!("{base}/projects/{project}/members/{member}");
        let remove = format!("{base}/members/{member}");
        let replies = race(
            async move { here.put(&assign, json!({"role": "member"})).await },
            delete(there, remove),
        )
        .await;
        let [assigned, removed] = replies;
        removed.ok();
        if !assigned.status.is_success() {
            assigned.refused(404, "not-found");
        }
    }
    let after_removal: i64 = sqlx::query_scalar(
        "select count(*) from log.events assigned join log.events removed
             on removed.event_type = 'member.removed'
             and removed.payload->>'member_id' = assigned.payload->>'member_id'
         where assigned.event_type = 'project_member.assigned'
           and assigned.position > removed.position",
    )
    .fetch_one(app.pool())
    .await
    .expect("a count");
    assert_eq!(after_removal, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_from_both_on_one_stream_happen_once_or_say_so() {
    let app = App::new().await;
    let other = app.process().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}/members");
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let client = if n % 2 == 0 { app.admin() } else { other.admin() };
            let path = path.clone();
            tokio::spawn(async move {
                let body = json!({"login": format!("login-{n}"), "role": "member"});
                let key = format!("key-{n}");
                loop {
                    let asking = client.ask(axum::http::Method::POST, &path).key(&key);
                    let reply = asking.json(&body).await;
                    if reply.status.is_success() {
                        return reply.position();
                    }
                    // Both kept overtaking each other: nothing was done, and it may be sent again.
                    assert_eq!(reply.header("retry-after"), "1");
                    reply.refused(409, "concurrent-change");
                }
            })
        })
        .collect();
    let mut positions = std::collections::BTreeSet::new();
    for task in tasks {
        positions.insert(task.await.expect("no panic"));
    }
    assert_eq!(positions.len(), 32);
    assert_eq!(app.count("member.added").await, 33, "with the owner");
}
