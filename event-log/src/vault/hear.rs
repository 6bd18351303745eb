//! Hearing of erasures: whoever holds keys, or texts that were opened with them, lets go at once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use event_schemas::{OrganizationId, PersonId};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use uuid::Uuid;

use super::Inner;

/// The channel on which an erasure is told: the person, then the organization, where there is one.
pub(crate) const ERASED_CHANNEL: &str = "orgledger_erased";

/// How often old keys are let go of, and how long a listener that lost its connection waits.
const SWEEP: Duration = Duration::from_secs(2);

/// What is told of an erasure; where messages may have been missed, none of which.
pub(crate) type Forget = Box<dyn Fn(Option<OrganizationId>) + Send + Sync>;

impl Inner {
    /// Forgets a person, and tells whoever keeps texts of the organization.
    pub(super) fn forget(&self, person_id: PersonId, organization_id: Option<OrganizationId>) {
        self.kept.forget(person_id);
        self.tell(organization_id);
    }

    fn forget_all(&self) {
        self.kept.forget_all();
        self.tell(None);
    }

    fn tell(&self, organization_id: Option<OrganizationId>) {
        let told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.iter().for_each(|forget| forget(organization_id));
    }
}

/// A listener to erasures.
pub(super) async fn listener(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    // A connection that broke is told here, so that what was missed is not overlooked.
    listener.eager_reconnect(false);
    listener.listen(ERASED_CHANNEL).await?;
    Ok(listener)
}

/// Listens until the pool is closed or the vault is given up, which `given_up` hears of.
pub(super) async fn listen(
    inner: Weak<Inner>,
    pool: PgPool,
    mut listening: PgListener,
    mut given_up: watch::Receiver<()>,
) {
    loop {
        let error = tokio::select! {
            _ = given_up.changed() => return,
            error = listen_on(&inner, listening) => error,
        };
        if pool.is_closed() {
            return;
        }
        tracing::warn!(%error, "listening to erasures was interrupted; trying again");
        listening = tokio::select! {
            _ = given_up.changed() => return,
            again = listen_again(&pool) => again,
        };
        if let Some(vault) = inner.upgrade() {
            vault.forget_all();
        }
    }
}

async fn listen_again(pool: &PgPool) -> PgListener {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Ok(listening) = listener(pool).await {
            return listening;
        }
    }
}

/// Listens until the connection breaks.
async fn listen_on(inner: &Weak<Inner>, mut listening: PgListener) -> sqlx::Error {
    loop {
        let heard = tokio::time::timeout(SWEEP, listening.try_recv()).await;
        let Some(vault) = inner.upgrade() else { return sqlx::Error::PoolClosed };
        match heard {
            Ok(Ok(Some(message))) => hear(&vault, message.payload()),
            Ok(Ok(None)) => return sqlx::Error::WorkerCrashed,
            Ok(Err(error)) => return error,
            Err(_) => vault.kept.sweep(),
        }
    }
}

fn hear(vault: &Arc<Inner>, message: &str) {
    let mut ids = message.split(' ').map(|id| id.parse::<Uuid>().ok());
    match ids.next().flatten() {
        Some(person_id) => {
            let organization_id = ids.next().flatten().map(OrganizationId);
            vault.forget(PersonId(person_id), organization_id);
        }
        None => vault.forget_all(),
    }
}
