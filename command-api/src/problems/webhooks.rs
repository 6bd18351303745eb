//! What is answered where a webhook refuses.

use api_conventions::Problem;
use domain::webhook::WebhookError;

use super::kinds::{ALREADY_EXISTS, INVALID_VALUE, TOO_MANY};
use super::{not_found, said};

pub(super) fn problem(error: &WebhookError) -> Problem {
    match error {
        WebhookError::NotFound => not_found(),
        WebhookError::AlreadyExists => said(ALREADY_EXISTS, error),
        WebhookError::Url(_) => said(INVALID_VALUE, error).with("field", "url"),
        WebhookError::NoEventTypes
        | WebhookError::TooManyEventTypes
        | WebhookError::UnknownEventType(_) => {
            said(INVALID_VALUE, error).with("field", "event_types")
        }
        WebhookError::TooMany { max } => said(TOO_MANY, error).with("max", *max),
        WebhookError::EmptyReplay => said(INVALID_VALUE, error).with("field", "after_position"),
        WebhookError::Description(_) => said(INVALID_VALUE, error).with("field", "description"),
    }
}
