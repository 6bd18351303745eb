//! Why a command was not done: a refusal in business words, or a failure of the machinery.

use domain::access_review::AccessReviewError;
use domain::api_key::ApiKeyError;
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
use domain::webhook::WebhookError;
use event_log::aggregates::LoadError;
use event_log::{AppendError, VaultError};
use event_schemas::{Month, Permission, ReviewLineId};

/// A command was understood and refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// By the organization.
    #[error(transparent)]
    Organization(#[from] OrganizationError),
    /// By the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// By the person.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// By the service account.
    #[error(transparent)]
    ServiceAccount(#[from] ServiceAccountError),
    /// By the approval.
    #[error(transparent)]
    Approval(#[from] domain::approval::ApprovalError),
    /// By the API key.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    /// By the access review.
    #[error(transparent)]
    AccessReview(#[from] AccessReviewError),
    /// A line of an access review cannot be enacted.
    #[error("the line {line_id}: {refusal}")]
    AtLine {
        /// The line.
        line_id: ReviewLineId,
        /// Why not.
        refusal: Box<Refusal>,
    },
    /// By the credit account.
    #[error(transparent)]
    CreditAccount(#[from] CreditAccountError),
    /// By the budget.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// By the webhook.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// By the price list.
    #[error(transparent)]
    PriceList(#[from] PriceListError),
    /// By the name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// By the check of a text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// By the check of a usage record.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// By the repricing.
    #[error(transparent)]
    UsageRepricing(#[from] UsageRepricingError),
    /// Records that would have to be read are not in the log's tables any more.
    #[error(
        "usage of {month} is archived, and its records are needed: restore it (`orgledger usage restore \
         --month {month}`), or name a span without it"
    )]
    UsageArchived {
        /// The first of the months that are needed.
        month: Month,
    },
    /// By the month of usage.
    #[error(transparent)]
    UsageMonth(#[from] UsageMonthError),
    /// The records that it would be read from are in an archive.
    #[error(
        "{} of this request is here, and usage of {} is archived: whether it is there is known when that \
         was restored (`orgledger usage restore`){}", if .earlier.is_some() { "an earlier record" } else { "no record" },
        listed(.months), .earlier.map(|at| format!("; the earlier one is told by position={at}")).unwrap_or_default()
    )]
    RecordsArchived {
        /// The months that it may be in.
        months: Vec<Month>,
        /// Where an earlier one stands.
        earlier: Option<i64>,
    },
    /// The one who asks does not have the permission.
    #[error("this needs the permission '{permission}'")]
    NotPermitted {
        /// The permission.
        permission: Permission,
    },
    /// The key that was presented has ended since.
    #[error("the credential does not work any more")]
    CredentialEnded,
    /// Only who runs orgledger may do it.
    #[error("this needs the operator's credential")]
    OperatorOnly,
    /// Only a member may do it, for themselves.
    #[error("this needs the credential of a member")]
    MembersOnly,
    /// A line of an imported file says what cannot be.
    #[error("{0}")]
    Import(String),
    /// The operator's credential only begins things; an organization is opened to it by break-glass
    /// access alone.
    #[error(
        "the operator's credential opens nothing in an organization; ask to be let in with \
         break-glass access"
    )]
    BreakGlassNeeded,
    /// A second person counts, and somebody else may hold the credential too.
    #[error(
        "the API key that you ask with was made by somebody else, who may have kept it; where a second \
         person counts, sign in, or use a key that you made with a credential of your own"
    )]
    SharedCredential,
    /// The secret was rotated out, and gets no new secrets in its grace.
    #[error(
        "the secret that you ask with was rotated out, and makes no new secrets in its grace; use the \
         key's newest secret, or sign in"
    )]
    SecretRotatedOut,
    /// No emergency needs it.
    #[error("nobody uses the permission '{permission}' under the operator's break-glass access")]
    NotOfEmergencies {
        /// The permission.
        permission: Permission,
    },
    /// By the check of a text, in a field that the check knows by another word.
    #[error("{field}: {error}")]
    TextIn {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: TextError,
    },
    /// The request does not make sense.
    #[error("{field}: {why}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The stream does not stand at the sequence that `If-Match` names.
    #[error("it has changed meanwhile: it stands at sequence {sequence}")]
    PreconditionFailed {
        /// Where it stands.
        sequence: i64,
    },
    /// Not a refusal: the machinery failed while the command was decided.
    #[error(transparent)]
    Failed(Box<ExecuteError>),
}

/// Months with commas between.
fn listed(months: &[Month]) -> String {
    months.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Refusal {
    /// The same, of a line of an access review. A failure of the machinery is no line's.
    pub(crate) fn at_line(self, line_id: ReviewLineId) -> Self {
        match self {
            Self::Failed(_) => self,
            refusal => Self::AtLine { line_id, refusal: Box::new(refusal) },
        }
    }

    /// As the answer to a command.
    pub fn into_error(self) -> ExecuteError {
        match self {
            Self::Failed(error) => *error,
            refusal => ExecuteError::Refused(refusal),
        }
    }
}

impl From<ExecuteError> for Refusal {
    fn from(error: ExecuteError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// A command was not done.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// It was refused.
    #[error(transparent)]
    Refused(Refusal),
    /// Its idempotency key stands for another request.
    #[error("this idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// Others kept changing what it decides on.
    #[error("others keep changing the same things; try again in a moment")]
    Contended,
    /// Too many commands are waiting.
    #[error("too many commands are waiting; try again in a moment")]
    Overloaded,
    /// Too much usage is waiting to be recorded, of this organization or of all.
    #[error("more usage is waiting than can be recorded at the moment")]
    UsageQueueFull,
    /// The log failed.
    #[error(transparent)]
    Log(#[from] AppendError),
    /// A stream could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What is a person's could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is left of lots is not known, or not as of the account's last event.
    #[error("the balances have not come as far as the account; try again in a moment")]
    BalancesBehind,
    /// The database failed.
    #[error("the log's database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Something could not be serialised.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The operating system gave no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

impl From<event_log::usage::UsageWriteError> for ExecuteError {
    fn from(error: event_log::usage::UsageWriteError) -> Self {
        use event_log::usage::UsageWriteError as Failed;
        match error {
            Failed::Stale | Failed::Contended => Self::Contended,
            Failed::Full => Self::UsageQueueFull,
            Failed::Sqlx(error) => Self::Log(AppendError::Database(error)),
            Failed::Closed => Self::Log(AppendError::Closed),
        }
    }
}
