//! Events of a credit account: what was bought and given.

use chrono::{DateTime, Utc};

use crate::event::stream_events;
use crate::{Amount, Currency, LotId, OrganizationId};

stream_events! {
    /// What happens to a credit account.
    CreditAccountEvent on "credit_account" {
        /// Credits were bought.
        Purchased = "credits.purchased" "1" {
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
            /// The invoice or order.
            reference: Option<String>,
        }
        /// Credits were given.
        Granted = "credits.granted" "1" {
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
            /// Why.
            reason: Option<String>,
        }
    }
}
