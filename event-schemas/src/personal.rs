//! Texts that belong to a person, and the form in which they stand in the log.
//!
//! Which fields of which events are personal is declared beside the events, in `stream_events!`. The
//! log's border seals them when an event is appended and opens them when it is read; in between, in
//! tables, in streams and in backups, there is only the sealed form.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::{
    AccessReviewEvent, ApiKeyEvent, ApprovalEvent, BudgetEvent, CreditAccountEvent, NameEvent,
    OrganizationEvent, PersonEvent, PersonId, PriceListEvent, ProjectEvent, RefusalEvent,
    ServiceAccountEvent, SigningKeyEvent, StreamEvent, UsageMonthEvent, UsageRepricingEvent,
    WebhookEvent,
};

/// What a sealed text begins with. Behind it: nonce, ciphertext and tag in base64url.
pub const SEALED_PREFIX: &str = "sealed:v1:";

/// The regular expression that a sealed text matches.
pub const SEALED_PATTERN: &str = "^sealed:v1:[A-Za-z0-9_-]+$";

/// What stands for a text whose person was erased; behind it, [`erased`] puts who it was.
pub const ERASED_PREFIX: &str = "erased:";

/// The field of an event's metadata that is personal where the actor is an external one.
pub const ACTOR_ID: &str = "actor_id";

/// The field of an event's metadata that names the person whom an external actor is.
pub const ACTOR_PERSON_ID: &str = "actor_person_id";

/// A field that holds a person's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonalField {
    /// The event's type.
    pub event_type: &'static str,
    /// The field of its payload.
    pub field: &'static str,
    /// The field of the same payload that names the person.
    pub person: &'static str,
    /// Whether it may be null, which is then what it reads as once the person is erased.
    pub optional: bool,
}

/// What a personal field can be: a text, or one that may be missing.
pub trait PersonalText {
    /// Whether it may be missing.
    const OPTIONAL: bool;
}

impl PersonalText for String {
    const OPTIONAL: bool = false;
}

impl PersonalText for Option<String> {
    const OPTIONAL: bool = true;
}

/// The personal fields by event type.
static FIELDS: LazyLock<HashMap<&'static str, Vec<PersonalField>>> = LazyLock::new(|| {
    let streams = [
        OrganizationEvent::PERSONAL,
        ProjectEvent::PERSONAL,
        ServiceAccountEvent::PERSONAL,
        ApiKeyEvent::PERSONAL,
        CreditAccountEvent::PERSONAL,
        BudgetEvent::PERSONAL,
        WebhookEvent::PERSONAL,
        NameEvent::PERSONAL,
        PersonEvent::PERSONAL,
        PriceListEvent::PERSONAL,
        ApprovalEvent::PERSONAL,
        AccessReviewEvent::PERSONAL,
        RefusalEvent::PERSONAL,
        SigningKeyEvent::PERSONAL,
        UsageMonthEvent::PERSONAL,
        UsageRepricingEvent::PERSONAL,
    ];
    let mut fields: HashMap<_, Vec<PersonalField>> = HashMap::new();
    for field in streams.into_iter().flatten() {
        fields.entry(field.event_type).or_default().push(*field);
    }
    fields
});

/// The personal fields of an event type; most have none.
pub fn personal_fields(event_type: &str) -> &'static [PersonalField] {
    FIELDS.get(event_type).map_or(&[], Vec::as_slice)
}

/// What a required text of an erased person reads as; an optional one reads as null. It says which of the erased it was, and no more: the
/// last twelve digits of the id are random, while the first ones are a time that many share.
pub fn erased(person_id: PersonId) -> String {
    let id = person_id.0.simple().to_string();
    format!("{ERASED_PREFIX}{}", &id[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_came_in_the_same_second_are_not_the_same_erased_person() {
        let [one, other] = [1_u128, 2].map(|number| {
            erased(PersonId(uuid::Uuid::from_u128(
                0x0198_f3c0_5a00_7000_8000_0000_0000_0000 + number,
            )))
        });
        assert_eq!(one, "erased:000000000001");
        assert_ne!(one, other);
    }
}
