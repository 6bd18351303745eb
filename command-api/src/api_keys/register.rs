//! Whose secret it is. What a secret belongs to never changes, so it is remembered; whether its key
//! still works is asked of the key each time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use api_conventions::Problem;
use api_conventions::authentication::{ApiKeys, PresentedKey};
use domain::api_key::ApiKey;
use domain::organization::Authority;
use event_log::{clock, read};
use event_schemas::ApiKeyId;
use quick_cache::sync::Cache;

use super::secret;
use crate::execute::{Executor, Session};
use crate::refusal::{ExecuteError, Refusal};

/// How many secrets are remembered.
const REMEMBERED_MAX: usize = 100_000;

/// Finds API keys by their secrets. Cheap to clone.
#[derive(Clone)]
pub struct ApiKeyRegister {
    executor: Executor,
    /// By the hash that is stored.
    known: Arc<Cache<Arc<str>, ApiKeyId>>,
}

impl ApiKeyRegister {
    /// The keys in the executor's log.
    pub fn new(executor: Executor) -> Self {
        Self { executor, known: Arc::new(Cache::new(REMEMBERED_MAX)) }
    }

    /// The key whose secret it is, if it works. A key that works as far as this process has heard
    /// counts; whatever is done with it names the key's state, and is refused if that has moved.
    pub async fn find(&self, presented: &str) -> Result<Option<PresentedKey>, ExecuteError> {
        // What no key can look like costs no lookup.
        if !secret::is_well_formed(presented) {
            return Ok(None);
        }
        let secret_hash: Arc<str> = self.executor.pepper().hash(presented).into();
        let Some(api_key_id) = self.key_with(&secret_hash).await? else { return Ok(None) };
        // A refusal is given only on a state that was brought up to the log.
        for up_to_date in [false, true] {
            let mut session = self.executor.reading(Authority::System, up_to_date);
            if let Some(key) = works(&mut session, api_key_id, &secret_hash).await? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    async fn key_with(&self, secret_hash: &Arc<str>) -> Result<Option<ApiKeyId>, ExecuteError> {
        if let Some(api_key_id) = self.known.get(secret_hash) {
            return Ok(Some(api_key_id));
        }
        let found = read::api_key_with_secret(self.executor.log().pool(), secret_hash).await?;
        if let Some(api_key_id) = found {
            self.known.insert(Arc::clone(secret_hash), api_key_id);
        }
        Ok(found)
    }
}

/// The key, where it accepts the secret, and its owner may still act.
async fn works(
    session: &mut Session<'_>,
    api_key_id: ApiKeyId,
    secret_hash: &Arc<str>,
) -> Result<Option<PresentedKey>, ExecuteError> {
    let now = clock::now();
    let key = session.read::<ApiKey>(api_key_id).await.map_err(Refusal::into_error)?;
    if !key.accepts(secret_hash, now) {
        return Ok(None);
    }
    let Ok(usable) = key.usable(now) else { return Ok(None) };
    match session.acting_owner(usable.organization_id(), usable.owner()).await {
        Ok(()) => Ok(Some(PresentedKey {
            api_key_id,
            secret_hash: Arc::clone(secret_hash),
            owner: usable.owner(),
            project_id: usable.project_id(),
        })),
        Err(Refusal::Failed(error)) => Err(*error),
        Err(_) => Ok(None),
    }
}

impl ApiKeys for ApiKeyRegister {
    fn find<'a>(
        &'a self,
        secret: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Option<PresentedKey>, Problem>> + Send + 'a>> {
        Box::pin(async move { Ok(Self::find(self, secret).await?) })
    }
}
