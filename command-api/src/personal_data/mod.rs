//! What is known of a person, and forgetting it.

pub(crate) mod erase_invite;
pub(crate) mod erase_member;
pub(crate) mod export;
pub(crate) mod read_export;

pub use erase_invite::EraseInvite;
pub use erase_member::{EraseMember, ErasePersonRequest};
pub use export::{ExportAsked, ExportPersonalData};
pub use read_export::ReadPersonalDataExport;

use chrono::Duration;
use domain::organization::{ErasablePerson, Organization};
use domain::person::{Person, PersonCommand};
use event_schemas::{ExportId, MemberId, OrganizationId};

use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

/// Erases a member who has left.
pub(crate) async fn erase_former_member(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    member_id: MemberId,
    reason: Option<&str>,
) -> Result<(), Refusal> {
    let organization = session.read::<Organization>(organization_id).await?;
    let person = organization.erasable_member(member_id)?;
    erase(session, person, reason).await
}

/// How long an export can be read.
const EXPORT_READABLE_FOR: Duration = Duration::hours(24);

/// Lets a member read all that is known of another.
pub(crate) async fn grant_export(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    member_id: MemberId,
    export_id: ExportId,
    granted_to: MemberId,
) -> Result<(), Refusal> {
    let organization = session.read::<Organization>(organization_id).await?;
    let person_id = organization.person_of(member_id)?;
    let expires_at = session.now() + EXPORT_READABLE_FOR;
    let grant = PersonCommand::GrantExport { person_id, export_id, granted_to, expires_at };
    session.execute::<Person>(person_id, grant).await?;
    Ok(())
}

/// Erases a person, and whoever acted under a login of theirs in a system that a history was imported
/// from, unless somebody present is known by that login.
async fn erase(
    session: &mut Session<'_>,
    person: ErasablePerson,
    reason: Option<&str>,
) -> Result<(), Refusal> {
    let organization_id = person.organization_id();
    let mut persons = vec![person];
    let logins = session.log().logins(organization_id, person.person_id()).await;
    for login in logins.map_err(ExecuteError::Vault)? {
        let vault = session.log().vault();
        let derived = vault.external_person(Some(organization_id), &login).await;
        let external_id = derived.map_err(ExecuteError::Vault)?;
        let readable = vault.readable(&[external_id]).await.map_err(ExecuteError::Vault)?;
        let organization = session.read::<Organization>(organization_id).await?;
        let external = organization.erasable_external(&login, external_id);
        persons.extend(external.filter(|_| readable.contains(&external_id)));
    }
    for person in persons {
        let erase = PersonCommand::Erase { person, reason: reason.map(str::to_owned) };
        session.execute::<Person>(person.person_id(), erase).await?;
    }
    Ok(())
}
