//! Where a text belongs: what its seal is bound to, and the form in which it stands there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event_schemas::OrganizationId;
use event_schemas::personal::SEALED_PREFIX;
use uuid::Uuid;

use super::VaultError;
use super::cipher::Cipher;

/// The name that an external actor's text has among an event's fields.
pub(super) const ACTOR: &str = "metadata.actor_id";

/// One field of one event of one organization: a sealed text that is put elsewhere does not open.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) organization_id: Option<OrganizationId>,
    pub(super) event_id: Uuid,
    pub(super) event_type: &'a str,
    pub(super) field: &'a str,
}

impl Place<'_> {
    fn bound_to(&self) -> Vec<u8> {
        let organization_id = self.organization_id.map(|id| id.0).unwrap_or_default();
        let Self { event_id, event_type, field, .. } = self;
        format!("{organization_id}|{event_id}|{event_type}|{field}").into_bytes()
    }

    pub(super) fn seal(&self, key: &Cipher, clear: &str) -> Result<String, VaultError> {
        let sealed = key.seal(&self.bound_to(), clear.as_bytes())?;
        Ok(format!("{SEALED_PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    pub(super) fn open(&self, key: &Cipher, text: &str) -> Result<String, VaultError> {
        let sealed = text.strip_prefix(SEALED_PREFIX).ok_or_else(|| self.in_the_clear())?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| self.changed())?;
        let clear = key.open(&self.bound_to(), &sealed).ok_or_else(|| self.changed())?;
        String::from_utf8(clear).map_err(|_| self.changed())
    }

    pub(super) fn nobody(&self) -> VaultError {
        VaultError::NoPerson { event_id: self.event_id, field: self.field.to_owned() }
    }

    fn changed(&self) -> VaultError {
        VaultError::TextChanged { event_id: self.event_id, field: self.field.to_owned() }
    }

    fn in_the_clear(&self) -> VaultError {
        VaultError::InTheClear { event_id: self.event_id, field: self.field.to_owned() }
    }
}
