use serde_json::json;

use crate::dialect::responses::{Needs, needs};

#[test]
fn what_a_request_needs_is_named() {
    let stored = |path: &str| Needs {
        stored: Some(path.into()),
        executes: None,
    };
    let executes = |path: &str| Needs {
        stored: None,
        executes: Some(path.into()),
    };
    for (request, expected) in [
        (json!({"input":"x"}), Needs::default()),
        (
            json!({"input":[{"role":"user","content":"x"},{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"t","file_id":null}]}],
                "store":false,"background":null,"prompt":null,"conversation":null,"previous_response_id":null,
                "tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"},{"type":"apply_patch"}]}),
            Needs::default(),
        ),
        (json!({"store":true,"conversation":"c"}), stored("store")),
        (json!({"background":true}), stored("background")),
        (
            json!({"previous_response_id":"r"}),
            stored("previous_response_id"),
        ),
        (json!({"conversation":{"id":"c"}}), stored("conversation")),
        (json!({"prompt":{"id":"p"}}), stored("prompt")),
        (
            json!({"input":[{"role":"user","content":"x"},{"type":"item_reference","id":"m"}]}),
            stored("input[1]"),
        ),
        (json!({"input":[{"id":"m"}]}), stored("input[0]")),
        (
            json!({"input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","file_id":"f"}]}]}),
            stored("input[0].content[1].file_id"),
        ),
        (
            json!({"input":[{"type":"function_call_output","call_id":"a","output":[{"type":"input_file","file_id":"f"}]}]}),
            stored("input[0].output[0].file_id"),
        ),
        (
            json!({"tools":[{"type":"function","name":"f"},{"type":"web_search"}]}),
            executes("tools[1]"),
        ),
        (
            json!({"tools":[{"type":"mcp","server_label":"s"}]}),
            executes("tools[0]"),
        ),
        (
            json!({"tools":[{"type":"file_search","vector_store_ids":["v"]}]}),
            Needs {
                stored: Some("tools[0].vector_store_ids".into()),
                executes: Some("tools[0]".into()),
            },
        ),
    ] {
        assert_eq!(needs(&request.to_string()), expected, "{request}");
    }
}
