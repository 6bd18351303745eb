//! What an event tells: of which thing, whom else it is about, and what changed.

use std::fmt::Display;

use event_schemas::PersonId;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Fields of a thing.
pub(super) type Fields = Map<String, Value>;

/// What became of a thing's fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Nothing: the event says that something happened.
    None,
    /// It came into being, with these.
    Began(Fields),
    /// These are from now on so.
    Changed(Fields),
    /// It is no more.
    Ended,
    /// The event itself says what was before and what is after.
    Between(Fields, Fields),
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) kind: &'static str,
    pub(super) id: String,
    /// What its fields are kept under.
    pub(super) key: String,
    pub(super) concerns: Vec<Uuid>,
    pub(super) project_id: Option<Uuid>,
    pub(super) person_id: Option<Uuid>,
    pub(super) reason: Option<String>,
    pub(super) caused_by: Option<i64>,
    pub(super) change: Change,
    /// What else began with it, by key: no line says so, but the first change of it says what was before.
    pub(super) beginnings: Vec<(String, Fields)>,
}

impl Told {
    /// Of a thing that has no UUID.
    pub(super) fn named(kind: &'static str, id: impl Display) -> Self {
        let id = id.to_string();
        Self {
            key: format!("{kind}:{id}"),
            kind,
            id,
            concerns: Vec::new(),
            project_id: None,
            person_id: None,
            reason: None,
            caused_by: None,
            change: Change::None,
            beginnings: Vec::new(),
        }
    }

    /// Of a thing.
    pub(super) fn of(kind: &'static str, id: Uuid) -> Self {
        Self::named(kind, id).about(id)
    }

    /// Of what two things are to each other, or three: the first is what a line calls it.
    pub(super) fn between(kind: &'static str, one: Uuid, others: &[Option<Uuid>]) -> Self {
        let mut told = Self::of(kind, one);
        for other in others {
            told.key.push(':');
            if let Some(other) = other {
                told.key.push_str(&other.to_string());
                told = told.about(*other);
            }
        }
        told
    }

    /// It is about this, too.
    pub(super) fn about(mut self, id: Uuid) -> Self {
        if !self.concerns.contains(&id) {
            self.concerns.push(id);
        }
        self
    }

    /// The same, where there is something.
    pub(super) fn about_any(self, id: Option<Uuid>) -> Self {
        match id {
            Some(id) => self.about(id),
            None => self,
        }
    }

    /// It happened in a project.
    pub(super) fn in_project(self, id: Option<Uuid>) -> Self {
        Self { project_id: id, ..self.about_any(id) }
    }

    /// It has texts of a person.
    pub(super) fn of_person(self, id: PersonId) -> Self {
        Self { person_id: Some(id.0), ..self.about(id.0) }
    }

    /// Why.
    pub(super) fn because(self, reason: Option<&String>) -> Self {
        Self { reason: reason.cloned(), ..self }
    }

    pub(super) fn began(self, fields: Value) -> Self {
        Self { change: Change::Began(map(fields)), ..self }
    }

    pub(super) fn changed(self, fields: Value) -> Self {
        Self { change: Change::Changed(map(fields)), ..self }
    }

    /// The same of an event in which null means that something stays.
    pub(super) fn changed_where_said(self, fields: Value) -> Self {
        let mut fields = map(fields);
        fields.retain(|_, value| !value.is_null());
        Self { change: Change::Changed(fields), ..self }
    }

    pub(super) fn ended(self) -> Self {
        Self { change: Change::Ended, ..self }
    }

    pub(super) fn went_from(self, before: Value, after: Value) -> Self {
        Self { change: Change::Between(map(before), map(after)), ..self }
    }

    pub(super) fn beginning(mut self, key: String, fields: Value) -> Self {
        self.beginnings.push((key, map(fields)));
        self
    }
}

/// The fields of an object; what is none has none.
pub(super) fn map(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Fields::new()
        }
    }
}
