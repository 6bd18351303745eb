//! The command line of webhooks. Doc comments are what `--help` prints.

use clap::{Args, ValueEnum};
use domain::webhook::Addresses;

use crate::webhooks::schedule::Schedule;

/// How events are sent to webhooks.
#[derive(Args, Clone)]
pub(crate) struct WebhookArgs {
    /// Whether webhooks may lead to private, local and reserved addresses, and to loopback without TLS; where
    /// nothing is said, `dev` and `demo` allow it and `serve` refuses
    #[arg(long, env = "ORGLEDGER_WEBHOOKS_PRIVATE_ADDRESSES")]
    pub(crate) webhooks_private_addresses: Option<PrivateAddresses>,
    /// How many seconds after each try in vain an event is sent to a webhook again, a fifth more or less;
    /// after the last try the webhook is disabled
    #[arg(
        long,
        env = "ORGLEDGER_WEBHOOKS_RETRY_SECONDS",
        default_value = "5,300,1800,7200,18000,36000,50400,72000,86400"
    )]
    pub(crate) webhooks_retry_seconds: Schedule,
}

/// Whether webhooks may lead into networks of somebody's own.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrivateAddresses {
    /// They may: everything is on one machine, or the network is closed.
    Allow,
    /// They may not: what is not of the public internet is never connected to.
    Refuse,
}

impl WebhookArgs {
    /// Which addresses webhooks may have, where that is otherwise where nothing is said.
    pub(crate) fn addresses(&self, otherwise: Addresses) -> Addresses {
        match self.webhooks_private_addresses {
            Some(PrivateAddresses::Allow) => Addresses::Any,
            Some(PrivateAddresses::Refuse) => Addresses::Public,
            None => otherwise,
        }
    }
}
