//! Which types of events a webhook wants.

use super::{EVENT_TYPES_MAX, WebhookError};

/// What stands for every type.
const ALL: &str = "*";

/// Whether an entry of the list covers a type.
pub fn matches(wanted: &str, event_type: &str) -> bool {
    if wanted == ALL || wanted == event_type {
        return true;
    }
    let noun = wanted.strip_suffix(ALL).filter(|noun| noun.ends_with('.'));
    noun.is_some_and(|noun| event_type.starts_with(noun))
}

/// The list as it is kept: each once, in order, and none that no event is of.
pub(super) fn checked(wanted: &[String]) -> Result<Vec<String>, WebhookError> {
    if wanted.is_empty() {
        return Err(WebhookError::NoEventTypes);
    }
    if wanted.len() > EVENT_TYPES_MAX {
        return Err(WebhookError::TooManyEventTypes);
    }
    let is_known = |one: &&String| event_schemas::event_types().any(|known| matches(one, known));
    if let Some(unknown) = wanted.iter().find(|one| !is_known(one)) {
        let shown = unknown.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(WebhookError::UnknownEventType(shown));
    }
    let mut kept = wanted.to_vec();
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}
