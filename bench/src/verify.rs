//! How many presented API keys one core verifies: the whole way from the secret to whose it is, with
//! a memory that has seen it before.

use std::time::{Duration, Instant};

use command_api::api_keys::{CreateApiKey, CreateApiKeyRequest};
use command_api::credentials::CredentialRegister;
use command_api::members::{AddMember, AddMemberRequest};
use embedded::testing::test_database;
use event_schemas::OrganizationRole;

use crate::figure::Figures;
use crate::world::{World, context};

/// How many keys take turns.
const KEYS: usize = 1_000;

/// Verifies one key after another, in one task.
pub(crate) async fn measure(figures: &mut Figures, seconds: f64) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let secrets = secrets(&world).await?;
    let register = CredentialRegister::new(world.executor.clone());
    for secret in &secrets {
        anyhow::ensure!(register.api_key(secret).await?.is_ok(), "the key does not work");
    }
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(seconds);
    let mut verified = 0_u32;
    while Instant::now() < until {
        for secret in &secrets {
            anyhow::ensure!(register.api_key(secret).await?.is_ok(), "the key does not work");
            verified += 1;
        }
    }
    let rate = f64::from(verified) / begun.elapsed().as_secs_f64();
    figures.alone("verify_key", rate, "keys/s", "≥ 200,000");
    Ok(())
}

async fn secrets(world: &World) -> anyhow::Result<Vec<String>> {
    let organization_id = world.organization_id;
    let role = OrganizationRole::Member;
    let request = AddMemberRequest { login: "benchmark".to_owned(), email: None, role: Some(role) };
    let member = world.all(&[AddMember { organization_id, request }]).await?;
    let mut secrets = Vec::with_capacity(KEYS);
    for number in 0..KEYS {
        let create = CreateApiKey {
            organization_id,
            request: CreateApiKeyRequest {
                project_id: Some(world.project_id),
                member_id: member.first().map(|added| added.member_id),
                name: format!("key-{number}"),
                ..CreateApiKeyRequest::default()
            },
        };
        let answer = world.executor.execute(&context(None), &create).await?;
        secrets.extend(answer.secrets.iter().map(|secret| secret.reveal().to_owned()));
    }
    Ok(secrets)
}
