//! The parameters of requests, and what every request can be refused with.

use api_conventions::problem::ProblemSchema;
use event_schemas::{
    AccessReviewId, ApiKeyId, ApprovalId, BreakGlassId, BudgetId, ExportId, GroupId, InviteId,
    MemberId, OrganizationId, ProjectId, ReviewLineId, RoleId, ServiceAccountId, WebhookId,
};
use serde::Deserialize;
use utoipa::{IntoParams, IntoResponses};

macro_rules! path {
    ($($(#[$doc:meta])+ $name:ident { $($field:ident: $id:ty),+ })+) => {$(
        $(#[$doc])+
        #[derive(Debug, Deserialize, IntoParams)]
        #[into_params(parameter_in = Path)]
        #[allow(clippy::struct_field_names)] // The names are those in the path.
        pub(crate) struct $name {
            $(
                /// The id.
                #[param(value_type = uuid::Uuid)]
                pub(crate) $field: $id,
            )+
        }
    )+};
}

/// What a request used.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UsageOfRequestPath {
    /// The id.
    #[param(value_type = uuid::Uuid)]
    pub(crate) organization_id: OrganizationId,
    /// The request, as it was recorded.
    pub(crate) request_id: String,
}

path! {
    /// An organization.
    OrganizationPath { organization_id: OrganizationId }
    /// An invite to an organization.
    InvitePath { organization_id: OrganizationId, invite_id: InviteId }
    /// A member of an organization.
    MemberPath { organization_id: OrganizationId, member_id: MemberId }
    /// A project of an organization.
    ProjectPath { organization_id: OrganizationId, project_id: ProjectId }
    /// A member of a project.
    ProjectMemberPath {
        organization_id: OrganizationId,
        project_id: ProjectId,
        member_id: MemberId
    }
    /// A group of an organization.
    GroupPath { organization_id: OrganizationId, group_id: GroupId }
    /// A member of a group.
    GroupMemberPath { organization_id: OrganizationId, group_id: GroupId, member_id: MemberId }
    /// A custom role of an organization.
    RolePath { organization_id: OrganizationId, role_id: RoleId }
    /// A group of a project.
    ProjectGroupPath {
        organization_id: OrganizationId,
        project_id: ProjectId,
        group_id: GroupId
    }
    /// A service account of an organization.
    ServiceAccountPath { organization_id: OrganizationId, service_account_id: ServiceAccountId }
    /// An export of what is known of a member.
    ExportPath { organization_id: OrganizationId, member_id: MemberId, export_id: ExportId }
    /// An approval of an organization.
    ApprovalPath { organization_id: OrganizationId, approval_id: ApprovalId }
    /// An access of the operator to an organization.
    BreakGlassPath { organization_id: OrganizationId, break_glass_id: BreakGlassId }
    /// A budget of an organization.
    BudgetPath { organization_id: OrganizationId, budget_id: BudgetId }
    /// A webhook of an organization.
    WebhookPath { organization_id: OrganizationId, webhook_id: WebhookId }
    /// An API key of an organization.
    ApiKeyPath { organization_id: OrganizationId, api_key_id: ApiKeyId }
    /// An access review of an organization.
    AccessReviewPath { organization_id: OrganizationId, access_review_id: AccessReviewId }
    /// A line of an access review.
    ReviewLinePath {
        organization_id: OrganizationId,
        access_review_id: AccessReviewId,
        line_id: ReviewLineId
    }
}

/// The headers of a POST. It describes what [`crate::asked::Asked`] reads.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // Never built.
pub(crate) struct PostHeaders {
    /// The caller's name for this command, 1 to 255 visible ASCII characters: a new one for each
    /// command, the same one when trying again. Sent again with the same body it gives the first
    /// answer again; with another body it is refused.
    #[param(rename = "Idempotency-Key", pattern = r"^[!-~]{1,255}$")]
    idempotency_key: String,
    /// The `ETag` that the resource must have.
    #[param(rename = "If-Match", pattern = r#"^(\*|"[0-9]{1,18}"(, ?"[0-9]{1,18}")*)$"#)]
    if_match: Option<String>,
}

/// The headers of a PUT, PATCH or DELETE, as [`PostHeaders`].
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // Never built.
pub(crate) struct ChangeHeaders {
    /// The caller's name for this command, as for a POST; here it may be left out.
    #[param(rename = "Idempotency-Key", pattern = r"^[!-~]{1,255}$")]
    idempotency_key: Option<String>,
    /// The `ETag` that the resource must have.
    #[param(rename = "If-Match", pattern = r#"^(\*|"[0-9]{1,18}"(, ?"[0-9]{1,18}")*)$"#)]
    if_match: Option<String>,
}

/// The headers of a PUT that replaces a whole document, as [`PostHeaders`].
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // Never built.
pub(crate) struct ReplaceHeaders {
    /// The caller's name for this command, as for a POST; here it may be left out.
    #[param(rename = "Idempotency-Key", pattern = r"^[!-~]{1,255}$")]
    idempotency_key: Option<String>,
    /// The `ETag` that the resource must have; `*` replaces whatever is there.
    #[param(rename = "If-Match", pattern = r#"^(\*|"[0-9]{1,18}"(, ?"[0-9]{1,18}")*)$"#)]
    if_match: String,
}

/// What a command that replaces a whole document can be refused with too.
#[derive(IntoResponses)]
#[response(status = 428, content_type = "application/problem+json")]
#[allow(dead_code)] // Never built: it describes what `IfMatchRequired` answers.
/// The version to replace is not named by `If-Match`.
pub(crate) struct VersionRequired(#[to_schema] ProblemSchema);

/// What every command can be refused with.
#[derive(IntoResponses)]
#[allow(dead_code)] // Never built: it describes what the routes answer.
pub(crate) enum Refusals {
    /// A parameter, header or field is wrong, or the body is not JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] ProblemSchema),
    /// No credential, or none that is known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemSchema),
    /// The caller may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemSchema),
    /// There is no such thing, or it is another organization's.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemSchema),
    /// What is there already stands against it.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] ProblemSchema),
    /// It has changed since the version that `If-Match` names.
    #[response(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(#[to_schema] ProblemSchema),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] ProblemSchema),
    /// The body is not said to be JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(#[to_schema] ProblemSchema),
    /// A value is not possible, or the idempotency key stands for another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(#[to_schema] ProblemSchema),
    /// This credential, or this address, has asked too often; `Retry-After` says when to ask again.
    #[response(status = 429, content_type = "application/problem+json")]
    TooManyRequests(#[to_schema] ProblemSchema),
    /// Too much is waiting, or the database is not there.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemSchema),
}
