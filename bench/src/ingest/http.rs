//! The same over HTTP: NDJSON in batches of 1,000, with an API key.

use std::sync::Arc;
use std::time::Instant;

use api_conventions::{Authenticator, Limits, OperatorCredential, limits, serve};
use command_api::CommandApi;
use command_api::api_keys::{CreateApiKey, CreateApiKeyRequest};
use command_api::members::{AddMember, AddMemberRequest};
use event_schemas::{OrganizationId, OrganizationRole};
use futures::future::try_join_all;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::load::{self, Load};
use super::rollup::Rollup;
use crate::figure::median;
use crate::world::{World, context};

/// Connections, each of which waits for its answer before it sends again.
const SENDERS: usize = 8;

/// Records of a request.
const BATCH: usize = 1_000;

/// Sends records over HTTP. Answers records a second.
pub(super) async fn measure(
    world: &World,
    rollup: &Rollup,
    load: &mut Load,
    records: usize,
    rounds: usize,
) -> anyhow::Result<f64> {
    let operator = OperatorCredential::new("benchmark", "a-credential-that-nobody-uses-here")?;
    let api = CommandApi::new(world.executor.clone(), Arc::new(Authenticator::new(operator)));
    let (router, _) = command_api::routes(api).split_for_parts();
    let router = limits::apply(router, Limits::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, ended) = oneshot::channel::<()>();
    let ended = async {
        let _ = ended.await;
    };
    let server =
        tokio::spawn(serve::serve(listener, router, ended, std::time::Duration::from_secs(5)));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut credentials = Vec::new();
    for tenant in &load.tenants {
        credentials
            .push((tenant.organization_id, gateway_key(world, tenant.organization_id).await?));
    }
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let senders =
            load.batches(SENDERS, records, &[BATCH]).into_iter().map(|(tenant, batches)| {
                let body = |batch: load::Batch| {
                    batch.records.iter().map(|record| load::line(record) + "\n").collect::<String>()
                };
                let url =
                    format!("http://{address}/v1/organizations/{}/usage", tenant.organization_id);
                let of_tenant = |(id, _): &&(OrganizationId, String)| *id == tenant.organization_id;
                let credential =
                    credentials.iter().find(of_tenant).map(|(_, secret)| secret.clone());
                (url, credential, batches.into_iter().map(body).collect::<Vec<_>>())
            });
        let senders: Vec<_> = senders.collect();
        let started = Instant::now();
        let tasks = senders.into_iter().map(|(url, credential, bodies)| {
            let client = client.clone();
            tokio::spawn(async move {
                for body in bodies {
                    let request =
                        client.post(&url).bearer_auth(credential.as_deref().unwrap_or(""));
                    let request = request.header("content-type", "application/x-ndjson").body(body);
                    let answer = request.send().await?.error_for_status()?.text().await?;
                    let recorded = answer.matches("\"recorded\"").count();
                    anyhow::ensure!(
                        recorded == BATCH,
                        "of {BATCH} records, {recorded} were recorded"
                    );
                }
                Ok(())
            })
        });
        try_join_all(tasks).await?.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
        #[allow(clippy::cast_precision_loss)] // Far below 2^53.
        rates.push(records as f64 / started.elapsed().as_secs_f64());
        rollup.caught_up(world, &load.expected).await?;
    }
    drop(client);
    let _ = end.send(());
    server.await?;
    Ok(median(rates))
}

/// The secret of an admin's key, which records for every project.
async fn gateway_key(world: &World, organization_id: OrganizationId) -> anyhow::Result<String> {
    let role = Some(OrganizationRole::Admin);
    let request = AddMemberRequest { login: "over-http".to_owned(), email: None, role };
    let added = world.all(&[AddMember { organization_id, request }]).await?;
    let request = CreateApiKeyRequest {
        member_id: added.first().map(|added| added.member_id),
        name: "over-http".to_owned(),
        ..CreateApiKeyRequest::default()
    };
    let create = CreateApiKey { organization_id, request };
    let answer = world.executor.execute(&context(None), &create).await?;
    let secret = answer.secrets.first().map(|secret| secret.reveal().to_owned());
    secret.ok_or_else(|| anyhow::anyhow!("a new key has a secret"))
}
