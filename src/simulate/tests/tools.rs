//! Offered tools, and what a model cannot do.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn an_offered_tool_is_called_until_it_has_answered() {
    let arguments = r#"{"city":"Алматы","days":3}"#;
    let simulator = start(Behaviour {
        tool: Some(ToolCall::Named {
            name: "weather".into(),
            arguments: arguments.into(),
        }),
        ..fast()
    })
    .await;
    let tools = json!([{ "type": "function", "function": { "name": "weather" } }]);

    let plain = chat(&simulator, json!({ "tools": tools })).await.unwrap();
    let choice = &plain.json()["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], arguments);

    let ask = json!({ "tools": tools, "stream": true });
    let stream = chat(&simulator, ask).await.unwrap();
    let calls: Vec<Value> = stream
        .events()
        .iter()
        .map(|event| event["choices"][0]["delta"]["tool_calls"][0].clone())
        .filter(|call| !call.is_null())
        .collect();
    assert_eq!(calls[0]["function"]["name"], "weather");
    assert_eq!(
        calls.iter().filter(|call| call["id"].is_string()).count(),
        1
    );
    let joined: String = calls
        .iter()
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(joined, arguments);

    let answered = json!({ "tools": tools, "messages": [{ "role": "tool", "content": "" }] });
    let text = chat(&simulator, answered).await.unwrap();
    assert!(text.json()["choices"][0]["message"]["content"].is_string());
}

#[tokio::test]
async fn the_first_offered_tool_is_called_with_arguments_of_its_schema() {
    let simulator = start(Behaviour {
        tool: Some(ToolCall::FirstOffered),
        ..fast()
    })
    .await;
    let parameters = json!({ "type": "object", "properties": { "days": { "type": "integer" } } });
    let function = json!({ "name": "forecast", "parameters": parameters });
    let tools = json!([{ "type": "function", "function": function }]);
    let got = chat(&simulator, json!({ "tools": tools })).await.unwrap();
    let call = got.json()["choices"][0]["message"]["tool_calls"][0].clone();
    assert_eq!(call["function"]["name"], "forecast");
    assert_eq!(call["function"]["arguments"], r#"{"days":1}"#);
}

#[tokio::test]
async fn what_a_model_cannot_do_is_refused_or_ignored() {
    let schema = json!({ "name": "s", "schema": { "const": 7 } });
    let asks = [
        (
            Feature::Tools,
            json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] }),
            "tools",
        ),
        (
            Feature::JsonSchema,
            json!({ "response_format": { "type": "json_schema", "json_schema": schema } }),
            "response_format",
        ),
        (
            Feature::StreamUsage,
            json!({ "stream": true, "stream_options": { "include_usage": true } }),
            "stream_options",
        ),
    ];
    for (feature, ask, param) in asks {
        let rejecting = start(Behaviour {
            rejects: vec![feature],
            tool: Some(ToolCall::FirstOffered),
            ..fast()
        })
        .await;
        let got = chat(&rejecting, ask.clone()).await.unwrap();
        assert_eq!(got.status, 400);
        assert_eq!(got.json()["error"]["param"], param);
        assert_eq!(got.json()["error"]["code"], "unsupported_parameter");
        assert_eq!(chat(&rejecting, json!({})).await.unwrap().status, 200);

        let ignoring = start(Behaviour {
            ignores: vec![feature],
            tool: Some(ToolCall::FirstOffered),
            ..fast()
        })
        .await;
        let got = chat(&ignoring, ask).await.unwrap();
        assert_eq!(got.status, 200);
        assert!(got.body.contains("Hello!") || got.said().contains("Hello!"));
        assert!(!got.body.contains("prompt_tokens") || feature != Feature::StreamUsage);
    }
}

#[tokio::test]
async fn a_prompt_beyond_the_context_is_refused() {
    let simulator = start(Behaviour {
        context: Some(100),
        ..fast()
    })
    .await;
    for (letters, status) in [(200, 200), (600, 400)] {
        let messages = json!([{ "role": "user", "content": "x".repeat(letters) }]);
        let got = chat(&simulator, json!({ "messages": messages }))
            .await
            .unwrap();
        assert_eq!(got.status, status, "{}", got.body);
        if status == 400 {
            assert_eq!(got.json()["error"]["code"], "context_length_exceeded");
        }
    }
}
