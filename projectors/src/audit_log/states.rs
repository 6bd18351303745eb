//! What each thing was before: the fields that events have told of it, in the order of the log.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::told::{Change, Fields, Told};

/// Fields that are a person's text. A line shows them whether or not they changed: what is erased is
/// the same before and after, and a build from zero would leave them out.
pub(super) const PERSONAL: [&str; 2] = ["login", "email"];

/// What is known of a thing.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    person_id: Option<Uuid>,
    fields: Fields,
}

impl State {
    fn project_id(&self) -> Option<Uuid> {
        self.fields.get("project_id")?.as_str()?.parse().ok()
    }
}

/// What changed by an event, and whose texts are in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Difference {
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    pub(super) person_id: Option<Uuid>,
    /// The project that the thing belongs to, by what is known of it.
    pub(super) project_id: Option<Uuid>,
}

/// The states that a page touches.
pub(super) struct States {
    known: BTreeMap<String, State>,
    changed: BTreeSet<String>,
}

impl States {
    /// Those that are under these keys.
    pub(super) async fn load(tx: &mut PgConnection, keys: &[&str]) -> Result<Self, sqlx::Error> {
        let rows: Vec<(String, Option<Uuid>, Value)> =
            sqlx::query_as("select key, person_id, state from audit_states where key = any($1)")
                .bind(keys)
                .fetch_all(tx)
                .await?;
        let state =
            |(key, person_id, state)| (key, State { person_id, fields: super::told::map(state) });
        Ok(Self { known: rows.into_iter().map(state).collect(), changed: BTreeSet::new() })
    }

    /// What an event changes.
    pub(super) fn apply(&mut self, told: &Told) -> Difference {
        for (key, fields) in &told.beginnings {
            let begun = State { person_id: None, fields: fields.clone() };
            self.set(key, begun);
        }
        let before = self.known.get(&told.key).cloned();
        let person_id = told.person_id.or(before.as_ref().and_then(|state| state.person_id));
        let project_id = before.as_ref().and_then(State::project_id);
        let difference = match &told.change {
            Change::None => Difference::default(),
            Change::Began(fields) => {
                self.set(&told.key, State { person_id, fields: fields.clone() });
                Difference { after: shown(fields.clone()), person_id, ..Difference::default() }
            }
            Change::Changed(now) => {
                let mut state = before.unwrap_or_default();
                let (was, is) = difference(&state.fields, now);
                state.fields.extend(now.clone());
                self.set(&told.key, State { person_id, fields: state.fields });
                Difference {
                    before: shown(was),
                    after: shown(is),
                    person_id,
                    ..Difference::default()
                }
            }
            Change::Ended => {
                if before.is_some() {
                    self.known.remove(&told.key);
                    self.changed.insert(told.key.clone());
                }
                let fields = before.map(|state| state.fields).unwrap_or_default();
                Difference { before: shown(fields), person_id, ..Difference::default() }
            }
            Change::Between(was, is) => Difference {
                before: shown(was.clone()),
                after: shown(is.clone()),
                ..Difference::default()
            },
        };
        Difference { project_id, ..difference }
    }

    fn set(&mut self, key: &str, state: State) {
        self.known.insert(key.to_owned(), state);
        self.changed.insert(key.to_owned());
    }

    /// Writes those that have changed.
    pub(super) async fn write(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (kept, gone): (Vec<&String>, Vec<&String>) =
            self.changed.iter().partition(|key| self.known.contains_key(*key));
        if !gone.is_empty() {
            sqlx::query("delete from audit_states where key = any($1)")
                .bind(gone)
                .execute(&mut *tx)
                .await?;
        }
        let states: Vec<&State> = kept.iter().filter_map(|key| self.known.get(*key)).collect();
        if states.is_empty() {
            return Ok(());
        }
        let fields = states.iter().map(|state| Value::Object(state.fields.clone()));
        sqlx::query(
            "insert into audit_states as s (key, person_id, state)
             select * from unnest($1::text[], $2::uuid[], $3::jsonb[])
             on conflict (key) do update
                 set person_id = excluded.person_id, state = excluded.state",
        )
        .bind(&kept)
        .bind(states.iter().map(|state| state.person_id).collect::<Vec<_>>())
        .bind(fields.collect::<Vec<Value>>())
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// The fields that are not as they were, before and after.
fn difference(was: &Fields, now: &Fields) -> (Fields, Fields) {
    let (mut before, mut after) = (Fields::new(), Fields::new());
    for (name, value) in now {
        let earlier = was.get(name);
        if earlier == Some(value) && !PERSONAL.contains(&name.as_str()) {
            continue;
        }
        if let Some(earlier) = earlier {
            before.insert(name.clone(), earlier.clone());
        }
        after.insert(name.clone(), value.clone());
    }
    (before, after)
}

fn shown(fields: Fields) -> Option<Value> {
    if fields.is_empty() { None } else { Some(Value::Object(fields)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn states() -> States {
        States { known: BTreeMap::new(), changed: BTreeSet::new() }
    }

    fn of(told: &Told, states: &mut States) -> (Value, Value) {
        let found = states.apply(told);
        (found.before.unwrap_or_default(), found.after.unwrap_or_default())
    }

    #[test]
    fn a_line_has_what_changed_as_it_was_and_as_it_is() {
        let mut states = states();
        let member = || Told::of("member", Uuid::from_u128(1));
        let began = json!({ "login": "ada", "email": null, "role": "reader" });
        assert_eq!(of(&member().began(began.clone()), &mut states), (Value::Null, began));
        let changed = of(&member().changed(json!({ "role": "admin" })), &mut states);
        assert_eq!(changed, (json!({ "role": "reader" }), json!({ "role": "admin" })));
        let same = of(&member().changed(json!({ "role": "admin" })), &mut states);
        assert_eq!(same, (Value::Null, Value::Null), "nothing has changed");
        let renamed = of(&member().changed(json!({ "login": "ada" })), &mut states);
        assert_eq!(renamed, (json!({ "login": "ada" }), json!({ "login": "ada" })), "a person's");
        let ended = of(&member().ended(), &mut states);
        let all = json!({ "login": "ada", "email": null, "role": "admin" });
        assert_eq!(ended, (all, Value::Null));
        assert_eq!(of(&member().ended(), &mut states), (Value::Null, Value::Null));
    }

    #[test]
    fn what_began_silently_is_what_was_before() {
        let mut states = states();
        let created = Told::named("organization", "o")
            .began(json!({ "name": "Acme" }))
            .beginning("settings:o".to_owned(), json!({ "default_role": "member" }));
        of(&created, &mut states);
        let changed = Told { key: "settings:o".to_owned(), ..Told::named("organization", "o") };
        let changed = of(&changed.changed(json!({ "default_role": "reader" })), &mut states);
        assert_eq!(
            changed,
            (json!({ "default_role": "member" }), json!({ "default_role": "reader" }))
        );
    }
}
