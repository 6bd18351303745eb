//! Settle anew who vouches for an organization's people, and what needs two of them.

use api_conventions::sign_in::is_issuer;
use api_conventions::{IfMatchRequired, Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::Organization;
use event_schemas::{OrganizationId, Permission, SecuritySettings, SensitiveRequest};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::approvals::Sensitive;
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, Refusals, ReplaceHeaders, VersionRequired};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Settle anew who vouches for an organization's people, and what needs two of them.
#[derive(Debug, Clone, Serialize)]
pub struct ReplaceSecurity {
    /// The organization.
    pub organization_id: OrganizationId,
    /// All of it: what is left out is not kept.
    pub security: SecuritySettings,
    /// What is wrong with the issuer that it names, where something is.
    #[serde(skip)]
    pub issuer: Option<WrongIssuer>,
}

/// Why nobody could sign in by an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongIssuer {
    /// It is no issuer's address.
    Address,
    /// The installation takes no tokens of it.
    Unknown,
}

impl WrongIssuer {
    /// Which issuers are known instead is not said: they are other companies'.
    fn why(self) -> &'static str {
        match self {
            Self::Address => {
                "it is not an address that begins with https:// (http:// on this machine's loopback \
                 alone), without user, query and fragment"
            }
            Self::Unknown => {
                "this installation takes no tokens of it; spell it as its tokens do in 'iss', and have \
                 whoever runs orgledger configure it first"
            }
        }
    }
}

impl Command for ReplaceSecurity {
    const NAME: &'static str = "organizations.replace_security";
    type Outcome = Sensitive;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Sensitive, Refusal> {
        session.permit(self.organization_id, Permission::SecurityUpdate).await?;
        if let Some(wrong) = self.issuer {
            let organization = session.read::<Organization>(self.organization_id).await?;
            // One that was known when it was set, and stays, keeps nothing else from being changed.
            if organization.security().identity_provider != self.security.identity_provider {
                let field = "identity_provider.issuer";
                return Err(Refusal::Invalid { field, why: wrong.why() });
            }
        }
        let security = self.security.clone();
        let organization = session.read::<Organization>(self.organization_id).await?;
        let replaces = Some(organization.security());
        let request = SensitiveRequest::ReplaceSecuritySettings { security, replaces };
        session.do_sensitive(self.organization_id, request).await
    }
}

/// Replaces who vouches for people signing in and what needs a second person's approval, as a whole.
/// Needs `If-Match`, so that nobody else's change is overwritten unseen. It may itself need a second
/// person's approval. The issuer must be one that this installation takes tokens of.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/security",
    tag = "organizations",
    params(OrganizationPath, ReplaceHeaders),
    request_body = SecuritySettings,
    responses((status = 200, description = "It is so now.", body = Answered<Sensitive>), VersionRequired, Refusals)
)]
pub(crate) async fn replace_security_settings(
    State(api): State<CommandApi>,
    asked: Asked,
    _: IfMatchRequired,
    Path(path): Path<OrganizationPath>,
    Json(security): Json<SecuritySettings>,
) -> Result<Response, Problem> {
    let issuer = security.identity_provider.as_ref().and_then(|provider| {
        let is_known = api.credentials().knows_issuer(&provider.issuer);
        let unknown =
            if is_issuer(&provider.issuer) { WrongIssuer::Unknown } else { WrongIssuer::Address };
        (!is_known).then_some(unknown)
    });
    let command = ReplaceSecurity { organization_id: path.organization_id, security, issuer };
    carry_out(&api, asked, command).await
}
