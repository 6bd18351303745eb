//! The parameters of requests, and what every request can be refused with.

use std::str::FromStr;

use api_conventions::problem::ProblemSchema;
pub(crate) use api_conventions::temporal::time_or_date;
use api_conventions::{AsOf, Cursor, Limit, Position};
use event_schemas::{
    AccessReviewId, ApiKeyId, BudgetId, GroupId, InviteId, MemberId, OrganizationId, ProjectId,
    ReviewDecision, RoleId, ServiceAccountId, WebhookId,
};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::access_reviews::lines::LineState;
use crate::access_reviews::reviews::ReviewState;
use crate::list::State;
use crate::state::highest;
use crate::temporal::Temporal;

macro_rules! path {
    ($($(#[$doc:meta])+ $name:ident { $($field:ident: $id:ty),+ })+) => {$(
        $(#[$doc])+
        #[derive(Debug, Deserialize, IntoParams)]
        #[into_params(parameter_in = Path)]
        pub(crate) struct $name {
            $(
                /// The id.
                #[param(value_type = Uuid)]
                pub(crate) $field: $id,
            )+
        }
    )+};
}

path! {
    /// An organization.
    OrganizationPath { organization_id: OrganizationId }
    /// A member of an organization.
    MemberPath { organization_id: OrganizationId, member_id: MemberId }
    /// An invite to an organization.
    InvitePath { organization_id: OrganizationId, invite_id: InviteId }
    /// A group of an organization.
    GroupPath { organization_id: OrganizationId, group_id: GroupId }
    /// A custom role of an organization.
    RolePath { organization_id: OrganizationId, role_id: RoleId }
    /// A service account of an organization.
    ServiceAccountPath { organization_id: OrganizationId, service_account_id: ServiceAccountId }
    /// A project of an organization.
    ProjectPath { organization_id: OrganizationId, project_id: ProjectId }
    /// A budget of an organization.
    BudgetPath { organization_id: OrganizationId, budget_id: BudgetId }
    /// A webhook of an organization.
    WebhookPath { organization_id: OrganizationId, webhook_id: WebhookId }
    /// An API key of an organization.
    ApiKeyPath { organization_id: OrganizationId, api_key_id: ApiKeyId }
    /// An access review of an organization.
    AccessReviewPath { organization_id: OrganizationId, access_review_id: AccessReviewId }
}

/// A parameter that is read from its text.
pub(crate) fn from_text<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err = String>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// What the parameters of temporal queries have in common.
pub(crate) trait Point {
    /// `as_of`, `at_position` and `min_position`.
    fn point(&self) -> (Option<AsOf>, Option<Position>, Option<Position>);

    /// Which state is asked for.
    fn temporal(&self) -> Temporal {
        let (as_of, at_position, _) = self.point();
        Temporal::new(as_of, at_position)
    }

    /// The position that the answer has to have.
    fn position_min(&self) -> i64 {
        let (_, at_position, min_position) = self.point();
        highest(&[min_position, at_position])
    }
}

macro_rules! query {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$field_doc:meta])+ $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            /// Answer only from a picture that has this position of the log; waits a few seconds.
            #[param(value_type = Option<i64>, minimum = 0)]
            pub(crate) min_position: Option<Position>,
            /// What the log knew at this position.
            #[param(value_type = Option<i64>, minimum = 0)]
            pub(crate) at_position: Option<Position>,
            /// What was true at this time (RFC 3339), or at the end of this day (a date, in UTC).
            #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
            pub(crate) as_of: Option<AsOf>,
            $($(#[$field_doc])+ pub(crate) $field: $type,)*
        }

        impl Point for $name {
            fn point(&self) -> (Option<AsOf>, Option<Position>, Option<Position>) {
                (self.as_of, self.at_position, self.min_position)
            }
        }
    )+};
}

query! {
    /// Parameters of what is one thing.
    PointQuery {}
    /// Parameters of the list of price lists.
    PriceListQuery {
        /// The most items of the page.
        #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
        limit: Option<Limit>,
        /// The `next_cursor` of the page before.
        #[param(value_type = Option<String>)]
        cursor: Option<Cursor>,
        /// Of this provider only, as the lists call it; `*` for lists of every provider.
        provider: Option<String>,
        /// Whether to answer the prices, too.
        prices: Option<bool>,
    }
    /// Parameters of the list of access reviews.
    AccessReviewListQuery {
        /// The most items of the page.
        #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
        limit: Option<Limit>,
        /// The `next_cursor` of the page before.
        #[param(value_type = Option<String>)]
        cursor: Option<Cursor>,
        /// Those in this state only.
        #[param(inline)]
        state: Option<ReviewState>,
    }
    /// Parameters of the list of an access review's lines.
    AccessReviewLineListQuery {
        /// The most items of the page.
        #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
        limit: Option<Limit>,
        /// The `next_cursor` of the page before.
        #[param(value_type = Option<String>)]
        cursor: Option<Cursor>,
        /// Those of which nobody has said anything yet, or those of which somebody has.
        #[param(inline)]
        state: Option<LineState>,
        /// Those with this decision only.
        #[param(inline)]
        decision: Option<ReviewDecision>,
    }
    /// Parameters of the access register.
    RegisterQuery {
        /// Of this member only.
        #[param(value_type = Option<Uuid>)]
        member_id: Option<MemberId>,
        /// Of this project only: who has a role within it, and its service accounts.
        #[param(value_type = Option<Uuid>)]
        project_id: Option<ProjectId>,
        /// Only those who are active, or only those who are suspended; for service accounts, disabled.
        #[param(inline)]
        state: Option<MemberState>,
    }
}

macro_rules! list_query {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$field_doc:meta])+ $field:ident: $type:ty,)* })+) => {
        query! {$(
            $(#[$doc])+
            $name {
                /// The most items of the page.
                #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
                limit: Option<Limit>,
                /// The `next_cursor` of the page before. All pages are of the position of the first.
                #[param(value_type = Option<String>)]
                cursor: Option<Cursor>,
                $($(#[$field_doc])+ $field: $type,)*
            }
        )+}

        $(impl $name {
            /// What it has in common with every list.
            pub(crate) fn list(&self) -> ListQuery {
                let Self { min_position, at_position, as_of, limit, ref cursor, .. } = *self;
                ListQuery { min_position, at_position, as_of, limit, cursor: cursor.clone() }
            }
        })+
    };
}

query! {
    /// Parameters of a list.
    ListQuery {
        /// The most items of the page.
        #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
        limit: Option<Limit>,
        /// The `next_cursor` of the page before. All pages are of the position of the first.
        #[param(value_type = Option<String>)]
        cursor: Option<Cursor>,
    }
}

list_query! {
    /// Parameters of the list of members.
    MemberListQuery {
        /// Those in this state only.
        #[param(inline)]
        state: Option<MemberState>,
    }
    /// Parameters of the list of invites.
    InviteListQuery {
        /// Those in this state only.
        #[param(inline)]
        state: Option<InviteState>,
    }
    /// Parameters of the list of service accounts.
    ServiceAccountListQuery {
        /// Of this project only.
        #[param(value_type = Option<Uuid>)]
        project_id: Option<ProjectId>,
        /// Those in this state only.
        #[param(inline)]
        state: Option<ServiceAccountState>,
    }
    /// Parameters of the list of API keys.
    ApiKeyListQuery {
        /// Of this project only.
        #[param(value_type = Option<Uuid>)]
        project_id: Option<ProjectId>,
        /// Of this member only.
        #[param(value_type = Option<Uuid>)]
        member_id: Option<MemberId>,
        /// Of this service account only.
        #[param(value_type = Option<Uuid>)]
        service_account_id: Option<ServiceAccountId>,
        /// Those in this state only.
        #[param(inline)]
        state: Option<ApiKeyState>,
    }
    /// Parameters of the list of budgets.
    BudgetListQuery {
        /// Of this project and its keys only.
        #[param(value_type = Option<Uuid>)]
        project_id: Option<ProjectId>,
    }
    /// Parameters of a list of grants of custom roles.
    RoleGrantListQuery {
        /// To this member only, themselves: what they have through groups is not among it.
        #[param(value_type = Option<Uuid>)]
        member_id: Option<MemberId>,
        /// To this group only.
        #[param(value_type = Option<Uuid>)]
        group_id: Option<GroupId>,
        /// Within this project only.
        #[param(value_type = Option<Uuid>)]
        project_id: Option<ProjectId>,
    }
}

macro_rules! states {
    ($($(#[$doc:meta])+ $name:ident { $($state:ident),+ })+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name {
            $($state),+
        }

        impl From<$name> for State {
            fn from(state: $name) -> Self {
                match state {
                    $($name::$state => Self::$state),+
                }
            }
        }
    )+};
}

states! {
    /// What a member's access is.
    MemberState { Active, Suspended }
    /// What has become of an invite.
    InviteState { Open, Accepted, Revoked, Expired }
    /// Whether a service account's keys work.
    ServiceAccountState { Active, Disabled }
    /// What has become of an API key.
    ApiKeyState { Active, Revoked, Expired }
}

/// Parameters of what is always of now.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NowQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(crate) min_position: Option<Position>,
}

/// Parameters of what takes none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// The headers of what has a version. It describes what `etag::answer_unmodified` reads.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // Never built.
pub(crate) struct PointHeaders {
    /// The `ETag` of what the caller has already; where that is still the version, the answer is 304.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// What is answered instead of what the caller has already.
#[derive(IntoResponses)]
#[response(status = 304, description = "The caller has it already, by `If-None-Match`.")]
pub(crate) struct Unmodified;

/// What every request can be refused with.
#[derive(IntoResponses)]
#[allow(dead_code)] // Never built: it describes what `Problem` answers.
pub(crate) enum Refusals {
    /// A parameter is wrong; `field` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] ProblemSchema),
    /// No credential that is known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemSchema),
    /// The caller may not see this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemSchema),
    /// There is no such thing, or it is another organization's.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemSchema),
    /// This credential, or this address, has asked too often; `Retry-After` says when to ask again.
    #[response(status = 429, content_type = "application/problem+json")]
    TooManyRequests(#[to_schema] ProblemSchema),
    /// Not yet visible, or the database is not there.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemSchema),
}
