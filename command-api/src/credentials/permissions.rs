//! What callers may see, by the head of the log.

use api_conventions::authentication::{Caller, refused_credential};
use api_conventions::permissions::{Access, Answering, Permissions, Reach};
use api_conventions::problem::Problem;
use event_schemas::{OrganizationId, PermissionSet, ProjectId};

use super::CredentialRegister;
use crate::asked;
use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

impl CredentialRegister {
    /// A session in the caller's name on states brought up to the log; their credential still counts.
    async fn session_of(&self, caller: &Caller) -> Result<Session<'_>, Problem> {
        let authority = asked::authority(caller)?;
        let mut session = self.executor().reading(authority, true).named(&caller.actor.id);
        session.vouch(caller.presented.as_ref()).await.map_err(|refusal| {
            if matches!(refusal, Refusal::CredentialEnded) {
                refused_credential("it has ended meanwhile", caller.source_address.as_deref());
            }
            refused(refusal)
        })?;
        Ok(session)
    }
}

impl Permissions for CredentialRegister {
    fn in_organization<'a>(
        &'a self,
        caller: &'a Caller,
        organization_id: OrganizationId,
    ) -> Answering<'a, Reach> {
        Box::pin(async move {
            let mut session = self.session_of(caller).await?;
            let Some(asking) = session.asking(organization_id).await.map_err(refused)? else {
                return Ok(Reach::All);
            };
            // An empty list would look as if there were nothing.
            if asking.is_operator() {
                return Err(refused(Refusal::BreakGlassNeeded));
            }
            let access = asking.access();
            Ok(Reach::Of(Access {
                member_id: access.map(|access| access.member_id),
                organization: asking.in_organization(),
                only_in: asking.only_in(),
                groups: access.map(|a| a.groups.iter().copied().collect()).unwrap_or_default(),
                granted_in: access
                    .map(|a| a.projects.keys().copied().collect())
                    .unwrap_or_default(),
            }))
        })
    }

    fn in_projects<'a>(
        &'a self,
        caller: &'a Caller,
        organization_id: OrganizationId,
        projects: &'a [ProjectId],
    ) -> Answering<'a, Vec<(ProjectId, PermissionSet)>> {
        Box::pin(async move {
            let mut session = self.session_of(caller).await?;
            let mut seen = Vec::with_capacity(projects.len());
            for project_id in projects {
                let may = session.may_in(organization_id, *project_id).await.map_err(refused)?;
                if !may.is_empty() {
                    seen.push((*project_id, may));
                }
            }
            Ok(seen)
        })
    }
}

fn refused(refusal: Refusal) -> Problem {
    ExecuteError::Refused(refusal).into()
}
