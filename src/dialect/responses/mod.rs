//! `OpenAI`'s Responses, as applications ask for them.
//!
//! Read 2026-11: the types of the official SDK (openai-python 3.54, `types/responses`) and the
//! recorded exchanges of `OpenAI`, Azure, xAI, `OpenRouter`, `DeepSeek` and the open servers.
//! For a provider that serves Responses itself the bytes go as they came ([`encode`], [`Splicer`],
//! [`splice_answer`]); for any other one a request is read as a conversation ([`read()`]) and the
//! answer written from events ([`Encoder`], [`answer()`]).
//! Never here: state. Nothing is kept between two requests, so what would need it is refused.

mod answer;
mod calls;
mod carrier;
mod echo;
mod encode;
mod frames;
mod items;
mod judged;
mod open;
mod output;
mod parts;
mod read;
mod request;
mod splice;
mod synthesis;
mod tools;
mod usage;

pub use answer::answer;
pub use echo::{Echo, echo};
pub use encode::Encoder;
pub use judged::splice_answer;
pub use read::read;
pub use request::{Pieces, encode};
pub use splice::Splicer;

use serde::Deserialize;

use crate::chat::Unsupported;

/// A value of the request as what it should be.
fn value<'a, T: Deserialize<'a>>(
    path: &str,
    raw: &'a str,
    expected: &str,
) -> Result<T, Unsupported> {
    serde_json::from_str(raw)
        .map_err(|_| Unsupported::invalid(path.to_owned(), format!("`{path}` must be {expected}.")))
}

/// Something that lives at its own provider.
fn kept_elsewhere(path: &str) -> Unsupported {
    Unsupported::parameter(
        path.to_owned(),
        format!(
            "`{path}` needs a provider that keeps responses and files: the one that this route leads to is sent everything with each request, and keeps nothing."
        ),
    )
}

#[cfg(test)]
mod tests;
