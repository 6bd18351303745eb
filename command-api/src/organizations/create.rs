//! Create an organization.

use api_conventions::{Json, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// An organization to create.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganization {
    /// Its name, unique among the organizations that are not archived.
    pub name: String,
    /// How many members it may have; without one, any number.
    #[serde(default)]
    pub seat_limit: Option<u32>,
}

/// An organization that was created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OrganizationCreated {
    /// Its id.
    pub organization_id: OrganizationId,
}

impl Command for CreateOrganization {
    const NAME: &'static str = "organizations.create";
    type Outcome = OrganizationCreated;

    fn organization_id(&self) -> Option<OrganizationId> {
        None
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit_operator()?;
        let organization_id: OrganizationId = session.new_id();
        session.belongs_to(organization_id);
        let create = OrganizationCommand::Create {
            organization_id,
            name: self.name.clone(),
            seat_limit: self.seat_limit,
        };
        session.begin::<Organization>(organization_id, create)?;
        session.claim_name(NameScope::Organization, &self.name, organization_id).await?;
        Ok(OrganizationCreated { organization_id })
    }
}

/// Creates an organization.
#[utoipa::path(
    post,
    path = "/v1/organizations",
    tag = "organizations",
    params(PostHeaders),
    request_body = CreateOrganization,
    responses((status = 201, description = "It is made.", body = Answered<OrganizationCreated>), Refusals)
)]
pub(crate) async fn create_organization(
    State(api): State<CommandApi>,
    asked: Asked,
    Json(request): Json<CreateOrganization>,
) -> Result<Response, Problem> {
    create(&api, asked, request, |created| format!("/v1/organizations/{}", created.organization_id))
        .await
}
