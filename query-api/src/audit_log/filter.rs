//! Which lines of an audit log.

use std::str::FromStr;

use event_schemas::ActorKind;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::AuditFilter;

/// How many types or things may be asked for at once.
const LISTED_MAX: usize = 20;

/// Types of events and commands: `member.added`, or all of a noun, `member.*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actions(Vec<String>);

impl FromStr for Actions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let actions: Vec<String> = text.split(',').map(str::to_owned).collect();
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        let is_action = |action: &String| {
            action
                .split_once('.')
                .is_some_and(|(noun, verb)| is_word(noun) && (verb == "*" || is_word(verb)))
        };
        if actions.len() > LISTED_MAX || !actions.iter().all(is_action) {
            return Err(format!(
                "'{text}' is no list of types such as member.added or member.*, with commas between, \
                 at most {LISTED_MAX}"
            ));
        }
        Ok(Self(actions))
    }
}

/// Things by their ids, with commas between: what is about all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets(pub Vec<Uuid>);

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ids: Result<Vec<Uuid>, _> = text.split(',').map(str::parse).collect();
        match ids {
            Ok(ids) if ids.len() <= LISTED_MAX => Ok(Self(ids)),
            Ok(_) | Err(_) => {
                Err(format!("'{text}' is no list of ids with commas between, at most {LISTED_MAX}"))
            }
        }
    }
}

/// An actor as lines name them, `kind:id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorText(pub String);

impl FromStr for ActorText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = text.split_once(':').is_some_and(|(kind, id)| {
            kind.parse::<ActorKind>().is_ok()
                && !id.is_empty()
                && id.len() <= 300
                && !id.contains('\0')
        });
        if known {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("'{text}' is no actor such as member:ID, operator:NAME or external:NAME"))
    }
}

impl AuditFilter {
    /// Adds the conditions on `read.audit_log t`.
    pub(super) fn push(&self, query: &mut QueryBuilder<'_, Postgres>) {
        query.push(" and t.organization_id = ").push_bind(self.organization_id.0);
        if let Some(Actions(actions)) = &self.actions {
            let (nouns, whole): (Vec<&String>, Vec<&String>) =
                actions.iter().partition(|action| action.ends_with(".*"));
            let nouns = nouns.into_iter().map(|noun| noun.trim_end_matches('*'));
            query.push(" and (t.action = any(").push_bind(owned(whole.into_iter()));
            query.push(") or t.event_type = any(").push_bind(actions.clone());
            query.push(") or t.action ^@ any(").push_bind(owned(nouns)).push("))");
        }
        if let Some(actor) = &self.actor {
            query.push(" and t.actor = ").push_bind(actor.clone());
        }
        if let Some(Targets(ids)) = &self.targets {
            query.push(" and t.concerns @> ").push_bind(ids.clone());
        }
        if let Some(project_id) = self.project_id {
            query.push(" and t.concerns @> ").push_bind(vec![project_id.0]);
        }
        if let Some(outcome) = self.outcome {
            query.push(" and t.outcome = ").push_bind(outcome.as_str());
        }
        if let Some(request_id) = &self.request_id {
            query.push(" and t.request_id = ").push_bind(request_id.clone());
        }
        for (condition, time) in [
            (" and t.occurred_at >= ", self.from),
            (" and t.occurred_at < ", self.to),
            (" and t.recorded_at >= ", self.recorded_from),
            (" and t.recorded_at < ", self.recorded_to),
        ] {
            if let Some(time) = time {
                query.push(condition).push_bind(time);
            }
        }
        // A batch is one line: of what it has, the first record says where it stands.
        if let Some(position) = self.from_position {
            query.push(" and t.last_position >= ").push_bind(position);
        }
        if let Some(position) = self.at_position {
            query.push(" and t.position <= ").push_bind(position);
        }
    }
}

fn owned(texts: impl Iterator<Item = impl AsRef<str>>) -> Vec<String> {
    texts.map(|text| text.as_ref().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_there_can_be() {
        let actions = |text: &str| text.parse::<Actions>().is_ok();
        assert!(actions("member.added") && actions("member.*,credits.purchased"));
        for wrong in ["", "member", "member.", ".added", "*", "member.ad*", "Member.added", "a.b,"]
        {
            assert!(!actions(wrong), "{wrong}");
        }
        let actor = |text: &str| text.parse::<ActorText>().is_ok();
        assert!(actor("operator:ops") && actor("external:Somebody, Else"));
        for wrong in ["", "ops", "operator:", "somebody:ops", "operator:\0"] {
            assert!(!actor(wrong), "{wrong:?}");
        }
        let id = Uuid::from_u128(7).to_string();
        assert!(format!("{id},{id}").parse::<Targets>().is_ok());
        assert!(vec![id; LISTED_MAX + 1].join(",").parse::<Targets>().is_err());
        assert!("7".parse::<Targets>().is_err());
    }
}
