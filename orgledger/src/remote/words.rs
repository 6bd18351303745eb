//! The words of a command to a server: a noun and a verb, from an operation's path and name.
//!
//! The noun is the resource in the path: `/v1/organizations/{organization_id}/api-keys/{api_key_id}/rotate`
//! is about `api-keys`. The organization is where a thing is, not what it is; so it is the noun only
//! where nothing else is. What belongs to one of many carries its name: `/projects/{project_id}/members`
//! are `project-members`. The verb is what the operation's name says beyond that: `rotate_api_key` is
//! `rotate`, `change_member_role` of members is `change-role`.

use std::fmt;

/// Words that lead to a noun; left at the end of a verb they lead nowhere.
const LEADING: [&str; 6] = ["of", "in", "for", "from", "to", "a"];

/// What somebody writes after `orgledger`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Words {
    /// What it is about: `api-keys`.
    pub(crate) noun: String,
    /// What happens: `rotate`.
    pub(crate) verb: String,
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.noun, self.verb)
    }
}

impl Words {
    /// The words of an operation.
    pub(super) fn of(operation_id: &str, path: &str) -> Self {
        let name: Vec<&str> = operation_id.split('_').collect();
        let noun = noun(&name, path);
        let verb = verb(&name, &noun);
        Self { noun, verb }
    }
}

fn noun(name: &[&str], path: &str) -> String {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let mut segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if let ["organizations", _, within, ..] = segments[..]
        && !is_action(within, name)
    {
        segments.drain(..2);
    }
    let mut noun = segments.first().copied().unwrap_or_default().to_owned();
    for pair in segments.windows(2).skip(1) {
        let [before, segment] = pair else { continue };
        let belongs_to_one = is_parameter(before) && !is_parameter(segment);
        if belongs_to_one && singular(segment) != *segment && !is_action(segment, name) {
            noun = format!("{}-{segment}", singular(&noun));
        }
    }
    noun
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

/// Whether a segment says what happens, as in `/revoke`, and not to what.
fn is_action(segment: &str, name: &[&str]) -> bool {
    let words: Vec<&str> = segment.split('-').collect();
    name.starts_with(&words)
}

/// The operation's name without what the noun says already. Its first word is what happens,
/// whatever else it may be.
fn verb(name: &[&str], noun: &str) -> String {
    let is_said =
        |word: &str| word == "organization" || noun.split('-').any(|said| are_same(said, word));
    let (happens, rest) = name.split_at(1);
    let mut verb = happens.to_vec();
    verb.extend(rest.iter().filter(|word| !is_said(word)));
    while verb.len() > 1 && verb.last().is_some_and(|last| LEADING.contains(last)) {
        verb.pop();
    }
    verb.join("-")
}

fn are_same(a: &str, b: &str) -> bool {
    a == b || singular(a) == singular(b)
}

/// One of what a plural names; a word that is no plural as it is. Of several words the last counts.
fn singular(words: &str) -> String {
    let (before, last) = match words.rfind('-') {
        Some(at) => words.split_at(at + 1),
        None => ("", words),
    };
    let last = if last == "people" {
        "person".to_owned()
    } else if let Some(stem) = last.strip_suffix("ies") {
        format!("{stem}y")
    } else if ["sses", "xes", "ches"].iter().any(|end| last.ends_with(end)) {
        last[..last.len() - 2].to_owned()
    } else if ["ss", "us", "is"].iter().any(|end| last.ends_with(end)) {
        last.to_owned()
    } else {
        last.strip_suffix('s').unwrap_or(last).to_owned()
    };
    format!("{before}{last}")
}

#[cfg(test)]
mod tests {
    use super::{Words, singular};

    #[test]
    fn they_come_from_path_and_name() {
        for (name, path, expected) in [
            ("create_organization", "/v1/organizations", "organizations create"),
            ("archive_organization", "/v1/organizations/{o}/archive", "organizations archive"),
            ("leave_organization", "/v1/organizations/{o}/leave", "organizations leave"),
            ("update_organization", "/v1/organizations/{o}", "organizations update"),
            ("rotate_api_key", "/v1/organizations/{o}/api-keys/{k}/rotate", "api-keys rotate"),
            ("change_member_role", "/v1/organizations/{o}/members/{m}/role", "members change-role"),
            ("rename_member", "/v1/organizations/{o}/members/{m}/login", "members rename"),
            (
                "assign_project_member",
                "/v1/organizations/{o}/projects/{p}/members/{m}",
                "project-members assign",
            ),
            ("grant_credits", "/v1/organizations/{o}/credits/grants", "credits grant"),
            ("publish_price_list", "/v1/price-lists", "price-lists publish"),
            ("get_status", "/v1/status", "status get"),
            (
                "get_organization_access_register",
                "/v1/organizations/{o}/access-register",
                "access-register get",
            ),
            ("send_invites_in_bulk", "/v1/organizations/{o}/invites/bulk", "invites send-in-bulk"),
            ("accept_invite", "/v1/invites/accept", "invites accept"),
            (
                "attest_review_line",
                "/v1/organizations/{o}/access-reviews/{r}/lines/{l}/attest",
                "access-review-lines attest",
            ),
            (
                "close_access_review",
                "/v1/organizations/{o}/access-reviews/{r}/close",
                "access-reviews close",
            ),
            (
                "explain_permission",
                "/v1/organizations/{o}/permissions/explain",
                "permissions explain",
            ),
            ("set_settings", "/v1/organizations/{o}/settings", "settings set"),
            (
                "transfer_ownership",
                "/v1/organizations/{o}/transfer-ownership",
                "organizations transfer-ownership",
            ),
            (
                "add_group_member",
                "/v1/organizations/{o}/groups/{g}/members/{m}",
                "group-members add",
            ),
            (
                "revoke_api_keys_of_member",
                "/v1/organizations/{o}/members/{m}/api-keys/revoke",
                "member-api-keys revoke",
            ),
            (
                "decline_approval",
                "/v1/organizations/{o}/approvals/{a}/decline",
                "approvals decline",
            ),
            ("grant_role", "/v1/organizations/{o}/roles/{r}/grants", "role-grants grant"),
            ("erase_person", "/v1/organizations/{o}/people/{p}/erase", "people erase"),
            ("list_identities", "/v1/organizations/{o}/identities", "identities list"),
        ] {
            assert_eq!(Words::of(name, path).to_string(), expected, "{name} {path}");
        }
    }

    #[test]
    fn one_of_many_is_found() {
        for (many, one) in [
            ("members", "member"),
            ("api-keys", "api-key"),
            ("people", "person"),
            ("identities", "identity"),
            ("addresses", "address"),
            ("purchases", "purchase"),
            ("access", "access"),
            ("status", "status"),
            ("role", "role"),
        ] {
            assert_eq!(singular(many), one);
        }
    }
}
