use std::borrow::Cow;

use serde_json::{Value, json};

use crate::chat::{
    Call, CallResult, Conversation, Effort, Format, Media, Part, Role, Thought, ToolChoice, Turn,
    Unsupported, thought,
};
use crate::dialect::responses::carrier::Cargo;
use crate::dialect::responses::read;

fn conversation(request: &Value) -> Conversation {
    read(&request.to_string()).unwrap_or_else(|refused| panic!("{request}: {refused:?}"))
}

fn refused(request: &Value) -> Unsupported {
    match read(&request.to_string()) {
        Err(refused) => refused,
        Ok(read) => panic!("{request} became {read:?}"),
    }
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

fn call(id: &str, arguments: &str, signature: Option<&str>) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        whole: true,
        signature: signature.map(str::to_owned),
    })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts,
        is_error: false,
    })
}

#[test]
fn input_becomes_turns() {
    let png = "data:image/PNG;base64,aGk=";
    let cases: Vec<(Value, Vec<Turn>)> = vec![
        (json!("hi"), vec![user(vec![text("hi")])]),
        (
            json!([{"role":"user","content":"hi"},{"role":"assistant","content":"ho"},{"role":"user","content":[]}]),
            vec![
                user(vec![text("hi")]),
                assistant(vec![text("ho")]),
                user(vec![]),
            ],
        ),
        (
            json!([{"type":"message","role":"user","status":null,"content":[
                {"type":"input_text","text":"see"},
                {"type":"input_image","image_url":png,"detail":"low","file_id":null},
                {"type":"input_image","image_url":"HTTPS://x.test/a.png"},
                {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,aGk="},
                {"type":"input_file","filename":"a.TXT","file_data":"aGk="},
                {"type":"input_file","file_url":"https://x.test/b.pdf"},
                {"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}},
            ]}]),
            vec![user(vec![
                text("see"),
                Part::Image(Media::Inline {
                    kind: "image/png".into(),
                    data: "aGk=".into(),
                }),
                Part::Image(Media::Url("HTTPS://x.test/a.png".into())),
                Part::File {
                    name: Some("a.pdf".into()),
                    media: Media::Inline {
                        kind: "application/pdf".into(),
                        data: "aGk=".into(),
                    },
                },
                Part::File {
                    name: Some("a.TXT".into()),
                    media: Media::Inline {
                        kind: "text/plain".into(),
                        data: "aGk=".into(),
                    },
                },
                Part::File {
                    name: None,
                    media: Media::Url("https://x.test/b.pdf".into()),
                },
                Part::Audio {
                    format: "wav".into(),
                    data: "aGk=".into(),
                },
            ])],
        ),
        (
            json!([
                {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[
                    {"type":"output_text","text":"one","annotations":[],"logprobs":null},
                    {"type":"refusal","refusal":"no"}]},
                {"type":"function_call","id":"fc_1","status":null,"call_id":"a","name":"f","arguments":"{\"x\": 1.0}"},
                {"type":"function_call","call_id":"b","name":"f","arguments":"{\"y\""},
                {"type":"function_call_output","call_id":"a","output":"1"},
                {"type":"function_call_output","call_id":"b","output":[
                    {"type":"input_text","text":"t"},{"type":"input_image","image_url":png}]},
                {"role":"user","content":"go on"},
                {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
                {"type":"function_call_output","call_id":"c","output":{"odd":true}},
            ]),
            vec![
                assistant(vec![
                    text("one"),
                    text("no"),
                    call("a", "{\"x\": 1.0}", None),
                    call("b", "{\"y\"", None),
                ]),
                user(vec![
                    result("a", vec![text("1")]),
                    result(
                        "b",
                        vec![
                            text("t"),
                            Part::Image(Media::Inline {
                                kind: "image/png".into(),
                                data: "aGk=".into(),
                            }),
                        ],
                    ),
                ]),
                user(vec![text("go on")]),
                assistant(vec![call("c", "{}", None)]),
                user(vec![result("c", vec![text("{\"odd\":true}")])]),
            ],
        ),
    ];
    for (input, expected) in cases {
        let read = conversation(&json!({"model":"m","input":input}));
        assert_eq!(read.turns, expected, "{input}");
        assert!(read.system.is_empty() && read.asked.is_empty());
    }
}

#[test]
fn instructions_come_first_wherever_they_stood() {
    let read = conversation(&json!({
        "input": [
            {"role":"developer","content":"two"},
            {"role":"user","content":"hi"},
            {"role":"system","content":[{"type":"input_text","text":"three"},{"type":"input_text","text":""}]},
        ],
        "instructions": "one",
        "model": "m",
    }));
    assert_eq!(read.system, [text("one"), text("two"), text("three")]);
    assert_eq!(read.turns, [user(vec![text("hi")])]);
}

#[test]
fn reasoning_of_ours_comes_back_in_its_place_and_that_of_others_does_not() {
    let thinking = Thought {
        text: "hm".into(),
        signature: Some("sig".into()),
        redacted: None,
    };
    let redacted = Thought {
        redacted: Some("opaque".into()),
        ..Thought::default()
    };
    let mut signed = Cargo::default();
    signed.calls.insert("a".into(), "call sig".into());
    let item = |sealed: String| json!({"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":sealed});
    let read = conversation(&json!({"input":[
        {"role":"user","content":"hi"},
        item(Cargo::thought(&thinking).seal("p/m")),
        item(Cargo::thought(&redacted).seal("p/m")),
        item(signed.seal("p/m")),
        item("gAAAAABforeign".into()),
        {"type":"reasoning","id":"rs_2","summary":[],"content":[{"type":"reasoning_text","text":"raw"}],"encrypted_content":null},
        {"type":"reasoning","id":"rs_3","summary":[]},
        {"type":"function_call","call_id":"a","name":"f","arguments":"{}"},
    ]}));
    let sealed = |signature: &str| Some(thought::seal("p/m", signature));
    let expected = assistant(vec![
        Part::Thought(Thought {
            text: "hm".into(),
            signature: sealed("sig"),
            redacted: None,
        }),
        Part::Thought(Thought {
            redacted: sealed("opaque"),
            ..Thought::default()
        }),
        Part::Thought(Thought {
            text: "raw".into(),
            ..Thought::default()
        }),
        call("a", "{}", sealed("call sig").as_deref()),
    ]);
    assert_eq!(read.turns, [user(vec![text("hi")]), expected]);
}

#[test]
fn every_field_has_its_place_or_is_named() {
    let read = conversation(&json!({
        "model": "m", "input": "hi", "stream": true, "stream_options": {"include_obfuscation": false},
        "max_output_tokens": 7, "temperature": 0.5, "top_p": 0.25, "parallel_tool_calls": false,
        "user": "u", "safety_identifier": "s", "service_tier": "flex",
        "reasoning": {"effort": "xhigh", "summary": "auto", "mode": "pro"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "description": "d",
            "schema": {"b": 1, "a": 1.0}, "strict": true}},
        "tools": [{"type": "function", "name": "f", "description": "does", "parameters": {"z": 1, "y": 2.50}, "strict": null}],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        "metadata": {"a": "b"}, "include": ["reasoning.encrypted_content", "web_search_call.results"],
        "store": false, "background": false, "truncation": "disabled", "previous_response_id": null,
        "top_logprobs": 0, "prompt_cache_key": "k", "new_in_2031": 1,
    }));
    assert_eq!(read.max_tokens, Some(7));
    assert_eq!((read.temperature, read.top_p), (Some(0.5), Some(0.25)));
    assert_eq!(read.parallel_calls, Some(false));
    assert_eq!(read.user.as_deref(), Some("s"));
    assert_eq!(read.service_tier.as_deref(), Some("flex"));
    assert_eq!(read.effort, Some(Effort::Xhigh));
    assert!(read.show_reasoning);
    let Format::JsonSchema {
        name,
        description,
        schema: Some(schema),
        strict,
    } = &read.format
    else {
        panic!("{:?}", read.format);
    };
    assert_eq!(
        (&**name, description.as_deref(), *strict),
        ("n", Some("d"), Some(true))
    );
    assert_eq!(schema.get(), r#"{"b":1,"a":1.0}"#);
    let [tool] = &*read.tools else {
        panic!("one tool");
    };
    assert_eq!(
        (&*tool.name, tool.description.as_deref(), tool.strict),
        ("f", Some("does"), None)
    );
    assert_eq!(tool.schema.as_ref().unwrap().get(), r#"{"z":1,"y":2.5}"#);
    let only = ToolChoice::Allowed {
        names: vec!["f".into()],
        required: true,
    };
    assert_eq!(read.tool_choice, Some(only));
    let mut asked: Vec<Cow<'static, str>> = read.asked;
    asked.sort();
    assert_eq!(
        asked,
        [
            "include",
            "metadata",
            "new_in_2031",
            "parallel_tool_calls",
            "prompt_cache_key",
            "reasoning",
            "reasoning.mode",
            "safety_identifier",
            "service_tier",
            "temperature",
            "text.format",
            "text.verbosity",
            "tool_choice",
            "tools",
            "top_p",
            "user",
        ]
    );
}

#[test]
fn a_schema_keeps_its_text() {
    let schema = r#"{ "b" : 1e2,"a":[ 1.50 ] }"#;
    let body = format!(
        r#"{{"model":"m","input":"x","tools":[{{"type":"function","name":"f","parameters":{schema}}}]}}"#
    );
    let read = read(&body).unwrap();
    assert_eq!(read.tools[0].schema.as_ref().unwrap().get(), schema);
}

#[test]
fn a_request_of_very_many_fields_is_refused() {
    let unknown: Vec<String> = (0..200_000).map(|at| format!(r#""f{at}":1"#)).collect();
    let body = format!(r#"{{"input":"x",{}}}"#, unknown.join(","));
    let refused = read(&body).unwrap_err();
    assert!(refused.message.contains("256 members"), "{refused:?}");
}

#[test]
fn what_is_as_asked_anyway_is_not_named() {
    for request in [
        json!({"input":"x","parallel_tool_calls":true}),
        json!({"input":"x","service_tier":"auto"}),
        json!({"input":"x","include":["reasoning.encrypted_content"]}),
        json!({"input":"x","text":{"format":{"type":"text"}},"reasoning":{"summary":"auto"}}),
        json!({"input":"x","metadata":{},"tools":[],"instructions":null,"conversation":null,"text":null}),
    ] {
        assert_eq!(
            conversation(&request).asked,
            Vec::<Cow<'_, str>>::new(),
            "{request}"
        );
    }
}

#[test]
fn tool_choices_are_read() {
    for (choice, expected) in [
        (json!("none"), ToolChoice::None),
        (json!("auto"), ToolChoice::Auto),
        (json!("required"), ToolChoice::Required),
        (
            json!({"type":"function","name":"f"}),
            ToolChoice::Named("f".into()),
        ),
        (
            json!({"type":"allowed_tools","mode":"auto","tools":[]}),
            ToolChoice::Allowed {
                names: Vec::new(),
                required: false,
            },
        ),
    ] {
        let read = conversation(&json!({"input":"x","tool_choice":choice}));
        assert_eq!(read.tool_choice, Some(expected), "{choice}");
    }
}

#[test]
fn what_only_its_own_provider_can_do_is_refused_by_name() {
    for (request, param) in [
        (json!({"input":"x","store":true}), "store"),
        (json!({"input":"x","background":true}), "background"),
        (
            json!({"input":"x","previous_response_id":"resp_1"}),
            "previous_response_id",
        ),
        (
            json!({"input":"x","conversation":{"id":"conv_1"}}),
            "conversation",
        ),
        (json!({"prompt":{"id":"pmpt_1"}}), "prompt"),
        (json!({"input":"x","truncation":"auto"}), "truncation"),
        (json!({"input":"x","top_logprobs":2}), "top_logprobs"),
        (
            json!({"input":"x","include":["message.output_text.logprobs"]}),
            "include",
        ),
        (
            json!({"input":"x","tools":[{"type":"function","name":"f"},{"type":"web_search"}]}),
            "tools[1]",
        ),
        (
            json!({"input":"x","tools":[{"type":"custom","name":"f"}]}),
            "tools[0]",
        ),
        (
            json!({"input":"x","tool_choice":{"type":"web_search"}}),
            "tool_choice",
        ),
        (
            json!({"input":[{"type":"item_reference","id":"msg_1"}]}),
            "input[0]",
        ),
        (json!({"input":[{"id":"msg_1"}]}), "input[0]"),
        (
            json!({"input":[{"type":"web_search_call","id":"ws_1"}]}),
            "input[0]",
        ),
        (
            json!({"input":[{"role":"user","content":[{"type":"input_image","file_id":"file-1"}]}]}),
            "input[0].content[0].file_id",
        ),
        (
            json!({"input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]}),
            "input[0].content[0].file_id",
        ),
        (
            json!({"input":[{"role":"system","content":[{"type":"input_image","image_url":"https://x.test/a"}]}]}),
            "input[0].content",
        ),
    ] {
        let refused = refused(&request);
        assert_eq!(refused.param, param, "{request}");
        assert_eq!(refused.code, Unsupported::PARAMETER, "{request}");
        assert!(refused.message.ends_with('.'), "{}", refused.message);
    }
}

#[test]
fn what_is_no_request_is_refused_by_the_place_of_the_mistake() {
    for (request, param) in [
        (json!({"input":7}), "input"),
        (json!({"input":[7]}), "input[0]"),
        (
            json!({"input":[{"role":"robot","content":"x"}]}),
            "input[0].role",
        ),
        (
            json!({"input":[{"role":"user","content":[{"type":"input_text"}]}]}),
            "input[0].content[0].text",
        ),
        (
            json!({"input":[{"role":"user","content":[{"type":"input_image"}]}]}),
            "input[0].content[0].image_url",
        ),
        (
            json!({"input":[{"role":"user","content":[{"type":"input_image","image_url":"ftp://x"}]}]}),
            "input[0].content[0].image_url",
        ),
        (
            json!({"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png,x"}]}]}),
            "input[0].content[0].image_url",
        ),
        (
            json!({"input":[{"type":"function_call","name":"f","arguments":"{}"}]}),
            "input[0].call_id",
        ),
        (
            json!({"input":[{"type":"function_call","call_id":"a","arguments":"{}"}]}),
            "input[0].name",
        ),
        (json!({"input":"x","temperature":"hot"}), "temperature"),
        (
            json!({"input":"x","max_output_tokens":-1}),
            "max_output_tokens",
        ),
        (
            json!({"input":"x","reasoning":{"effort":"huge"}}),
            "reasoning.effort",
        ),
        (
            json!({"input":"x","text":{"format":{"type":"xml"}}}),
            "text.format.type",
        ),
        (json!({"input":"x","tool_choice":"maybe"}), "tool_choice"),
        (
            json!({"input":"x","tools":[{"type":"function"}]}),
            "tools[0].name",
        ),
    ] {
        let refused = refused(&request);
        assert_eq!(refused.param, param, "{request}");
        assert_eq!(refused.code, Unsupported::INVALID, "{request}");
    }
}
