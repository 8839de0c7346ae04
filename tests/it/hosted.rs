//! What a provider runs or keeps itself reaches one provider, whatever becomes of it there, unless that
//! one cannot have begun.

use serde_json::{Value, json};

use crate::support::wire::Script;
use crate::support::{Config, Gateway, Kind, Reply, Surface, Upstream};

/// Who speaks each surface itself, so that all of it is passed on.
const SPOKEN: [(Surface, Kind); 3] = [
    (Surface::Chat, Kind::Compatible),
    (Surface::Responses, Kind::OpenAi),
    (Surface::Messages, Kind::Anthropic),
];

/// A first target that fails with `status`, and a second one that answers.
async fn two(surface: Surface, kind: Kind, status: u16) -> (Upstream, Upstream, Gateway) {
    let first = Upstream::always(Reply::status(status).body("{}")).await;
    let wire = kind.wire(surface);
    let second = Upstream::choosing(move |seen| {
        wire.reply(seen.json()["stream"] == true, &Script::text(&["Hello!"]))
    })
    .await;
    let config = Config::new()
        .kind("first", kind, &first)
        .kind("second", kind, &second)
        .knob("breaker: { failures: 1000 }");
    let gateway = Gateway::start(config).await;
    (first, second, gateway)
}

/// What is asked for beside the turns, by whom, and whether the provider is to run or keep anything.
fn asked() -> Vec<(Surface, Value, bool)> {
    use Surface::{Chat, Messages, Responses};
    let tool = |tool: Value| json!({ "tools": [tool] });
    let of_type = |kind: &str| tool(json!({ "type": kind, "name": "x" }));
    let mut rows = vec![
        (
            Chat,
            tool(json!({ "type": "function", "function": { "name": "f" } })),
            false,
        ),
        (Chat, json!({ "search_parameters": { "mode": "on" } }), true),
        (Chat, json!({ "plugins": [{ "id": "web" }] }), true),
        (Chat, json!({ "web_search_options": {} }), true),
        (Chat, tool(json!({ "googleSearch": {} })), true),
        (
            Responses,
            tool(json!({ "type": "function", "name": "f" })),
            false,
        ),
        (Responses, of_type("apply_patch"), false),
        (
            Responses,
            tool(json!({ "type": "shell", "environment": { "type": "local" } })),
            false,
        ),
        (
            Responses,
            tool(json!({ "type": "shell", "environment": { "type": "container_auto" } })),
            true,
        ),
        (Responses, json!({ "prompt": { "id": "pmpt_1" } }), true),
        (Responses, json!({ "previous_response_id": "resp_1" }), true),
        (Responses, json!({ "background": true }), true),
        (
            Messages,
            tool(json!({ "name": "f", "input_schema": { "type": "object" } })),
            false,
        ),
        (Messages, of_type("bash_20250124"), false),
        (Messages, of_type("code_execution_20250825"), true),
        (
            Messages,
            json!({ "mcp_servers": [{ "type": "url", "name": "s", "url": "https://a.example" }] }),
            true,
        ),
        (Messages, json!({ "container": "container_1" }), true),
    ];
    for surface in [Chat, Responses, Messages] {
        for kind in ["browser_search", "collections_search", "mcp", "new_in_2031"] {
            rows.push((surface, of_type(kind), true));
        }
    }
    rows
}

#[tokio::test]
async fn a_provider_that_may_have_begun_is_the_only_one() {
    for (surface, kind) in SPOKEN {
        // A 503 says that it was not begun.
        for (status, begun) in [(500, true), (503, false)] {
            let (first, second, gateway) = two(surface, kind, status).await;
            for (of, more, executes) in asked() {
                if of != surface {
                    continue;
                }
                for streamed in [false, true] {
                    let before = (first.hits(), second.hits());
                    let mut ask = surface.asking("chat", streamed);
                    let more = more.as_object().unwrap().clone();
                    let what = format!("{surface:?} {status} {streamed} {more:?}");
                    ask.as_object_mut().unwrap().extend(more);
                    let answer = gateway.post(surface.path(), &[], &ask.to_string()).await;
                    let alone = executes && begun;
                    let asked = (first.hits() - before.0, second.hits() - before.1);
                    assert_eq!(asked, (1, usize::from(!alone)), "{what}: {}", answer.text());
                    assert_eq!(answer.status, if alone { 502 } else { 200 }, "{what}");
                    if alone {
                        assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
                    }
                }
            }
        }
    }
}
