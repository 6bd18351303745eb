//! Events of a credit account: what was bought and given, what left it again, and when it ran out.

use chrono::{DateTime, Utc};

use crate::event::stream_events;
use crate::roles::words;
use crate::{Amount, Currency, LotId, OrganizationId};

/// The priority of a lot that was given none: lots below it are drawn before it, lots above it after
/// it, where they expire at the same time.
pub const PRIORITY_DEFAULT: u16 = 100;

words! {
    /// What a gateway is told where an account has run out.
    CreditPolicy, "a credit policy" {
        /// Go on; the balance falls below zero.
        Allow = "allow",
        /// Stop.
        Block = "block",
    }
}

stream_events! {
    /// What happens to a credit account.
    CreditAccountEvent on "credit_account" {
        /// Credits were bought.
        Purchased = "credits.purchased" "2" {
            /// The organization.
            organization_id: OrganizationId,
            /// The lot that the purchase is.
            lot_id: LotId,
            /// How much; above zero.
            amount: Amount,
            /// The account's currency.
            currency: Currency,
            /// Until when they can be used.
            expires_at: Option<DateTime<Utc>>,
            /// Which of two lots that expire at the same time is drawn first: the lower.
            priority: u16,
            /// The invoice or order.
            reference: Option<String>,
        }
        /// Credits were given.
        Granted = "credits.granted" "2" {
            /// The organization.
            organization_id: OrganizationId,
            /// The lot that the grant is.
            lot_id: LotId,
            /// How much; above zero.
            amount: Amount,
            /// The account's currency.
            currency: Currency,
            /// Until when they can be used.
            expires_at: Option<DateTime<Utc>>,
            /// Which of two lots that expire at the same time is drawn first: the lower.
            priority: u16,
            /// Why.
            reason: Option<String>,
        }
        /// What was bought and not used was paid back.
        Refunded = "credits.refunded" "1" {
            /// The organization.
            organization_id: OrganizationId,
            /// The purchase's lot.
            lot_id: LotId,
            /// How much; above zero.
            amount: Amount,
            /// The account's currency.
            currency: Currency,
            /// What was left of the lot before, as far as the balances knew.
            left_before: Amount,
            /// The position of the log up to which the balances knew it.
            known_at: i64,
            /// The credit note.
            reference: Option<String>,
        }
        /// Credits went to another organization.
        TransferredOut = "credits.transferred_out" "1" {
            /// The organization that they left.
            organization_id: OrganizationId,
            /// The lot that they were taken from.
            lot_id: LotId,
            /// How much; above zero.
            amount: Amount,
            /// The currency of both accounts.
            currency: Currency,
            /// The organization that they went to.
            to_organization_id: OrganizationId,
            /// The lot that they are there.
            to_lot_id: LotId,
            /// What was left of the lot before, as far as the balances knew.
            left_before: Amount,
            /// The position of the log up to which the balances knew it.
            known_at: i64,
            /// Why.
            reason: Option<String>,
        }
        /// Credits came from another organization.
        TransferredIn = "credits.transferred_in" "1" {
            /// The organization that they came to.
            organization_id: OrganizationId,
            /// The lot that they are here.
            lot_id: LotId,
            /// How much; above zero.
            amount: Amount,
            /// The currency of both accounts.
            currency: Currency,
            /// Until when they can be used: as before.
            expires_at: Option<DateTime<Utc>>,
            /// Which of two lots that expire at the same time is drawn first: as before.
            priority: u16,
            /// The organization that they came from.
            from_organization_id: OrganizationId,
            /// The lot that they were there.
            from_lot_id: LotId,
            /// Why.
            reason: Option<String>,
        }
        /// A lot's time is over: what was left of it is gone. How much that was follows from the log
        /// up to here, and stands in the journal.
        Expired = "credits.expired" "1" {
            /// The organization.
            organization_id: OrganizationId,
            /// The lot.
            lot_id: LotId,
            /// The account's currency.
            currency: Currency,
            /// When its time was over.
            expires_at: DateTime<Utc>,
        }
        /// What a gateway is told where the account has run out was changed.
        PolicyChanged = "credits.policy_changed" "1" {
            /// The organization.
            organization_id: OrganizationId,
            /// The account's currency.
            currency: Currency,
            /// What it is told from now on.
            policy: CreditPolicy,
        }
        /// The balance fell from above zero to zero or below.
        Exhausted = "credits.exhausted" "1" {
            /// The organization.
            organization_id: OrganizationId,
            /// The account's currency.
            currency: Currency,
            /// The balance after what crossed it.
            balance: Amount,
            /// The position of the usage record or event that crossed it.
            crossed_at: i64,
        }
        /// The balance of an account that had run out is above zero again.
        Restored = "credits.restored" "1" {
            /// The organization.
            organization_id: OrganizationId,
            /// The account's currency.
            currency: Currency,
            /// The balance after what crossed it.
            balance: Amount,
            /// The position of the event that crossed it.
            crossed_at: i64,
        }
    }
}
