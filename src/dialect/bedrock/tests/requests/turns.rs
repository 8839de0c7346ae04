//! Who says what: turns, calls and their results, files, errors.

use super::{
    CLAUDE, LLAMA, MISTRAL, NO_ARGUMENTS, NOVA, assistant, call, called, check, hi, member,
    refusal, result, says, text, tool, user,
};
use crate::chat::{Conversation, Media, Part, Tool, ToolChoice};

#[test]
fn a_conversation_is_written_as_converse_has_it() {
    check(
        LLAMA,
        &hi(),
        r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#,
    );
    let whole = Conversation {
        system: vec![
            text("x-anthropic-billing-header: cc_version=1; cch=abcde;"),
            text("x-anthropic-billing-header: cch=abcde;\n\nBe kind."),
            text("Be short."),
        ],
        turns: vec![
            user(vec![text("Look"), text(" ")]),
            assistant(vec![
                call("call_1", "{\"at\": 9007199254740993}"),
                text("I look."),
                call("call:2", "{\"at\":"),
            ]),
            user(vec![text("Well?"), result("call:2", vec![])]),
            user(vec![result("call_1", vec![text("a cat")])]),
        ],
        tools: vec![
            Tool {
                description: Some("Looks".into()),
                strict: Some(true),
                ..tool(
                    "look",
                    r#"{"type":"object", "properties":{"at":{"type":"number"}}}"#,
                )
            },
            Tool {
                description: Some(String::new()),
                schema: None,
                ..tool("wait", "{}")
            },
        ],
        tool_choice: Some(ToolChoice::Required),
        max_tokens: Some(100),
        temperature: Some(1.5),
        stop: vec!["END".into(), String::new()],
        service_tier: Some("flex".into()),
        ..Conversation::default()
    };
    check(
        CLAUDE,
        &whole,
        r#"{"messages":[
            {"role":"user","content":[{"text":"Look"}]},
            {"role":"assistant","content":[
                {"text":"I look."},
                {"toolUse":{"toolUseId":"call_1","name":"look","input":{"at": 9007199254740993}}},
                {"toolUse":{"toolUseId":"call_2_33331b626c","name":"look","input":{}}}]},
            {"role":"user","content":[
                {"toolResult":{"toolUseId":"call_1","content":[{"text":"a cat"}]}},
                {"toolResult":{"toolUseId":"call_2_33331b626c","content":[{"text":"(no output)"}]}},
                {"text":"Well?"}]}],
        "system":[{"text":"Be kind."},{"text":"Be short."}],
        "inferenceConfig":{"maxTokens":100,"temperature":1.0,"stopSequences":["END"]},
        "toolConfig":{"tools":[
            {"toolSpec":{"name":"look","description":"Looks","inputSchema":{"json":{"type":"object","properties":{"at":{"type":"number"}},"additionalProperties":false}},"strict":true}},
            {"toolSpec":{"name":"wait","inputSchema":{"json":{"type":"object","properties":{}}}}}],
        "toolChoice":{"any":{}}},
        "additionalModelResponseFieldPaths":["/delta/stop_sequence"],
        "serviceTier":{"type":"flex"}}"#,
    );
}

#[test]
fn mistral_has_ids_of_its_own_and_no_words_beside_results() {
    let mut turns = called();
    turns.push(user(vec![text("And?")]));
    let conversation = Conversation {
        tools: vec![tool("look", NO_ARGUMENTS)],
        ..says(turns)
    };
    check(
        MISTRAL,
        &conversation,
        r#"{"messages":[
            {"role":"user","content":[{"text":"Look"}]},
            {"role":"assistant","content":[{"toolUse":{"toolUseId":"sPnjkEYJU","name":"look","input":{"at": 1.50}}}]},
            {"role":"user","content":[{"toolResult":{"toolUseId":"sPnjkEYJU","content":[{"text":"a cat"}]}}]},
            {"role":"assistant","content":[{"text":"Understood."}]},
            {"role":"user","content":[{"text":"And?"}]}],
        "toolConfig":{"tools":[{"toolSpec":{"name":"look","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}"#,
    );
}

#[test]
fn calls_of_old_are_told_where_there_are_no_tools() {
    let mut turns = called();
    turns[2].parts.push(text("And now?"));
    turns.insert(1, assistant(vec![text("I look.")]));
    let expected = r#"{"messages":[
        {"role":"user","content":[{"text":"Look"}]},
        {"role":"assistant","content":[{"text":"I look."},{"text":"[look called with {\"at\": 1.50}]"}]},
        {"role":"user","content":[{"text":"[look returned:]"},{"text":"a cat"},{"text":"And now?"}]}]}"#;
    check(LLAMA, &says(turns.clone()), expected);
    check(MISTRAL, &says(turns), expected);
}

#[test]
fn bytes_have_the_format_they_are_in_and_links_are_refused() {
    let media = |kind: &str, data: &str| Media::Inline {
        kind: kind.into(),
        data: data.into(),
    };
    let image = |kind: &str, data: &str| Part::Image(media(kind, data));
    let file = |name: &str, kind: &str, data: &str| Part::File {
        name: Some(name.into()),
        media: media(kind, data),
    };
    let conversation = says(vec![
        user(vec![
            image("image/jpeg", "iVBORw0KGgoAAAAN"),
            image("image/webp", "UklGRgAAAABXRUJQ"),
            image("image/gif", "AAAA"),
        ]),
        assistant(vec![text("Nice.")]),
        user(vec![
            file(
                "Q3 report.pdf",
                "application/octet-stream",
                "JVBERi0xLjcKJeLj",
            ),
            file("Q3 report.txt", "text/plain", "SGk="),
        ]),
        assistant(vec![call("1", "{}")]),
        user(vec![result(
            "1",
            vec![image("image/png", "iVBORw0KGgoAAAAN")],
        )]),
    ]);
    let with_tools = Conversation {
        tools: vec![tool("look", NO_ARGUMENTS)],
        ..conversation
    };
    check(
        NOVA,
        &with_tools,
        r#"{"messages":[
            {"role":"user","content":[
                {"image":{"format":"png","source":{"bytes":"iVBORw0KGgoAAAAN"}}},
                {"image":{"format":"webp","source":{"bytes":"UklGRgAAAABXRUJQ"}}},
                {"image":{"format":"gif","source":{"bytes":"AAAA"}}}]},
            {"role":"assistant","content":[{"text":"Nice."}]},
            {"role":"user","content":[
                {"document":{"format":"pdf","name":"Q3 report","source":{"bytes":"JVBERi0xLjcKJeLj"}}},
                {"document":{"format":"txt","name":"Q3 report [2]","source":{"bytes":"SGk="}}},
                {"text":"(see the document)"}]},
            {"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"look","input":{}}}]},
            {"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[
                {"image":{"format":"png","source":{"bytes":"iVBORw0KGgoAAAAN"}}}]}}]}],
        "toolConfig":{"tools":[{"toolSpec":{"name":"look","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}"#,
    );
    for part in [
        Part::Image(Media::Url("https://example.com/a.png".into())),
        Part::Image(Media::Id("file-1".into())),
        image("image/tiff", "AAAA"),
        image("image/png", ""),
        file("a.zip", "application/zip", "AAAA"),
        Part::File {
            name: None,
            media: Media::Url("https://example.com/a.pdf".into()),
        },
    ] {
        assert_eq!(refusal(NOVA, &says(vec![user(vec![part])])), "messages");
    }
    let of_assistant = says(vec![
        assistant(vec![image("image/png", "AAAA")]),
        user(vec![text("a")]),
    ]);
    assert_eq!(refusal(NOVA, &of_assistant), "messages");
}

#[test]
fn an_error_is_a_status_where_that_is_known_and_a_word_elsewhere() {
    let mut turns = called();
    if let Part::Result(result) = &mut turns[2].parts[0] {
        result.is_error = true;
    }
    let conversation = Conversation {
        tools: vec![tool("look", NO_ARGUMENTS)],
        ..says(turns)
    };
    for (model, expected) in [
        (
            CLAUDE,
            r#"{"toolUseId":"call_1","content":[{"text":"a cat"}],"status":"error"}"#,
        ),
        (
            NOVA,
            r#"{"toolUseId":"call_1","content":[{"text":"a cat"}],"status":"error"}"#,
        ),
        (
            LLAMA,
            r#"{"toolUseId":"call_1","content":[{"text":"Error:"},{"text":"a cat"}]}"#,
        ),
    ] {
        let found = member(model, &conversation, "/messages/2/content/0/toolResult");
        assert_eq!(found, expected, "{model}");
    }
}
