//! Conversations as chat requests, row by row.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::chat::{
    Call, CallResult, Conversation, Effort, Format, Media, Part, Role, Thinking, Thought, Tool,
    ToolChoice, Turn, Unsupported, thought,
};
use crate::dialect::openai::{Options, write};
use crate::dialect::{Dropped, Receiver};
use crate::facts::{CallIds, Facts, Families, Sampling};

fn facts() -> Facts {
    Facts::clone(&Families::built_in().of("gpt-of-some-kind"))
}

const OPENAI: Options = Options {
    newer_names: true,
    usage: true,
};
const OTHERS: Options = Options {
    newer_names: false,
    usage: false,
};

fn written(
    conversation: &Conversation,
    facts: &Facts,
    options: Options,
) -> Result<(Value, Dropped), Unsupported> {
    let to = Receiver {
        id: "openai/gpt",
        model: "gpt",
        facts,
    };
    let encoded = write(conversation, to, options)?;
    Ok((
        serde_json::from_slice(&encoded.body).unwrap(),
        encoded.dropped,
    ))
}

/// The request for a model of which nothing is known.
pub(super) fn gpt(conversation: &Conversation) -> Result<Value, Unsupported> {
    written(conversation, &facts(), OPENAI).map(|(body, _)| body)
}

fn said(turns: Vec<(Role, Vec<Part>)>) -> Conversation {
    let turns = turns.into_iter();
    Conversation {
        turns: turns.map(|(role, parts)| Turn { role, parts }).collect(),
        ..Conversation::default()
    }
}

fn hi() -> Conversation {
    said(vec![(Role::User, vec![text("Hi")])])
}

fn messages(conversation: &Conversation) -> Value {
    written(conversation, &facts(), OPENAI).unwrap().0["messages"].clone()
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn call(id: &str, arguments: &str, signature: Option<String>) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        whole: true,
        signature,
    })
}

fn result(id: &str, is_error: bool, parts: Vec<Part>) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts,
        is_error,
    })
}

fn image() -> Part {
    Part::Image(Media::Inline {
        kind: "image/png".into(),
        data: "iVBO".into(),
    })
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }
}

#[test]
fn the_least_request_is_this() {
    let (body, dropped) = written(&hi(), &facts(), OTHERS).unwrap();
    assert_eq!(
        body,
        json!({ "model": "gpt", "messages": [{ "role": "user", "content": "Hi" }], "stream": true })
    );
    assert!(dropped.is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn turns_become_messages() {
    let (user, assistant) = (Role::User, Role::Assistant);
    let tool_call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let long = "toolu_".to_owned() + &"x".repeat(60);
    let cases: Vec<(&str, Conversation, Value)> = vec![
        (
            "instructions in one message",
            Conversation {
                system: vec![text("A"), Part::CachePoint(None), text("B")],
                ..hi()
            },
            json!([{ "role": "system", "content": "A\nB" }, { "role": "user", "content": "Hi" }]),
        ),
        (
            "several parts as a list",
            said(vec![(
                user,
                vec![
                    text("a"),
                    Part::CachePoint(None),
                    text("b"),
                    image(),
                    Part::Image(Media::Url("web".into())),
                    Part::File {
                        name: Some("a.pdf".into()),
                        media: Media::Inline {
                            kind: "application/pdf".into(),
                            data: "JVBE".into(),
                        },
                    },
                    Part::Audio {
                        format: "wav".into(),
                        data: "UklG".into(),
                    },
                ],
            )]),
            json!([{ "role": "user", "content": [
                { "type": "text", "text": "a" },
                { "type": "text", "text": "b" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBO" } },
                { "type": "image_url", "image_url": { "url": "web" } },
                { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE" } },
                { "type": "input_audio", "input_audio": { "data": "UklG", "format": "wav" } },
            ] }]),
        ),
        (
            "results before words, images behind all results",
            said(vec![
                (user, vec![text("go")]),
                (
                    assistant,
                    vec![
                        text("So"),
                        call("a", "{\"x\":1.10}", None),
                        call("b", "", None),
                    ],
                ),
                (
                    user,
                    vec![
                        text("and?"),
                        result("b", true, vec![text("no")]),
                        result("a", false, vec![text("1"), image(), text("2")]),
                    ],
                ),
            ]),
            json!([
                { "role": "user", "content": "go" },
                { "role": "assistant", "content": "So", "tool_calls": [tool_call("a", "{\"x\":1.10}"), tool_call("b", "{}")] },
                { "role": "tool", "tool_call_id": "a", "content": "1\n[image attached below]\n2" },
                { "role": "tool", "tool_call_id": "b", "content": "Error: no" },
                { "role": "user", "content": [
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBO" } },
                    { "type": "text", "text": "and?" },
                ] },
            ]),
        ),
        (
            "thoughts are not said again, and foreign signatures are not shown",
            said(vec![
                (user, vec![text("go")]),
                (
                    assistant,
                    vec![
                        Part::Thought(Thought {
                            text: "hm".into(),
                            signature: Some("s".into()),
                            redacted: None,
                        }),
                        call("a", "{half", Some(thought::seal("gemini/g", "s"))),
                        call("b", "{}", Some(thought::seal("openai/gpt", "own"))),
                        call("c", "{}", Some("bare".into())),
                    ],
                ),
                (
                    user,
                    vec![
                        result("a", false, vec![]),
                        result("b", false, vec![]),
                        result("c", false, vec![]),
                    ],
                ),
            ]),
            json!([
                { "role": "user", "content": "go" },
                { "role": "assistant", "content": null, "tool_calls": [
                    tool_call("a", "{}"),
                    { "id": "b", "type": "function", "function": { "name": "f", "arguments": "{}" },
                      "extra_content": { "google": { "thought_signature": "own" } } },
                    tool_call("c", "{}"),
                ] },
                { "role": "tool", "tool_call_id": "a", "content": "" },
                { "role": "tool", "tool_call_id": "b", "content": "" },
                { "role": "tool", "tool_call_id": "c", "content": "" },
            ]),
        ),
        (
            "an assistant that only thought",
            said(vec![
                (user, vec![text("go")]),
                (
                    assistant,
                    vec![Part::Thought(Thought {
                        text: "hm".into(),
                        signature: Some("s".into()),
                        redacted: None,
                    })],
                ),
                (user, vec![text("well?")]),
            ]),
            json!([{ "role": "user", "content": "go" }, { "role": "user", "content": "well?" }]),
        ),
        (
            "what an assistant said in several texts",
            said(vec![
                (user, vec![text("go")]),
                (assistant, vec![text("a"), text("b")]),
                (user, vec![text("on")]),
            ]),
            json!([
                { "role": "user", "content": "go" },
                { "role": "assistant", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
                { "role": "user", "content": "on" },
            ]),
        ),
    ];
    for (what, conversation, expected) in cases {
        assert_eq!(messages(&conversation), expected, "{what}");
    }
    let ids = messages(&said(vec![
        (user, vec![text("go")]),
        (assistant, vec![call(&long, "{}", None)]),
        (user, vec![result(&long, false, vec![text("1")])]),
    ]));
    let id = ids[1]["tool_calls"][0]["id"].as_str().unwrap();
    assert_eq!(id.len(), 40);
    assert_eq!(
        ids[2]["tool_call_id"], id,
        "the same for the call and its result"
    );
}

#[test]
fn schemas_keep_their_text() {
    let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
    let conversation = Conversation {
        tools: vec![Tool {
            schema: raw("{ \"z\":1.10, \"a\":[ ] }"),
            description: Some("F".into()),
            strict: Some(true),
            ..tool("f")
        }],
        format: Format::JsonSchema {
            name: "n".into(),
            description: None,
            schema: raw("{ \"b\":1e400 }"),
            strict: Some(true),
        },
        ..hi()
    };
    let facts = facts();
    let to = Receiver {
        id: "openai/gpt",
        model: "gpt",
        facts: &facts,
    };
    let body = write(&conversation, to, OTHERS).unwrap().body;
    let body = std::str::from_utf8(&body).unwrap();
    for part in [
        r#""tools":[{"type":"function","function":{"name":"f","description":"F","parameters":{ "z":1.10, "a":[ ] },"strict":true}}]"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{ "b":1e400 },"strict":true}}"#,
    ] {
        assert!(body.contains(part), "{body}");
    }
}

#[test]
fn each_field_has_its_word() {
    let all = |conversation: Conversation, options: Options| {
        let (mut body, _) = written(&conversation, &facts(), options).unwrap();
        for common in ["model", "messages", "stream"] {
            body.as_object_mut().unwrap().remove(common);
        }
        body
    };
    let asked = || Conversation {
        max_tokens: Some(5),
        temperature: Some(0.5),
        top_p: Some(0.25),
        top_k: Some(3),
        seed: Some(-1),
        presence_penalty: Some(1.0),
        frequency_penalty: Some(-1.0),
        stop: vec!["a".into()],
        effort: Some(Effort::Xhigh),
        user: Some("u".into()),
        parallel_calls: Some(false),
        tool_choice: Some(ToolChoice::Auto),
        format: Format::JsonObject,
        ..hi()
    };
    assert_eq!(
        all(asked(), OPENAI),
        json!({
            "max_completion_tokens": 5, "temperature": 0.5, "top_p": 0.25, "seed": -1, "presence_penalty": 1.0,
            "frequency_penalty": -1.0, "stop": ["a"], "reasoning_effort": "xhigh", "safety_identifier": "u",
            "response_format": { "type": "json_object" }, "stream_options": { "include_usage": true },
        })
    );
    let others = all(asked(), OTHERS);
    assert_eq!(
        (&others["max_tokens"], &others["user"]),
        (&json!(5), &json!("u"))
    );
    assert!(
        others.get("stream_options").is_none() && others.get("max_completion_tokens").is_none()
    );
}

#[test]
fn a_choice_of_tools_is_one_that_every_server_knows() {
    let named = json!({ "type": "function", "function": { "name": "g" } });
    let allowed = |required| ToolChoice::Allowed {
        names: vec!["g".into()],
        required,
    };
    for (choice, forced, expected, names) in [
        (ToolChoice::Auto, true, json!("auto"), 2),
        (ToolChoice::None, true, json!("none"), 2),
        (ToolChoice::Required, true, json!("required"), 2),
        (ToolChoice::Named("g".into()), true, named, 2),
        (allowed(false), true, json!("auto"), 1),
        (allowed(true), true, json!("required"), 1),
        (ToolChoice::Required, false, json!("auto"), 2),
        (ToolChoice::Named("g".into()), false, json!("auto"), 1),
    ] {
        let conversation = Conversation {
            tools: vec![tool("f"), tool("g")],
            tool_choice: Some(choice),
            parallel_calls: Some(false),
            ..hi()
        };
        let facts = Facts {
            forced_tools: forced,
            ..facts()
        };
        let (body, dropped) = written(&conversation, &facts, OTHERS).unwrap();
        assert_eq!(body["tool_choice"], expected);
        assert_eq!(body["tools"].as_array().unwrap().len(), names);
        assert_eq!(body["parallel_tool_calls"], false);
        assert_eq!(dropped.is_empty(), forced);
    }
}

#[test]
fn thinking_becomes_an_effort() {
    let known = |efforts: &[Effort]| Facts {
        efforts: efforts.to_vec(),
        ..facts()
    };
    let none = known(&[]);
    let some = known(&[Effort::None, Effort::Low, Effort::High]);
    for (effort, thinking, facts, expected) in [
        (None, None, &none, json!(null)),
        (None, Some(Thinking::Budget(1024)), &none, json!("low")),
        (None, Some(Thinking::Budget(10_000)), &none, json!("medium")),
        (None, Some(Thinking::Budget(32_000)), &none, json!("high")),
        (None, Some(Thinking::Budget(10_000)), &some, json!("low")),
        (None, Some(Thinking::Disabled), &none, json!(null)),
        (None, Some(Thinking::Disabled), &some, json!("none")),
        (None, Some(Thinking::Adaptive), &some, json!(null)),
        (
            Some(Effort::High),
            Some(Thinking::Disabled),
            &some,
            json!("none"),
        ),
        (Some(Effort::None), None, &none, json!("none")),
        (
            Some(Effort::Low),
            Some(Thinking::Budget(32_000)),
            &some,
            json!("low"),
        ),
        (Some(Effort::Max), None, &none, json!("high")),
        (Some(Effort::Max), None, &some, json!("high")),
        (Some(Effort::Minimal), None, &none, json!("minimal")),
    ] {
        let conversation = Conversation {
            effort,
            thinking,
            ..hi()
        };
        let (body, _) = written(&conversation, facts, OTHERS).unwrap();
        assert_eq!(
            body["reasoning_effort"], expected,
            "{effort:?} {thinking:?}"
        );
    }
}

#[test]
fn what_cannot_be_said_is_dropped_and_named() {
    let plain = facts();
    let strict = Facts {
        sampling: Sampling::None,
        penalties: false,
        max_output: Some(100),
        ..facts()
    };
    let one_of = Facts {
        sampling: Sampling::OneOf,
        ..facts()
    };
    let asks = |names: &[&'static str]| Conversation {
        asked: names.iter().map(|name| (*name).into()).collect(),
        ..hi()
    };
    for (conversation, facts, names) in [
        (
            asks(&["top_k", "cache_control", "metadata", "new_in_2031"]),
            &plain,
            &["top_k", "cache_control", "metadata", "new_in_2031"][..],
        ),
        (
            asks(&["verbosity", "logit_bias"]),
            &plain,
            &["verbosity", "logit_bias"],
        ),
        (
            Conversation {
                stop: vec!["x".into(); 5],
                ..hi()
            },
            &plain,
            &["stop"],
        ),
        (
            Conversation {
                temperature: Some(0.5),
                top_p: Some(0.5),
                ..hi()
            },
            &one_of,
            &["top_p"],
        ),
        (
            Conversation {
                temperature: Some(0.5),
                top_p: Some(0.5),
                ..hi()
            },
            &strict,
            &["temperature", "top_p"],
        ),
        (
            Conversation {
                presence_penalty: Some(1.0),
                frequency_penalty: Some(1.0),
                ..hi()
            },
            &strict,
            &["presence_penalty", "frequency_penalty"],
        ),
    ] {
        let (body, dropped) = written(&conversation, facts, OTHERS).unwrap();
        assert_eq!(dropped.as_slice(), names);
        for name in names.iter().filter(|name| **name != "stop") {
            assert!(body.get(*name).is_none(), "{name}");
        }
    }
    let many = Conversation {
        max_tokens: Some(1000),
        tool_choice: Some(ToolChoice::Required),
        ..hi()
    };
    let (body, dropped) = written(&many, &strict, OTHERS).unwrap();
    assert_eq!(body["max_tokens"], 100);
    assert!(body.get("tool_choice").is_none());
    assert_eq!(dropped.as_slice(), ["tool_choice", "max_tokens"]);
}

#[test]
fn openais_own_models_are_sent_what_each_takes() {
    let asks = |effort, thinking| Conversation {
        temperature: Some(0.3),
        stop: vec!["X".into()],
        effort,
        thinking,
        ..hi()
    };
    let thinking = || Some(Thinking::Budget(10_000));
    for (model, effort, thinking, sent, names) in [
        (
            "gpt-5-mini",
            None,
            None,
            json!({}),
            &["temperature", "stop"][..],
        ),
        (
            "gpt-5-mini",
            None,
            thinking(),
            json!({"reasoning_effort": "medium"}),
            &["temperature", "stop"],
        ),
        (
            "o4-mini",
            Some(Effort::None),
            None,
            json!({"reasoning_effort": "low"}),
            &["temperature", "stop"],
        ),
        // These think only if they are told to, or not if they are told not to.
        (
            "gpt-5.1",
            None,
            None,
            json!({"temperature": 0.3}),
            &["stop"],
        ),
        (
            "gpt-5.1",
            Some(Effort::Low),
            None,
            json!({"reasoning_effort": "low"}),
            &["temperature", "stop"],
        ),
        (
            "gpt-5.6-sol",
            None,
            None,
            json!({}),
            &["temperature", "stop"],
        ),
        (
            "gpt-5.6-sol",
            Some(Effort::None),
            None,
            json!({"reasoning_effort": "none", "temperature": 0.3}),
            &["stop"],
        ),
        (
            "gpt-4o",
            None,
            thinking(),
            json!({"temperature": 0.3, "stop": ["X"]}),
            &["thinking"],
        ),
        (
            "gpt-4o",
            Some(Effort::None),
            None,
            json!({"temperature": 0.3, "stop": ["X"]}),
            &[],
        ),
        // Of which nothing is known.
        (
            "gpt-7",
            Some(Effort::Low),
            None,
            json!({"reasoning_effort": "low", "temperature": 0.3, "stop": ["X"]}),
            &[],
        ),
    ] {
        let facts = Families::built_in().of(model);
        let (body, mut dropped) = written(&asks(effort, thinking), &facts, OPENAI).unwrap();
        let told = ["reasoning_effort", "temperature", "stop"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), body.get(name)?.clone())));
        assert_eq!(Value::Object(told.collect()), sent, "{model} {effort:?}");
        let mut names: Vec<&str> = names.to_vec();
        names.sort_unstable();
        dropped.sort();
        assert_eq!(dropped.as_slice(), names, "{model} {effort:?}");
    }
    // What it has anyway is no loss.
    let usual = Conversation {
        temperature: Some(1.0),
        top_p: Some(1.0),
        ..hi()
    };
    let facts = Families::built_in().of("gpt-5-mini");
    let (body, dropped) = written(&usual, &facts, OPENAI).unwrap();
    assert!(body.get("temperature").is_none() && body.get("top_p").is_none());
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn what_would_be_another_answer_is_refused() {
    let plain = facts();
    let poor = Facts {
        tools: false,
        images: false,
        json_schema: false,
        prefill: false,
        ..facts()
    };
    let schema = Format::JsonSchema {
        name: "n".into(),
        description: None,
        schema: None,
        strict: None,
    };
    let asks = |name: &'static str| Conversation {
        asked: vec![name.into()],
        ..hi()
    };
    let shows = |part: Part| said(vec![(Role::User, vec![part])]);
    for (conversation, facts, param) in [
        (asks("previous_response_id"), &plain, "previous_response_id"),
        (asks("logprobs"), &plain, "logprobs"),
        (asks("top_logprobs"), &plain, "top_logprobs"),
        (
            shows(Part::Image(Media::Id("file-1".into()))),
            &plain,
            "messages",
        ),
        (
            shows(Part::File {
                name: None,
                media: Media::Url("web".into()),
            }),
            &plain,
            "messages",
        ),
        (
            shows(Part::File {
                name: None,
                media: Media::Id("file-1".into()),
            }),
            &plain,
            "messages",
        ),
        (shows(image()), &poor, "messages"),
        (
            said(vec![
                (Role::User, vec![text("a")]),
                (Role::Assistant, vec![text("b")]),
            ]),
            &poor,
            "messages",
        ),
        (
            Conversation {
                tools: vec![tool("f")],
                ..hi()
            },
            &poor,
            "tools",
        ),
        (
            Conversation {
                format: schema,
                ..hi()
            },
            &poor,
            "response_format",
        ),
    ] {
        let error = written(&conversation, facts, OPENAI).unwrap_err();
        assert_eq!((&*error.param, error.code), (param, Unsupported::PARAMETER));
    }
}

#[test]
fn a_model_that_wants_its_thinking_back_is_given_its_own() {
    let thought = |text: &str, target: &str| {
        Part::Thought(Thought {
            text: text.into(),
            signature: Some(thought::seal(target, "")),
            redacted: None,
        })
    };
    let unsealed = || {
        Part::Thought(Thought {
            text: "whose?".into(),
            ..Thought::default()
        })
    };
    let (own, other) = ("openai/gpt", "gemini/g");
    for (thoughts, back, expected) in [
        (vec![thought("hm", own)], true, json!("hm")),
        (
            vec![thought("hm", own), thought("so", own)],
            true,
            json!("hm\nso"),
        ),
        (vec![thought("hm", other)], true, json!("")),
        (vec![unsealed()], true, json!("")),
        (vec![], true, json!("")),
        (vec![thought("hm", own)], false, Value::Null),
    ] {
        let mut parts = thoughts.clone();
        parts.push(call("a", "{}", None));
        let mut spoken = thoughts;
        spoken.push(text("It is."));
        let conversation = said(vec![
            (Role::User, vec![text("go")]),
            (Role::Assistant, parts),
            (Role::User, vec![result("a", false, vec![text("1")])]),
            (Role::Assistant, spoken),
            (Role::User, vec![text("on")]),
        ]);
        let facts = Facts {
            reasoning_back: back,
            ..facts()
        };
        let (body, dropped) = written(&conversation, &facts, OTHERS).unwrap();
        let found = body["messages"][1].get("reasoning_content");
        assert_eq!(found.unwrap_or(&Value::Null), &expected);
        assert!(found.is_some() == back && dropped.is_empty());
        // Behind the calls, where it is not wanted, it is not said.
        assert!(body["messages"][3].get("reasoning_content").is_none());
    }
}

#[test]
fn servers_with_ids_of_nine_get_nine() {
    let conversation = said(vec![
        (Role::User, vec![text("go")]),
        (Role::Assistant, vec![call("call_1", "{}", None)]),
        (Role::User, vec![result("call_1", false, vec![text("1")])]),
    ]);
    let facts = Facts {
        call_ids: CallIds::Nine,
        ..facts()
    };
    let (body, _) = written(&conversation, &facts, OTHERS).unwrap();
    let id = body["messages"][2]["tool_call_id"].as_str().unwrap();
    assert_eq!(id.len(), 9);
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], id);
}
