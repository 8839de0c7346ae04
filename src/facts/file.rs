//! The data: a list of families, each a set of name patterns and the facts in which it differs.

use std::fmt;
use std::sync::{Arc, LazyLock};

use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde::Deserialize;

use super::{CallIds, Extras, Facts, Sampling, Thinking, ThinkingOff};
use crate::chat::Effort;

const BUILT_IN: &str = include_str!("families.toml");

/// Families in the order in which they are asked: the first pattern that fits decides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Families {
    list: Vec<Family>,
}

#[derive(Debug, Clone, PartialEq)]
struct Family {
    patterns: Vec<String>,
    facts: Arc<Facts>,
}

/// Why a file of families is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    family: Vec<Row>,
}

/// One family as it is written. What it leaves out is as in [`Row::facts`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// With `*` for any text; compared in lower case with the model's whole name.
    models: Vec<String>,
    max_output: Option<u64>,
    context: Option<u64>,
    sampling: Option<Sampling>,
    sampling_thinking: Option<bool>,
    stop: Option<bool>,
    penalties: Option<bool>,
    thinking: Option<Thinking>,
    thinks_unasked: Option<bool>,
    thinking_off: Option<ThinkingOff>,
    reasoning_effort: Option<bool>,
    efforts: Option<Vec<Effort>>,
    budget: Option<(u64, u64)>,
    forced_tools: Option<bool>,
    forced_tools_thinking: Option<bool>,
    prefill: Option<bool>,
    json_schema: Option<bool>,
    json_with_tools: Option<bool>,
    call_signatures: Option<bool>,
    thinking_before_calls: Option<bool>,
    reasoning_back: Option<bool>,
    call_ids: Option<CallIds>,
    results_with_text: Option<bool>,
    images_in_results: Option<bool>,
    images: Option<bool>,
    tools: Option<bool>,
    cache_points: Option<bool>,
    strict_tools: Option<bool>,
    extras: Option<Extras>,
}

impl Row {
    fn facts(self) -> Facts {
        Facts {
            family: self.name.into(),
            max_output: self.max_output,
            context: self.context,
            sampling: self.sampling.unwrap_or(Sampling::Any),
            sampling_thinking: self.sampling_thinking.unwrap_or(true),
            stop: self.stop.unwrap_or(true),
            penalties: self.penalties.unwrap_or(true),
            thinking: self.thinking.unwrap_or(Thinking::None),
            thinks_unasked: self.thinks_unasked.unwrap_or(false),
            thinking_off: self.thinking_off.unwrap_or(ThinkingOff::Omit),
            reasoning_effort: self.reasoning_effort.unwrap_or(true),
            efforts: self.efforts.unwrap_or_default(),
            budget: self.budget,
            forced_tools: self.forced_tools.unwrap_or(true),
            forced_tools_thinking: self.forced_tools_thinking.unwrap_or(true),
            prefill: self.prefill.unwrap_or(true),
            json_schema: self.json_schema.unwrap_or(true),
            json_with_tools: self.json_with_tools.unwrap_or(true),
            call_signatures: self.call_signatures.unwrap_or(false),
            thinking_before_calls: self.thinking_before_calls.unwrap_or(false),
            reasoning_back: self.reasoning_back.unwrap_or(false),
            call_ids: self.call_ids.unwrap_or(CallIds::Plain),
            results_with_text: self.results_with_text.unwrap_or(true),
            images_in_results: self.images_in_results.unwrap_or(true),
            images: self.images.unwrap_or(true),
            tools: self.tools.unwrap_or(true),
            cache_points: self.cache_points.unwrap_or(false),
            strict_tools: self.strict_tools.unwrap_or(false),
            extras: self.extras.unwrap_or(Extras::None),
        }
    }
}

static DEFAULT: LazyLock<Families> = LazyLock::new(|| {
    // The built-in file is read by a test; the empty list stands for the impossible.
    Families::read(BUILT_IN).unwrap_or_default()
});

impl Families {
    /// The families that come with Pillion.
    pub fn built_in() -> &'static Self {
        &DEFAULT
    }

    /// Reads an operator's file, in the form of the built-in one.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let file: File = Figment::from(Toml::string(text))
            .extract()
            .map_err(|error| Problem(error.to_string()))?;
        let list = file.family.into_iter().map(|mut row| Family {
            patterns: std::mem::take(&mut row.models)
                .iter()
                .map(|pattern| pattern.to_ascii_lowercase())
                .collect(),
            facts: Arc::new(row.facts()),
        });
        Ok(Self {
            list: list.collect(),
        })
    }

    /// The facts about `model`, asked of `self` first and of the built-in families then.
    pub fn of(&self, model: &str) -> Arc<Facts> {
        let model = model.to_ascii_lowercase();
        let own = self.find(&model);
        own.or_else(|| Self::built_in().find(&model))
            .unwrap_or_else(|| Arc::new(unknown()))
    }

    fn find(&self, model: &str) -> Option<Arc<Facts>> {
        let fits = |family: &&Family| {
            family
                .patterns
                .iter()
                .any(|pattern| matches(pattern, model))
        };
        self.list
            .iter()
            .find(fits)
            .map(|family| Arc::clone(&family.facts))
    }
}

/// A model of no known family: nothing is withheld from it.
fn unknown() -> Facts {
    Row {
        name: "unknown".into(),
        models: Vec::new(),
        max_output: None,
        context: None,
        sampling: None,
        sampling_thinking: None,
        stop: None,
        penalties: None,
        thinking: None,
        thinks_unasked: None,
        thinking_off: None,
        reasoning_effort: None,
        efforts: None,
        budget: None,
        forced_tools: None,
        forced_tools_thinking: None,
        prefill: None,
        json_schema: None,
        json_with_tools: None,
        call_signatures: None,
        thinking_before_calls: None,
        reasoning_back: None,
        call_ids: None,
        results_with_text: None,
        images_in_results: None,
        images: None,
        tools: None,
        cache_points: None,
        strict_tools: None,
        extras: None,
    }
    .facts()
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut rest = rest;
    let mut last = None;
    for piece in pieces {
        if let Some(before) = last.replace(piece) {
            let Some(at) = rest.find(before) else {
                return false;
            };
            rest = &rest[at + before.len()..];
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_names() {
        for (pattern, text, expected) in [
            ("claude-opus-5", "claude-opus-5", true),
            ("claude-opus-5", "claude-opus-5-5", false),
            ("claude-opus-5*", "claude-opus-5-5", true),
            (
                "*claude-opus-5-5*",
                "us.anthropic.claude-opus-5-5-v1:0",
                true,
            ),
            ("*a*b", "xaxxb", true),
            ("*a*b", "xaxx", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_built_in_file_is_whole_and_knows_the_models_of_the_day() {
        let families = Families::read(BUILT_IN).unwrap_or_else(|problem| panic!("{problem}"));
        for (model, family) in [
            ("claude-sonnet-4-5-20250929", "claude 4.5"),
            ("claude-sonnet-4-20250514", "claude 3.7 and sonnet 4"),
            ("claude-3-7-sonnet-latest", "claude 3.7 and sonnet 4"),
            ("claude-3-5-haiku-latest", "claude 3.5"),
            ("claude-opus-4-1", "claude opus 4 and 4.1"),
            ("claude-opus-4-20250514", "claude opus 4 and 4.1"),
            (
                "anthropic.claude-opus-4-1-20250805-v1:0",
                "claude opus 4 and 4.1",
            ),
            ("anthropic.claude-opus-4-6-v1", "claude 4.6 on bedrock"),
            ("claude-opus-4-5-20251101", "claude opus 4.5"),
            ("claude-sonnet-4-6", "claude 4.6"),
            ("claude-opus-4-8", "claude opus 4.7 and 4.8"),
            ("claude-sonnet-5", "claude sonnet 5"),
            ("claude-opus-5", "claude opus 5"),
            ("claude-opus-5-5", "claude opus 5.5"),
            ("claude-sonnet-5-5", "claude sonnet 5.5"),
            ("claude-haiku-5-5", "claude haiku 5.5"),
            ("claude-fable-5-1", "claude fable and mythos"),
            ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "claude 4.5"),
            ("claude-something-new", "claude, newer than this file"),
            ("gemini-2.5-flash", "gemini 2.5 flash"),
            ("gemini-2.5-pro", "gemini 2.5 pro"),
            ("gemini-3-pro-preview", "gemini 3 pro"),
            ("gemini-3-flash-preview", "gemini 3 flash"),
            ("gemini-3.7-flash", "gemini 3.7 and 3.8 flash"),
            ("gemini-4-argon", "gemini 4"),
            ("us.amazon.nova-2-lite-v1:0", "nova 2"),
            ("amazon.nova-lite-v1:0", "nova"),
            (
                "us.anthropic.claude-opus-5-v1:0",
                "claude opus 5 on bedrock",
            ),
            ("anthropic.claude-opus-5-5", "claude opus 5.5"),
            (
                "global.anthropic.claude-opus-4-8",
                "claude opus 4.7 and 4.8 on bedrock",
            ),
            ("openai.gpt-oss-120b-1:0", "gpt-oss on bedrock"),
            ("us.deepseek.r1-v1:0", "deepseek r1 on bedrock"),
            ("us.meta.llama3-3-70b-instruct-v1:0", "llama on bedrock"),
            ("deepseek-v4-flash", "deepseek"),
            ("deepseek-ai/DeepSeek-V3.2", "deepseek"),
            ("qwen3-max", "unknown"),
            ("gpt-4o-2024-11-20", "gpt before it reasoned"),
            ("gpt-5-chat-latest", "gpt before it reasoned"),
            ("o4-mini-2025-04-16", "openai o"),
            ("gpt-5", "gpt 5"),
            ("gpt-5-mini-2025-08-07", "gpt 5"),
            ("gpt-5.1", "gpt 5.1"),
            ("gpt-5.1-chat-latest", "gpt 5, for chats"),
            ("gpt-5.4-mini", "gpt 5.2 to 5.4"),
            ("gpt-5.5-2026-04-23", "gpt 5.5"),
            ("gpt-5.6-sol", "gpt 5.6"),
            ("gpt-6-luna", "gpt 6"),
            ("gpt-6-astra", "gpt 6 astra"),
            ("gpt-oss-120b", "unknown"),
            ("gpt-5-search-api", "unknown"),
            ("omni", "unknown"),
            ("mistral.mistral-large-2402-v1:0", "mistral on bedrock"),
        ] {
            assert_eq!(&*families.of(model).family, family, "{model}");
        }
    }

    #[test]
    fn an_operators_file_is_asked_first_and_its_mistakes_are_named() {
        let own = Families::read(
            "[[family]]\nname = \"ours\"\nmodels = [\"claude-opus-5\"]\nmax_output = 9\n\
             [[family]]\nname = \"our own\"\nmodels = [\"ours-*\"]\nreasoning_back = true\n",
        )
        .unwrap();
        assert_eq!(own.of("claude-opus-5").max_output, Some(9));
        assert!(own.of("ours-1").reasoning_back && !own.of("claude-opus-5").reasoning_back);
        assert_eq!(&*own.of("claude-opus-5-5").family, "claude opus 5.5");
        let problem = Families::read("[[family]]\nname = \"x\"\nmodels = []\nmax_outptu = 1\n");
        assert!(problem.unwrap_err().to_string().contains("max_outptu"));
    }
}
