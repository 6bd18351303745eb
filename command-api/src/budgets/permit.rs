//! Who may set, change and remove which budgets.

use domain::budget::Budget;
use event_schemas::{BudgetId, BudgetKeeper, OrganizationId, Permission, ProjectId};

use crate::execute::Session;
use crate::refusal::Refusal;

impl Session<'_> {
    /// Refuses who may not set a budget within that project, or, without one, in all of the
    /// organization; answers who keeps it. What somebody sets with their permission in the project
    /// alone, whoever has it there may change; what is set from above, they may not.
    pub(crate) async fn permit_setting_budget(
        &mut self,
        organization_id: OrganizationId,
        project_id: Option<ProjectId>,
    ) -> Result<BudgetKeeper, Refusal> {
        let everywhere = self.permit(organization_id, Permission::BudgetsUpdate).await;
        match (everywhere, project_id) {
            (Ok(()), _) => Ok(BudgetKeeper::Organization),
            (Err(Refusal::NotPermitted { .. }), Some(project_id)) => {
                self.permit_in(organization_id, project_id, Permission::BudgetsUpdate).await?;
                Ok(BudgetKeeper::Project)
            }
            (Err(refusal), _) => Err(refusal),
        }
    }

    /// Refuses who may not change the budget.
    pub(crate) async fn permit_budget(
        &mut self,
        organization_id: OrganizationId,
        budget_id: BudgetId,
    ) -> Result<(), Refusal> {
        let budget = self.read::<Budget>(budget_id).await?;
        match budget.kept_by(organization_id)? {
            (BudgetKeeper::Project, Some(project_id)) => {
                self.permit_in(organization_id, project_id, Permission::BudgetsUpdate).await
            }
            (BudgetKeeper::Organization | BudgetKeeper::Project, _) => {
                self.permit(organization_id, Permission::BudgetsUpdate).await
            }
        }
    }
}
