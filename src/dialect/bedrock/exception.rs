//! Errors inside a 2xx: exceptions in a stream, and bodies that are no answer.

use serde::Serialize;

use super::answer::Exception;
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::eventstream::{Invalid, Message};

/// What a message of a stream is.
pub(super) enum Kind<'a> {
    /// An event of this type.
    Event(&'a str),
    Failed(Failure),
}

/// Tells events from errors.
pub(super) fn kind<'a>(message: &Message<'a>) -> Kind<'a> {
    let text = |name| message.text(name).unwrap_or_default();
    match text(":message-type") {
        "exception" => Kind::Failed(exception(text(":exception-type"), message.payload)),
        "error" => Kind::Failed(reported(text(":error-code"), text(":error-message"), None)),
        _ => Kind::Event(text(":event-type")),
    }
}

/// An exception in a stream, by its name.
fn exception(name: &str, payload: &[u8]) -> Failure {
    let said: Exception = serde_json::from_slice(payload).unwrap_or_default();
    let mut message = said.message.unwrap_or_default();
    if let Some(original) = said.original_message {
        message.push(' ');
        message.push_str(&original);
    }
    // The statuses that the API reference gives them before a stream has begun.
    let status = match name {
        "validationException" => Some(400),
        "throttlingException" => Some(429),
        "internalServerException" => Some(500),
        "serviceUnavailableException" => Some(503),
        _ => None,
    };
    reported(name, &message, said.original_status_code.or(status))
}

/// A 200 whose body is not an answer.
pub(super) fn no_answer(body: &[u8]) -> Failure {
    // A model's name with a slash that was not escaped leads to no operation, and so to this.
    if memchr::memmem::find(body, b"UnknownOperationException").is_some() {
        return broken("the provider knows no such operation");
    }
    match serde_json::from_slice::<Exception>(body) {
        Ok(said) if said.message.is_some() => judge_reported(body),
        Ok(_) => broken("the answer has no output"),
        Err(_) => broken("the answer is not what Converse answers"),
    }
}

/// In the form that is judged.
fn reported(code: &str, message: &str, status: Option<u16>) -> Failure {
    #[derive(Serialize)]
    struct Reported<'a> {
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    }
    let error = Reported {
        code,
        message,
        status,
    };
    judge_reported(&serde_json::to_vec(&error).unwrap_or_default())
}

impl From<Invalid> for Failure {
    fn from(Invalid(reason): Invalid) -> Self {
        broken(reason)
    }
}
