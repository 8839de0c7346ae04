//! What of a request its provider is to run or to keep: sent twice, it might be done twice.
//!
//! A tool is the caller's to run where its type is one of those that its surface knows as such. Every
//! other one is the provider's, those included that nobody has thought of yet:
//!
//! - chat completions: <https://platform.openai.com/docs/api-reference/chat/create> (read 2026-11);
//! - Responses: <https://developers.openai.com/api/docs/guides/tools>, `shell` and `tool_search` by
//!   where they say that they run (`guides/tools-shell`, `guides/tools-tool-search`; read 2026-11);
//! - Messages: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview> (read 2026-11).
//!
//! Of other fields no surface has a whole list, since each provider adds its own and most of them only
//! tune an answer. Here are those that do more: at OpenAI and Azure, at Anthropic, at xAI
//! (<https://docs.x.ai/developers/advanced-api-usage/deferred-chat-completions>), OpenRouter
//! (<https://openrouter.ai/docs/guides/features/plugins>), Groq (<https://console.groq.com/docs/compound>),
//! Alibaba (<https://www.alibabacloud.com/help/en/model-studio/web-search>), Cohere and Google
//! (<https://ai.google.dev/gemini-api/docs/tools>; all read 2026-11).

use crate::chat::Surface;
use crate::wire::json::{Cursor, Invalid, Kind, Text};

/// Fields that have the provider run something, or keep or take up state, unless they are null, false
/// or an empty list. Some are written in two ways, with humps or underscores.
///
/// `store` is none of them: an answer that is kept is no harm until it is named, and what names it is here.
const FIELDS: [&str; 26] = [
    "background",
    "code_execution",
    "code_interpreter",
    "compound_custom",
    "connectors",
    "container",
    "conversation",
    "data_sources",
    "deferred",
    "enable_code_interpreter",
    "enable_search",
    "enterprise_web_search",
    "file_search",
    "google_maps",
    "google_search",
    "google_search_retrieval",
    "mcp_servers",
    "plugins",
    "previous_response_id",
    "search_options",
    "search_parameters",
    "search_settings",
    "thread",
    "url_context",
    "web_search",
    "web_search_options",
];

/// Objects that hold fields of a provider's own, beside those at the top.
const EXTRAS: [&str; 2] = ["extra_body", "google"];

/// Tools that are trained into Anthropic's models and run by the caller; a date follows the name.
const OF_CLAUDE: [&str; 4] = ["bash", "computer", "memory", "text_editor"];

/// What the members of a request have come to so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hosted {
    /// Whether the model is offered tools.
    pub(super) tools: bool,
    /// Whether the provider runs any of them, or does more than answer for another reason.
    pub(super) executes: bool,
}

impl Hosted {
    /// Looks at the member `key`, whose value comes next. What says nothing here is left untouched.
    pub(super) fn member(
        &mut self,
        surface: Surface,
        text: &str,
        cursor: &mut Cursor<'_>,
        key: &str,
    ) -> Result<(), Invalid> {
        match key {
            "tools" if cursor.kind()? == Kind::Array => self.list(surface, cursor),
            // What tools were before they were tools.
            "functions" => {
                self.tools |= says_something(text, cursor)?;
                Ok(())
            }
            // A stored prompt, which may have tools of its own; elsewhere it is a text.
            "prompt" => {
                self.executes |= cursor.kind()? == Kind::Object;
                Ok(())
            }
            _ if EXTRAS.contains(&key) && cursor.kind()? == Kind::Object => {
                cursor.object(|cursor, key| self.member(surface, text, cursor, &key.decode()))?;
                Ok(())
            }
            _ => {
                if FIELDS.iter().any(|field| is_same(field, key)) {
                    self.executes |= says_something(text, cursor)?;
                }
                Ok(())
            }
        }
    }

    /// Reads the list of tools that comes next.
    pub(super) fn list(
        &mut self,
        surface: Surface,
        cursor: &mut Cursor<'_>,
    ) -> Result<(), Invalid> {
        cursor.array(|cursor| {
            self.tools = true;
            self.executes |= match cursor.kind()? {
                Kind::Object => !Tool::read(surface, cursor)?.is_the_callers(surface),
                Kind::Array | Kind::String | Kind::Number | Kind::Bool | Kind::Null => true,
            };
            Ok::<(), Invalid>(())
        })?;
        Ok(())
    }
}

/// Who runs the tools of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    Caller,
    /// The caller, where the tool says that it does.
    Told,
    /// Whoever runs those that it is made of.
    Members,
    Provider,
}

impl Runs {
    fn of(surface: Surface, kind: &str) -> Self {
        match surface {
            Surface::Chat => match kind {
                "function" | "custom" => Self::Caller,
                _ => Self::Provider,
            },
            Surface::Responses => match kind {
                "function"
                | "custom"
                | "computer"
                | "computer_use_preview"
                | "local_shell"
                | "apply_patch" => Self::Caller,
                "shell" | "tool_search" => Self::Told,
                "namespace" => Self::Members,
                _ => Self::Provider,
            },
            Surface::Messages | Surface::CountTokens => {
                let dated = |name: &&str| kind.strip_prefix(*name).is_some_and(is_date);
                if kind == "custom" || OF_CLAUDE.iter().any(dated) {
                    Self::Caller
                } else {
                    Self::Provider
                }
            }
            Surface::Completions | Surface::Embeddings | Surface::Models | Surface::Passthrough => {
                Self::Provider
            }
        }
    }
}

/// What a tool says of who runs it.
#[derive(Debug, Default)]
struct Tool {
    /// By its type, if it names one; of two, the one that is less the caller's.
    runs: Option<Runs>,
    /// Whether it says that the caller runs it, where either could.
    told: bool,
    /// Those that it is made of.
    members: Option<Hosted>,
    name: bool,
    function: bool,
}

impl Tool {
    fn read(surface: Surface, cursor: &mut Cursor<'_>) -> Result<Self, Invalid> {
        let mut tool = Self::default();
        cursor.object(|cursor, key| {
            let kind = cursor.kind()?;
            match (&*key.decode(), kind) {
                ("type", Kind::Null) => {}
                ("type", Kind::String) => {
                    let runs = Runs::of(surface, &cursor.string()?.decode());
                    tool.runs = tool.runs.max(Some(runs));
                }
                ("type", _) => tool.runs = Some(Runs::Provider),
                ("name", Kind::String) => tool.name = true,
                ("function", Kind::Object) => tool.function = true,
                ("execution", Kind::String) => tool.told = cursor.string()?.says("client"),
                ("environment", Kind::Object) => {
                    let is_local = |text: Text<'_>| text.says("local");
                    cursor.object(|cursor, key| {
                        if key.says("type") {
                            tool.told = cursor.string_or_skip()?.is_some_and(is_local);
                        }
                        Ok::<(), Invalid>(())
                    })?;
                }
                ("tools", Kind::Array) => {
                    let members = tool.members.get_or_insert_default();
                    members.list(surface, cursor)?;
                }
                _ => {}
            }
            Ok::<(), Invalid>(())
        })?;
        Ok(tool)
    }

    fn is_the_callers(&self, surface: Surface) -> bool {
        match self.runs {
            Some(Runs::Caller) => true,
            Some(Runs::Told) => self.told,
            Some(Runs::Members) => self.members.is_some_and(|members| !members.executes),
            Some(Runs::Provider) => false,
            // Claude's tools need no type, and some servers of chat completions do not insist on one.
            None => match surface {
                Surface::Messages | Surface::CountTokens => self.name,
                Surface::Chat => self.function,
                Surface::Completions
                | Surface::Embeddings
                | Surface::Responses
                | Surface::Models
                | Surface::Passthrough => false,
            },
        }
    }
}

/// `_20250124`.
fn is_date(rest: &str) -> bool {
    rest.strip_prefix('_')
        .is_some_and(|date| !date.is_empty() && date.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether both are one name, with humps or underscores.
fn is_same(field: &str, key: &str) -> bool {
    letters(field).eq(letters(key))
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    let letters = name.bytes().filter(|byte| *byte != b'_');
    letters.map(|byte| byte.to_ascii_lowercase())
}

/// Passes over the value that comes next, and tells whether it says anything: null does not, nor does
/// false or an empty list.
fn says_something(text: &str, cursor: &mut Cursor<'_>) -> Result<bool, Invalid> {
    let said = &text[cursor.skip()?];
    let inner = said
        .strip_prefix('[')
        .and_then(|said| said.strip_suffix(']'));
    let empty = inner.is_some_and(|inner| inner.trim().is_empty());
    Ok(!empty && said != "null" && said != "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(surface: Surface, members: &str) -> Hosted {
        let text = format!("{{{members}}}");
        let mut hosted = Hosted::default();
        let walked = Cursor::new(&text)
            .object(|cursor, key| hosted.member(surface, &text, cursor, &key.decode()));
        assert_eq!(walked.unwrap(), 0..text.len(), "{members}");
        hosted
    }

    const THREE: [Surface; 3] = [Surface::Chat, Surface::Responses, Surface::Messages];

    #[test]
    fn what_the_caller_runs_is_a_list_and_the_rest_is_the_providers() {
        use Surface::{Chat, Messages, Responses};
        for (tool, callers) in [
            (
                r#"{"type":"function","function":{"name":"web_search"}}"#,
                &[Chat, Responses][..],
            ),
            (r#"{"type":"custom","name":"f"}"#, &THREE),
            (r#"{"function":{"name":"f"}}"#, &[Chat]),
            (r#"{"name":"f","input_schema":{}}"#, &[Messages]),
            (r#"{"type":null,"name":"f"}"#, &[Messages]),
            (r#"{"type":"bash_20250124","name":"bash"}"#, &[Messages]),
            (r#"{"type":"computer_20251124","name":"c"}"#, &[Messages]),
            (r#"{"type":"text_editor_20250728","name":"e"}"#, &[Messages]),
            (r#"{"type":"memory_20250818","name":"m"}"#, &[Messages]),
            (r#"{"type":"computer"}"#, &[Responses]),
            (r#"{"type":"computer_use_preview"}"#, &[Responses]),
            (r#"{"type":"local_shell"}"#, &[Responses]),
            (r#"{"type":"apply_patch"}"#, &[Responses]),
            (
                r#"{"environment":{"type":"local"},"type":"shell"}"#,
                &[Responses],
            ),
            (r#"{"type":"shell"}"#, &[]),
            (
                r#"{"type":"shell","environment":{"type":"container_auto"}}"#,
                &[],
            ),
            (
                r#"{"type":"tool_search","execution":"client"}"#,
                &[Responses],
            ),
            (r#"{"type":"tool_search"}"#, &[]),
            (
                r#"{"tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}],"type":"namespace"}"#,
                &[Responses],
            ),
            (
                r#"{"type":"namespace","tools":[{"type":"function","name":"f"},{"type":"mcp"}]}"#,
                &[],
            ),
            (r#"{"type":"namespace"}"#, &[]),
            (r#"{"type":"browser_search"}"#, &[]),
            (r#"{"type":"collections_search"}"#, &[]),
            (r#"{"type":"live_search"}"#, &[]),
            (r#"{"type":"openrouter:web_search"}"#, &[]),
            (
                r#"{"type":"builtin_function","function":{"name":"$web_search"}}"#,
                &[],
            ),
            (r#"{"type":"web_search_20260318","name":"web_search"}"#, &[]),
            (
                r#"{"type":"code_execution_20250825","name":"code_execution"}"#,
                &[],
            ),
            (r#"{"type":"bash_code_execution","name":"bash"}"#, &[]),
            (r#"{"type":"mcp_toolset","mcp_server_name":"s"}"#, &[]),
            (r#"{"type":"mcp","server_label":"s"}"#, &[]),
            (r#"{"type":"new_in_2031","name":"f","function":{}}"#, &[]),
            (r#"{"type":7,"name":"f","function":{}}"#, &[]),
            (r#"{"type":"web_search","type":"function"}"#, &[]),
            (r#"{"typ\u0065":"web\u005fsearch","name":"f"}"#, &[]),
            (r#"{"googleSearch":{}}"#, &[]),
            (r#"{"code_execution":{}}"#, &[]),
            ("{}", &[]),
            (r#""web_search""#, &[]),
        ] {
            for surface in THREE {
                for list in [
                    format!("[{tool}]"),
                    format!(r#"[{{"type":"custom","name":"x"}},{tool}]"#),
                ] {
                    let hosted = read(surface, &format!(r#""tools":{list}"#));
                    assert!(hosted.tools);
                    let callers = callers.contains(&surface);
                    assert_eq!(hosted.executes, !callers, "{surface:?} {list}");
                }
            }
        }
    }

    #[test]
    fn fields_that_say_something_are_the_providers() {
        for (member, expected) in [
            (r#""tools":[]"#, false),
            (r#""tools":null"#, false),
            (r#""functions":[{"name":"f"}],"tool_choice":"auto""#, false),
            (
                r#""temperature":1,"metadata":{"plugins":"x"},"store":true"#,
                false,
            ),
            (
                r#""background":false,"plugins":[ ],"container":null"#,
                false,
            ),
            (r#""background":true"#, true),
            (r#""previous_response_id":"resp_1""#, true),
            (r#""conversation":{"id":"conv_1"}"#, true),
            (r#""prompt":{"id":"pmpt_1"}"#, true),
            (r#""prompt":"Once""#, false),
            (r#""web_search_options":{}"#, true),
            (r#""search_parameters":{"mode":"auto"}"#, true),
            (r#""plugins":[{"id":"web"}]"#, true),
            (r#""mcp_servers":[{"type":"url"}]"#, true),
            (r#""container":{"id":"c","skills":[]}"#, true),
            (r#""code_execution":{}"#, true),
            (r#""googleSearch":{}"#, true),
            (r#""url_context":{}"#, true),
            (r#""enable_search":true"#, true),
            (r#""dataSources":[{}]"#, true),
            (r#""deferred":true"#, true),
            (
                r#""extra_body":{"google":{"thinking_config":{"thinking_level":"low"}}}"#,
                false,
            ),
            (
                r#""extra_body":{"google":{"tools":[{"google_search":{}}]}}"#,
                true,
            ),
            (r#""extra_body":{"plugins":[{"id":"web"}]}"#, true),
        ] {
            for surface in THREE {
                let hosted = read(surface, member);
                assert_eq!(hosted.executes, expected, "{surface:?} {member}");
            }
        }
    }
}
