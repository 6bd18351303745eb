//! How long a command takes over HTTP, with authentication and authorisation, beside the bare append
//! of the same events: what all of it costs that is not the log.

use std::sync::Arc;

use api_conventions::{Authenticator, Limits, OperatorCredential, limits, serve};
use command_api::CommandApi;
use command_api::api_keys::{CreateApiKey, CreateApiKeyRequest};
use command_api::members::{AddMember, AddMemberRequest};
use domain::name::{self, NameScope};
use embedded::testing::test_database;
use event_log::{Append, NewEvent, StreamKey, clock};
use event_schemas::{
    NameEvent, OrganizationId, OrganizationRole, ProjectEvent, ProjectId, StreamEvent as _,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::callers::{Measured, work};
use crate::figure::{Figures, median, percentile};
use crate::world::{World, context};

/// One caller creates projects over HTTP with an admin's key; another appends what that writes.
pub(crate) async fn measure(
    figures: &mut Figures,
    seconds: f64,
    rounds: usize,
) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let credential = admin_key(&world).await?;
    let operator = OperatorCredential::new("benchmark", "a-credential-that-nobody-uses-here")?;
    let api = CommandApi::new(world.executor.clone(), Arc::new(Authenticator::new(operator)));
    let (router, _) = command_api::routes(api).split_for_parts();
    let router = limits::apply(router, Limits::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!(
        "http://{}/v1/organizations/{}/projects",
        listener.local_addr()?,
        world.organization_id
    );
    let (end, ended) = oneshot::channel::<()>();
    let ended = async {
        let _ = ended.await;
    };
    let server =
        tokio::spawn(serve::serve(listener, router, ended, std::time::Duration::from_secs(5)));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (mut over_http, mut bare) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut measured = create_over_http(&client, &url, &credential, round, seconds).await?;
        over_http.push(percentile(&mut measured.latencies_ms, 0.5));
        let mut measured = append(&world, round, seconds).await?;
        bare.push(percentile(&mut measured.latencies_ms, 0.5));
    }
    drop(client);
    let _ = end.send(());
    server.await?;
    figures.compared("http_command_p50", median(over_http), "ms", median(bare), "ratio ≤ 2");
    Ok(())
}

/// The secret of an admin's own key.
async fn admin_key(world: &World) -> anyhow::Result<String> {
    let organization_id = world.organization_id;
    let role = Some(OrganizationRole::Admin);
    let request = AddMemberRequest { login: "benchmark".to_owned(), email: None, role };
    let add = AddMember { organization_id, request };
    let member_id = world.executor.execute(&context(None), &add).await?.outcome.member_id;
    let request = CreateApiKeyRequest {
        member_id: Some(member_id),
        name: "benchmark".to_owned(),
        ..CreateApiKeyRequest::default()
    };
    let create = CreateApiKey { organization_id, request };
    let answer = world.executor.execute(&context(None), &create).await?;
    let secret = answer.secrets.first().map(|secret| secret.reveal().to_owned());
    secret.ok_or_else(|| anyhow::anyhow!("a new key has a secret"))
}

async fn create_over_http(
    client: &reqwest::Client,
    url: &str,
    credential: &str,
    round: usize,
    seconds: f64,
) -> anyhow::Result<Measured> {
    let (client, url, credential) = (client.clone(), url.to_owned(), credential.to_owned());
    work(1, seconds, move |_, turn| {
        let request = client
            .post(&url)
            .bearer_auth(&credential)
            .header("idempotency-key", format!("http-{round}-{turn}"))
            .json(&serde_json::json!({ "name": format!("over http {round} {turn}") }));
        async move {
            request.send().await?.error_for_status()?.bytes().await?;
            Ok(true)
        }
    })
    .await
}

/// Appends what creating a project writes: the project, and the claim on its name.
async fn append(world: &World, round: usize, seconds: f64) -> anyhow::Result<Measured> {
    let world = world.clone();
    work(1, seconds, move |_, turn| {
        let world = world.clone();
        async move {
            let name = format!("bare {round} {turn}");
            let append = events(world.organization_id, &name)?;
            world.executor.log().append(append).await?;
            Ok(true)
        }
    })
    .await
}

#[allow(clippy::disallowed_methods)] // The benchmark is an edge too.
fn events(organization_id: OrganizationId, name: &str) -> anyhow::Result<Append> {
    let project_id = ProjectId(Uuid::now_v7());
    let created = ProjectEvent::Created {
        project_id,
        organization_id,
        name: name.to_owned(),
        environment: None,
    };
    let claimed = NameEvent::Claimed { holder_id: project_id.to_string() };
    let metadata: Arc<str> = serde_json::to_string(&context(None).metadata)?.into();
    let now = clock::now();
    let project = StreamKey::new(ProjectEvent::STREAM, &project_id.to_string());
    let claim = StreamKey::new(
        NameEvent::STREAM,
        &name::stream_id(&NameScope::Project(organization_id), name),
    );
    let owner = Some(organization_id);
    let new = [
        NewEvent::new(&created, project.aggregate_id.clone(), owner, metadata.clone(), now)?,
        NewEvent::new(&claimed, claim.aggregate_id.clone(), owner, metadata, now)?,
    ];
    Ok(Append { events: new.into(), expected: vec![(project, 0), (claim, 0)], ..Append::default() })
}
