//! The tools of a request, and how they are to be chosen.

use super::blocks::lifetime;
use super::fields::{Fields, Path, items};
use crate::chat::asked::note;
use crate::chat::{Conversation, Tool, ToolChoice, Unsupported};

pub(super) fn read(
    top: &Fields<'_, '_>,
    conversation: &mut Conversation,
) -> Result<(), Unsupported> {
    if let Some(raw) = top.raw("tools") {
        let path = Path::Key(&Path::Root, "tools");
        for (index, raw) in items(raw, &path)?.into_iter().enumerate() {
            let path = Path::Index(&path, index);
            let tool = tool(&Fields::read(raw, &path)?, conversation)?;
            conversation.tools.push(tool);
        }
    }
    if let Some(raw) = top.raw("tool_choice") {
        let path = Path::Key(&Path::Root, "tool_choice");
        choice(&Fields::read(raw, &path)?, conversation)?;
    }
    Ok(())
}

fn tool(tool: &Fields<'_, '_>, conversation: &mut Conversation) -> Result<Tool, Unsupported> {
    let kind = tool.text("type")?;
    if kind.as_deref().is_some_and(|kind| kind != "custom") {
        // Run by Anthropic, or trained into its models: no schema says what it does.
        return Err(tool.path.refused("a tool of Anthropic's own"));
    }
    for name in tool.names() {
        let known = matches!(
            name,
            "type" | "name" | "description" | "input_schema" | "strict" | "cache_control"
        );
        if !known {
            note(&mut conversation.asked, name.to_owned());
        }
    }
    let cache = lifetime(tool)?;
    if cache.is_some() {
        note(&mut conversation.asked, "cache_control");
    }
    Ok(Tool {
        name: tool.some_text("name")?,
        description: tool.text("description")?.filter(|text| !text.is_empty()),
        schema: tool.object("input_schema")?,
        strict: tool.boolean("strict")?,
        cache,
    })
}

fn choice(choice: &Fields<'_, '_>, conversation: &mut Conversation) -> Result<(), Unsupported> {
    let asked = match choice.some_text("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.some_text("name")?),
        _ => {
            return Err(Path::Key(choice.path, "type").must_be("`auto`, `any`, `tool` or `none`"));
        }
    };
    note(&mut conversation.asked, "tool_choice");
    conversation.tool_choice = Some(asked);
    if choice.boolean("disable_parallel_tool_use")? == Some(true) {
        note(&mut conversation.asked, "parallel_tool_calls");
        conversation.parallel_calls = Some(false);
    }
    Ok(())
}
