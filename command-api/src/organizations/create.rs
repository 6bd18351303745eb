//! Create an organization.

use api_conventions::{Json, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{
    ApiKeyId, MemberId, OrganizationId, OrganizationRole, OrganizationSettings, PersonId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{AnsweredWithSecret, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::invites::accept::first_key;
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
    /// Its first owner, who gets an admin key; without one, it has no members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<FirstOwner>,
}

/// Who an organization begins with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstOwner {
    /// The name that the person is known by, compared without case.
    pub login: String,
    /// The person's address.
    #[serde(default)]
    pub email: Option<String>,
}

/// An organization that was created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OrganizationCreated {
    /// Its id.
    pub organization_id: OrganizationId,
    /// Its first owner, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<FirstOwnerAdded>,
}

/// An organization's first owner.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FirstOwnerAdded {
    /// The membership.
    pub member_id: MemberId,
    /// The owner's first credential: an admin key, with all that an owner may do.
    pub api_key_id: ApiKeyId,
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
        let owner = match &self.owner {
            Some(owner) => Some(owner.add(session, organization_id).await?),
            None => None,
        };
        Ok(OrganizationCreated { organization_id, owner })
    }
}

impl FirstOwner {
    async fn add(
        &self,
        session: &mut Session<'_>,
        organization_id: OrganizationId,
    ) -> Result<FirstOwnerAdded, Refusal> {
        let member_id: MemberId = session.new_id();
        let person_id: PersonId = session.new_id();
        let add = OrganizationCommand::AddMember {
            by: session.authority(),
            member_id,
            person_id,
            login: self.login.clone(),
            email: self.email.clone(),
            role: OrganizationRole::Owner,
        };
        session.execute::<Organization>(organization_id, add).await?;
        let rules = OrganizationSettings::default();
        let api_key_id = first_key(session, organization_id, member_id, rules).await?;
        Ok(FirstOwnerAdded { member_id, api_key_id })
    }
}

/// Creates an organization. Where its first owner is named, their first credential is in the answer,
/// this once.
#[utoipa::path(
    post,
    path = "/v1/organizations",
    tag = "organizations",
    params(PostHeaders),
    request_body = CreateOrganization,
    responses((status = 201, description = "It is made.", body = AnsweredWithSecret<OrganizationCreated>), Refusals)
)]
pub(crate) async fn create_organization(
    State(api): State<CommandApi>,
    asked: Asked,
    Json(request): Json<CreateOrganization>,
) -> Result<Response, Problem> {
    create(&api, asked, request, |created| format!("/v1/organizations/{}", created.organization_id))
        .await
}
