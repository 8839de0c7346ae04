//! The request for one target of the same dialect: the bytes that came, but for what is ours.

use bytes::Bytes;
use smallvec::SmallVec;

use super::cloud;
use super::history::History;
use crate::chat::{Request, Surface, Unsupported};
use crate::dialect::support::drop_field;
use crate::dialect::{Dropped, Receiver};
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, quote};

/// Where the API stands.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// At its maker, or where it is spoken as its maker speaks it.
    Direct,
    /// In a cloud: the model in the URL, the version in the body.
    InCloud {
        /// `vertex-2023-10-16`, `bedrock-2023-05-31`; for a caller of the newer API, `2026-10-21`.
        version: &'a str,
        /// Whether the body says that a stream is wanted; elsewhere the URL does.
        stream_in_body: bool,
        /// What goes into the body as `anthropic_beta`: empty where a header takes it. Of what the
        /// caller's header says, [`cloud_betas`](super::cloud_betas).
        betas: &'a [&'a str],
    },
}

/// A body in pieces, to be written one after another.
#[derive(Debug)]
pub struct Spliced {
    /// The large ones are shared with the caller's.
    pub pieces: SmallVec<[Bytes; 5]>,
    /// What the caller asked for and this target is not told, by the names of the fields.
    pub dropped: Dropped,
}

/// `request` for the target `to`, which speaks Messages too.
///
/// Thinking that another target signed, or nobody, is taken out, and the seal is taken off what this
/// one signed; ids of calls that another provider made are brought to the form that Anthropic takes.
/// In a cloud, instructions among the messages are told with those at their head.
///
/// # Errors
/// A cloud cannot do what is asked for.
pub fn splice_request(
    request: &Request,
    to: Receiver<'_>,
    form: Form<'_>,
) -> Result<Spliced, Unsupported> {
    let text = &request.body;
    let mut edits = Edits::default();
    let mut dropped = Dropped::new();
    let top = Object::read(&mut Cursor::new(text))?;
    let mut history = History::new(text, to.id, matches!(form, Form::InCloud { .. }));
    if let Some(span) = top.get("messages") {
        history.messages(&mut Cursor::at(text, span.start), &mut edits)?;
    }
    match form {
        Form::Direct => edits.replace(request.model_span.clone(), quote(to.model)),
        Form::InCloud {
            version,
            stream_in_body,
            betas,
        } => {
            // The URL of a count is the same for all models.
            let model_in_body = request.surface == Surface::CountTokens;
            if model_in_body {
                edits.replace(request.model_span.clone(), quote(to.model));
            }
            let body = cloud::Body {
                text,
                top: &top,
                edits: &mut edits,
                dropped: &mut dropped,
                facts: to.facts,
            };
            body.splice(&cloud::Own {
                version,
                betas,
                model_in_body,
                stream_in_body,
                instructions: &history.instructions,
            })?;
            if history.narrowed {
                drop_field(&mut dropped, "cache_control");
            }
        }
    }
    if to.facts.thinking_before_calls && history.lacks_thinking() {
        // Other models think on; these answer this turn without.
        if let Some(span) = top.get("thinking")
            && Object::read(&mut Cursor::at(text, span.start))
                .ok()
                .and_then(|thinking| thinking.get("type"))
                .is_some_and(|kind| &text[kind] == "\"enabled\"")
        {
            edits.replace(span, "{\"type\":\"disabled\"}");
            drop_field(&mut dropped, "thinking");
        }
    }
    Ok(Spliced {
        pieces: edits.slices(request.body.as_bytes()),
        dropped,
    })
}
