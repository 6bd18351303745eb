//! How ids, money and words stand in the APIs' OpenAPI documents.

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{
    AccessReviewId, Amount, ApiKeyId, ApprovalId, BreakGlassId, CreditAccountId, Currency,
    Environment, ExportId, GroupId, InviteId, LotId, MemberId, OrganizationId, OrganizationRole,
    Permission, PersonId, PriceListId, PriceStatus, ProjectId, ProjectRole, ReviewDecision,
    ReviewLineId, RoleId, SensitiveAction, ServiceAccountId, Unit, Units,
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
    AccessReviewId => uuid,
    ReviewLineId => uuid,
    CreditAccountId => text,
    PriceListId => text,
    Amount => amount,
    Currency => currency,
    OrganizationRole => one_of!(OrganizationRole),
    ProjectRole => one_of!(ProjectRole),
    Environment => one_of!(Environment),
    Permission => one_of!(Permission),
    SensitiveAction => one_of!(SensitiveAction),
    ReviewDecision => one_of!(ReviewDecision),
    PriceStatus => one_of!(PriceStatus),
    Unit => one_of!(Unit),
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
