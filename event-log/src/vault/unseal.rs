//! Opening: the personal texts of events, as they leave the log.

use std::collections::BTreeSet;

use event_schemas::personal::{
    ACTOR_ID, ACTOR_PERSON_ID, ERASED_PREFIX, PersonalField, SEALED_PREFIX, erased, personal_fields,
};
use event_schemas::{ActorKind, OrganizationId, PersonEvent, PersonId, RecordedEvent};
use serde_json::Value;
use uuid::Uuid;

use super::keys::{Key, Keys};
use super::place::{ACTOR, Place};
use super::seal::{key, person_in};
use super::{Vault, VaultError};

/// An event to be opened, wherever it was read.
pub(crate) struct Opening<'a> {
    pub(crate) organization_id: Option<OrganizationId>,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: &'a str,
    pub(crate) payload: &'a mut Value,
    pub(crate) metadata: &'a mut Value,
}

impl Vault {
    /// Opens the personal texts of events as the log or JetStream has them. A text whose person was
    /// erased reads as null where it may, else as `event_schemas::personal::erased`.
    ///
    /// Whoever has read an erasure never again opens what the person was, not even with a key that is
    /// still in memory: what comes out then depends on the log alone.
    pub async fn unseal(&self, events: &mut [RecordedEvent]) -> Result<(), VaultError> {
        for event in &*events {
            if event.event_type == PersonEvent::ERASED
                && let Some(person_id) = person_in(&event.payload, "person_id")
            {
                self.forget(person_id, event.organization_id);
            }
        }
        let openings = events.iter_mut().map(|event| Opening {
            organization_id: event.organization_id,
            event_id: event.event_id,
            event_type: &event.event_type,
            payload: &mut event.payload,
            metadata: &mut event.metadata,
        });
        self.open_all(openings.collect()).await
    }

    pub(crate) async fn open_all(&self, mut events: Vec<Opening<'_>>) -> Result<(), VaultError> {
        events.retain(Opening::is_personal);
        if events.is_empty() {
            return Ok(());
        }
        let mut persons = BTreeSet::new();
        for event in &events {
            event.name_persons(&mut persons)?;
        }
        let keys = self.inner.find(&persons).await?;
        events.iter_mut().try_for_each(|event| event.open(&keys))
    }
}

impl Opening<'_> {
    fn is_personal(&self) -> bool {
        !personal_fields(self.event_type).is_empty() || self.has_external_actor()
    }

    /// The text of a personal field. In versions from before texts were sealed, events named no person,
    /// and their texts are left as they are.
    fn sealed(&self, personal: &PersonalField) -> Option<&str> {
        let text = self.payload.get(personal.field)?.as_str()?;
        let is_older = self.payload.get(personal.person).is_none();
        (!is_older || text.starts_with(SEALED_PREFIX)).then_some(text)
    }

    fn has_external_actor(&self) -> bool {
        self.metadata.get("actor_kind").is_some_and(|kind| *kind == ActorKind::External.as_str())
    }

    /// The actor's text, where it is sealed: one that had been erased before was not.
    fn sealed_actor(&self) -> Option<&str> {
        let text = self.metadata.get(ACTOR_ID).filter(|_| self.has_external_actor())?.as_str()?;
        let is_older = self.metadata.get(ACTOR_PERSON_ID).is_none();
        let is_sealed = text.starts_with(SEALED_PREFIX);
        (is_sealed || !is_older && !text.starts_with(ERASED_PREFIX)).then_some(text)
    }

    fn name_persons(&self, persons: &mut BTreeSet<PersonId>) -> Result<(), VaultError> {
        for personal in personal_fields(self.event_type) {
            if self.sealed(personal).is_some() {
                let person = person_in(self.payload, personal.person);
                persons.insert(person.ok_or_else(|| self.place(personal.field).nobody())?);
            }
        }
        if self.sealed_actor().is_some() {
            let person = person_in(self.metadata, ACTOR_PERSON_ID);
            persons.insert(person.ok_or_else(|| self.place(ACTOR).nobody())?);
        }
        Ok(())
    }

    fn open(&mut self, keys: &Keys) -> Result<(), VaultError> {
        for personal in personal_fields(self.event_type) {
            let Some(sealed) = self.sealed(personal) else { continue };
            let place = self.place(personal.field);
            let person_id = person_in(self.payload, personal.person);
            let person_id = person_id.ok_or_else(|| place.nobody())?;
            let opened = match key(keys, person_id)? {
                Key::Usable(cipher) => place.open(cipher, sealed)?.into(),
                Key::Destroyed if personal.optional => Value::Null,
                Key::Destroyed => erased(person_id).into(),
            };
            self.payload[personal.field] = opened;
        }
        let person_id = person_in(self.metadata, ACTOR_PERSON_ID);
        if let (Some(sealed), Some(person_id)) = (self.sealed_actor(), person_id) {
            let opened = match key(keys, person_id)? {
                Key::Usable(cipher) => self.place(ACTOR).open(cipher, sealed)?,
                Key::Destroyed => erased(person_id),
            };
            self.metadata[ACTOR_ID] = opened.into();
        }
        Ok(())
    }

    fn place<'p>(&'p self, field: &'p str) -> Place<'p> {
        Place {
            organization_id: self.organization_id,
            event_id: self.event_id,
            event_type: self.event_type,
            field,
        }
    }
}
