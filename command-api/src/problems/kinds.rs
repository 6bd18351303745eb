//! The kinds of problem that commands add to those that both APIs know.

use api_conventions::problem_kinds;

problem_kinds! { pub(super) OWN:
    /// A value is well formed and not possible; `field` names it.
    ///
    /// Correct what `field` names and send it again, with a new `Idempotency-Key`.
    INVALID_VALUE = "invalid-value" UNPROCESSABLE_ENTITY "A value is not possible";
    /// The idempotency key was used for another request.
    ///
    /// Send a new key for a new command; send the same body when trying again.
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused" UNPROCESSABLE_ENTITY
        "The idempotency key stands for another request";
    /// An expiry is not in the future.
    ///
    /// Name a later time.
    EXPIRY_IN_THE_PAST = "expiry-in-the-past" UNPROCESSABLE_ENTITY "The expiry is not in the future";
    /// Others kept changing what the command decides on.
    ///
    /// Send it again; nothing was changed.
    CONCURRENT_CHANGE = "concurrent-change" CONFLICT "Others keep changing the same things";
    /// Whether the command was carried out is not known.
    ///
    /// Send it again with the same `Idempotency-Key`: it is carried out once, whatever happened.
    OUTCOME_UNKNOWN = "outcome-unknown" SERVICE_UNAVAILABLE "The outcome is not known";
    /// Something of that id is there already.
    ///
    /// Use what is there, or another id.
    ALREADY_EXISTS = "already-exists" CONFLICT "It exists already";
    /// The name is another's.
    ///
    /// Choose another name; names are compared without case, and without differences of mere form
    /// such as that of full width.
    NAME_TAKEN = "name-taken" CONFLICT "The name is taken";
    /// The budget was removed.
    ///
    /// Set another.
    BUDGET_REMOVED = "budget-removed" CONFLICT "The budget was removed";
    /// The organization was closed.
    ///
    /// Nothing in it can be changed any more, and all access over HTTP has ended. Its history stays in the
    /// log: who runs orgledger reports from it (`orgledger access-register`, `costs`, `balance`).
    ORGANIZATION_ARCHIVED = "organization-archived" CONFLICT "The organization is archived";
    /// All seats are taken.
    ///
    /// Raise the seat limit, or remove a member first.
    SEAT_LIMIT_REACHED = "seat-limit-reached" CONFLICT "All seats are taken";
    /// There are more members than the new limit allows.
    ///
    /// Name a higher limit, or remove members first.
    SEAT_LIMIT_BELOW_MEMBERS = "seat-limit-below-members" CONFLICT
        "The seat limit is below the members present";
    /// The address has an open invite.
    ///
    /// Use the invite that `invite_id` names, or revoke it first.
    INVITE_ALREADY_OPEN = "invite-already-open" CONFLICT "The address has an open invite";
    /// The address is a member's.
    ///
    /// Change that member's role instead (`members change-role`).
    ALREADY_MEMBER = "already-member" CONFLICT "The address belongs to a member";
    /// The invite's time is over.
    ///
    /// Send a new invite.
    INVITE_EXPIRED = "invite-expired" CONFLICT "The invite has expired";
    /// The invite has become a member.
    ///
    /// Nothing is left to do: find the person among the members.
    INVITE_ALREADY_ACCEPTED = "invite-already-accepted" CONFLICT "The invite has been accepted";
    /// The invite can still be accepted.
    ///
    /// Revoke the invite first.
    INVITE_STILL_OPEN = "invite-still-open" CONFLICT "The invite is open";
    /// The member is still in the organization.
    ///
    /// Remove the member first.
    MEMBER_PRESENT = "member-present" CONFLICT "The member is still in the organization";
    /// Its time is not over.
    ///
    /// Wait until it has expired, or revoke it.
    NOT_YET_EXPIRED = "not-yet-expired" CONFLICT "It has not expired";
    /// The login is another member's, or could be taken for it.
    ///
    /// Choose another login.
    LOGIN_TAKEN = "login-taken" CONFLICT "The login is taken";
    /// The member's access is suspended.
    ///
    /// Reinstate the member first.
    MEMBER_SUSPENDED = "member-suspended" CONFLICT "The member is suspended";
    /// The organization would be left without an owner.
    ///
    /// Make somebody else an owner first.
    LAST_OWNER = "last-owner" CONFLICT "The organization needs an owner";
    /// The role is above that of the one who asks.
    ///
    /// Give a role up to your own, or ask somebody who holds that role.
    ROLE_ABOVE_OWN = "role-above-own" FORBIDDEN "The role is above your own";
    /// The member ranks above the one who asks.
    ///
    /// Ask somebody of that member's rank.
    MEMBER_ABOVE_OWN = "member-above-own" FORBIDDEN "The member ranks above you";
    /// The permission is not one of those that the one who asks has.
    ///
    /// Have somebody do it who has the permission that `permission` names.
    PERMISSION_ABOVE_OWN = "permission-above-own" FORBIDDEN "The permission is not one of your own";
    /// The address's domain may not be invited.
    ///
    /// Use an address of an allowed domain, or change the settings.
    DOMAIN_NOT_ALLOWED = "domain-not-allowed" UNPROCESSABLE_ENTITY
        "The organization does not invite addresses of this domain";
    /// The operator was not let into the organization.
    ///
    /// Ask for break-glass access, or use a member's credential.
    BREAK_GLASS_NEEDED = "break-glass-needed" FORBIDDEN "The operator was not let in";
    /// It is not done under the operator's break-glass access: it decides over access itself, or cannot
    /// be undone.
    ///
    /// Have somebody of the organization do it, with a credential that was not made under that access.
    NOT_FOR_EMERGENCIES = "not-for-emergencies" FORBIDDEN
        "This is not done under break-glass access";
    /// The one who asks cannot be the second person too.
    ///
    /// Have somebody else do it, with a credential of their own.
    SECOND_PERSON_NEEDED = "second-person-needed" FORBIDDEN "This needs a second person";
    /// The API key's secret was rotated out, and makes no new secrets in its grace.
    ///
    /// Use the key's newest secret, or sign in. Where that one was lost, have somebody with
    /// `api_keys.update` rotate the key.
    SECRET_ROTATED_OUT = "secret-rotated-out" FORBIDDEN "The secret was rotated out";
    /// Making an owner needs a second person's approval.
    ///
    /// Take them in with another role, then ask for the change of role.
    OWNERS_NEED_APPROVAL = "owners-need-approval" FORBIDDEN
        "Making an owner needs a second person's approval";
    /// It was approved, declined, ended or taken back before.
    ///
    /// Look at what became of it; ask anew where it is still wanted.
    ALREADY_DECIDED = "already-decided" CONFLICT "It has been decided";
    /// It could be approved only until some time ago.
    ///
    /// Ask for it again.
    APPROVAL_EXPIRED = "approval-expired" CONFLICT "The approval's time is over";
    /// Whoever sent the invite last may not offer any more what it offers.
    ///
    /// Ask somebody who may to send it again.
    INVITE_NOT_OFFERED = "invite-not-offered" CONFLICT "Nobody offers this any more";
    /// The operator's access was not approved.
    ///
    /// Have a second person approve it first, or decline it.
    BREAK_GLASS_NOT_APPROVED = "break-glass-not-approved" CONFLICT
        "The operator's access was not approved";
    /// The operator's access has not ended.
    ///
    /// End the access first, or wait for its end.
    BREAK_GLASS_STILL_OPEN = "break-glass-still-open" CONFLICT "The operator's access has not ended";
    /// There are as many of them as there may be.
    ///
    /// Remove or settle some of them first; `max` says how many there may be.
    TOO_MANY = "too-many" CONFLICT "There are as many as there may be";
    /// The organization's rules for API keys do not allow it.
    ///
    /// Choose what `field` names as the organization's settings want it.
    AGAINST_KEY_RULES = "against-key-rules" UNPROCESSABLE_ENTITY
        "The organization's rules for API keys do not allow it";
    /// The access review has ended.
    ///
    /// Its lines stay as they are; open another review.
    ACCESS_REVIEW_CLOSED = "access-review-closed" CONFLICT "The access review has ended";
    /// Lines of the access review are not attested.
    ///
    /// Attest the rest (`line_id` is one of them), or close it with `revoke_unattested`.
    LINES_UNATTESTED = "lines-unattested" CONFLICT "Lines of the access review are not attested";
    /// Nobody attests their own access, nor that of a member by whose invite they came in.
    ///
    /// Have somebody else attest the line that `line_id` names.
    OWN_ACCESS = "own-access" FORBIDDEN "Somebody else must attest your own access";
    /// The project was closed.
    ///
    /// Nothing in it can be changed any more; use another project.
    PROJECT_ARCHIVED = "project-archived" CONFLICT "The project is archived";
    /// The service account was disabled.
    ///
    /// Use another service account.
    SERVICE_ACCOUNT_DISABLED = "service-account-disabled" CONFLICT
        "The service account is disabled";
    /// The service account was removed.
    ///
    /// Create a new one.
    SERVICE_ACCOUNT_REMOVED = "service-account-removed" CONFLICT "The service account was removed";
    /// The API key was revoked.
    ///
    /// Create a new key.
    API_KEY_REVOKED = "api-key-revoked" CONFLICT "The API key is revoked";
    /// The API key's time is over.
    ///
    /// Create a new key.
    API_KEY_EXPIRED = "api-key-expired" CONFLICT "The API key has expired";
    /// Less is left of the lot of credits than was to be taken out.
    ///
    /// Ask for less (`left` is what there is), or for no amount in particular: then all that is left is
    /// taken.
    NOT_ENOUGH_LEFT = "not-enough-left" CONFLICT "Less is left of the lot";
    /// The lot of credits was given or came from another organization.
    ///
    /// Only what was bought is refunded, in the organization that bought it: transfer it back first.
    LOT_NOT_PURCHASED = "lot-not-purchased" CONFLICT "The lot was not bought here";
    /// The time of the lot of credits is over.
    ///
    /// What was left of it is gone; use another lot.
    LOT_EXPIRED = "lot-expired" CONFLICT "The lot has expired";
    /// The price list is another provider's.
    ///
    /// Publish it under another name, or as that provider's.
    PRICE_LIST_PROVIDER = "price-list-provider" CONFLICT "The price list is another provider's";
    /// More usage is waiting to be recorded than is taken, of your organization or of all.
    ///
    /// Send it again after `Retry-After`: nothing of it was recorded, and what repeats a record
    /// counts once.
    USAGE_QUEUE_FULL = "usage-queue-full" TOO_MANY_REQUESTS "Too much usage is waiting";
}
