//! What becomes of a request's field at a target that has no word for it: one table.
//!
//! A field is dropped when the answer is an answer without it, and refused when its form would
//! differ from what was asked. One whose value had to be changed counts as dropped. `tools` and the form of the answer are never dropped. The page
//! `FIELDS.md` beside this file is made from the table, by a test.
//! Where it depends on the model, the encoder says so itself (see [`crate::facts`]).
#![doc = include_str!("FIELDS.md")]

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Dropped;
use crate::chat::Unsupported;

/// Whose words are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Chat completions, for callers of another surface.
    OpenAi,
    Anthropic,
    Gemini,
    Converse,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The encoder writes it; for some models it may still be dropped or refused.
    Kept,
    Dropped,
    Refused,
}

use Fate::{Dropped as D, Kept as K, Refused as R};

/// One field of any of the surfaces, by its name there.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    openai: Fate,
    anthropic: Fate,
    gemini: Fate,
    converse: Fate,
    note: &'static str,
}

#[rustfmt::skip]
const fn field(
    name: &'static str,
    [openai, anthropic, gemini, converse]: [Fate; 4],
    note: &'static str,
) -> Field {
    Field { name, openai, anthropic, gemini, converse, note }
}

/// In alphabetic order. A field that is not here is dropped: no provider takes unknown ones.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    field("access_programs", [D, D, D, D], ""),
    field("allowed_callers", [D, D, D, D], "every tool is called directly"),
    field("audio", [R, R, R, R], "sound is no text"),
    field("background", [R, R, R, R], "the answer would have to be kept"),
    field("background_options", [D, D, D, D], "of no use without `background`"),
    field("billing_policy", [D, D, D, D], ""),
    field("block_binding", [D, D, D, D], "of thinking that only its own provider reads"),
    field("cache_control", [D, K, D, K], "on Bedrock as cache points, for models that have them"),
    field("citations", [D, D, D, D], ""),
    field("compaction", [D, D, D, D], ""),
    field("container", [R, R, R, R], "lives at its own provider"),
    field("context_management", [D, D, D, D], ""),
    field("conversation", [R, R, R, R], "kept at its own provider"),
    field("defer_loading", [D, D, D, D], "every tool is shown at once"),
    field("diagnostics", [D, D, D, D], ""),
    field("eager_input_streaming", [D, D, D, D], "calls come whole"),
    field("fallback_credit_token", [D, D, D, D], ""),
    field("fallbacks", [D, D, D, D], "the route has its own"),
    field("frequency_penalty", [K, D, K, D], "not by Gemini 4"),
    field("function_call", [R, R, R, R], "use `tools`"),
    field("functions", [R, R, R, R], "use `tools`"),
    field("image", [D, D, D, D], "how images are compressed"),
    field("include", [D, D, D, D], "encrypted reasoning is always included"),
    field("inference_geo", [R, R, R, R], "a promise that only its own provider can keep"),
    field("input_examples", [D, D, D, D], ""),
    field("logit_bias", [K, D, D, D], ""),
    field("logprobs", [K, R, R, R], ""),
    field("max_completion_tokens", [K, K, K, K], "also `max_tokens`, `max_output_tokens`; at most what the model writes"),
    field("max_tool_calls", [D, D, D, D], "counts hosted tools alone"),
    field("mcp_servers", [R, R, R, R], "the provider would have to run them"),
    field("metadata", [D, D, D, D], "stays in Pillion's records; `metadata.user_id` is kept as `user`"),
    field("modalities", [R, R, R, R], "other than text"),
    field("moderation", [D, D, D, D], ""),
    field("n", [R, R, R, R], "more than one"),
    field("parallel_tool_calls", [K, K, D, D], "Gemini and Bedrock have no such switch"),
    field("prediction", [D, D, D, D], ""),
    field("presence_penalty", [K, D, K, D], "not by Gemini 4"),
    field("previous_response_id", [R, R, R, R], "kept at its own provider"),
    field("prompt", [R, R, R, R], "kept at its own provider"),
    field("prompt_cache_key", [D, D, D, D], ""),
    field("prompt_cache_options", [D, D, D, D], ""),
    field("prompt_cache_retention", [D, D, D, D], ""),
    field("reasoning", [K, K, K, K], "its `effort`, as `reasoning_effort`"),
    field("reasoning.mode", [D, D, D, D], ""),
    field("reasoning_effort", [K, K, K, K], "as the model's own efforts, levels or budgets"),
    field("response_format", [K, K, K, K], "in words for models that know no such form; a strict schema is refused then"),
    field("safety_identifier", [K, K, D, D], "as `metadata.user_id` at Anthropic"),
    field("seed", [K, D, K, D], "of 31 bits at Gemini"),
    field("service_tier", [D, K, K, K], "where there is a counterpart"),
    field("speed", [D, D, D, D], ""),
    field("stop", [K, K, K, K], "4 in chat completions, and not by OpenAI's models that reason; none that is empty, none of blanks at Anthropic"),
    field("store", [D, D, D, D], "true is refused on the Responses surface: nothing is kept"),
    field("task_budget", [D, D, D, D], ""),
    field("temperature", [K, K, K, K], "at most 1 at Anthropic and on Bedrock; not by newer Claude, nor by OpenAI's models while they reason"),
    field("text.format", [K, K, K, K], "as `response_format`"),
    field("text.verbosity", [D, D, D, D], ""),
    field("thinking", [K, K, K, K], "as an effort where there are no budgets"),
    field("thread", [R, R, R, R], "kept at its own provider"),
    field("tool_choice", [K, K, K, K], "`auto` and the named tools alone where a model cannot be forced"),
    field("tools", [K, K, K, K], "functions; hosted and custom tools are refused"),
    field("top_k", [D, K, K, K], "on Bedrock for Claude and Nova; not by newer Claude"),
    field("top_logprobs", [K, R, R, R], ""),
    field("top_p", [K, K, K, K], "not beside `temperature` for Claude 4; not by newer Claude, nor by OpenAI's models while they reason"),
    field("truncation", [D, D, D, D], "`auto` is refused: nothing is cut here"),
    field("user", [K, K, D, D], "as `metadata.user_id` at Anthropic"),
    field("user_profile_id", [D, D, D, D], ""),
    field("verbosity", [K, D, D, D], ""),
    field("web_search_options", [R, R, R, R], "the provider would have to search"),
    field("workspace_id", [D, D, D, D], ""),
];

impl Field {
    fn fate(&self, column: Column) -> Fate {
        match column {
            Column::OpenAi => self.openai,
            Column::Anthropic => self.anthropic,
            Column::Gemini => self.gemini,
            Column::Converse => self.converse,
        }
    }
}

/// What of `asked` is dropped for a target of this column.
///
/// # Errors
/// The first that is refused.
pub fn settle(asked: &[Cow<'static, str>], column: Column) -> Result<Dropped, Unsupported> {
    let mut dropped = Dropped::new();
    for name in asked {
        let known = FIELDS.binary_search_by(|field| field.name.cmp(name));
        match known.map_or(Fate::Dropped, |at| FIELDS[at].fate(column)) {
            Fate::Kept => {}
            Fate::Dropped => drop_field(&mut dropped, name.clone()),
            Fate::Refused => return Err(refused(name.clone())),
        }
    }
    Ok(dropped)
}

/// Notes that a field is dropped.
pub fn drop_field(dropped: &mut Dropped, name: impl Into<Cow<'static, str>>) {
    let name = name.into();
    if !dropped.contains(&name) {
        dropped.push(name);
    }
}

/// What a target is told in the place of what was asked for. Where that is something else, the caller
/// is told so: a value that was changed is one that was not kept.
pub fn told<T: PartialEq>(dropped: &mut Dropped, name: &'static str, asked: &T, told: T) -> T {
    if *asked != told {
        drop_field(dropped, name);
    }
    told
}

/// The sequences that end an answer, as far as a target takes them.
pub fn stops<'c>(
    asked: &'c [String],
    taken: impl Fn(&str) -> bool,
    dropped: &mut Dropped,
) -> Vec<&'c str> {
    let stops = asked.iter().map(String::as_str);
    let stops: Vec<_> = stops.filter(|stop| taken(stop)).collect();
    if stops.len() < asked.len() {
        drop_field(dropped, "stop");
    }
    stops
}

/// The longest answer, which is none longer than the model's.
pub fn limited(asked: u64, most: Option<u64>, dropped: &mut Dropped) -> u64 {
    let most = most.unwrap_or(u64::MAX);
    told(dropped, "max_tokens", &asked, asked.min(most))
}

/// A field that this target has no word for, and without which the answer would be another.
pub fn refused(name: impl Into<Cow<'static, str>>) -> Unsupported {
    let param = name.into();
    let message = format!("`{param}` is not supported by the provider that this route leads to.");
    Unsupported::parameter(param, message)
}

/// The table as a page.
pub fn page() -> String {
    let mut page = String::from(
        "# Fields across dialects\n\n\
         What becomes of a field when the target speaks another dialect than the caller. Within one \
         dialect every field passes as it came. *Dropped* fields are named in `x-pillion-dropped` and \
         in the log, and refused where the route says `unsupported: reject`; *refused* ones are a 400 \
         with `param` unless another target of the route takes them. A field that is not listed is \
         dropped, and one whose value had to be changed counts as dropped. Each caller is told the name \
         that its own surface has for the field.\n\n\
         | field | chat completions | Anthropic | Gemini | Bedrock Converse | |\n|---|---|---|---|---|---|\n",
    );
    let word = |fate| match fate {
        Fate::Kept => "kept",
        Fate::Dropped => "dropped",
        Fate::Refused => "refused",
    };
    for field in FIELDS {
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            field.name,
            word(field.openai),
            word(field.anthropic),
            word(field.gemini),
            word(field.converse),
            field.note
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialect/FIELDS.md");
        if std::env::var_os("PILLION_WRITE_PAGES").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            written,
            page(),
            "write it anew with PILLION_WRITE_PAGES=1 cargo test the_page_is_the_table"
        );
    }

    #[test]
    fn the_table_is_in_order_and_never_drops_what_shapes_the_answer() {
        assert!(FIELDS.is_sorted_by(|a, b| a.name < b.name));
        for name in ["tools", "response_format", "n", "previous_response_id"] {
            let field = FIELDS.iter().find(|field| field.name == name).unwrap();
            for column in [
                Column::OpenAi,
                Column::Anthropic,
                Column::Gemini,
                Column::Converse,
            ] {
                assert_ne!(field.fate(column), Fate::Dropped, "{name}");
            }
        }
    }

    #[test]
    fn what_is_asked_is_kept_dropped_or_refused() {
        let asked = |names: &[&'static str]| -> Vec<Cow<'static, str>> {
            names.iter().map(|name| Cow::Borrowed(*name)).collect()
        };
        let dropped = settle(
            &asked(&["seed", "new_in_2031", "temperature", "seed"]),
            Column::Anthropic,
        );
        assert_eq!(dropped.unwrap().as_slice(), ["seed", "new_in_2031"]);
        assert_eq!(settle(&asked(&["seed"]), Column::Gemini).unwrap().len(), 0);
        let refused = settle(&asked(&["seed", "logprobs"]), Column::Gemini).unwrap_err();
        assert_eq!(refused.param, "logprobs");
    }
}
