//! Roles and environments.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum $name {
            $($(#[doc = $variant_doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($variant_doc),+).trim_start(),)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::roles::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| $crate::roles::UnknownWord {
                    text: text.to_owned(),
                    what: $what,
                    known: [$($word),+].join(", "),
                })
            }
        }
    };
}

/// A text that is none of the words it must be one of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {what}: it is one of {known}")]
pub struct UnknownWord {
    pub(crate) text: String,
    pub(crate) what: &'static str,
    pub(crate) known: String,
}

words! {
    /// What a member may do in the organization.
    OrganizationRole, "an organization role" {
        /// Everything, including other owners.
        Owner = "owner",
        /// Everything but owners and billing.
        Admin = "admin",
        /// Credits, budgets and statements.
        Billing = "billing",
        /// Works in the projects they are assigned to.
        Member = "member",
        /// Sees, changes nothing.
        Reader = "reader",
        /// Sees everything including the audit log, changes nothing.
        Auditor = "auditor",
    }
}

impl OrganizationRole {
    /// How far a role reaches: nobody grants or takes away a role above their own. Billing, member,
    /// reader and auditor grant nothing, so they share the lowest rank.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Owner => 2,
            Self::Admin => 1,
            Self::Billing | Self::Member | Self::Reader | Self::Auditor => 0,
        }
    }
}

words! {
    /// What a member may do in a project.
    ProjectRole, "a project role" {
        /// Manages the project, its members and keys.
        Owner = "owner",
        /// Uses the project.
        Member = "member",
        /// Sees the project, changes nothing.
        Reader = "reader",
    }
}

words! {
    /// The stage a project serves.
    Environment, "an environment" {
        /// Development.
        Development = "development",
        /// Staging.
        Staging = "staging",
        /// Production.
        Production = "production",
    }
}

pub(crate) use words;
