//! The published language of orgledger: identifiers, money and every event type.
//!
//! This crate is what a consumer of the log depends on. It imports nothing else of the workspace,
//! reads no clock and makes no random numbers. Every event type of every version has a JSON Schema
//! under `event-schemas/schemas/` and a committed sample under `event-schemas/samples/`; both are
//! written by `make generate`.

pub mod actor;
pub mod event;
pub mod ids;
pub mod money;
mod openapi;
pub mod permission;
pub mod personal;
pub mod published;
pub mod roles;
mod units;
pub mod upcast;
pub mod usage;
pub mod usage_repricing;

mod access_review;
mod api_key;
mod approval;
mod budget;
mod credit_account;
mod currencies;
mod measure;
mod name;
mod organization;
mod person;
mod price_list;
mod project;
mod rates;
mod refusal;
mod service_account;
mod signing_key;
mod time_zone;
mod usage_month;
mod webhook;

pub use access_review::{
    AccessReviewEvent, HeldAccess, ReviewDecision, ReviewLine, ReviewOutcome, ReviewScope,
};
pub use actor::{Actor, ActorKind, EventMetadata};
pub use api_key::{ApiKeyEvent, KeyOwner};
pub use approval::{ApprovalEvent, SensitiveRequest};
pub use budget::{BudgetAction, BudgetEvent, BudgetKeeper, BudgetPeriod, BudgetScope};
pub use credit_account::{CreditAccountEvent, CreditPolicy, PRIORITY_DEFAULT};
pub use event::{RecordedEvent, StreamEvent, event_types};
pub use ids::{
    AccessReviewId, ApiKeyId, ApprovalId, BreakGlassId, BudgetId, CreditAccountId, ExportId,
    GroupId, InviteId, LotId, MemberId, OrganizationId, PersonId, PriceListId, ProjectId,
    RepricingId, ReviewLineId, RoleId, ServiceAccountId, WebhookId,
};
pub use measure::Measure;
pub use money::{Amount, Currency, MoneyError, PICO_PER_UNIT};
pub use name::NameEvent;
pub use organization::{
    Grantee, IdentityProvider, OrganizationEvent, OrganizationSettings, ProjectGrant,
    SecuritySettings, SensitiveAction,
};
pub use permission::{Permission, PermissionSet};
pub use person::PersonEvent;
pub use price_list::{
    MatchRule, ModelPrice, PriceListEvent, RatesAbove, ServiceTierPrice, TimedPrice, When,
};
pub use project::ProjectEvent;
pub use rates::{Percent, RATE_PLACES, Rate, RateError, Rates};
pub use refusal::RefusalEvent;
pub use roles::{Environment, OrganizationRole, ProjectRole};
pub use service_account::ServiceAccountEvent;
pub use signing_key::SigningKeyEvent;
pub use time_zone::is_time_zone_name;
pub use units::{Unit, Units, Whole};
pub use usage::{PriceStatus, RecordedUsage, UsageBatch};
pub use usage_month::{Month, NotAMonth, UsageMonthEvent};
pub use usage_repricing::{RepricedTotal, RepricedUsage, RepricingScope, UsageRepricingEvent};
pub use webhook::{WebhookDisabledReason, WebhookEvent};
