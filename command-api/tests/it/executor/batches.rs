//! Commands executed together: one append, one answer for each.

use command_api::projects::{
    CreateProject, CreateProjectRequest, UpdateProject, UpdateProjectRequest,
};
use command_api::{Answer, CommandContext, ExecuteError, Refusal};
use domain::name::NameError;
use event_schemas::ProjectId;

use crate::support::{App, unlimited};

type Answered = Result<Answer<command_api::projects::ProjectCreated>, ExecuteError>;

async fn create_all(app: &App, organization: &str, asked: &[(&str, &str)]) -> Vec<Answered> {
    let commands: Vec<(CommandContext, CreateProject)> = asked
        .iter()
        .map(|(key, name)| {
            let request = CreateProjectRequest { name: (*name).to_owned(), environment: None };
            let organization_id = organization.parse().expect("an id");
            (unlimited(Some(key)), CreateProject { organization_id, request })
        })
        .collect();
    let commands: Vec<_> = commands.iter().map(|(context, command)| (context, command)).collect();
    app.executor().execute_all(&commands).await.expect("the log answers")
}

fn done(answer: &Answered) -> (i64, ProjectId, bool) {
    let answer = answer.as_ref().expect("not refused");
    (answer.position, answer.outcome.project_id, answer.replayed)
}

#[tokio::test]
async fn one_refused_in_the_middle_keeps_nobody_back() {
    let app = App::new().await;
    let organization = app.organization().await;
    let head = app.head().await;
    let asked = [("a", "alpha"), ("b", "ALPHA"), ("c", "beta"), ("d", "")];
    let answers = create_all(&app, &organization, &asked).await;
    assert_eq!((done(&answers[0]).0, done(&answers[2]).0), (head + 2, head + 4));
    let taken = &answers[1];
    assert!(
        matches!(taken, Err(ExecuteError::Refused(Refusal::Name(NameError::Taken { .. })))),
        "{taken:?}"
    );
    assert!(matches!(&answers[3], Err(ExecuteError::Refused(_))), "{:?}", answers[3]);
    assert_eq!(app.head().await, head + 4);
}

#[tokio::test]
async fn those_done_before_are_answered_as_before() {
    let app = App::new().await;
    let organization = app.organization().await;
    let first = create_all(&app, &organization, &[("a", "alpha"), ("b", "beta")]).await;
    let (alpha, beta) = (done(&first[0]), done(&first[1]));
    let asked = [("n", "new"), ("b", "beta"), ("a", "alpha"), ("o", "other")];
    let again = create_all(&app, &organization, &asked).await;
    assert_eq!(done(&again[2]), (alpha.0, alpha.1, true));
    assert_eq!(done(&again[1]), (beta.0, beta.1, true));
    assert!(!done(&again[0]).2 && !done(&again[3]).2);
    assert_eq!(app.count("project.created").await, 4);
    // Where their names were free again, they would succeed anew: the append finds the keys.
    let renamed = create_all(&app, &organization, &[("a", "gamma"), ("p", "delta")]).await;
    assert!(matches!(renamed[0], Err(ExecuteError::IdempotencyKeyReused)), "{renamed:?}");
    assert!(!done(&renamed[1]).2);
    assert_eq!(app.count("project.created").await, 5);
}

#[tokio::test]
async fn a_key_stands_for_one_command_of_a_batch() {
    let app = App::new().await;
    let organization = app.organization().await;
    let answers = create_all(&app, &organization, &[("a", "alpha"), ("a", "beta")]).await;
    done(&answers[0]);
    assert!(matches!(answers[1], Err(ExecuteError::IdempotencyKeyReused)), "{answers:?}");
    assert_eq!(app.count("project.created").await, 1);
}

#[tokio::test]
async fn what_a_refused_command_had_decided_is_undone_for_the_next() {
    let app = App::new().await;
    let organization = app.organization().await;
    let alpha = app.project(&organization, "alpha").await;
    app.project(&organization, "beta").await;
    let head = app.head().await;
    let rename = |name: &str| UpdateProject {
        organization_id: organization.parse().expect("an id"),
        project_id: alpha.parse().expect("an id"),
        request: UpdateProjectRequest { name: Some(name.to_owned()), environment: None },
    };
    // The project agrees to be renamed; the name does not.
    let (taken, same) = (rename("beta"), rename("alpha"));
    let context = unlimited(None);
    let batch = [(&context, &taken), (&context, &same)];
    let answers = app.executor().execute_all(&batch).await.expect("the log answers");
    assert!(matches!(answers[0], Err(ExecuteError::Refused(Refusal::Name(_)))), "{answers:?}");
    let same = answers[1].as_ref().expect("nothing to do");
    assert_eq!((same.position, same.sequence), (head, Some(1)));
    // Nor does the cache remember what did not happen.
    let path = format!("/v1/organizations/{organization}/projects/{alpha}");
    let gamma = app.admin().patch(&path, serde_json::json!({"name": "gamma"})).await;
    assert_eq!(gamma.etag(), "\"2\"");
}
