//! Requests read, and what cannot be one.

use super::*;

fn read(body: &'static str) -> Result<Request, GatewayError> {
    Request::read(Surface::Chat, Bytes::from_static(body.as_bytes()))
}

#[test]
fn facts_are_read_and_the_rest_is_left() {
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"new_in_2031":{"a":[1]},"mod\u0065l":"a\u002fb","stream":true}"#;
    let request = read(body).unwrap();
    assert_eq!((request.model.as_str(), request.stream), ("a/b", true));
    assert_eq!(&body[request.model_span.clone()], r#""a\u002fb""#);
    assert_eq!(request.usage, UsageOption::Absent { null: None });
}

#[test]
fn the_usage_option_is_found_in_every_form() {
    for (options, expected) in [
        (r#"{"include_usage":true}"#, UsageOption::Asked),
        ("null", UsageOption::Absent { null: Some(47..51) }),
        (
            "{}",
            UsageOption::Unset {
                open: 47,
                empty: true,
            },
        ),
        (
            r#"{"x":1}"#,
            UsageOption::Unset {
                open: 47,
                empty: false,
            },
        ),
        (r#"{"include_usage":false}"#, UsageOption::Declined(64..69)),
        (r#"{"include_usage":null}"#, UsageOption::Declined(64..68)),
    ] {
        let body = format!(r#"{{"model":"m","messages":[   ],"stream_options":{options}}}"#);
        let request = Request::read(Surface::Chat, body.into()).unwrap();
        assert_eq!(request.usage, expected, "{options}");
    }
}

#[test]
fn what_cannot_be_a_request_is_refused_with_the_reason() {
    for (body, code, param, words) in [
        ("", "invalid_json", None, "ends where"),
        ("[]", "invalid_json", None, "not a JSON object"),
        ("{\"model\":\"m\",", "invalid_json", None, "byte 13"),
        (
            r#"{"model":"m","messages":[]} x"#,
            "invalid_json",
            None,
            "goes on",
        ),
        (
            r#"{"messages":[]}"#,
            "missing_required_parameter",
            Some("model"),
            "missing",
        ),
        (
            r#"{"model":"m"}"#,
            "missing_required_parameter",
            Some("messages"),
            "missing",
        ),
        (
            r#"{"model":7,"messages":[]}"#,
            "invalid_type",
            Some("model"),
            "a string, not a number",
        ),
        (
            r#"{"model":"m","messages":"hi"}"#,
            "invalid_type",
            Some("messages"),
            "an array",
        ),
        (
            r#"{"model":"m","messages":[],"stream":"yes"}"#,
            "invalid_type",
            Some("stream"),
            "true or false",
        ),
        (
            r#"{"model":"m","messages":[],"tools":{}}"#,
            "invalid_type",
            Some("tools"),
            "an array",
        ),
        (
            r#"{"model":"m","messages":[],"stream_options":{"include_usage":1}}"#,
            "invalid_type",
            Some("stream_options.include_usage"),
            "not a number",
        ),
        (
            r#"{"model":"m","messages":[],"mod\u0065l":"n"}"#,
            "duplicate_parameter",
            Some("model"),
            "twice",
        ),
    ] {
        let error = read(body).unwrap_err();
        assert_eq!((error.wire().2, error.param()), (code, param), "{body}");
        assert!(error.to_string().contains(words), "{body}: {error}");
    }
}

#[test]
fn a_model_that_every_frame_would_repeat_is_short() {
    for (length, fine) in [(LONGEST_MODEL, true), (LONGEST_MODEL + 1, false)] {
        let model = "m".repeat(length);
        let body = format!(r#"{{"model":"{model}","messages":[]}}"#);
        let read = Request::read(Surface::Chat, body.into());
        assert_eq!(read.is_ok(), fine, "{length}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let error =
        Request::read(Surface::Chat, Bytes::from_static(b"{\"model\":\"\xff\"}")).unwrap_err();
    assert!(error.to_string().contains("not UTF-8 (byte 10)"), "{error}");
}

#[test]
fn what_the_provider_is_to_run_or_to_keep_is_seen() {
    use Surface::{Chat, Messages, Responses};
    let search = r#""tools":[{"type":"browser_search"}]"#;
    let function = r#""tools":[{"type":"function","name":"f"}]"#;
    let later = |tool: &str| {
        format!(r#""input":["x",{{"type":"additional_tools","tools":[{{"type":"{tool}"}}]}}]"#)
    };
    for (surface, more, expected) in [
        (Chat, function, false),
        (Chat, search, true),
        (Chat, r#""search_parameters":{"mode":"on"}"#, true),
        (Responses, function, false),
        (Responses, search, true),
        (Responses, r#""prompt":{"id":"pmpt_1"}"#, true),
        (Responses, r#""previous_response_id":"resp_1""#, true),
        (Responses, r#""store":true"#, false),
        (Responses, &later("function"), false),
        (Responses, &later("mcp"), true),
        (Messages, r#""tools":[{"name":"f"}]"#, false),
        (Messages, search, true),
        (Messages, r#""mcp_servers":[{}]"#, true),
    ] {
        let body = format!(r#"{{"model":"m","messages":[],{more}}}"#);
        let request = Request::read(surface, body.into()).unwrap();
        assert_eq!(request.executes, expected, "{surface:?} {more}");
    }
    let text = br#"{"model":"m","prompt":"Once"}"#;
    let request = Request::read(Surface::Completions, Bytes::from_static(text)).unwrap();
    assert!(!request.executes && !request.tools);
}

#[test]
fn an_image_is_not_weighed_by_its_length() {
    let data = "A".repeat(1_000_000);
    for (surface, turns) in [
        (
            Surface::Chat,
            format!(
                r#""messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]"#
            ),
        ),
        (
            Surface::Responses,
            format!(
                r#""input":[{{"role":"user","content":[{{"type":"input_image","image_url":"data:image/png;base64,{data}"}}]}}]"#
            ),
        ),
        (
            Surface::Responses,
            format!(r#""input":[{{"type":"image_generation_call","result":"{data}"}}]"#),
        ),
        (
            Surface::Messages,
            format!(
                r#""messages":[{{"role":"user","content":[{{"type":"tool_result","content":[{{"type":"image","source":{{"type":"base64","data":"{data}"}}}}]}}]}}]"#
            ),
        ),
    ] {
        let body = format!(r#"{{"model":"m",{turns}}}"#);
        let tokens = Request::read(surface, body.into()).unwrap().tokens;
        assert!((1000..1100).contains(&tokens), "{surface:?}: {tokens}");
    }
    let text = "word ".repeat(1000);
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let expected = body.len() as u64 / 4;
    let request = Request::read(Surface::Chat, body.into()).unwrap();
    assert_eq!(request.tokens, expected);
}

#[test]
fn whether_the_model_is_offered_tools() {
    for (more, expected) in [
        (r#""tools":[]"#, false),
        (r#""tools":null"#, false),
        (
            r#""tools":[{"type":"function","function":{"name":"f"}}]"#,
            true,
        ),
        (r#""tools":[{"name":"f","input_schema":{}}]"#, true),
        (r#""tools":[{"type":"web_search"}]"#, true),
        (r#""functions":[{"name":"f"}]"#, true),
        (r#""functions":null"#, false),
        (r#""web_search_options":{}"#, true),
        (r#""user":"tools""#, false),
    ] {
        let body = format!(r#"{{"model":"m","messages":[],{more}}}"#);
        let request = Request::read(Surface::Chat, body.into()).unwrap();
        assert_eq!(request.tools, expected, "{more}");
    }
}
