//! What is set beside the conversation: cache points, sampling, the tier, and a count.

use super::{
    CLAUDE, LLAMA, NO_ARGUMENTS, NOVA, assistant, check, dropped, encoded, hi, member, refusal,
    says, text, tool, user,
};
use crate::chat::{Conversation, Part, Tool, ToolChoice};
use crate::dialect::Receiver;
use crate::dialect::bedrock::encode_count;
use crate::facts::Families;

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
