//! Sealing: the personal texts of an append, as it enters the log.

use std::collections::BTreeMap;

use event_schemas::personal::{ACTOR_ID, ACTOR_PERSON_ID, erased, personal_fields};
use event_schemas::{ActorKind, OrganizationId, PersonId};
use serde_json::Value;

use super::keys::{Key, Keys};
use super::place::{ACTOR, Place};
use super::{Vault, VaultError};
use crate::append::NewEvent;

/// An event with texts to seal.
struct Draft<'a> {
    event: &'a mut NewEvent,
    payload: Option<Value>,
    /// The metadata of an external actor, and who that is.
    actor: Option<(Value, PersonId)>,
}

impl Vault {
    /// Seals every personal text of these events. Most events have none and cost a look.
    pub(crate) async fn seal(&self, events: &mut [NewEvent]) -> Result<(), VaultError> {
        let mut drafts = Vec::new();
        for event in events {
            let payload = match personal_fields(&event.event_type) {
                [] => None,
                _ => Some(serde_json::from_str(&event.payload)?),
            };
            let actor = self.external_actor(event).await?;
            if payload.is_some() || actor.is_some() {
                drafts.push(Draft { event, payload, actor });
            }
        }
        if drafts.is_empty() {
            return Ok(());
        }
        let mut persons = BTreeMap::new();
        for draft in &drafts {
            draft.name_persons(&mut persons)?;
        }
        let keys = self.inner.find_or_make(&persons).await?;
        drafts.into_iter().try_for_each(|draft| draft.seal(&keys))
    }

    async fn external_actor(
        &self,
        event: &NewEvent,
    ) -> Result<Option<(Value, PersonId)>, VaultError> {
        // The word has to stand there somewhere; only then is it worth reading.
        if !event.metadata.contains(ActorKind::External.as_str()) {
            return Ok(None);
        }
        let metadata: Value = serde_json::from_str(&event.metadata)?;
        if metadata["actor_kind"] != ActorKind::External.as_str() {
            return Ok(None);
        }
        let Some(login) = metadata[ACTOR_ID].as_str() else { return Ok(None) };
        let person_id = self.external_person(event.organization_id, login).await?;
        Ok(Some((metadata, person_id)))
    }
}

impl Draft<'_> {
    fn name_persons(
        &self,
        persons: &mut BTreeMap<PersonId, Option<OrganizationId>>,
    ) -> Result<(), VaultError> {
        let organization_id = self.event.organization_id;
        if let Some(payload) = &self.payload {
            for personal in personal_fields(&self.event.event_type) {
                if payload[personal.field].is_string() {
                    let person = person_in(payload, personal.person);
                    let person =
                        person.ok_or_else(|| place(self.event, personal.field).nobody())?;
                    persons.insert(person, organization_id);
                }
            }
        }
        if let Some((_, person_id)) = &self.actor {
            persons.insert(*person_id, organization_id);
        }
        Ok(())
    }

    fn seal(self, keys: &Keys) -> Result<(), VaultError> {
        let Self { event, payload, actor } = self;
        if let Some(mut payload) = payload {
            for personal in personal_fields(&event.event_type) {
                let Some(clear) = payload[personal.field].as_str() else { continue };
                let place = place(event, personal.field);
                let person_id = person_in(&payload, personal.person);
                let person_id = person_id.ok_or_else(|| place.nobody())?;
                let sealed = match key(keys, person_id)? {
                    Key::Usable(cipher) => place.seal(cipher, clear)?,
                    Key::Destroyed => return Err(VaultError::Erased { person_id }),
                };
                payload[personal.field] = sealed.into();
            }
            event.payload = payload.to_string();
        }
        if let Some((mut metadata, person_id)) = actor {
            let clear = metadata[ACTOR_ID].as_str().unwrap_or_default();
            // Who was erased stays so, whatever is imported later.
            metadata[ACTOR_ID] = match key(keys, person_id)? {
                Key::Usable(cipher) => place(event, ACTOR).seal(cipher, clear)?.into(),
                Key::Destroyed => erased(person_id).into(),
            };
            metadata[ACTOR_PERSON_ID] = person_id.to_string().into();
            event.metadata = metadata.to_string().into();
        }
        Ok(())
    }
}

fn place<'a>(event: &'a NewEvent, field: &'a str) -> Place<'a> {
    Place {
        organization_id: event.organization_id,
        event_id: event.event_id,
        event_type: &event.event_type,
        field,
    }
}

/// The person that a field of a payload or of metadata names.
pub(super) fn person_in(object: &Value, field: &str) -> Option<PersonId> {
    object.get(field)?.as_str()?.parse().ok()
}

/// One of the keys that were looked up.
pub(super) fn key(keys: &Keys, person_id: PersonId) -> Result<&Key, VaultError> {
    keys.get(&person_id).map(|key| &**key).ok_or(VaultError::KeyMissing { person_id })
}
