//! Keys of persons, from and to the vault's tables: one round trip for however many.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use event_schemas::{OrganizationId, PersonId};
use ring::hmac;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::cipher::{Cipher, KEY_BYTES, random};
use super::master::Wrapped;
use super::{Inner, VaultError};

/// The key that external actors' persons are derived with.
const EXTERNAL_ACTORS: &str = "external actors";

/// What is known of a person's key.
pub(super) enum Key {
    /// It is there.
    Usable(Box<Cipher>),
    /// It was destroyed: the person is erased.
    Destroyed,
}

pub(super) type Keys = HashMap<PersonId, Arc<Key>>;

/// What a wrapped key is bound to, so that rows cannot be exchanged.
pub(super) fn bound_to(person_id: PersonId, organization_id: Option<Uuid>) -> Vec<u8> {
    format!("person key|{person_id}|{}", organization_id.unwrap_or_default()).into_bytes()
}

impl Inner {
    /// The keys of these persons, which all have one.
    pub(super) async fn find(&self, persons: &BTreeSet<PersonId>) -> Result<Keys, VaultError> {
        let (mut keys, unknown) = self.remembered(persons.iter().copied());
        if unknown.is_empty() {
            return Ok(keys);
        }
        let ids: Vec<Uuid> = unknown.iter().map(|person| person.0).collect();
        let rows = sqlx::query(
            "select person_id, organization_id, master_key_id, wrapped_key
             from vault.person_keys where person_id = any($1)",
        )
        .bind(&ids)
        .fetch_all(&self.pool)
        .await?;
        self.learn(&rows, &mut keys)?;
        match unknown.into_iter().find(|person_id| !keys.contains_key(person_id)) {
            Some(person_id) => Err(VaultError::KeyMissing { person_id }),
            None => Ok(keys),
        }
    }

    /// The keys of these persons of these organizations, made where there are none yet.
    ///
    /// What is made need not wait for the disk: whatever is sealed with it commits later, to the same
    /// server, and a commit that waits for the disk takes all earlier ones along.
    pub(super) async fn find_or_make(
        &self,
        persons: &BTreeMap<PersonId, Option<OrganizationId>>,
    ) -> Result<Keys, VaultError> {
        let (mut keys, mut unknown) = self.remembered(persons.keys().copied());
        // What another process makes at the same moment is seen the second time.
        for _ in 0..2 {
            if unknown.is_empty() {
                return Ok(keys);
            }
            let rows = self.make(persons, &unknown).await?;
            self.learn(&rows, &mut keys)?;
            unknown.retain(|person_id| !keys.contains_key(person_id));
        }
        match unknown.into_iter().next() {
            Some(person_id) => Err(VaultError::KeyMissing { person_id }),
            None => Ok(keys),
        }
    }

    async fn make(
        &self,
        persons: &BTreeMap<PersonId, Option<OrganizationId>>,
        unknown: &[PersonId],
    ) -> Result<Vec<PgRow>, VaultError> {
        let mut organizations = Vec::with_capacity(unknown.len());
        let (mut master_key_ids, mut wrapped_keys) = (Vec::new(), Vec::new());
        for person_id in unknown {
            let organization_id = persons.get(person_id).copied().flatten().map(|id| id.0);
            let key: [u8; KEY_BYTES] = random()?;
            let wrapped = self.masters.wrap(&bound_to(*person_id, organization_id), &key)?;
            organizations.push(organization_id);
            master_key_ids.push(wrapped.master_key_id);
            wrapped_keys.push(wrapped.wrapped_key);
        }
        let ids: Vec<Uuid> = unknown.iter().map(|person| person.0).collect();
        Ok(sqlx::query(
            "with relaxed as (select set_config('synchronous_commit', 'off', true)), made as (
                 insert into vault.person_keys (person_id, organization_id, master_key_id, wrapped_key)
                 select n.* from relaxed, unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[])
                     as n(person_id, organization_id, master_key_id, wrapped_key)
                 on conflict (person_id) do nothing
                 returning person_id, organization_id, master_key_id, wrapped_key
             )
             select * from made
             union all
             select person_id, organization_id, master_key_id, wrapped_key
             from vault.person_keys where person_id = any($1)",
        )
        .bind(&ids)
        .bind(organizations)
        .bind(master_key_ids)
        .bind(wrapped_keys)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Which of these persons have a key that was not destroyed.
    pub(super) async fn present(
        &self,
        persons: &[PersonId],
    ) -> Result<BTreeSet<PersonId>, VaultError> {
        let ids: Vec<Uuid> = persons.iter().map(|person| person.0).collect();
        let found: Vec<Uuid> = sqlx::query_scalar(
            "select person_id from vault.person_keys
             where person_id = any($1) and destroyed_at is null",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await?;
        Ok(found.into_iter().map(PersonId).collect())
    }

    /// Those that are kept in memory, and the others in one order for everybody, so that two who make
    /// keys for the same persons do not wait for each other in a circle.
    fn remembered(&self, persons: impl Iterator<Item = PersonId>) -> (Keys, Vec<PersonId>) {
        let mut keys = Keys::new();
        let mut unknown = Vec::new();
        for person_id in persons {
            match self.kept.get(person_id) {
                Some(key) => {
                    keys.insert(person_id, key);
                }
                None => unknown.push(person_id),
            }
        }
        (keys, unknown)
    }

    fn learn(&self, rows: &[PgRow], keys: &mut Keys) -> Result<(), VaultError> {
        for row in rows {
            let person_id = PersonId(row.get("person_id"));
            let key = Arc::new(self.key(person_id, row)?);
            self.kept.keep(person_id, &key);
            keys.insert(person_id, key);
        }
        Ok(())
    }

    fn key(&self, person_id: PersonId, row: &PgRow) -> Result<Key, VaultError> {
        let wrapped = (row.get("master_key_id"), row.get("wrapped_key"));
        let (Some(master_key_id), Some(wrapped_key)) = wrapped else { return Ok(Key::Destroyed) };
        let bound_to = bound_to(person_id, row.get("organization_id"));
        let wrapped = Wrapped { master_key_id, wrapped_key };
        let key = self.masters.unwrap(&bound_to, &wrapped, &format!("person {person_id}"))?;
        Ok(Key::Usable(Box::new(Cipher::new(&key)?)))
    }

    /// The key that external actors' persons are derived with: made once, and the same for good, so
    /// that a new master key does not make new persons.
    pub(super) async fn external_actors(&self) -> Result<&hmac::Key, VaultError> {
        self.external_actors.get_or_try_init(|| self.read_external_actors()).await
    }

    async fn read_external_actors(&self) -> Result<hmac::Key, VaultError> {
        let bound_to = format!("common key|{EXTERNAL_ACTORS}").into_bytes();
        let new = self.masters.wrap(&bound_to, &random()?)?;
        sqlx::query(
            "insert into vault.common_keys (purpose, master_key_id, wrapped_key) values ($1, $2, $3)
             on conflict (purpose) do nothing",
        )
        .bind(EXTERNAL_ACTORS)
        .bind(new.master_key_id)
        .bind(new.wrapped_key)
        .execute(&self.pool)
        .await?;
        let (master_key_id, wrapped_key) = sqlx::query_as(
            "select master_key_id, wrapped_key from vault.common_keys where purpose = $1",
        )
        .bind(EXTERNAL_ACTORS)
        .fetch_one(&self.pool)
        .await?;
        let wrapped = Wrapped { master_key_id, wrapped_key };
        let key = self.masters.unwrap(&bound_to, &wrapped, EXTERNAL_ACTORS)?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }
}
