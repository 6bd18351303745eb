//! How ids, money and words stand in the APIs' OpenAPI documents.

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{
    AccessReviewId, Amount, ApiKeyId, ApprovalId, BreakGlassId, BudgetAction, BudgetId,
    BudgetKeeper, BudgetPeriod, CreditAccountId, CreditPolicy, Currency, Environment, ExportId,
    GroupId, InviteId, LotId, Measure, MemberId, OrganizationId, OrganizationRole, Percent,
    Permission, PersonId, PriceListId, PriceStatus, ProjectId, ProjectRole, Rate, Rates,
    RepricingId, ReviewDecision, ReviewLineId, RoleId, SensitiveAction, ServiceAccountId, Unit,
    Units, WebhookDisabledReason, WebhookId,
};

macro_rules! schema {
    ($($name:ty => $build:expr),+ $(,)?) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object($build(ObjectBuilder::new().schema_type(Type::String)).build()))
            }
        }

        impl ToSchema for $name {}
    )+};
}

fn uuid(object: ObjectBuilder) -> ObjectBuilder {
    object.format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
}

fn text(object: ObjectBuilder) -> ObjectBuilder {
    object
}

fn amount(object: ObjectBuilder) -> ObjectBuilder {
    object
        .pattern(Some(r"^-?[0-9]{1,26}(\.[0-9]{1,12})?$"))
        .description(Some("An exact decimal amount with up to 12 places, as a string."))
}

fn currency(object: ObjectBuilder) -> ObjectBuilder {
    object.pattern(Some("^[A-Z]{3}$")).description(Some("Three capital letters of ISO 4217."))
}

fn rate(object: ObjectBuilder) -> ObjectBuilder {
    object
        .pattern(Some(r"^([0-9]{1,9}(\.[0-9]{1,18})?|1000000000(\.0{1,18})?)$"))
        .description(Some("An exact price of zero or more with up to 18 places, as a string."))
}

fn percent(object: ObjectBuilder) -> ObjectBuilder {
    object
        .pattern(Some(
            r"^(-?[0-9]{1,2}(\.[0-9]{1,2})?|-100(\.00?)?|[0-9]{3,4}(\.[0-9]{1,2})?|10000(\.00?)?)$",
        ))
        .description(Some("An exact percentage with up to 2 places, as a string."))
}

fn measure(object: ObjectBuilder) -> ObjectBuilder {
    object
        .enum_values(Some(Measure::all().map(Measure::as_str)))
        .description(Some("What is counted, and has a price."))
}

macro_rules! one_of {
    ($name:ty) => {
        |object: ObjectBuilder| {
            object.enum_values(Some(<$name>::ALL.iter().map(|word| word.as_str())))
        }
    };
}

schema! {
    OrganizationId => uuid,
    ProjectId => uuid,
    MemberId => uuid,
    InviteId => uuid,
    PersonId => uuid,
    RoleId => uuid,
    GroupId => uuid,
    ApprovalId => uuid,
    ExportId => uuid,
    BreakGlassId => uuid,
    ServiceAccountId => uuid,
    ApiKeyId => uuid,
    LotId => uuid,
    BudgetId => uuid,
    WebhookId => uuid,
    AccessReviewId => uuid,
    RepricingId => uuid,
    ReviewLineId => uuid,
    CreditAccountId => text,
    PriceListId => text,
    Amount => amount,
    Currency => currency,
    Rate => rate,
    Percent => percent,
    Measure => measure,
    OrganizationRole => one_of!(OrganizationRole),
    ProjectRole => one_of!(ProjectRole),
    Environment => one_of!(Environment),
    Permission => one_of!(Permission),
    SensitiveAction => one_of!(SensitiveAction),
    ReviewDecision => one_of!(ReviewDecision),
    PriceStatus => one_of!(PriceStatus),
    Unit => one_of!(Unit),
    CreditPolicy => one_of!(CreditPolicy),
    BudgetPeriod => one_of!(BudgetPeriod),
    BudgetAction => one_of!(BudgetAction),
    BudgetKeeper => one_of!(BudgetKeeper),
    WebhookDisabledReason => one_of!(WebhookDisabledReason),
}

impl PartialSchema for Units {
    fn schema() -> RefOr<Schema> {
        let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let names = one_of!(Unit)(ObjectBuilder::new().schema_type(Type::String));
        let map = ObjectBuilder::new()
            .property_names(Some(names))
            .additional_properties(Some(count))
            .description(Some("Counts by unit. A total includes its parts."));
        RefOr::T(Schema::Object(map.build()))
    }
}

impl ToSchema for Units {}

impl PartialSchema for Rates {
    fn schema() -> RefOr<Schema> {
        let price = rate(ObjectBuilder::new().schema_type(Type::String));
        let names = measure(ObjectBuilder::new().schema_type(Type::String));
        let map = ObjectBuilder::new()
            .property_names(Some(names))
            .additional_properties(Some(price))
            .description(Some(
                "Prices by what they are for: a million tokens, characters or pixels, a thousand \
                 searches, queries or requests, a thousand seconds, or one of anything else.",
            ));
        RefOr::T(Schema::Object(map.build()))
    }
}

impl ToSchema for Rates {}
