//! The kinds of problem that commands add to those that both APIs know.

use api_conventions::ProblemKind;
use axum::http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident = $uri:literal $status:ident $title:literal;)+) => {
        $(
            $(#[$doc])+
            pub const $name: ProblemKind =
                ProblemKind::new(concat!("/problems/", $uri), StatusCode::$status, $title);
        )+

        /// Every kind above.
        pub(super) const OWN: &[ProblemKind] = &[$($name),+];
    };
}

kinds! {
    /// A value is well formed and not possible; `field` names it.
    INVALID_VALUE = "invalid-value" UNPROCESSABLE_ENTITY "A value is not possible";
    /// The idempotency key was used for another request.
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused" UNPROCESSABLE_ENTITY
        "The idempotency key stands for another request";
    /// An expiry is not in the future.
    EXPIRY_IN_THE_PAST = "expiry-in-the-past" UNPROCESSABLE_ENTITY "The expiry is not in the future";
    /// Others kept changing what the command decides on.
    CONCURRENT_CHANGE = "concurrent-change" CONFLICT "Others keep changing the same things";
    /// Whether the command was carried out is not known.
    OUTCOME_UNKNOWN = "outcome-unknown" SERVICE_UNAVAILABLE "The outcome is not known";
    /// Something of that id is there already.
    ALREADY_EXISTS = "already-exists" CONFLICT "It exists already";
    /// The name is another's.
    NAME_TAKEN = "name-taken" CONFLICT "The name is taken";
    /// The organization was closed.
    ORGANIZATION_ARCHIVED = "organization-archived" CONFLICT "The organization is archived";
    /// All seats are taken.
    SEAT_LIMIT_REACHED = "seat-limit-reached" CONFLICT "All seats are taken";
    /// There are more members than the new limit allows.
    SEAT_LIMIT_BELOW_MEMBERS = "seat-limit-below-members" CONFLICT
        "The seat limit is below the members present";
    /// The address has an open invite.
    INVITE_ALREADY_OPEN = "invite-already-open" CONFLICT "The address has an open invite";
    /// The address is a member's.
    ALREADY_MEMBER = "already-member" CONFLICT "The address belongs to a member";
    /// The invite's time is over.
    INVITE_EXPIRED = "invite-expired" CONFLICT "The invite has expired";
    /// The invite has become a member.
    INVITE_ALREADY_ACCEPTED = "invite-already-accepted" CONFLICT "The invite has been accepted";
    /// The invite can still be accepted.
    INVITE_STILL_OPEN = "invite-still-open" CONFLICT "The invite is open";
    /// The member is still in the organization.
    MEMBER_PRESENT = "member-present" CONFLICT "The member is still in the organization";
    /// Its time is not over.
    NOT_YET_EXPIRED = "not-yet-expired" CONFLICT "It has not expired";
    /// The login is another member's.
    LOGIN_TAKEN = "login-taken" CONFLICT "The login is taken";
    /// The member's access is suspended.
    MEMBER_SUSPENDED = "member-suspended" CONFLICT "The member is suspended";
    /// The organization would be left without an owner.
    LAST_OWNER = "last-owner" CONFLICT "The organization needs an owner";
    /// The role is above that of the one who asks.
    ROLE_ABOVE_OWN = "role-above-own" FORBIDDEN "The role is above your own";
    /// The member ranks above the one who asks.
    MEMBER_ABOVE_OWN = "member-above-own" FORBIDDEN "The member ranks above you";
    /// The permission is not one of those that the one who asks has.
    PERMISSION_ABOVE_OWN = "permission-above-own" FORBIDDEN "The permission is not one of your own";
    /// The address's domain may not be invited.
    DOMAIN_NOT_ALLOWED = "domain-not-allowed" UNPROCESSABLE_ENTITY
        "The organization does not invite addresses of this domain";
    /// The operator was not let into the organization.
    BREAK_GLASS_NEEDED = "break-glass-needed" FORBIDDEN "The operator was not let in";
    /// The one who asks cannot be the second person too.
    SECOND_PERSON_NEEDED = "second-person-needed" FORBIDDEN "This needs a second person";
    /// Making an owner needs a second person's approval.
    OWNERS_NEED_APPROVAL = "owners-need-approval" FORBIDDEN
        "Making an owner needs a second person's approval";
    /// It was approved, declined, ended or taken back before.
    ALREADY_DECIDED = "already-decided" CONFLICT "It has been decided";
    /// It could be approved only until some time ago.
    APPROVAL_EXPIRED = "approval-expired" CONFLICT "The approval's time is over";
    /// The operator's access has not ended.
    BREAK_GLASS_STILL_OPEN = "break-glass-still-open" CONFLICT "The operator's access has not ended";
    /// There are as many of them as there may be.
    TOO_MANY = "too-many" CONFLICT "There are as many as there may be";
    /// The organization's rules for API keys do not allow it.
    AGAINST_KEY_RULES = "against-key-rules" UNPROCESSABLE_ENTITY
        "The organization's rules for API keys do not allow it";
    /// The project was closed.
    PROJECT_ARCHIVED = "project-archived" CONFLICT "The project is archived";
    /// The service account was disabled.
    SERVICE_ACCOUNT_DISABLED = "service-account-disabled" CONFLICT
        "The service account is disabled";
    /// The service account was removed.
    SERVICE_ACCOUNT_REMOVED = "service-account-removed" CONFLICT "The service account was removed";
    /// The API key was revoked.
    API_KEY_REVOKED = "api-key-revoked" CONFLICT "The API key is revoked";
    /// The API key's time is over.
    API_KEY_EXPIRED = "api-key-expired" CONFLICT "The API key has expired";
    /// The price list is another provider's.
    PRICE_LIST_PROVIDER = "price-list-provider" CONFLICT "The price list is another provider's";
}
