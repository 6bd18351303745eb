//! The vault: keys of persons, and the log's border, where texts of persons are sealed as they go in
//! and opened as they come out.
//!
//! Deciders and projections see clear text in memory. In the log, in JetStream and in every copy of
//! either there is only the sealed form (`event_schemas::personal`). A text is bound to organization,
//! event and field. Persons' keys are wrapped by a master key from outside. To erase a person is to
//! destroy their key: the log, its hashes and its counts stay as they are, and nobody can read those
//! texts any more.

mod cache;
mod cipher;
mod hear;
mod keys;
mod master;
mod place;
mod rewrap;
mod seal;
mod unseal;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use event_schemas::{OrganizationId, PersonId};
use ring::hmac;
use sqlx::PgPool;
use tokio::sync::{OnceCell, watch};
use uuid::Uuid;

use cache::KeyCache;
pub(crate) use hear::{ERASED_CHANNEL, Forget};
pub use master::{MasterKeyError, MasterKeys};
pub use rewrap::rewrap;
pub(crate) use unseal::Opening;

/// Why a text could not be sealed or opened. None of these is an erasure: what is erased reads so.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The database failed.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// A key is not there, destroyed or not.
    #[error(
        "the key of person {person_id} is missing: the vault is not this log's, or older than it. \
         Restore the schema vault from the same backup as the log, or a later one"
    )]
    KeyMissing {
        /// The person.
        person_id: PersonId,
    },
    /// A key is wrapped by a master key that was not given.
    #[error(
        "the key of {whose} is wrapped by the master key {master_key_id}, which is not among those \
         given: add it to ORGLEDGER_MASTER_KEY, behind the one in use"
    )]
    UnknownMasterKey {
        /// Whose key it is.
        whose: String,
        /// The id of the master key.
        master_key_id: String,
    },
    /// A wrapped key was changed, or put where another belongs.
    #[error("the key of {whose} is not what was wrapped: restore the schema vault from a backup")]
    KeyChanged {
        /// Whose key it is.
        whose: String,
    },
    /// A sealed text was changed, or put where it does not belong.
    #[error("{field} of event {event_id} is not what was sealed there")]
    TextChanged {
        /// The event.
        event_id: Uuid,
        /// The field.
        field: String,
    },
    /// A personal text that should be sealed is not.
    #[error("{field} of event {event_id} is a person's and stands in the clear")]
    InTheClear {
        /// The event.
        event_id: Uuid,
        /// The field.
        field: String,
    },
    /// A personal text is nobody's.
    #[error("{field} of event {event_id} is a person's, and the event does not say whose")]
    NoPerson {
        /// The event.
        event_id: Uuid,
        /// The field.
        field: String,
    },
    /// There is something new to be written of a person who was erased.
    #[error("the person {person_id} was erased: nothing of theirs can be recorded")]
    Erased {
        /// The person.
        person_id: PersonId,
    },
    /// An event is not JSON.
    #[error("an event is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// The cipher refused a key or a length.
    #[error("the cipher refused its input")]
    Cipher,
}

/// The keys of persons, and what is sealed with them. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    masters: MasterKeys,
    kept: KeyCache,
    external_actors: OnceCell<hmac::Key>,
    /// Who keeps opened texts, and lets go of them when an erasure is heard of.
    told: Mutex<Vec<Forget>>,
    /// Dropped with the vault, which ends the listener.
    _listening: watch::Sender<()>,
}

impl Vault {
    /// The vault in that database, for who writes as its `Writer` or reads as its `Projector`.
    pub async fn open(pool: PgPool, masters: MasterKeys) -> Result<Self, VaultError> {
        // Listening comes first: what is kept from here on is let go of when it must be.
        let listening = hear::listener(&pool).await?;
        let (sender, given_up) = watch::channel(());
        let inner = Arc::new(Inner {
            pool: pool.clone(),
            masters,
            kept: KeyCache::new(),
            external_actors: OnceCell::new(),
            told: Mutex::default(),
            _listening: sender,
        });
        tokio::spawn(hear::listen(Arc::downgrade(&inner), pool, listening, given_up));
        Ok(Self { inner })
    }

    /// The person that somebody is who acts in a system that histories are imported from: the same
    /// for the same login in the same organization, whatever its case, and not to be guessed.
    pub async fn external_person(
        &self,
        organization_id: Option<OrganizationId>,
        login: &str,
    ) -> Result<PersonId, VaultError> {
        let key = self.inner.external_actors().await?;
        let mut named = hmac::Context::with_key(key);
        named.update(organization_id.map(|id| id.0).unwrap_or_default().as_bytes());
        named.update(login.trim().to_lowercase().as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&named.sign().as_ref()[..16]);
        Ok(PersonId(uuid::Builder::from_custom_bytes(id).into_uuid()))
    }

    /// Which of these persons anything can still be read of.
    pub async fn readable(&self, persons: &[PersonId]) -> Result<BTreeSet<PersonId>, VaultError> {
        self.inner.present(persons).await
    }

    /// Lets go of a person's key, and of the organization's opened texts, in this process.
    pub(crate) fn forget(&self, person_id: PersonId, organization_id: Option<OrganizationId>) {
        self.inner.forget(person_id, organization_id);
    }

    /// Who keeps opened texts says here how they are let go of: those of an organization, or all.
    pub(crate) fn tell_of_erasures(&self, forget: Forget) {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner).push(forget);
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}
