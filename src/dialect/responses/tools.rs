//! Tools, and which of them is to be called.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::value;
use crate::chat::{Tool, ToolChoice, Unsupported};

#[derive(Deserialize)]
struct Declared<'a> {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    description: Option<String>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
}

pub(super) fn tools(raw: &str) -> Result<Vec<Tool>, Unsupported> {
    let declared: Vec<&RawValue> = value("tools", raw, "a list of tools")?;
    let numbered = declared.into_iter().enumerate();
    numbered
        .map(|(at, raw)| {
            let path = format!("tools[{at}]");
            tool(
                &path,
                value(&path, raw.get(), "a tool of the Responses API")?,
            )
        })
        .collect()
}

fn tool(path: &str, declared: Declared<'_>) -> Result<Tool, Unsupported> {
    match &*declared.kind {
        "function" => {}
        "custom" => {
            return Err(Unsupported::parameter(
                path.to_owned(),
                "A custom tool takes free text, which the provider that this route leads to does not write: declare a function.",
            ));
        }
        kind => {
            return Err(Unsupported::parameter(
                path.to_owned(),
                format!(
                    "A tool of type `{kind}` is run by the provider, and the one that this route leads to has none: only functions are passed on."
                ),
            ));
        }
    }
    let name = declared.name.filter(|name| !name.is_empty());
    Ok(Tool {
        name: name.ok_or_else(|| {
            Unsupported::invalid(format!("{path}.name"), format!("`{path}` has no `name`."))
        })?,
        description: declared.description,
        schema: declared.parameters.map(ToOwned::to_owned),
        strict: declared.strict,
        cache: None,
    })
}

#[derive(Deserialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    mode: Option<String>,
    tools: Option<Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
}

pub(super) fn tool_choice(raw: &str) -> Result<ToolChoice, Unsupported> {
    let invalid = || {
        Unsupported::invalid(
            "tool_choice",
            "`tool_choice` is `none`, `auto`, `required` or an object that names a function.",
        )
    };
    if raw.starts_with('"') {
        let mode: String = value("tool_choice", raw, "a string")?;
        return match &*mode {
            "none" => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" => Ok(ToolChoice::Required),
            _ => Err(invalid()),
        };
    }
    let choice: Choice = value("tool_choice", raw, "a string or an object with `type`")?;
    match &*choice.kind {
        "function" => choice.name.map(ToolChoice::Named).ok_or_else(invalid),
        "allowed_tools" => {
            let tools = choice.tools.unwrap_or_default();
            let names = tools
                .into_iter()
                .map(|tool| match (&*tool.kind, tool.name) {
                    ("function", Some(name)) => Ok(name),
                    ("function", None) => Err(invalid()),
                    (kind, _) => Err(not_a_function(kind)),
                });
            Ok(ToolChoice::Allowed {
                names: names.collect::<Result<_, _>>()?,
                required: choice.mode.as_deref() == Some("required"),
            })
        }
        kind => Err(not_a_function(kind)),
    }
}

fn not_a_function(kind: &str) -> Unsupported {
    Unsupported::parameter(
        "tool_choice",
        format!("`tool_choice` names a tool of type `{kind}`: only functions are passed on."),
    )
}
