//! What a suggestion is about, and what would act on it.

use event_schemas::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::SuggestionKind;

/// What kind of thing a suggestion is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A member.
    Member,
    /// A project.
    Project,
    /// An API key.
    ApiKey,
    /// A service account.
    ServiceAccount,
    /// An invite; its name is the address.
    Invite,
}

/// What a suggestion is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// Its id.
    pub id: Uuid,
    /// Its name today.
    pub name: String,
}

/// A command that would act on a suggestion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SuggestedCommand {
    /// The method.
    pub method: String,
    /// The path. Where it asks for a choice, that stands in braces.
    pub path: String,
}

impl SuggestedCommand {
    pub(super) fn of(
        kind: SuggestionKind,
        organization_id: OrganizationId,
        subjects: &[Subject],
    ) -> Self {
        let id = |of: SubjectKind| {
            let subject = subjects.iter().find(|subject| subject.kind == of);
            subject.map(|subject| subject.id.to_string()).unwrap_or_default()
        };
        let (method, rest) = match kind {
            SuggestionKind::InactiveMember | SuggestionKind::SuspendedMember => {
                ("DELETE", format!("members/{}", id(SubjectKind::Member)))
            }
            SuggestionKind::UnusedApiKey => {
                ("POST", format!("api-keys/{}/revoke", id(SubjectKind::ApiKey)))
            }
            SuggestionKind::OverdueRotation | SuggestionKind::KnownToFormer => {
                ("POST", format!("api-keys/{}/rotate", id(SubjectKind::ApiKey)))
            }
            // A key's end is not put off: another takes its place.
            SuggestionKind::ExpiringApiKey => ("POST", "api-keys".to_owned()),
            SuggestionKind::IdleProjectMember => {
                let (project, member) = (id(SubjectKind::Project), id(SubjectKind::Member));
                ("DELETE", format!("projects/{project}/members/{member}"))
            }
            SuggestionKind::TooManyAdmins => ("POST", "access-reviews".to_owned()),
            SuggestionKind::StaleInvite => {
                ("POST", format!("invites/{}/revoke", id(SubjectKind::Invite)))
            }
            SuggestionKind::ProjectWithoutOwner => {
                ("PUT", format!("projects/{}/members/{{member_id}}", id(SubjectKind::Project)))
            }
            SuggestionKind::DisabledServiceAccount => {
                ("DELETE", format!("service-accounts/{}", id(SubjectKind::ServiceAccount)))
            }
        };
        let path = format!("/v1/organizations/{organization_id}/{rest}");
        Self { method: method.to_owned(), path }
    }
}
