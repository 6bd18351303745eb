//! Identifiers. Each noun has its own type, so that a project's id cannot stand where a member's
//! belongs. All are UUIDs (version 7 where orgledger makes them), written in lower-case hyphenated
//! form, except those that are derived from what they name.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])+ $name:ident),+ $(,)?) => {$(
        $(#[$doc])+
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

uuid_id! {
    /// An organization: the tenant, and the unit of every access rule.
    OrganizationId,
    /// A project of one organization.
    ProjectId,
    /// One person's membership in one organization. A person who leaves and comes back is a new
    /// member with a new id, so that nothing granted to the old membership can come back to life.
    MemberId,
    /// A person as one organization knows them: whose names and addresses are whose. It outlives the
    /// membership, and says nothing by itself.
    PersonId,
    /// An invite to an organization.
    InviteId,
    /// A role that an organization has defined.
    RoleId,
    /// A group of members.
    GroupId,
    /// An export of what is known of a person.
    ExportId,
    /// A request for a second person's approval.
    ApprovalId,
    /// A time-boxed access of the operator to an organization.
    BreakGlassId,
    /// A service account of a project.
    ServiceAccountId,
    /// An API key: the resource, not its secret.
    ApiKeyId,
    /// A lot of credits: one purchase or grant, with its own expiry.
    LotId,
    /// A repricing: what recorded usage costs by other prices than it was recorded with.
    RepricingId,
    /// A budget.
    BudgetId,
    /// A webhook: an endpoint that events are sent to.
    WebhookId,
    /// An access review.
    AccessReviewId,
    /// A line of an access review.
    ReviewLineId,
}

/// A credit account: one for each organization and currency, named by both.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct CreditAccountId(pub String);

impl CreditAccountId {
    /// The account of an organization in a currency.
    pub fn of(organization_id: OrganizationId, currency: crate::Currency) -> Self {
        Self(format!("{organization_id}/{currency}"))
    }
}

impl fmt::Display for CreditAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A price list: a catalogue's prices for one provider, for example `genai-prices/openai`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct PriceListId(pub String);

impl PriceListId {
    /// The list of one provider in a catalogue.
    pub fn of(catalogue: &str, provider: &str) -> Self {
        Self(format!("{catalogue}/{provider}"))
    }
}

impl fmt::Display for PriceListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
