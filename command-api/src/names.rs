//! Names: finding what one means, and claiming it in the same append as what it names.

use domain::name::{Name, NameCommand, NameScope, stream_id};
use domain::text;
use event_schemas::{OrganizationId, ProjectId, ServiceAccountId};

use crate::execute::Session;
use crate::refusal::Refusal;

impl Session<'_> {
    /// The organization of that name, where there is one that is not archived.
    pub async fn organization_named(
        &mut self,
        name: &str,
    ) -> Result<Option<OrganizationId>, Refusal> {
        self.holder_of(&NameScope::Organization, name).await
    }

    /// The organization's project of that name, where there is one that is not archived.
    pub async fn project_named(
        &mut self,
        organization_id: OrganizationId,
        name: &str,
    ) -> Result<Option<ProjectId>, Refusal> {
        self.holder_of(&NameScope::Project(organization_id), name).await
    }

    /// The project's service account of that name, where there is one that is not removed.
    pub async fn service_account_named(
        &mut self,
        project_id: ProjectId,
        name: &str,
    ) -> Result<Option<ServiceAccountId>, Refusal> {
        self.holder_of(&NameScope::ServiceAccount(project_id), name).await
    }

    /// Takes a name. The holder that has it already is refused as the decider of names says.
    pub(crate) async fn claim_name(
        &mut self,
        scope: NameScope,
        name: &str,
        holder_id: impl ToString,
    ) -> Result<(), Refusal> {
        let claim = NameCommand::Claim { holder_id: holder_id.to_string() };
        self.execute::<Name>(stream_id(&scope, name), claim).await?;
        Ok(())
    }

    /// Gives a name up.
    pub(crate) async fn release_name(
        &mut self,
        scope: NameScope,
        name: &str,
        holder_id: impl ToString,
    ) -> Result<(), Refusal> {
        let release = NameCommand::Release { holder_id: holder_id.to_string() };
        self.execute::<Name>(stream_id(&scope, name), release).await?;
        Ok(())
    }

    /// Moves a holder from one name to another. A change of case alone is the same name.
    pub(crate) async fn change_name(
        &mut self,
        scope: NameScope,
        from: &str,
        to: &str,
        holder_id: impl ToString,
    ) -> Result<(), Refusal> {
        if stream_id(&scope, from) == stream_id(&scope, to) {
            return Ok(());
        }
        let holder_id = holder_id.to_string();
        self.claim_name(scope, to, &holder_id).await?;
        self.release_name(scope, from, &holder_id).await
    }

    async fn holder_of<I: std::str::FromStr>(
        &mut self,
        scope: &NameScope,
        name: &str,
    ) -> Result<Option<I>, Refusal> {
        // What cannot be a name is nobody's; asking for it would fail in the database (NUL).
        if text::name(name).is_err() {
            return Ok(None);
        }
        let holder = self.read::<Name>(stream_id(scope, name)).await?.holder();
        Ok(holder.and_then(|id| id.parse().ok()))
    }
}
