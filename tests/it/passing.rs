//! What the caller wrote reaches the provider, and what the provider wrote reaches the caller, but
//! for the little that is ours.

use serde_json::{Value, json};

use crate::support::fixture::{
    DONE, Ended, ask, ask_stream, ask_usage, finish, plain, plain_calls, read_plain, read_stream,
    role, streamed, streamed_calls, text,
};
use crate::support::reply::Framing;
use crate::support::{Config, Gateway, Reply, Upstream};

async fn one(upstream: &Upstream) -> Gateway {
    Gateway::start(Config::of(&[upstream])).await
}

/// Bodies as SDKs, and people, write them.
const BODIES: &[(&str, &str)] = &[
    (
        "plain",
        r#"{"model":"chat","messages":[{"role":"user","content":"Hi"}]}"#,
    ),
    (
        "odd spaces, an escaped key and a number that no double can hold",
        "\n{ \"messages\" : [ {\"role\":\"user\",\"content\":\"\\u041f\\u0440\\u0438\\u0432\\u0435\\u0442 😀 \\\"chat\\\"\"} ],\t\"model\" : \"chat\" , \"seed\":10063845344384584000, \"x\":1e400 }\n",
    ),
    (
        "tools",
        r#"{"messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Almaty\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"12"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}},"strict":true}}],"tool_choice":"auto","parallel_tool_calls":true,"model":"chat"}"#,
    ),
    (
        "an image",
        r#"{"model":"chat","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]}]}"#,
    ),
    (
        "a JSON schema",
        r#"{"model":"chat","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","properties":{"model":{"type":"string"}},"required":["model"],"additionalProperties":false}}}}"#,
    ),
    (
        "fields that nobody knows yet",
        r#"{"model":"chat","messages":[{"role":"user","content":"Hi","zzz":{"model":"chat"}}],"reasoning_effort":"xhigh","a_new_field":[1,null,{"model":"chat"}],"metadata":{"k":"v"},"store":false}"#,
    ),
];

#[tokio::test]
async fn a_request_reaches_the_provider_byte_for_byte_but_for_the_model() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = one(&upstream).await;
    for (number, (what, body)) in BODIES.iter().enumerate() {
        let answer = gateway.chat(body).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        let seen = upstream.request(number).await;
        let at = body.rfind("\"model\" : \"chat\"").or_else(|| {
            // The one at the top level: it stands first or last.
            if body.starts_with("{\"model\"") {
                Some(0)
            } else {
                body.rfind("\"model\"")
            }
        });
        let (before, after) = body.split_at(at.unwrap());
        let expected = before.to_owned() + &after.replacen("\"chat\"", "\"model-first\"", 1);
        assert_eq!(seen.text(), expected, "{what}");
        assert!(
            seen.head
                .starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
            "{}",
            seen.head
        );
    }
}

#[tokio::test]
async fn usage_is_asked_for_in_a_stream_and_taken_out_again() {
    let upstream = Upstream::always(Reply::sse(streamed(&["Hel", "lo!"]))).await;
    let gateway = one(&upstream).await;
    for (number, (options, sent)) in [
        ("", r#","stream_options":{"include_usage":true}"#),
        (
            r#","stream_options":null"#,
            r#","stream_options":{"include_usage":true}"#,
        ),
        (
            r#","stream_options":{}"#,
            r#","stream_options":{"include_usage":true}"#,
        ),
        (
            r#","stream_options":{"include_obfuscation":false}"#,
            r#","stream_options":{"include_usage":true,"include_obfuscation":false}"#,
        ),
        (
            r#","stream_options":{"include_usage":false}"#,
            r#","stream_options":{"include_usage":true}"#,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let body = |model: &str, options: &str| {
            format!(r#"{{"model":"{model}","stream":true,"messages":[]{options}}}"#)
        };
        let answer = gateway.chat(&body("chat", options)).await;
        assert_eq!(
            upstream.request(number).await.text(),
            body("model-first", sent)
        );
        let whole = read_stream(&answer.data(), false);
        assert_eq!(
            (whole.choices[0].text.as_str(), &whole.ended),
            ("Hello!", &Ended::Done)
        );
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.0["usage"]["prompt"], 9, "counted all the same");
        assert_eq!(record.0["usage"]["completion"], 3);
    }
}

#[tokio::test]
async fn usage_that_was_asked_for_is_kept() {
    let upstream = Upstream::always(Reply::sse(streamed(&["Hello!"]))).await;
    let gateway = one(&upstream).await;
    let answer = gateway.chat(&ask_usage()).await;
    assert_eq!(
        upstream.request(0).await.text(),
        ask_usage().replace("\"chat\"", "\"model-first\"")
    );
    let whole = read_stream(&answer.data(), true);
    assert_eq!(whole.usage.unwrap()["total_tokens"], 12);
}

#[tokio::test]
async fn a_server_that_rejects_the_usage_option_is_not_sent_it() {
    let upstream = Upstream::always(Reply::sse(streamed(&["Hello!"]))).await;
    let config = Config::of(&[&upstream]);
    let config = config.root("models: { first/model-first: { stream_usage: false } }");
    let gateway = Gateway::start(config).await;
    gateway.chat(&ask_stream()).await;
    let sent = upstream.request(0).await;
    assert_eq!(
        sent.text(),
        ask_stream().replace("\"chat\"", "\"model-first\"")
    );
}

#[tokio::test]
async fn the_caller_sees_the_model_it_asked_for() {
    let upstream = Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["Hello!"]))
        } else {
            Reply::json(plain("Hello!"))
        }
    })
    .await;
    let config = Config::of(&[&upstream])
        .knob("accepts: [gpt-4o]")
        .route("open", "{ targets: [first/m], expose_model: true }");
    let gateway = Gateway::start(config).await;
    for (asked, shown) in [
        ("chat", "chat"),
        ("gpt-4o", "gpt-4o"),
        ("open", "upstream-model"),
    ] {
        let answer = gateway
            .chat(&ask().replace("\"chat\"", &format!("\"{asked}\"")))
            .await;
        assert_eq!(answer.json()["model"], shown);
        let body = ask_stream().replace("\"chat\"", &format!("\"{asked}\""));
        let whole = read_stream(&gateway.chat(&body).await.data(), false);
        assert_eq!(whole.model, shown);
    }
}

#[tokio::test]
async fn an_answer_comes_as_the_provider_wrote_it_but_for_the_model() {
    let odd = plain("H\u{e9}\u{1f600}").replacen(
        '{',
        "{\n  \"new\": {\"deep\": [1e400, 10063845344384584000]}, ",
        1,
    );
    let calls = plain_calls(&[("call_1", "weather", r#"{"city":"Almaty"}"#)]);
    let upstream = Upstream::script([
        Reply::json(odd.clone()),
        Reply::json(format!("\n\n  {calls}")),
        Reply::json(odd.clone()).framing(Framing::Chunked),
        Reply::json(odd.clone()).framing(Framing::Close),
    ])
    .await;
    let gateway = one(&upstream).await;
    let shown = |text: &str| text.replace("upstream-model", "chat");
    assert_eq!(gateway.chat(&ask()).await.text(), shown(&odd));
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.text().trim(), shown(&calls));
    assert_eq!(
        read_plain(&answer.json())[0].calls[0].2,
        r#"{"city":"Almaty"}"#
    );
    for _ in 0..2 {
        assert_eq!(gateway.chat(&ask()).await.text(), shown(&odd));
    }
}

#[tokio::test]
async fn a_streams_frames_come_as_the_provider_wrote_them_but_for_the_model() {
    let body = streamed(&["Hel", "lo \u{1f600}!"]).replace(
        "\"choices\":[{",
        "\"new\":[1e400],\"choices\":[{\"deep\":{\"er\":10063845344384584000},",
    );
    let upstream = Upstream::always(Reply::sse(body.clone())).await;
    let gateway = one(&upstream).await;
    let answer = gateway.chat(&ask_usage()).await;
    assert_eq!(answer.text(), body.replace("upstream-model", "chat"));
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
}

#[tokio::test]
async fn tool_calls_are_streamed_whole() {
    let calls: &[(&str, &str, &[&str])] = &[
        ("call_1", "weather", &["{\"city\"", ":\"Alm", "aty\"}"]),
        ("call_2", "time", &["{", "}"]),
    ];
    let upstream = Upstream::always(Reply::sse(streamed_calls(calls))).await;
    let gateway = one(&upstream).await;
    let whole = read_stream(&gateway.chat(&ask_stream()).await.data(), false);
    let said = &whole.choices[0];
    assert_eq!(said.finish, "tool_calls");
    let of = |id: &str, name: &str, arguments: &str| {
        (id.to_owned(), name.to_owned(), arguments.to_owned())
    };
    assert_eq!(
        said.calls,
        [
            of("call_1", "weather", "{\"city\":\"Almaty\"}"),
            of("call_2", "time", "{}")
        ]
    );
}

#[tokio::test]
async fn a_plain_answer_to_a_stream_becomes_a_stream() {
    let calls = plain_calls(&[("call_1", "weather", "{}"), ("call_2", "time", "{\"x\":1}")]);
    let upstream = Upstream::script([Reply::json(plain("Hello!")), Reply::json(calls)]).await;
    let gateway = one(&upstream).await;
    let answer = gateway.chat(&ask_usage()).await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let whole = read_stream(&answer.data(), true);
    assert_eq!(whole.choices[0].text, "Hello!");
    assert_eq!(whole.model, "chat");
    assert!(whole.usage.is_some());
    let whole = read_stream(&gateway.chat(&ask_stream()).await.data(), false);
    assert_eq!(whole.choices[0].calls.len(), 2);
    assert_eq!(whole.choices[0].finish, "tool_calls");
}

#[tokio::test]
async fn usage_beside_a_finish_that_is_said_again_keeps_what_came_with_it() {
    let again = finish("stop").replace(
        "\"object\"",
        "\"service_tier\":\"flex\",\"usage\":{\"prompt_tokens\":9,\"total_tokens\":12},\"object\"",
    );
    let body = role() + &text("Hello!") + &finish("stop") + &again + DONE;
    let upstream = Upstream::always(Reply::sse(body)).await;
    let gateway = one(&upstream).await;
    let answer = gateway.chat(&ask_usage()).await;
    let whole = read_stream(&answer.data(), true);
    assert_eq!(whole.usage.unwrap()["total_tokens"], 12);
    assert!(answer.text().contains("\"flex\""), "{}", answer.text());
    read_stream(&gateway.chat(&ask_stream()).await.data(), false);
}

#[tokio::test]
async fn early_hints_are_no_answer() {
    let hello = plain("Hello!");
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(20);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", hello.len());
    let upstream = Upstream::always(Reply::raw(hints + &head + &hello)).await;
    let gateway = one(&upstream).await;
    assert_eq!(
        read_plain(&gateway.chat(&ask()).await.json())[0].text,
        "Hello!"
    );
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn a_choice_that_a_filter_blocked_has_a_message() {
    let blocked = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"content_filter","content_filter_results":{"hate":{"filtered":true}}}]}"#;
    let upstream = Upstream::always(Reply::json(blocked)).await;
    let gateway = one(&upstream).await;
    let answer = gateway.chat(&ask()).await.json();
    assert_eq!(read_plain(&answer)[0].finish, "content_filter");
    assert_eq!(
        answer["choices"][0]["content_filter_results"]["hate"]["filtered"],
        true
    );
}

#[tokio::test]
async fn the_provider_learns_nothing_of_the_caller() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = Config::new()
        .file("secret", "sk-upstream-canary\n")
        .provider(
            "first",
            &upstream.base_url(),
            "secret: \"file:$FOLDER/secret\"",
        )
        .root(&key("caller-token", ""));
    let gateway = Gateway::start(config).await;
    let headers = [
        ("authorization", "Bearer caller-token"),
        ("x-stainless-lang", "python"),
        ("user-agent", "OpenAI/Python"),
        ("openai-organization", "org-caller"),
        ("cookie", "a=b"),
        ("x-pillion-tag-conversation", "7"),
    ];
    let answer = gateway.post("/v1/chat/completions", &headers, &ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = upstream.request(0).await;
    assert_eq!(
        seen.header("authorization"),
        Some("Bearer sk-upstream-canary")
    );
    for told in [
        "caller-token",
        "python",
        "org-caller",
        "a=b",
        "tag-conversation",
    ] {
        assert!(
            !seen.head.to_lowercase().contains(told),
            "{told}: {}",
            seen.head
        );
    }
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert!(
        !gateway.log().contains("canary"),
        "the log never holds the secret"
    );
    assert!(!gateway.log().contains("caller-token"), "nor the caller's");
}

/// A key's entry for this token.
pub(crate) fn key(token: &str, more: &str) -> String {
    let hex = pillion::config::sha256(token.as_bytes());
    format!("keys:\n  - {{ id: test, hash: \"sha256:{hex}\"{more} }}")
}

#[tokio::test]
async fn completions_and_embeddings_pass_the_same_way() {
    let completion = json!({
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "upstream-model",
        "choices": [{ "index": 0, "text": "Hello!", "logprobs": null, "finish_reason": "length" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 }
    });
    let embedding = json!({
        "object": "list", "model": "upstream-model",
        "data": [{ "object": "embedding", "index": 0, "embedding": [0.25, -1.5] }],
        "usage": { "prompt_tokens": 1, "total_tokens": 1 }
    });
    let (completion, embedding) = (completion.to_string(), embedding.to_string());
    let upstream = Upstream::script([
        Reply::json(completion.clone()),
        Reply::json(embedding.clone()),
    ])
    .await;
    let gateway = one(&upstream).await;
    let shown = |text: &str| text.replace("upstream-model", "chat");
    let ask = r#"{"model":"chat","prompt":"Hi"}"#;
    assert_eq!(
        gateway.post("/v1/completions", &[], ask).await.text(),
        shown(&completion)
    );
    let ask = r#"{"model":"chat","input":["Hi"]}"#;
    assert_eq!(
        gateway.post("/embeddings", &[], ask).await.text(),
        shown(&embedding)
    );
    let paths: Vec<String> = upstream
        .requests()
        .iter()
        .map(|seen| seen.head.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["/v1/completions", "/v1/embeddings"]);
}

#[tokio::test]
async fn what_no_surface_knows_goes_to_the_keys_own_provider_as_it_came() {
    let audio = [0_u8, 159, 146, 150, 255];
    let upstream = Upstream::always(
        Reply::json(audio)
            .header("content-type", "audio/mpeg")
            .header("x-theirs", "kept")
            .header("set-cookie", "a=b"),
    )
    .await;
    let config = Config::of(&[&upstream]).root(&key("t", ", passthrough: first"));
    let gateway = Gateway::start(config).await;
    let body = "--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nbytes\r\n--x--\r\n";
    let headers = [
        ("authorization", "Bearer t"),
        ("content-type", "multipart/form-data; boundary=x"),
    ];
    let answer = gateway
        .post("/v1/files?purpose=batch", &headers, body)
        .await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, audio.as_slice())
    );
    assert_eq!(answer.header("x-theirs"), Some("kept"));
    assert_eq!(answer.header("set-cookie"), None);
    let seen = upstream.request(0).await;
    assert!(
        seen.head
            .starts_with("POST /v1/files?purpose=batch HTTP/1.1"),
        "{}",
        seen.head
    );
    assert_eq!(seen.text(), body);
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.text("surface"), "passthrough");
    assert_eq!(record.outcome(), "ok");
    // The page counts it, and not who was answered here.
    let refused = gateway
        .post("/v1/files", &[("authorization", "Bearer u")], body)
        .await;
    assert_eq!(refused.status, 401);
    gateway.audit(refused.id()).await;
    let lately = gateway.ask_admin("/api/series?by=route").await.json();
    assert_eq!(lately["of_late"]["requests"], 1, "{lately}");
    assert_eq!(lately["groups"][0]["name"], "passthrough", "{lately}");
}

#[tokio::test]
async fn the_models_are_the_routes_that_the_key_may_use() {
    let upstream = Upstream::always(Reply::json("{}")).await;
    let config = Config::of(&[&upstream])
        .route("other", "{ targets: [first/m] }")
        .root(&key("t", ", routes: [chat]"));
    let gateway = Gateway::start(config).await;
    let mut client = gateway.connect().await;
    client
        .get("/v1/models", &[("authorization", "Bearer t")])
        .await;
    let models = client.answer().await.rest().await.json();
    let ids: Vec<&Value> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    assert_eq!(ids, ["chat"]);
    assert_eq!(upstream.hits(), 0);
}

#[tokio::test]
async fn nobody_switches_protocols_behind_a_pass_through() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let first = Upstream::always(Reply::raw(switching)).await;
    let config = Config::of(&[&first]);
    let gateway = Gateway::start(config).await;
    let answer = gateway.post("/v1/images/generations", &[], &ask()).await;
    assert_eq!((answer.status, &*answer.code()), (502, "upstream_failed"));
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes(), ["broken"]);
}
