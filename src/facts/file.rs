//! The data: a list of families, each a set of name patterns and the facts in which it differs.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use serde::Deserialize;

use super::{CallIds, Extras, Facts, Sampling, Thinking, ThinkingOff, quoted, read};
use crate::chat::Effort;

const TEXT: &str = include_str!("families.toml");

/// What each family in it begins with.
const HEADER: &str = "[[family]]\n";

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

/// A family that comes with Pillion. Its facts are read when a model of it is first asked for: a
/// process knows a few models, and reading all of the file would take a good part of its start.
struct BuiltIn {
    /// Its part of the file: a file itself.
    text: &'static str,
    /// The line with its patterns.
    models: &'static str,
    facts: OnceLock<Arc<Facts>>,
}

static BUILT_IN: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
    let starts = TEXT.match_indices(HEADER).map(|(start, _)| start);
    let ends = starts.clone().skip(1).chain([TEXT.len()]);
    let texts = starts.zip(ends).map(|(start, end)| &TEXT[start..end]);
    let families = texts.map(|text| BuiltIn {
        text,
        models: (text.lines().find(|line| line.starts_with("models = "))).unwrap_or_default(),
        facts: OnceLock::new(),
    });
    families.collect()
});

static NONE: Families = Families { list: Vec::new() };

impl BuiltIn {
    fn facts(&self) -> Arc<Facts> {
        let facts = self.facts.get_or_init(|| {
            // All of them are read by a test; a model of no known family stands for the impossible.
            let family = Families::read(self.text).unwrap_or_default().list.pop();
            family.map_or_else(|| Arc::new(unknown()), |family| family.facts)
        });
        Arc::clone(facts)
    }
}

impl Families {
    /// The families that come with Pillion, and no others.
    pub fn built_in() -> &'static Self {
        &NONE
    }

    /// Reads an operator's file, in the form of the built-in one.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let file: File = read(text).map_err(Problem)?;
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
        let fits = |pattern: &str| matches(pattern, &model);
        let fits_own = |family: &&Family| family.patterns.iter().any(|pattern| fits(pattern));
        if let Some(own) = self.list.iter().find(fits_own) {
            return Arc::clone(&own.facts);
        }
        let mut built_in = BUILT_IN.iter();
        let family = built_in.find(|family| quoted(family.models).any(fits));
        family.map_or_else(|| Arc::new(unknown()), BuiltIn::facts)
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
    fn the_built_in_file_knows_the_models_of_the_day() {
        let families = Families::built_in();
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
    fn the_built_in_families_are_read_one_by_one_as_the_file_is() {
        let whole = Families::read(TEXT).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(BUILT_IN.len(), whole.list.len());
        for (one, family) in BUILT_IN.iter().zip(whole.list) {
            assert_eq!(one.facts(), family.facts);
            let patterns: Vec<&str> = quoted(one.models).collect();
            assert_eq!(patterns, family.patterns, "{}", family.facts.family);
            assert!(!patterns.is_empty(), "{}", family.facts.family);
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
        let problem = problem.unwrap_err().to_string();
        let start = "line 4: unknown field `max_outptu`";
        assert!(problem.starts_with(start), "{problem}");
    }
}
