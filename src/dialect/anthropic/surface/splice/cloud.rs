//! What of a request a cloud takes: the same API some steps behind, and strict about the rest.
//!
//! "Extra inputs are not permitted" is the answer to every field that a cloud does not know yet, and
//! to one whose beta header it was not sent. Which these are was gathered from the reports of people
//! who ran Claude Code against Bedrock and Vertex (read 2026-11).

use std::ops::Range;

use super::instructions::Instructions;
use crate::chat::Unsupported;
use crate::dialect::Dropped;
use crate::dialect::support::{drop_field, refused};
use crate::facts::Facts;
use crate::wire::edit::{Added, Edits, Object};
use crate::wire::json::{Cursor, Invalid, Kind, quote};

/// Betas that the clouds take. An unknown one is a 400, so the list says yes.
const BETAS: &[&str] = &[
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "context-1m-2025-08-07",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
];

/// What is left out, and named.
const DROPPED: &[&str] = &[
    "billing_policy",
    "cache_control",
    "compaction",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "service_tier",
    "speed",
    "workspace_id",
];

/// What would make the answer another one.
const REFUSED: &[&str] = &["container", "inference_geo", "mcp_servers", "thread"];

/// Members of a tool that are left out, and named.
const OF_TOOLS: &[&str] = &[
    "allowed_callers",
    "defer_loading",
    "eager_input_streaming",
    "input_examples",
];

/// Tools that Anthropic itself would have to run, by how their types begin.
const HOSTED: &[&str] = &[
    "advisor",
    "code_execution",
    "mcp_toolset",
    "tool_search",
    "web_fetch",
    "web_search",
];

/// Of the betas in a header, those that the clouds take.
pub fn cloud_betas(header: &str) -> impl Iterator<Item = &str> {
    let named = header.split(',').map(str::trim);
    named.filter(|beta| BETAS.contains(beta))
}

/// What becomes of a member at the top.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It stands, with its edits.
    Stands,
    /// Nothing is left of it.
    Gone,
    /// It is this instead.
    Instead(String),
}

/// A request's body on its way into a cloud.
pub(super) struct Body<'a, 'e> {
    pub(super) text: &'a str,
    pub(super) top: &'e Object<'a>,
    pub(super) edits: &'e mut Edits<'a>,
    pub(super) dropped: &'e mut Dropped,
    pub(super) facts: &'e Facts,
}

/// What stands in the body there, and in the URL or in headers elsewhere; and the other way round.
pub(super) struct Own<'o> {
    pub(super) version: &'o str,
    pub(super) betas: &'o [&'o str],
    pub(super) model_in_body: bool,
    pub(super) stream_in_body: bool,
    /// Where the contents of the messages stand that are instructions, and not sent as messages.
    pub(super) instructions: &'o [Range<usize>],
}

impl Body<'_, '_> {
    pub(super) fn splice(mut self, own: &Own<'_>) -> Result<(), Unsupported> {
        for name in REFUSED {
            if self.is_asked(name) {
                return Err(refused(*name));
            }
        }
        for name in DROPPED {
            if self.is_asked(name) {
                drop_field(self.dropped, *name);
            }
        }
        let config = self.config()?;
        self.thinking()?;
        let mut instructions = Instructions::within(self.text, own.instructions)?;
        let system = self.top.get("system");
        let head = instructions.splice(self.text, system, self.edits)?;
        if instructions.narrowed {
            drop_field(self.dropped, "cache_control");
        }
        self.tools()?;
        let mut added = Added::default();
        if let Left::Instead(members) = &config {
            added.push("output_config", members);
        }
        if let Left::Instead(blocks) = &head {
            added.push("system", blocks);
        }
        added.push("anthropic_version", quote(own.version));
        if !own.betas.is_empty() {
            let quoted: Vec<String> = own.betas.iter().map(|beta| quote(beta)).collect();
            added.push("anthropic_beta", format!("[{}]", quoted.join(",")));
        }
        let unwanted = |key: &str| match key {
            "anthropic_version" | "anthropic_beta" | "output_format" => true,
            "model" => !own.model_in_body,
            "stream" => !own.stream_in_body,
            "output_config" => config != Left::Stands,
            "system" => head != Left::Stands,
            key => DROPPED.contains(&key) || REFUSED.contains(&key),
        };
        self.top.rewrite(self.edits, unwanted, added);
        Ok(())
    }

    /// Whether a field says anything: null and an empty list do not.
    fn is_asked(&self, name: &str) -> bool {
        self.top.get(name).is_some_and(|span| {
            let raw = &self.text[span];
            let inner = raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']'));
            raw != "null" && !inner.is_some_and(|inner| inner.trim().is_empty())
        })
    }
}

impl<'a> Body<'a, '_> {
    /// Puts `output_config` right. The form of the answer, which stood at the top before, is told here;
    /// it is never dropped.
    fn config(&mut self) -> Result<Left, Unsupported> {
        let text = self.text;
        let older = self
            .top
            .get("output_format")
            .filter(|span| &text[span.clone()] != "null");
        let span = self.of_kind("output_config", b'{');
        let config = match span {
            Some(span) => Some(Object::read(&mut Cursor::at(text, span.start))?),
            None => None,
        };
        let newer = config.as_ref().and_then(|config| config.get("format"));
        let newer = newer.filter(|span| &text[span.clone()] != "null");
        if (older.is_some() || newer.is_some()) && !self.facts.json_schema {
            return Err(refused("response_format"));
        }
        // Of the two the newer holds.
        let format = older
            .filter(|_| newer.is_none())
            .map(|span| format!("\"format\":{}", &text[span]));
        let Some(config) = config else {
            return Ok(format.map_or(Left::Stands, |format| {
                Left::Instead(format!("{{{format}}}"))
            }));
        };
        let effort = self.facts.efforts.is_empty();
        let mut taken = 0;
        for (key, name, unwanted) in [
            ("effort", "reasoning_effort", effort),
            ("task_budget", "task_budget", true),
        ] {
            if unwanted && config.get(key).is_some() {
                drop_field(self.dropped, name);
                taken += 1;
            }
        }
        if taken == config.len() && format.is_none() {
            return Ok(Left::Gone);
        }
        let unwanted = |key: &str| match key {
            "task_budget" => true,
            "effort" => effort,
            "format" => format.is_some(),
            _ => false,
        };
        config.rewrite(self.edits, unwanted, format.clone().unwrap_or_default());
        Ok(Left::Stands)
    }

    fn thinking(&mut self) -> Result<(), Invalid> {
        let text = self.text;
        let Some(span) = self.of_kind("thinking", b'{') else {
            return Ok(());
        };
        let thinking = Object::read(&mut Cursor::at(text, span.start))?;
        if thinking.get("block_binding").is_some() {
            drop_field(self.dropped, "block_binding");
            thinking.rewrite(self.edits, |key| key == "block_binding", "");
        }
        Ok(())
    }

    fn tools(&mut self) -> Result<(), Unsupported> {
        let text = self.text;
        let Some(span) = self.of_kind("tools", b'[') else {
            return Ok(());
        };
        let mut index = 0;
        Cursor::at(text, span.start).array(|cursor| {
            let at = index;
            index += 1;
            if cursor.kind()? != Kind::Object {
                return Ok(());
            }
            let tool = Object::read(cursor)?;
            let kind = tool.get("type").map(|span| text[span].trim_matches('"'));
            if kind.is_some_and(|kind| HOSTED.iter().any(|hosted| kind.starts_with(hosted))) {
                return Err(refused(format!("tools[{at}]")));
            }
            for name in OF_TOOLS {
                if tool.get(name).is_some() {
                    drop_field(self.dropped, *name);
                }
            }
            tool.rewrite(self.edits, |key| OF_TOOLS.contains(&key), "");
            self.mark(&tool)?;
            Ok::<(), Unsupported>(())
        })?;
        Ok(())
    }

    fn mark(&mut self, object: &Object<'a>) -> Result<(), Invalid> {
        if let Some(span) = object.get("cache_control")
            && narrow_cache_control(self.text, span, self.edits)?
        {
            drop_field(self.dropped, "cache_control");
        }
        Ok(())
    }

    fn of_kind(&self, name: &str, first: u8) -> Option<Range<usize>> {
        let span = self.top.get(name);
        span.filter(|span| self.text.as_bytes()[span.start] == first)
    }
}

/// Takes out of a cache mark what the clouds do not know. Tells whether that changes anything: a
/// lifetime of five minutes goes without saying.
pub(super) fn narrow_cache_control<'a>(
    text: &'a str,
    span: Range<usize>,
    edits: &mut Edits<'a>,
) -> Result<bool, Invalid> {
    if text.as_bytes()[span.start] != b'{' {
        return Ok(false);
    }
    let mark = Object::read(&mut Cursor::at(text, span.start))?;
    let unwanted = |key: &str| matches!(key, "scope" | "ttl");
    let differs = |span: Range<usize>| !matches!(&text[span], "\"5m\"" | "null");
    let any = mark.get("scope").is_some() || mark.get("ttl").is_some_and(differs);
    mark.rewrite(edits, unwanted, "");
    Ok(any)
}
