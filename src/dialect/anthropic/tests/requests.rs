//! Conversations into requests.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{ID, assistant, encoded, hello, said, text, user};
use crate::chat::{
    Call, CallResult, Conversation, Format, Media, Part, Tool, ToolChoice, Unsupported,
};
use crate::dialect::Receiver;
use crate::dialect::anthropic::{Form, encode, encode_count, read_count};
use crate::facts::Families;
use crate::outcome::Class;

const MODEL: &str = "claude-haiku-4-5";
const BEDROCK: Form = Form::InCloud {
    version: "bedrock-2023-05-31",
    stream_in_body: false,
};
const VERTEX: Form = Form::InCloud {
    version: "vertex-2023-10-16",
    stream_in_body: true,
};

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: Some(String::new()),
        schema: None,
        strict: None,
        cache: None,
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

fn result(id: &str, parts: &[Part]) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts: parts.to_vec(),
        is_error: false,
    })
}

fn image(kind: &str, data: &str) -> Part {
    Part::Image(Media::Inline {
        kind: kind.into(),
        data: data.into(),
    })
}

fn file(name: &str, kind: &str, data: &str) -> Part {
    Part::File {
        name: Some(name.into()),
        media: Media::Inline {
            kind: kind.into(),
            data: data.into(),
        },
    }
}

fn request(conversation: &Conversation) -> Value {
    encoded(conversation, MODEL, Form::Direct).unwrap().0
}

#[test]
fn the_smallest_request_says_no_more_than_it_must() {
    let facts = Families::built_in().of("claude-haiku-4-5");
    for (form, expected) in [
        (
            Form::Direct,
            r#"{"model":"claude-haiku-4-5","max_tokens":64000,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#,
        ),
        (
            BEDROCK,
            r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":64000,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#,
        ),
        (
            VERTEX,
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":64000,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#,
        ),
    ] {
        let to = Receiver {
            id: ID,
            model: MODEL,
            facts: &facts,
        };
        assert_eq!(encode(&hello(), to, form).unwrap().body, expected);
    }
}

#[test]
fn every_answer_has_a_limit_that_the_model_takes() {
    for (model, asked, expected) in [
        ("claude-opus-5", None, 128_000),
        ("claude-3-haiku", Some(100), 100),
        ("claude-3-haiku", Some(100_000), 4096),
        ("somebody-elses", None, 4096),
        ("somebody-elses", Some(100_000), 100_000),
    ] {
        let mut conversation = hello();
        conversation.max_tokens = asked;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["max_tokens"], expected, "{model}");
        let fewer: &[&str] = match asked {
            Some(asked) if asked > expected => &["max_tokens"],
            Some(_) | None => &[],
        };
        assert_eq!(dropped, fewer, "{model}");
    }
}

#[test]
fn calls_and_what_came_of_them_are_blocks_of_their_turns() {
    let mut failed = result(
        "call.2",
        &[text(""), text("no"), image("image/png", "AAAA")],
    );
    let Part::Result(inner) = &mut failed else {
        unreachable!();
    };
    inner.is_error = true;
    let conversation = said(vec![
        user(&[text("Hi")]),
        assistant(&[
            call("toolu_1", r#"{ "n": 12345678901234567890.10 }"#),
            text("I look."),
            call("call.2", ""),
            call("cut", r#"{"a":"#),
            call("list", "[1]"),
        ]),
        user(&[failed, result("toolu_1", &[]), text("And?")]),
        assistant(&[call("toolu_1", "null")]),
        user(&[result("toolu_1", &[text("again")])]),
    ]);
    let request = request(&conversation);
    let missing = |id: &str| {
        json!({"type": "tool_result", "tool_use_id": id, "is_error": true,
            "content": [{"type": "text", "text": "No result provided"}]})
    };
    let used = |id: &str| json!({"type": "tool_use", "id": id, "name": "look", "input": {}});
    let messages = request["messages"].as_array().unwrap();
    let calls = messages[1]["content"].as_array().unwrap();
    assert_eq!(calls[0], json!({"type": "text", "text": "I look."}));
    assert_eq!(calls[2..], [used("call_2"), used("cut"), used("list")]);
    assert_eq!(
        messages[2]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "toolu_1"},
            {"type": "tool_result", "tool_use_id": "call_2", "is_error": true, "content": [
                {"type": "text", "text": "no"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ]},
            missing("cut"),
            missing("list"),
            {"type": "text", "text": "And?"},
        ])
    );
    assert_eq!(messages[3]["content"], json!([used("toolu_1_2")]));
    assert_eq!(messages[4]["content"][0]["tool_use_id"], "toolu_1_2");
    let facts = Families::built_in().of(MODEL);
    let to = Receiver {
        id: ID,
        model: MODEL,
        facts: &facts,
    };
    let body = encode(&conversation, to, Form::Direct).unwrap().body;
    let body = std::str::from_utf8(&body).unwrap();
    assert!(
        body.contains(r#""input":{ "n": 12345678901234567890.10 }"#),
        "{body}"
    );
}

#[test]
fn a_tool_is_told_as_it_was_given() {
    let mut given = tool("look");
    given.description = Some("Looks.".into());
    given.schema = Some(raw(
        r#"{ "type":"object", "properties":{ "z":{}, "a":{"minimum":1.0} } }"#,
    ));
    given.strict = Some(true);
    let mut conversation = hello();
    conversation.tools = vec![given, tool("bare")];
    for (model, form, strict) in [
        (MODEL, Form::Direct, true),
        (MODEL, BEDROCK, false),
        ("claude-sonnet-4-0", Form::Direct, false),
    ] {
        let facts = Families::built_in().of(model);
        let to = Receiver {
            id: ID,
            model,
            facts: &facts,
        };
        let body = encode(&conversation, to, form).unwrap().body;
        let body = std::str::from_utf8(&body).unwrap();
        let expected = if strict {
            r#""tools":[{"name":"look","description":"Looks.","input_schema":{"type":"object","properties":{"z":{},"a":{"description":"(minimum: 1.0)"}},"additionalProperties":false},"strict":true},{"name":"bare","input_schema":{"type":"object","properties":{}}}]"#
        } else {
            r#""tools":[{"name":"look","description":"Looks.","input_schema":{ "type":"object", "properties":{ "z":{}, "a":{"minimum":1.0} } }},{"name":"bare","input_schema":{"type":"object","properties":{}}}]"#
        };
        assert!(body.contains(expected), "{model}: {body}");
    }
}

/// Model, choice, parallel calls; then `tool_choice`, the tools that are left, what is dropped.
type Choice = (
    &'static str,
    Option<ToolChoice>,
    Option<bool>,
    Value,
    &'static str,
    &'static [&'static str],
);

#[test]
fn the_choice_of_a_tool_is_the_models_where_it_cannot_be_forced() {
    let named = || Some(ToolChoice::Named("b".into()));
    let allowed = |required| {
        Some(ToolChoice::Allowed {
            names: vec!["a".into(), "b".into()],
            required,
        })
    };
    let cases: Vec<Choice> = vec![
        (MODEL, None, None, Value::Null, "abc", &[]),
        (MODEL, None, Some(true), Value::Null, "abc", &[]),
        (
            MODEL,
            None,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            "abc",
            &[],
        ),
        (
            MODEL,
            Some(ToolChoice::Auto),
            None,
            json!({"type": "auto"}),
            "abc",
            &[],
        ),
        (
            MODEL,
            Some(ToolChoice::None),
            Some(false),
            json!({"type": "none"}),
            "abc",
            &[],
        ),
        (
            MODEL,
            Some(ToolChoice::Required),
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
            "abc",
            &[],
        ),
        (
            MODEL,
            named(),
            None,
            json!({"type": "tool", "name": "b"}),
            "abc",
            &[],
        ),
        (
            MODEL,
            allowed(false),
            None,
            json!({"type": "auto"}),
            "ab",
            &[],
        ),
        (
            MODEL,
            allowed(true),
            None,
            json!({"type": "any"}),
            "ab",
            &[],
        ),
        (
            "claude-opus-5-5",
            Some(ToolChoice::Required),
            None,
            json!({"type": "auto"}),
            "abc",
            &["tool_choice"],
        ),
        (
            "claude-opus-5-5",
            named(),
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            "b",
            &["tool_choice"],
        ),
        (
            "claude-opus-5-5",
            allowed(true),
            None,
            json!({"type": "auto"}),
            "ab",
            &["tool_choice"],
        ),
    ];
    for (model, choice, parallel, expected, left, names) in cases {
        let mut conversation = hello();
        conversation.tools = ["a", "b", "c"].map(tool).into();
        conversation.tool_choice.clone_from(&choice);
        conversation.parallel_calls = parallel;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["tool_choice"], expected, "{model} {choice:?}");
        let tools = request["tools"].as_array().unwrap().iter();
        let tools: String = tools.map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(tools, left, "{model} {choice:?}");
        assert_eq!(dropped, names, "{model} {choice:?}");
    }
    let mut conversation = hello();
    conversation.tool_choice = named();
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["tool_choice"]);
    assert_eq!(
        request(&conversation)["tool_choice"],
        Value::Null,
        "without tools"
    );
    conversation.tools = vec![tool("a")];
    let error = encoded(&conversation, MODEL, Form::Direct).unwrap_err();
    assert_eq!(
        (error.code, &*error.param),
        (Unsupported::INVALID, "tool_choice")
    );
}

#[test]
fn the_form_of_an_answer_is_bound_or_asked_for_in_words() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}"#;
    let form = |schema: Option<&str>, strict| Format::JsonSchema {
        name: "answer".into(),
        description: None,
        schema: schema.map(raw),
        strict,
    };
    let bound = |schema| form(schema, None);
    let mut conversation = hello();
    conversation.system = vec![text("Be terse.")];
    conversation.format = bound(Some(schema));
    let (request, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(
        request["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object",
            "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}}})
    );
    assert!(dropped.is_empty() && request["system"].as_array().unwrap().len() == 1);
    for (model, format, words) in [
        ("claude-3-haiku", bound(Some(schema)), schema),
        (MODEL, bound(None), "a single JSON object"),
        (MODEL, Format::JsonObject, "a single JSON object"),
    ] {
        conversation.format = format;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["output_config"], Value::Null);
        assert_eq!(request["system"][0]["text"], "Be terse.");
        assert!(
            request["system"][1]["text"]
                .as_str()
                .unwrap()
                .contains(words)
        );
        assert!(dropped.is_empty());
    }
    conversation.format = form(Some(schema), Some(true));
    let error = encoded(&conversation, "claude-3-haiku", Form::Direct).unwrap_err();
    assert_eq!(error.param, "response_format", "a word binds nobody");
    conversation.format = bound(Some("[]"));
    let error = encoded(&conversation, MODEL, Form::Direct).unwrap_err();
    assert_eq!(error.param, "response_format");
}

#[test]
fn images_and_files_go_as_what_they_are() {
    let url = || Media::Url("https://x.test/a".into());
    let base64 = |kind: &str, data: &str| json!({"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}});
    for (part, expected) in [
        (
            image("image/png", "iVBORw0KGgoAAAA"),
            base64("image/png", "iVBORw0KGgoAAAA"),
        ),
        (
            image("image/png", "/9j/4AAQ"),
            base64("image/jpeg", "/9j/4AAQ"),
        ),
        (image("image/jpg", "AAAA"), base64("image/jpeg", "AAAA")),
        (
            image("application/octet-stream", "R0lGODlh"),
            base64("image/gif", "R0lGODlh"),
        ),
        (
            image("image/png", "UklGRiQAAABXRUJQVlA4"),
            base64("image/webp", "UklGRiQAAABXRUJQVlA4"),
        ),
        (
            Part::Image(url()),
            json!({"type": "image", "source": {"type": "url", "url": "https://x.test/a"}}),
        ),
        (
            file("a.pdf", "application/pdf", "JVBERi0"),
            json!({"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0"}}),
        ),
        (
            file("", "text/csv", "YSxiCg=="),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b\n"}}),
        ),
        (
            file("a.png", "image/png", "AAAA"),
            base64("image/png", "AAAA"),
        ),
        (
            Part::File {
                name: None,
                media: url(),
            },
            json!({"type": "document", "source": {"type": "url", "url": "https://x.test/a"}}),
        ),
    ] {
        let request = request(&said(vec![user(std::slice::from_ref(&part))]));
        assert_eq!(
            request["messages"][0]["content"],
            json!([expected]),
            "{part:?}"
        );
    }
}

#[test]
fn what_cannot_be_said_to_this_target_is_refused() {
    let url = Media::Url("https://x.test/a".into());
    let sound = Part::Audio {
        format: "wav".into(),
        data: "AAAA".into(),
    };
    for (form, part) in [
        (Form::Direct, sound),
        (Form::Direct, image("image/tiff", "AAAA")),
        (Form::Direct, Part::Image(Media::Id("file-1".into()))),
        (Form::Direct, file("a", "application/zip", "AAAA")),
        (Form::Direct, file("a", "text/plain", "/w==")),
        (BEDROCK, Part::Image(url.clone())),
        (
            VERTEX,
            Part::File {
                name: None,
                media: url,
            },
        ),
    ] {
        let refused = encoded(&said(vec![user(std::slice::from_ref(&part))]), MODEL, form);
        let error = refused.expect_err(&format!("{part:?}"));
        assert_eq!(
            (error.code, &*error.param),
            (Unsupported::PARAMETER, "messages")
        );
    }
    let mut conversation = hello();
    conversation.asked = vec!["seed".into(), "logprobs".into()];
    let error = encoded(&conversation, MODEL, Form::Direct).unwrap_err();
    assert_eq!(error.param, "logprobs");
    conversation.asked.pop();
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["seed"]);
    let unfinished = said(vec![user(&[text("Hi")]), assistant(&[text("I ")])]);
    let error = encoded(&unfinished, "claude-opus-5", Form::Direct).unwrap_err();
    assert_eq!(error.param, "messages");
    let request = request(&unfinished);
    assert_eq!(request["messages"][1]["content"][0]["text"], "I");
}

#[test]
fn cache_points_stand_on_what_is_before_them_and_the_last_four_hold() {
    let point = |lifetime: &str| Part::CachePoint(Some(lifetime.into()));
    let mut conversation = said(vec![
        user(&[text("one"), point("1h"), text("two")]),
        assistant(&[call("a", "{}"), point("5m")]),
        user(&[
            result("a", &[text("x")]),
            Part::CachePoint(None),
            point("for ever"),
        ]),
    ]);
    conversation.system = vec![text("Be terse."), Part::CachePoint(None), text("Now.")];
    conversation.tools = vec![tool("look")];
    let lasting = |ttl: &str| json!({"type": "ephemeral", "ttl": ttl});
    let plain = || json!({"type": "ephemeral"});
    let points = |request: &Value| {
        let of = |path: &str| request.pointer(path).unwrap()["cache_control"].clone();
        [
            of("/tools/0"),
            of("/system/0"),
            of("/messages/0/content/0"),
            of("/messages/1/content/0"),
            of("/messages/2/content/0"),
        ]
    };
    let (direct, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(
        points(&direct),
        [Value::Null, plain(), lasting("1h"), lasting("5m"), plain()]
    );
    assert_eq!(dropped, ["cache_control"], "nothing is kept for ever");
    let (cloud, dropped) = encoded(&conversation, MODEL, BEDROCK).unwrap();
    assert_eq!(
        points(&cloud),
        [Value::Null, plain(), plain(), plain(), plain()]
    );
    assert_eq!(dropped, ["cache_control"]);
    let brief = said(vec![user(&[text("one"), point("5m")])]);
    for form in [Form::Direct, BEDROCK] {
        assert!(encoded(&brief, MODEL, form).unwrap().1.is_empty());
    }

    conversation.tools[0].cache = Some(None);
    let (direct, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(points(&direct)[0], Value::Null);
    assert_eq!(points(&direct)[1], plain());
    assert_eq!(dropped, ["cache_control"]);
    let (other, dropped) = encoded(&conversation, "somebody-elses", Form::Direct).unwrap();
    assert!(points(&other).iter().all(Value::is_null));
    assert_eq!(dropped, ["cache_control"]);
}

#[test]
fn the_rest_has_its_own_places() {
    let mut conversation = hello();
    conversation.system = vec![
        text("x-anthropic-billing-header: cc_version=2; cch=00000;"),
        text("Be terse."),
    ];
    conversation.stop = vec!["END".into(), " \n".into(), String::new()];
    conversation.user = Some("u-1".into());
    for (tier, said) in [
        ("auto", Some("auto")),
        ("default", Some("standard_only")),
        ("flex", None),
    ] {
        conversation.service_tier = Some(tier.into());
        let (request, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
        assert_eq!(request["service_tier"].as_str(), said);
        let lost: &[&str] = match said {
            Some(_) => &["stop"],
            None => &["stop", "service_tier"],
        };
        assert_eq!(dropped, lost);
        assert_eq!(request["stop_sequences"], json!(["END"]));
        assert_eq!(request["metadata"], json!({"user_id": "u-1"}));
        assert_eq!(request["system"].as_array().unwrap().len(), 2);
    }
    let (request, dropped) = encoded(&conversation, MODEL, BEDROCK).unwrap();
    assert_eq!(
        request["system"],
        json!([{"type": "text", "text": "Be terse."}])
    );
    assert_eq!(dropped, ["stop", "user", "service_tier"]);
    conversation.stop.truncate(1);
    assert!(request.get("metadata").is_none() && request.get("service_tier").is_none());
    conversation.user = Some("u".repeat(257));
    conversation.service_tier = None;
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["user"]);
    conversation.asked = vec!["safety_identifier".into()];
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["safety_identifier"]);
}

#[test]
fn a_count_asks_about_the_same_prompt_and_nothing_else() {
    let mut conversation = hello();
    conversation.system = vec![text("Be terse.")];
    conversation.tools = vec![tool("look")];
    conversation.tool_choice = Some(ToolChoice::Auto);
    conversation.stop = vec!["END".into()];
    conversation.temperature = Some(0.5);
    conversation.top_k = Some(3);
    conversation.user = Some("u-1".into());
    conversation.service_tier = Some("auto".into());
    let facts = Families::built_in().of(MODEL);
    let to = Receiver {
        id: ID,
        model: MODEL,
        facts: &facts,
    };
    for (form, version) in [
        (Form::Direct, Value::Null),
        (VERTEX, json!("vertex-2023-10-16")),
    ] {
        let count = encode_count(&conversation, to, form).unwrap();
        let mut count: Value = serde_json::from_slice(&count.body).unwrap();
        let (mut whole, _) = encoded(&conversation, MODEL, form).unwrap();
        assert_eq!(count["anthropic_version"], version);
        assert_eq!(count["model"], MODEL);
        for name in [
            "model",
            "max_tokens",
            "stream",
            "stop_sequences",
            "temperature",
            "top_k",
            "metadata",
            "service_tier",
        ] {
            whole.as_object_mut().unwrap().shift_remove(name);
        }
        count.as_object_mut().unwrap().shift_remove("model");
        assert_eq!(count, whole);
    }
    assert_eq!(read_count(br#"{"input_tokens":14,"x":1}"#).unwrap(), 14);
    for body in ["{}", "", r#"{"input_tokens":"14"}"#] {
        let failure = read_count(body.as_bytes()).unwrap_err();
        assert_eq!(failure.class, Class::Broken);
    }
}
