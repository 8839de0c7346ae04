//! From conversations to bodies.

use serde_json::value::RawValue;

use crate::chat::{
    Call, CallResult, Conversation, Effort, Format, Media, Part, Role, Thinking, Thought, Tool,
    ToolChoice, Turn, thought,
};
use crate::dialect::bedrock::{encode, encode_count};
use crate::dialect::{Encoded, Receiver};
use crate::facts::Families;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const MISTRAL: &str = "mistral.mistral-large-2402-v1:0";
const LLAMA: &str = "us.meta.llama3-3-70b-instruct-v1:0";
const GPT_OSS: &str = "openai.gpt-oss-120b-1:0";

fn encoded(model: &str, conversation: &Conversation) -> Encoded {
    let facts = Families::default().of(model);
    let to = Receiver {
        id: "bedrock/m",
        model,
        facts: &facts,
    };
    encode(conversation, to).unwrap_or_else(|refused| panic!("{refused:?}"))
}

fn refusal(model: &str, conversation: &Conversation) -> String {
    let facts = Families::default().of(model);
    let to = Receiver {
        id: "bedrock/m",
        model,
        facts: &facts,
    };
    encode(conversation, to).unwrap_err().param.into_owned()
}

/// The body must be `expected` to the byte, less the breaks and margins that it is written with here.
#[track_caller]
fn check(model: &str, conversation: &Conversation, expected: &str) {
    let body = encoded(model, conversation).body;
    let body = std::str::from_utf8(&body).unwrap();
    let expected: String = expected.lines().map(str::trim_start).collect();
    assert_eq!(body, expected, "{model}");
}

/// One member of the body, as JSON.
fn member(model: &str, conversation: &Conversation, path: &str) -> String {
    let body: serde_json::Value =
        serde_json::from_slice(&encoded(model, conversation).body).unwrap();
    body.pointer(path)
        .map_or_else(String::new, ToString::to_string)
}

fn dropped(model: &str, conversation: &Conversation) -> String {
    encoded(model, conversation).dropped.join(" ")
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn user(parts: Vec<Part>) -> Turn {
    Turn {
        role: Role::User,
        parts,
    }
}

fn assistant(parts: Vec<Part>) -> Turn {
    Turn {
        role: Role::Assistant,
        parts,
    }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        whole: true,
        signature: None,
    })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts,
        is_error: false,
    })
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.into()).unwrap()
}

fn tool(name: &str, schema: &str) -> Tool {
    Tool {
        name: name.into(),
        description: None,
        schema: Some(raw(schema)),
        strict: None,
        cache: None,
    }
}

fn says(turns: Vec<Turn>) -> Conversation {
    Conversation {
        turns,
        ..Conversation::default()
    }
}

fn hi() -> Conversation {
    says(vec![user(vec![text("Hi")])])
}

const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// A user, a call and its result.
fn called() -> Vec<Turn> {
    vec![
        user(vec![text("Look")]),
        assistant(vec![call("call_1", "{\"at\": 1.50}")]),
        user(vec![result("call_1", vec![text("a cat")])]),
    ]
}

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
fn a_tool_choice_is_what_the_model_knows_of_it() {
    use ToolChoice::{Allowed, Auto, Named, None as No, Required};
    let named = || Named("look".into());
    let allowed = |required| Allowed {
        names: vec!["look".into()],
        required,
    };
    let opus = "anthropic.claude-opus-5-5";
    for (model, choice, history, expected, tools, lost) in [
        (CLAUDE, Auto, false, "", 2, ""),
        (CLAUDE, Required, false, r#"{"any":{}}"#, 2, ""),
        (CLAUDE, named(), false, r#"{"tool":{"name":"look"}}"#, 2, ""),
        (CLAUDE, allowed(true), false, r#"{"any":{}}"#, 1, ""),
        (CLAUDE, allowed(false), false, "", 1, ""),
        (CLAUDE, No, false, "", 0, ""),
        (CLAUDE, No, true, "", 0, ""),
        (NOVA, named(), false, r#"{"tool":{"name":"look"}}"#, 2, ""),
        (MISTRAL, named(), false, r#"{"any":{}}"#, 1, ""),
        (LLAMA, named(), false, r#"{"auto":{}}"#, 1, "tool_choice"),
        (LLAMA, Required, false, r#"{"auto":{}}"#, 2, "tool_choice"),
        (opus, Required, false, r#"{"auto":{}}"#, 2, "tool_choice"),
        (opus, named(), false, r#"{"auto":{}}"#, 1, "tool_choice"),
    ] {
        let conversation = Conversation {
            tools: vec![tool("look", NO_ARGUMENTS), tool("wait", NO_ARGUMENTS)],
            tool_choice: Some(choice.clone()),
            ..says(if history {
                called()
            } else {
                vec![user(vec![text("Look")])]
            })
        };
        let found = member(model, &conversation, "/toolConfig/toolChoice");
        assert_eq!(found, expected, "{model} {choice:?}");
        let body: serde_json::Value =
            serde_json::from_slice(&encoded(model, &conversation).body).unwrap();
        let sent = body["toolConfig"]["tools"].as_array().map_or(0, Vec::len);
        assert_eq!(sent, tools, "{model} {choice:?}");
        assert_eq!(dropped(model, &conversation), lost, "{model} {choice:?}");
    }
    let unknown = Conversation {
        tools: vec![tool("look", NO_ARGUMENTS)],
        tool_choice: Some(Named("cook".into())),
        ..hi()
    };
    assert_eq!(refusal(CLAUDE, &unknown), "tool_choice");
    assert_eq!(refusal(MISTRAL, &unknown), "tool_choice");
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
fn a_schema_is_sent_as_it_came_and_is_one_of_an_object() {
    for (schema, expected) in [
        ("{}", NO_ARGUMENTS),
        (" { } ", NO_ARGUMENTS),
        (
            r#"{"properties":{"b":{},"a":{}}}"#,
            r#"{"type":"object","properties":{"b":{},"a":{}}}"#,
        ),
        (
            r#"{"b": 1.0, "type": "object"}"#,
            r#"{"b": 1.0, "type": "object"}"#,
        ),
    ] {
        let conversation = Conversation {
            tools: vec![tool("f", schema)],
            ..hi()
        };
        let body = encoded(LLAMA, &conversation).body;
        let body = std::str::from_utf8(&body).unwrap();
        let expected = format!("\"inputSchema\":{{\"json\":{expected}}}");
        assert!(body.contains(&expected), "{body}");
    }
    let conversation = Conversation {
        tools: vec![tool("f", "[]")],
        ..hi()
    };
    assert_eq!(refusal(LLAMA, &conversation), "tools");
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

#[test]
fn thinking_is_asked_for_in_each_familys_words() {
    let adaptive = "anthropic.claude-opus-5-v1:0";
    let sonnet_5_5 = "anthropic.claude-sonnet-5-5";
    let opus_5_5 = "anthropic.claude-opus-5-5";
    let opus_4_7 = "anthropic.claude-opus-4-7";
    let effort = |effort| Conversation {
        effort: Some(effort),
        ..hi()
    };
    let thinking = |thinking| Conversation {
        thinking: Some(thinking),
        ..hi()
    };
    let within = |conversation, limit| Conversation {
        max_tokens: Some(limit),
        ..conversation
    };
    let budget =
        |tokens| format!(r#"{{"thinking":{{"type":"enabled","budget_tokens":{tokens}}}}}"#);
    let nova = |effort| {
        format!(r#"{{"reasoningConfig":{{"type":"enabled","maxReasoningEffort":"{effort}"}}}}"#)
    };
    for (model, conversation, expected, lost) in [
        (CLAUDE, hi(), String::new(), ""),
        (CLAUDE, effort(Effort::None), String::new(), ""),
        (CLAUDE, effort(Effort::Minimal), budget(1024), ""),
        (CLAUDE, effort(Effort::Medium), budget(10_000), ""),
        (CLAUDE, effort(Effort::Max), budget(32_768), ""),
        (CLAUDE, within(effort(Effort::High), 5000), budget(4999), ""),
        (CLAUDE, within(effort(Effort::High), 1024), String::new(), "reasoning_effort"),
        (CLAUDE, thinking(Thinking::Budget(4000)), budget(4000), ""),
        (CLAUDE, thinking(Thinking::Budget(10)), budget(1024), "thinking"),
        (CLAUDE, thinking(Thinking::Adaptive), budget(16_384), ""),
        (CLAUDE, within(thinking(Thinking::Budget(4000)), 100), String::new(), "thinking"),
        (CLAUDE, thinking(Thinking::Disabled), String::new(), ""),
        (adaptive, hi(), String::new(), ""),
        (
            adaptive,
            Conversation {
                show_reasoning: true,
                ..hi()
            },
            r#"{"thinking":{"type":"adaptive","display":"summarized"}}"#.into(),
            "",
        ),
        (adaptive, effort(Effort::None), r#"{"thinking":{"type":"disabled"}}"#.into(), ""),
        (
            adaptive,
            effort(Effort::Minimal),
            r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}"#.into(),
            "",
        ),
        (
            opus_4_7,
            Conversation {
                show_reasoning: true,
                ..effort(Effort::Xhigh)
            },
            r#"{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"xhigh"}}"#.into(),
            "",
        ),
        (
            adaptive,
            thinking(Thinking::Budget(20_000)),
            r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#.into(),
            "",
        ),
        (
            adaptive,
            Conversation {
                effort: Some(Effort::Low),
                ..thinking(Thinking::Disabled)
            },
            r#"{"thinking":{"type":"disabled"},"output_config":{"effort":"low"}}"#.into(),
            "",
        ),
        (sonnet_5_5, effort(Effort::None), r#"{"thinking":{"type":"between_tools"}}"#.into(), ""),
        (sonnet_5_5, thinking(Thinking::BetweenTools), r#"{"thinking":{"type":"between_tools"}}"#.into(), ""),
        (opus_5_5, effort(Effort::None), r#"{"output_config":{"effort":"low"}}"#.into(), ""),
        (NOVA, effort(Effort::None), String::new(), ""),
        (NOVA, effort(Effort::Minimal), nova("low"), ""),
        (NOVA, effort(Effort::Max), nova("high"), ""),
        (NOVA, within(effort(Effort::High), 500), nova("medium"), "reasoning_effort"),
        (GPT_OSS, effort(Effort::High), r#"{"reasoning_effort":"high"}"#.into(), ""),
        (GPT_OSS, effort(Effort::None), r#"{"reasoning_effort":"low"}"#.into(), ""),
        (LLAMA, effort(Effort::High), String::new(), "reasoning_effort"),
        (LLAMA, effort(Effort::None), String::new(), ""),
        (MISTRAL, thinking(Thinking::Adaptive), String::new(), "thinking"),
    ] {
        let found = member(model, &conversation, "/additionalModelRequestFields");
        assert_eq!(found, expected, "{model} {:?} {:?}", conversation.effort, conversation.thinking);
        assert_eq!(dropped(model, &conversation), lost, "{model}");
    }
}

#[test]
fn what_cannot_stand_beside_thinking_is_left_out() {
    let asked = Conversation {
        temperature: Some(0.5),
        top_p: Some(0.9),
        top_k: Some(40),
        ..hi()
    };
    let thinking = Conversation {
        effort: Some(Effort::Low),
        ..asked.clone()
    };
    let high = Conversation {
        effort: Some(Effort::High),
        ..asked.clone()
    };
    let opus_5 = "anthropic.claude-opus-5";
    for (model, conversation, inference, extras, lost) in [
        (
            CLAUDE,
            &asked,
            r#"{"maxTokens":64000,"temperature":0.5}"#,
            r#"{"top_k":40}"#,
            "top_p",
        ),
        (
            CLAUDE,
            &thinking,
            r#"{"maxTokens":64000}"#,
            r#"{"thinking":{"type":"enabled","budget_tokens":2048}}"#,
            "top_p temperature top_k",
        ),
        (
            opus_5,
            &asked,
            r#"{"maxTokens":128000}"#,
            "",
            "temperature top_p top_k",
        ),
        (
            NOVA,
            &asked,
            r#"{"temperature":0.5,"topP":0.9}"#,
            r#"{"inferenceConfig":{"topK":40}}"#,
            "",
        ),
        (
            NOVA,
            &high,
            "",
            r#"{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}"#,
            "temperature top_p top_k",
        ),
        (
            LLAMA,
            &asked,
            r#"{"temperature":0.5,"topP":0.9}"#,
            "",
            "top_k",
        ),
    ] {
        assert_eq!(
            member(model, conversation, "/inferenceConfig"),
            inference,
            "{model}"
        );
        assert_eq!(
            member(model, conversation, "/additionalModelRequestFields"),
            extras,
            "{model}"
        );
        assert_eq!(dropped(model, conversation), lost, "{model}");
    }
    // A forced tool is worth more than thinking.
    let forced = Conversation {
        tools: vec![tool("look", NO_ARGUMENTS)],
        tool_choice: Some(ToolChoice::Required),
        ..hi()
    };
    let sonnet_5 = "anthropic.claude-sonnet-5";
    assert_eq!(
        member(sonnet_5, &forced, "/additionalModelRequestFields"),
        r#"{"thinking":{"type":"disabled"}}"#
    );
    assert_eq!(
        member(sonnet_5, &forced, "/toolConfig/toolChoice"),
        r#"{"any":{}}"#
    );
    let both = Conversation {
        effort: Some(Effort::High),
        ..forced
    };
    for model in [
        sonnet_5,
        CLAUDE,
        "anthropic.claude-sonnet-4-6",
        "eu.anthropic.claude-opus-4-6-v1",
        "anthropic.claude-opus-4-7",
        "anthropic.claude-opus-4-8",
        "anthropic.claude-opus-5-v1:0",
    ] {
        let thinking = member(model, &both, "/additionalModelRequestFields/thinking");
        assert!(
            ["", r#"{"type":"disabled"}"#].contains(&&*thinking),
            "{model}: {thinking}"
        );
        assert_eq!(
            member(model, &both, "/toolConfig/toolChoice"),
            r#"{"any":{}}"#
        );
        assert_eq!(dropped(model, &both), "reasoning_effort");
    }
    let usual = Conversation {
        temperature: Some(1.0),
        ..hi()
    };
    assert_eq!(dropped("anthropic.claude-opus-5", &usual), "");
    let longer = Conversation {
        max_tokens: Some(1_000_000),
        ..hi()
    };
    assert_eq!(
        member(CLAUDE, &longer, "/inferenceConfig/maxTokens"),
        "64000"
    );
    assert_eq!(dropped(CLAUDE, &longer), "max_tokens");
    assert_eq!(
        member(LLAMA, &longer, "/inferenceConfig/maxTokens"),
        "1000000"
    );
    assert_eq!(dropped(LLAMA, &longer), "");
}

#[test]
fn thoughts_go_back_to_their_own_target_alone() {
    let thought = |text: &str, signature: Option<String>| {
        Part::Thought(Thought {
            text: text.into(),
            signature,
            redacted: None,
        })
    };
    let own = |sig| Some(thought::seal("bedrock/m", sig));
    let conversation = |first: Part| Conversation {
        effort: Some(Effort::Low),
        tools: vec![tool("look", NO_ARGUMENTS)],
        ..says(vec![
            user(vec![text("Look")]),
            assistant(vec![first, call("1", "{}")]),
            user(vec![result("1", vec![text("a cat")])]),
        ])
    };
    let redacted = Part::Thought(Thought {
        redacted: own("b3BhcXVl"),
        ..Thought::default()
    });
    for (part, expected, thinks) in [
        (
            thought("Hm", own("c2ln")),
            r#"{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"c2ln"}}}"#,
            true,
        ),
        (
            thought("", own("c2ln")),
            r#"{"reasoningContent":{"reasoningText":{"text":"","signature":"c2ln"}}}"#,
            true,
        ),
        (
            redacted,
            r#"{"reasoningContent":{"redactedContent":"b3BhcXVl"}}"#,
            true,
        ),
        (
            thought("Hm", Some(thought::seal("other/m", "c2ln"))),
            "",
            false,
        ),
        (thought("Hm", Some("c2ln".into())), "", false),
        (thought("Hm", None), "", false),
    ] {
        let conversation = conversation(part);
        let first = member(CLAUDE, &conversation, "/messages/1/content/0");
        if expected.is_empty() {
            assert!(first.starts_with(r#"{"toolUse""#), "{first}");
        } else {
            assert_eq!(first, expected);
        }
        // In the middle of calls that it did not think about, the model cannot be asked to think.
        let asked = member(
            CLAUDE,
            &conversation,
            "/additionalModelRequestFields/thinking",
        );
        assert_eq!(!asked.is_empty(), thinks, "{expected}");
        let lost = if thinks { "" } else { "reasoning_effort" };
        assert_eq!(dropped(CLAUDE, &conversation), lost);
    }
}

#[test]
fn thoughts_are_left_out_where_the_model_is_not_to_think() {
    let opus = "anthropic.claude-opus-4-8";
    let opus_5 = "anthropic.claude-opus-5-v1:0";
    let required = || Some(ToolChoice::Required);
    for (model, effort, choice, shown) in [
        (CLAUDE, Some(Effort::High), None, true),
        (CLAUDE, None, None, false),
        (CLAUDE, Some(Effort::None), None, false),
        (CLAUDE, Some(Effort::High), required(), false),
        (opus, Some(Effort::High), None, true),
        (opus, None, None, false),
        (opus, Some(Effort::None), None, false),
        // These think unasked, and the last cannot be kept from it.
        (opus_5, None, None, true),
        (opus_5, Some(Effort::None), None, false),
        ("anthropic.claude-opus-5-5", Some(Effort::None), None, true),
    ] {
        let conversation = Conversation {
            effort,
            tools: vec![tool("look", NO_ARGUMENTS)],
            tool_choice: choice,
            ..says(vec![
                user(vec![text("Look")]),
                assistant(vec![
                    Part::Thought(Thought {
                        text: "Hm".into(),
                        signature: Some(thought::seal("bedrock/m", "c2ln")),
                        redacted: None,
                    }),
                    call("1", "{}"),
                ]),
                user(vec![result("1", vec![text("a cat")])]),
            ])
        };
        let first = member(model, &conversation, "/messages/1/content/0");
        let thought = first.starts_with(r#"{"reasoningContent""#);
        assert_eq!(thought, shown, "{model} {effort:?}: {first}");
        assert!(thought || first.starts_with(r#"{"toolUse""#), "{first}");
    }
}

#[test]
fn thoughts_are_left_out_where_the_tools_before_them_are_others() {
    let conversation = |choice| Conversation {
        tools: vec![tool("look", NO_ARGUMENTS), tool("wait", NO_ARGUMENTS)],
        tool_choice: choice,
        effort: Some(Effort::Low),
        ..says(vec![
            user(vec![text("Look")]),
            assistant(vec![
                Part::Thought(Thought {
                    text: "Hm".into(),
                    signature: Some(thought::seal("bedrock/m", "c2ln")),
                    redacted: None,
                }),
                text("I did."),
            ]),
            user(vec![text("And?")]),
        ])
    };
    let allowed = ToolChoice::Allowed {
        names: vec!["look".into()],
        required: false,
    };
    let opus = "anthropic.claude-opus-5-5";
    for (model, choice, shown) in [
        (opus, None, true),
        (opus, Some(allowed.clone()), false),
        (opus, Some(ToolChoice::None), false),
        (CLAUDE, Some(allowed), true),
    ] {
        let first = member(model, &conversation(choice), "/messages/1/content/0");
        assert_eq!(
            first.contains("reasoningContent"),
            shown,
            "{model}: {first}"
        );
    }
}

#[test]
fn the_form_of_the_answer_is_asked_for_by_schema_or_by_word() {
    let schema = r#"{"type":"object","properties":{"a":{"const":"\"b\""}}}"#;
    let conversation = Conversation {
        format: Format::JsonSchema {
            name: "city".into(),
            description: Some("A city".into()),
            schema: Some(raw(schema)),
            strict: Some(true),
        },
        ..hi()
    };
    check(
        "anthropic.claude-sonnet-4-6",
        &conversation,
        r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}],
        "inferenceConfig":{"maxTokens":128000},
        "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":\"\\\"b\\\"\"}},\"additionalProperties\":false}","name":"city","description":"A city"}}}}}"#,
    );
    let loose = Conversation {
        format: Format::JsonSchema {
            name: "city".into(),
            description: None,
            schema: Some(raw(schema)),
            strict: None,
        },
        ..hi()
    };
    for model in [NOVA, MISTRAL, LLAMA, "us.anthropic.claude-opus-5-v1:0"] {
        assert_eq!(
            refusal(model, &conversation),
            "response_format",
            "a word binds nobody"
        );
        assert_eq!(member(model, &loose, "/outputConfig"), "", "{model}");
        let word = member(model, &loose, "/system/0/text");
        assert_eq!(dropped(model, &loose), "");
        assert!(
            word.contains("single JSON value") && word.contains(r#"\"properties\""#),
            "{word}"
        );
    }
    let any = Conversation {
        format: Format::JsonObject,
        system: vec![text("Be kind.")],
        ..hi()
    };
    assert_eq!(member(CLAUDE, &any, "/outputConfig"), "");
    assert_eq!(member(CLAUDE, &any, "/system/0/text"), "\"Be kind.\"");
    assert!(member(CLAUDE, &any, "/system/1/text").contains("JSON object"));
}

#[test]
fn a_schema_that_binds_claude_has_no_word_that_it_refuses() {
    const SCHEMA: &str =
        r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"]}"#;
    const BINDS: &str = r#"{"type":"object","properties":{"a":{"type":"integer","description":"(minimum: 1)"}},"required":["a"],"additionalProperties":false}"#;
    let strict = |strict| Conversation {
        format: Format::JsonSchema {
            name: "n".into(),
            description: None,
            schema: Some(raw(SCHEMA)),
            strict: None,
        },
        tools: vec![Tool {
            strict,
            ..tool("look", SCHEMA)
        }],
        ..hi()
    };
    let of_answer = "/outputConfig/textFormat/structure/jsonSchema/schema";
    let of_tool = "/toolConfig/tools/0/toolSpec/inputSchema/json";
    let as_text = |schema: &str| serde_json::to_string(schema).unwrap();
    for model in [CLAUDE, "anthropic.claude-opus-4-6-v1"] {
        assert_eq!(
            member(model, &strict(Some(true)), of_answer),
            as_text(BINDS)
        );
        assert_eq!(member(model, &strict(Some(true)), of_tool), BINDS);
        // What nobody is bound to says all that it said.
        assert_eq!(member(model, &strict(Some(false)), of_tool), SCHEMA);
        assert_eq!(member(model, &strict(None), of_tool), SCHEMA);
    }
    assert_eq!(
        member(GPT_OSS, &strict(Some(true)), of_answer),
        as_text(SCHEMA)
    );
    assert_eq!(member(GPT_OSS, &strict(Some(true)), of_tool), SCHEMA);
}

#[test]
fn cache_points_stand_behind_what_is_to_be_kept_and_are_four_at_most() {
    let hour = || Part::CachePoint(Some("1h".into()));
    let point = || Part::CachePoint(None);
    let conversation = Conversation {
        system: vec![text("Be kind."), hour()],
        tools: vec![Tool {
            cache: Some(None),
            ..tool("look", NO_ARGUMENTS)
        }],
        ..says(vec![user(vec![text("a"), point()])])
    };
    check(
        "anthropic.claude-3-haiku-20240307-v1:0",
        &conversation,
        r#"{"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default"}}]}],
        "system":[{"text":"Be kind."},{"cachePoint":{"type":"default","ttl":"1h"}}],
        "inferenceConfig":{"maxTokens":4096},
        "toolConfig":{"tools":[
            {"toolSpec":{"name":"look","inputSchema":{"json":{"type":"object","properties":{}}}}},
            {"cachePoint":{"type":"default"}}]}}"#,
    );
    check(
        NOVA,
        &conversation,
        r#"{"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default"}}]}],
        "system":[{"text":"Be kind."},{"cachePoint":{"type":"default"}}],
        "toolConfig":{"tools":[
            {"toolSpec":{"name":"look","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}"#,
    );
    let lost = |model| encoded(model, &conversation).dropped.join(" ");
    assert_eq!(lost(CLAUDE), "");
    // Neither a point behind a tool nor an hour.
    assert_eq!(lost(NOVA), "cache_control");
    let hours = Conversation {
        tools: vec![],
        ..conversation.clone()
    };
    assert_eq!(dropped(NOVA, &hours), "cache_control");
    let tools = Conversation {
        system: vec![],
        ..conversation.clone()
    };
    assert_eq!(dropped(NOVA, &tools), "cache_control");
    let body = encoded(LLAMA, &conversation);
    assert!(!body.body.windows(10).any(|window| window == b"cachePoint"));
    assert_eq!(body.dropped.as_slice(), ["cache_control"]);
    let many = Conversation {
        turns: vec![user(vec![
            text("a"),
            point(),
            text("b"),
            point(),
            text("c"),
            point(),
        ])],
        ..conversation
    };
    assert_eq!(dropped(CLAUDE, &many), "cache_control");
    let body = encoded(CLAUDE, &many).body;
    let count = body
        .windows(12)
        .filter(|window| window == b"\"cachePoint\"")
        .count();
    assert_eq!(count, 4);
    // The first was left out.
    assert_eq!(member(CLAUDE, &many, "/toolConfig/tools/1"), "");
}

#[test]
fn what_has_no_word_here_is_dropped_or_refused() {
    let asks = |names: &[&'static str]| Conversation {
        asked: names.iter().map(|name| (*name).into()).collect(),
        ..hi()
    };
    assert_eq!(
        dropped(
            CLAUDE,
            &asks(&["seed", "temperature", "parallel_tool_calls"])
        ),
        "seed parallel_tool_calls"
    );
    assert_eq!(refusal(CLAUDE, &asks(&["logprobs"])), "logprobs");
    for (tier, expected, lost) in [
        ("auto", "", ""),
        ("default", "\"default\"", ""),
        ("standard_only", "\"default\"", ""),
        ("priority", "\"priority\"", ""),
        ("scale", "", "service_tier"),
    ] {
        let conversation = Conversation {
            service_tier: Some(tier.into()),
            ..hi()
        };
        assert_eq!(member(CLAUDE, &conversation, "/serviceTier/type"), expected);
        assert_eq!(dropped(CLAUDE, &conversation), lost);
    }
    let prefill = says(vec![user(vec![text("a")]), assistant(vec![text("b ")])]);
    assert_eq!(
        member(CLAUDE, &prefill, "/messages/1/content/0/text"),
        "\"b\""
    );
    assert_eq!(refusal("anthropic.claude-opus-5", &prefill), "messages");
}

#[test]
fn a_value_that_is_changed_is_named() {
    let sampled = |temperature, top_p| Conversation {
        temperature: Some(temperature),
        top_p: Some(top_p),
        ..hi()
    };
    let stopped = |stop: &[&str]| Conversation {
        stop: stop.iter().map(|stop| (*stop).to_owned()).collect(),
        ..hi()
    };
    let chosen = Conversation {
        tool_choice: Some(ToolChoice::Required),
        ..hi()
    };
    for (model, conversation, lost) in [
        (NOVA, sampled(1.0, 0.5), ""),
        (NOVA, sampled(1.5, 0.5), "temperature"),
        (NOVA, sampled(0.5, 1.5), "top_p"),
        (
            "anthropic.claude-opus-5",
            sampled(1.5, 1.0),
            "temperature top_p",
        ),
        (CLAUDE, stopped(&["END", " "]), "stop"),
        (NOVA, stopped(&["END", " "]), ""),
        (NOVA, stopped(&["END", ""]), "stop"),
        (NOVA, chosen, "tool_choice"),
    ] {
        assert_eq!(dropped(model, &conversation), lost, "{model}");
    }
}

#[test]
fn tokens_are_counted_of_the_same_request() {
    let conversation = Conversation {
        system: vec![text("Be kind.")],
        tools: vec![tool("look", NO_ARGUMENTS)],
        temperature: Some(0.5),
        max_tokens: Some(10),
        stop: vec!["END".into()],
        service_tier: Some("flex".into()),
        ..hi()
    };
    let facts = Families::default().of(CLAUDE);
    let to = Receiver {
        id: "bedrock/m",
        model: CLAUDE,
        facts: &facts,
    };
    let body = encode_count(&conversation, to).unwrap().body;
    assert_eq!(
        std::str::from_utf8(&body).unwrap(),
        r#"{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"system":[{"text":"Be kind."}],"toolConfig":{"tools":[{"toolSpec":{"name":"look","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}}}"#
    );
}
