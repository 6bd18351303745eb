//! What is answered where a command was refused.

use api_conventions::Problem;
use api_conventions::etag::etag;
use api_conventions::problem::{CONFLICT, FORBIDDEN, PRECONDITION_FAILED, USAGE_ARCHIVED};
use axum::http::header;
use domain::access_review::AccessReviewError;
use domain::api_key::ApiKeyError;
use domain::approval::ApprovalError;
use domain::budget::BudgetError;
use domain::credit_account::CreditAccountError;
use domain::name::NameError;
use domain::organization::OrganizationError;
use domain::person::PersonError;
use domain::price_list::PriceListError;
use domain::project::ProjectError;
use domain::service_account::ServiceAccountError;
use domain::text::TextError;
use domain::usage::UsageError;
use domain::usage_month::UsageMonthError;
use domain::usage_repricing::UsageRepricingError;

use super::kinds::{
    ACCESS_REVIEW_CLOSED, AGAINST_KEY_RULES, ALREADY_DECIDED, ALREADY_EXISTS, ALREADY_MEMBER,
    API_KEY_EXPIRED, API_KEY_REVOKED, APPROVAL_EXPIRED, BREAK_GLASS_NEEDED,
    BREAK_GLASS_NOT_APPROVED, BREAK_GLASS_STILL_OPEN, BUDGET_REMOVED, DOMAIN_NOT_ALLOWED,
    EXPIRY_IN_THE_PAST, INVALID_VALUE, INVITE_ALREADY_ACCEPTED, INVITE_ALREADY_OPEN,
    INVITE_EXPIRED, INVITE_NOT_OFFERED, INVITE_STILL_OPEN, LAST_OWNER, LINES_UNATTESTED,
    LOGIN_TAKEN, LOT_EXPIRED, LOT_NOT_PURCHASED, MEMBER_ABOVE_OWN, MEMBER_PRESENT,
    MEMBER_SUSPENDED, NAME_TAKEN, NOT_ENOUGH_LEFT, NOT_FOR_EMERGENCIES, NOT_YET_EXPIRED,
    ORGANIZATION_ARCHIVED, OWN_ACCESS, OWNERS_NEED_APPROVAL, PERMISSION_ABOVE_OWN,
    PRICE_LIST_PROVIDER, PROJECT_ARCHIVED, ROLE_ABOVE_OWN, SEAT_LIMIT_BELOW_MEMBERS,
    SEAT_LIMIT_REACHED, SECOND_PERSON_NEEDED, SECRET_ROTATED_OUT, SERVICE_ACCOUNT_DISABLED,
    SERVICE_ACCOUNT_REMOVED, TOO_MANY,
};
use super::{failures, not_found, said, webhooks};
use crate::refusal::{ExecuteError, Refusal};

pub(super) fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Organization(error) => organization(&error),
        Refusal::Project(error) => project(&error),
        Refusal::Person(error) => person(&error),
        Refusal::ServiceAccount(error) => service_account(&error),
        Refusal::ApiKey(error) => api_key(&error),
        Refusal::AccessReview(error) => access_review(&error),
        Refusal::AtLine { line_id, refusal } => {
            let detail = format!("The line {line_id}: {refusal}.");
            problem(*refusal).with_detail(detail).with("line_id", line_id.to_string())
        }
        Refusal::Approval(error) => approval(&error),
        Refusal::BreakGlassNeeded => said(BREAK_GLASS_NEEDED, &refusal),
        Refusal::SharedCredential => said(SECOND_PERSON_NEEDED, &refusal),
        Refusal::SecretRotatedOut => said(SECRET_ROTATED_OUT, &refusal),
        Refusal::NotOfEmergencies { permission } => {
            said(NOT_FOR_EMERGENCIES, &refusal).with("permission", permission.as_str())
        }
        Refusal::CreditAccount(error) => credit_account(&error),
        Refusal::Budget(error) => budget(&error),
        Refusal::Webhook(error) => webhooks::problem(&error),
        Refusal::PriceList(error) => price_list(&error),
        Refusal::Name(error) => name(&error),
        Refusal::Text(error) => text(&error),
        Refusal::TextIn { field, error } => said(INVALID_VALUE, &error).with("field", field),
        Refusal::Usage(error) => Problem::new(INVALID_VALUE)
            .with_detail(error.to_string())
            .with("field", usage_field(&error)),
        Refusal::UsageRepricing(error) => usage_repricing(&error),
        Refusal::UsageMonth(error) => usage_month(&error),
        Refusal::UsageArchived { .. } | Refusal::RecordsArchived { .. } => {
            said(USAGE_ARCHIVED, &refusal)
        }
        Refusal::NotPermitted { permission } => {
            said(FORBIDDEN, &refusal).with("permission", permission.as_str())
        }
        Refusal::CredentialEnded => Problem::unauthorized(),
        Refusal::OperatorOnly | Refusal::MembersOnly => said(FORBIDDEN, &refusal),
        Refusal::Import(why) => said(INVALID_VALUE, &why),
        Refusal::Invalid { field, .. } => {
            Problem::new(INVALID_VALUE).with_detail(refusal.to_string()).with("field", field)
        }
        Refusal::PreconditionFailed { sequence } => Problem::new(PRECONDITION_FAILED)
            .with_detail(format!("It stands at version \"{sequence}\"."))
            .with("sequence", sequence)
            .with_header(header::ETAG, etag(sequence)),
        Refusal::Failed(error) => failures::problem(*error),
    }
}

fn usage_repricing(error: &UsageRepricingError) -> Problem {
    use UsageRepricingError as Refused;
    let field = match error {
        Refused::EmptySpan => "to",
        Refused::Reason(_) => "reason",
        Refused::NothingCorrected | Refused::TooMany(_) => "from",
    };
    said(INVALID_VALUE, error).with("field", field)
}

fn organization(error: &OrganizationError) -> Problem {
    use OrganizationError as Refused;
    match error {
        // An invite that is not open may be one that never was.
        Refused::NotFound
        | Refused::MemberNotFound(_)
        | Refused::InviteNotFound(_)
        | Refused::InviteNotOpen(_)
        | Refused::RoleNotFound(_)
        | Refused::GroupNotFound(_)
        | Refused::BreakGlassNotFound(_) => not_found(),
        Refused::AlreadyExists
        | Refused::InviteAlreadyExists(_)
        | Refused::MemberIdTaken(_)
        | Refused::GroupIdTaken(_) => said(ALREADY_EXISTS, error),
        Refused::Archived => said(ORGANIZATION_ARCHIVED, error),
        Refused::SeatLimitBelowMembers { .. } => {
            said(SEAT_LIMIT_BELOW_MEMBERS, error).with("field", "seat_limit")
        }
        Refused::SeatLimitReached { .. } => said(SEAT_LIMIT_REACHED, error),
        Refused::InviteAlreadyOpen { invite_id } => said(INVITE_ALREADY_OPEN, error)
            .with("field", "email")
            .with("invite_id", invite_id.to_string()),
        Refused::AlreadyMember => said(ALREADY_MEMBER, error).with("field", "email"),
        Refused::ExpiryInThePast { .. } => {
            said(EXPIRY_IN_THE_PAST, error).with("field", "expires_at")
        }
        Refused::InviteNotOffered(_) => said(INVITE_NOT_OFFERED, error),
        Refused::InviteExpired(_) => said(INVITE_EXPIRED, error),
        Refused::InviteAlreadyAccepted(_) => said(INVITE_ALREADY_ACCEPTED, error),
        Refused::InviteStillOpen(_) => said(INVITE_STILL_OPEN, error),
        Refused::MemberPresent(_) => said(MEMBER_PRESENT, error),
        Refused::NotYetExpired { .. } => said(NOT_YET_EXPIRED, error),
        Refused::LoginTaken(_) | Refused::LoginAlike => {
            said(LOGIN_TAKEN, error).with("field", "login")
        }
        Refused::MemberSuspended(_) => said(MEMBER_SUSPENDED, error),
        Refused::LastOwner => said(LAST_OWNER, error),
        Refused::NotAllowed(_) | Refused::NotAnOwner => said(FORBIDDEN, error),
        Refused::RoleAboveOwn(_) => said(ROLE_ABOVE_OWN, error).with("field", "role"),
        Refused::MemberAboveOwn(_) => said(MEMBER_ABOVE_OWN, error),
        Refused::PermissionAboveOwn(permission) => {
            said(PERMISSION_ABOVE_OWN, error).with("permission", permission.as_str())
        }
        Refused::DomainNotAllowed => said(DOMAIN_NOT_ALLOWED, error).with("field", "email"),
        // It begins with the field's own name, which has no capitals.
        Refused::Setting { field, .. } => {
            Problem::new(INVALID_VALUE).with_detail(error.to_string()).with("field", *field)
        }
        Refused::RoleNameTaken(_) | Refused::GroupNameTaken(_) => {
            said(NAME_TAKEN, error).with("field", "name")
        }
        Refused::RoleWithoutPermissions | Refused::NotOfCustomRoles(_) => {
            said(INVALID_VALUE, error).with("field", "permissions")
        }
        Refused::RoleNotOfProjects(_) => said(INVALID_VALUE, error).with("field", "project_id"),
        Refused::OwnersAreNotInherited => said(INVALID_VALUE, error).with("field", "role"),
        Refused::BreakGlassDecided(_) => said(ALREADY_DECIDED, error),
        Refused::BreakGlassNotOpen(_) => said(BREAK_GLASS_NOT_APPROVED, error),
        Refused::BreakGlassStillOpen { .. } => said(BREAK_GLASS_STILL_OPEN, error),
        Refused::SecondPersonNeeded => said(SECOND_PERSON_NEEDED, error),
        Refused::OwnersNeedApproval => said(OWNERS_NEED_APPROVAL, error).with("field", "role"),
        Refused::TooManyRoles { max }
        | Refused::TooManyGroups { max }
        | Refused::TooManyBreakGlass { max } => said(TOO_MANY, error).with("max", *max),
        Refused::Text(error) => text(error),
    }
}

fn person(error: &PersonError) -> Problem {
    match error {
        PersonError::ExportNotFound => not_found(),
        PersonError::Erased | PersonError::ExportExpired { .. } => said(ALREADY_DECIDED, error),
        PersonError::Text(error) => text(error),
    }
}

fn approval(error: &ApprovalError) -> Problem {
    match error {
        ApprovalError::NotFound => not_found(),
        ApprovalError::AlreadyExists => said(ALREADY_EXISTS, error),
        ApprovalError::Decided => said(ALREADY_DECIDED, error),
        ApprovalError::Expired { .. } => said(APPROVAL_EXPIRED, error),
        ApprovalError::SecondPersonNeeded | ApprovalError::InvitedByYou => {
            said(SECOND_PERSON_NEEDED, error)
        }
        ApprovalError::Overtaken => said(CONFLICT, error),
        ApprovalError::AskerMayNot | ApprovalError::NotYours => said(FORBIDDEN, error),
        ApprovalError::Text(error) => text(error),
    }
}

fn project(error: &ProjectError) -> Problem {
    match error {
        ProjectError::NotFound => not_found(),
        ProjectError::AlreadyExists => said(ALREADY_EXISTS, error),
        ProjectError::Archived => said(PROJECT_ARCHIVED, error),
        ProjectError::Text(error) => text(error),
    }
}

fn service_account(error: &ServiceAccountError) -> Problem {
    match error {
        ServiceAccountError::NotFound => not_found(),
        ServiceAccountError::AlreadyExists => said(ALREADY_EXISTS, error),
        ServiceAccountError::Disabled => said(SERVICE_ACCOUNT_DISABLED, error),
        ServiceAccountError::Removed => said(SERVICE_ACCOUNT_REMOVED, error),
        ServiceAccountError::Text(error) => text(error),
    }
}

fn api_key(error: &ApiKeyError) -> Problem {
    match error {
        ApiKeyError::NotFound | ApiKeyError::OwnerNotFound => not_found(),
        ApiKeyError::AlreadyExists => said(ALREADY_EXISTS, error),
        ApiKeyError::OwnerOfAnotherProject => {
            said(INVALID_VALUE, error).with("field", "service_account_id")
        }
        ApiKeyError::AdminKeyOfServiceAccount => {
            said(INVALID_VALUE, error).with("field", "project_id")
        }
        ApiKeyError::NoScopes => said(INVALID_VALUE, error).with("field", "scopes"),
        ApiKeyError::NameAgainstConvention { .. } => {
            said(AGAINST_KEY_RULES, error).with("field", "name")
        }
        ApiKeyError::LivesTooLong { .. } => {
            said(AGAINST_KEY_RULES, error).with("field", "expires_at")
        }
        ApiKeyError::RotatedTooSeldom { .. } => {
            said(AGAINST_KEY_RULES, error).with("field", "rotation_days")
        }
        ApiKeyError::RotationDays => said(INVALID_VALUE, error).with("field", "rotation_days"),
        ApiKeyError::ExpiryInThePast { .. } => {
            said(EXPIRY_IN_THE_PAST, error).with("field", "expires_at")
        }
        ApiKeyError::GraceTooLong { .. } => {
            said(INVALID_VALUE, error).with("field", "grace_seconds")
        }
        ApiKeyError::Revoked => said(API_KEY_REVOKED, error),
        ApiKeyError::Expired => said(API_KEY_EXPIRED, error),
        ApiKeyError::NotYetExpired => said(NOT_YET_EXPIRED, error),
        ApiKeyError::Text(error) => text(error),
    }
}

fn access_review(error: &AccessReviewError) -> Problem {
    use AccessReviewError as Refused;
    match error {
        Refused::NotFound | Refused::LineNotFound(_) => not_found(),
        Refused::AlreadyExists => said(ALREADY_EXISTS, error),
        Refused::Closed { outcome } => {
            said(ACCESS_REVIEW_CLOSED, error).with("outcome", outcome.as_str())
        }
        Refused::LineTwice(line_id) => said(INVALID_VALUE, error)
            .with("field", "attestations")
            .with("line_id", line_id.to_string()),
        Refused::OwnAccess(line_id) => said(OWN_ACCESS, error).with("line_id", line_id.to_string()),
        Refused::ReasonMissing(line_id) => {
            said(INVALID_VALUE, error).with("field", "reason").with("line_id", line_id.to_string())
        }
        Refused::Unattested { lines, first } => {
            said(LINES_UNATTESTED, error).with("lines", *lines).with("line_id", first.to_string())
        }
        Refused::NothingToReview => said(INVALID_VALUE, error).with("field", "scope"),
        Refused::TooManyLines { max } | Refused::TooManyOpen { max } => {
            said(TOO_MANY, error).with("max", *max)
        }
        Refused::DueInThePast { .. } => said(INVALID_VALUE, error).with("field", "due_at"),
        Refused::Text(error) => text(error),
    }
}

fn credit_account(error: &CreditAccountError) -> Problem {
    use CreditAccountError as Refused;
    match error {
        Refused::NotFound | Refused::LotNotFound(_) => not_found(),
        Refused::AmountNotPositive { .. } | Refused::BalanceTooLarge { .. } => {
            said(INVALID_VALUE, error).with("field", "amount")
        }
        Refused::TransferToItself => said(INVALID_VALUE, error).with("field", "to_organization_id"),
        Refused::NotPurchased(_) => said(LOT_NOT_PURCHASED, error).with("field", "lot_id"),
        Refused::LotExpired(_) => said(LOT_EXPIRED, error).with("field", "lot_id"),
        Refused::LotNotYetExpired(_) => said(NOT_YET_EXPIRED, error),
        Refused::NotEnoughLeft { left, .. } => {
            said(NOT_ENOUGH_LEFT, error).with("field", "amount").with("left", left.to_string())
        }
        Refused::NothingLeft => said(NOT_ENOUGH_LEFT, error)
            .with("field", "lot_id")
            .with("left", event_schemas::Amount::ZERO.to_string()),
        Refused::LotLeftOutdated => failures::problem(ExecuteError::BalancesBehind),
        Refused::CurrencyMismatch { .. } | Refused::CurrencyNotInUse(_) => {
            said(INVALID_VALUE, error).with("field", "currency")
        }
        Refused::ExpiryInThePast { .. } => {
            said(EXPIRY_IN_THE_PAST, error).with("field", "expires_at")
        }
        Refused::LotAlreadyExists(_) => said(ALREADY_EXISTS, error),
        Refused::Text(error) => text(error),
    }
}

fn budget(error: &BudgetError) -> Problem {
    match error {
        BudgetError::NotFound => not_found(),
        BudgetError::AlreadyExists => said(ALREADY_EXISTS, error),
        BudgetError::Removed => said(BUDGET_REMOVED, error),
        BudgetError::Amount { .. } => said(INVALID_VALUE, error).with("field", "amount"),
        BudgetError::Threshold { .. } | BudgetError::TooManyThresholds => {
            said(INVALID_VALUE, error).with("field", "thresholds")
        }
        BudgetError::CurrencyNotInUse(_) => said(INVALID_VALUE, error).with("field", "currency"),
        BudgetError::TooMany { max } => said(TOO_MANY, error).with("max", *max),
        BudgetError::TimeZone(_) => said(INVALID_VALUE, error).with("field", "time_zone"),
        BudgetError::Feature { .. } => said(INVALID_VALUE, error).with("field", "scope"),
        BudgetError::Text(error) => text(error),
    }
}

fn price_list(error: &PriceListError) -> Problem {
    match error {
        PriceListError::NoModels
        | PriceListError::ShareBelowZero { .. }
        | PriceListError::ThresholdBelowZero { .. }
        | PriceListError::InvalidRegex { .. } => said(INVALID_VALUE, error).with("field", "models"),
        PriceListError::CurrencyNotInUse(_) => said(INVALID_VALUE, error).with("field", "currency"),
        PriceListError::MarkUpOfAll => said(INVALID_VALUE, error).with("field", "mark_up_percent"),
        PriceListError::ProviderMismatch { .. } => {
            said(PRICE_LIST_PROVIDER, error).with("field", "provider")
        }
        PriceListError::Text(error) => text(error),
    }
}

/// Never says who has the name: it may be another organization.
fn name(error: &NameError) -> Problem {
    match error {
        NameError::Taken { .. } => Problem::new(NAME_TAKEN)
            .with_detail("Another has this name; names are compared without case.")
            .with("field", "name"),
    }
}

fn text(error: &TextError) -> Problem {
    let field = match error {
        TextError::Empty { what }
        | TextError::TooLong { what, .. }
        | TextError::ControlCharacter { what }
        | TextError::Invisible { what, .. }
        | TextError::NotComposed { what }
        | TextError::WhiteSpace { what } => what,
        TextError::MixedLetters | TextError::Reserved => "login",
        TextError::NotAnAddress | TextError::NotAscii => "email",
    };
    said(INVALID_VALUE, error).with("field", field)
}

/// These come from the command line alone.
fn usage_month(error: &UsageMonthError) -> Problem {
    match error {
        UsageMonthError::NotArchived => not_found(),
        UsageMonthError::ArchivedOtherwise { .. } => said(ALREADY_EXISTS, error),
    }
}

fn usage_field(error: &UsageError) -> &'static str {
    match error {
        UsageError::Empty { field: "tag key" | "tag value" }
        | UsageError::TooLong { field: "tag key" | "tag value", .. }
        | UsageError::ControlCharacter { field: "tag key" | "tag value" }
        | UsageError::TooManyTags { .. } => "tags",
        UsageError::Empty { field }
        | UsageError::TooLong { field, .. }
        | UsageError::ControlCharacter { field }
        | UsageError::CountOutOfRange { field, .. } => field,
        UsageError::PartAboveWhole { part, .. } => part,
        UsageError::CachedAboveInput { .. } => "cached_input_tokens",
        UsageError::ReasoningAboveOutput { .. } => "reasoning_tokens",
        UsageError::InTheFuture { .. } | UsageError::TooLongAgo { .. } => "occurred_at",
    }
}

/// The field of a usage record that a refusal is about.
pub(crate) fn field_of_record(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::Organization(_) => Some("member_id"),
        Refusal::Project(_) | Refusal::NotPermitted { .. } => Some("project_id"),
        Refusal::ServiceAccount(_) => Some("service_account_id"),
        Refusal::ApiKey(_) => Some("api_key_id"),
        Refusal::Usage(error) => Some(usage_field(error)),
        Refusal::TextIn { field, .. } | Refusal::Invalid { field, .. } => Some(field),
        Refusal::CreditAccount(_)
        | Refusal::UsageMonth(_)
        | Refusal::RecordsArchived { .. }
        | Refusal::AccessReview(_)
        | Refusal::AtLine { .. }
        | Refusal::Person(_)
        | Refusal::OperatorOnly
        | Refusal::Approval(_)
        | Refusal::BreakGlassNeeded
        | Refusal::SharedCredential
        | Refusal::SecretRotatedOut
        | Refusal::NotOfEmergencies { .. }
        | Refusal::MembersOnly
        | Refusal::CredentialEnded
        | Refusal::Budget(_)
        | Refusal::Webhook(_)
        | Refusal::PriceList(_)
        | Refusal::Name(_)
        | Refusal::Text(_)
        | Refusal::Import(_)
        | Refusal::UsageRepricing(_)
        | Refusal::UsageArchived { .. }
        | Refusal::PreconditionFailed { .. }
        | Refusal::Failed(_) => None,
    }
}
