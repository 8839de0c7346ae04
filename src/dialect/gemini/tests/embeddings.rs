//! Embeddings, there and back.

use bytes::Bytes;

use crate::chat::{EmbeddingRequest, Unsupported, embedding};
use crate::dialect::gemini::Form;
use crate::dialect::gemini::embeddings::{answer, encode};
use crate::outcome::Class;

fn request(text: &str) -> EmbeddingRequest {
    embedding::read(text).unwrap()
}

#[test]
fn a_request_has_the_form_of_its_place() {
    let request = request(r#"{"model":"m","input":["a","b"],"dimensions":256,"user":"u"}"#);
    for (model, form, body) in [
        (
            "gemini-embedding-001",
            Form::AiStudio,
            r#"{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"outputDimensionality":256},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]},"outputDimensionality":256}]}"#,
        ),
        (
            "text-embedding-005",
            Form::Vertex,
            r#"{"instances":[{"content":"a"},{"content":"b"}],"parameters":{"autoTruncate":false,"outputDimensionality":256}}"#,
        ),
    ] {
        assert_eq!(encode(&request, model, form).unwrap(), [body]);
    }
}

#[test]
fn more_than_one_request_takes_is_refused() {
    let request = |count| EmbeddingRequest {
        inputs: vec!["a".into(); count],
        ..EmbeddingRequest::default()
    };
    for (form, most) in [(Form::AiStudio, 100), (Form::Vertex, 250)] {
        assert_eq!(encode(&request(most), "m", form).unwrap().len(), 1);
        let refused = encode(&request(most + 1), "m", form).unwrap_err();
        assert_eq!(
            (refused.code, &*refused.param),
            (Unsupported::PARAMETER, "input")
        );
    }
    let bodies = encode(&request(251), "gemini-embedding-001", Form::Vertex).unwrap();
    assert_eq!(bodies.len(), 251, "each alone");
}

#[test]
fn an_answer_becomes_the_list_that_callers_know() {
    let floats = request(r#"{"input":["a","b"]}"#);
    let base64 = request(r#"{"input":"a","encoding_format":"base64"}"#);
    let studio = "{\n \"embeddings\": [\n {\"values\": [\n 0.50,\n -1\n ]}, {\"values\": [1]}]}";
    assert_eq!(
        answer(&[Bytes::from(studio)], &floats, "shown", Form::AiStudio).unwrap(),
        br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.50,-1]},{"object":"embedding","index":1,"embedding":[1]}],"model":"shown"}"#
    );
    let counted = r#"{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":3}}"#;
    assert_eq!(
        answer(&[Bytes::from(counted)], &base64, "shown", Form::AiStudio).unwrap(),
        br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPw=="}],"model":"shown","usage":{"prompt_tokens":3,"total_tokens":3}}"#
    );
    let vertex = r#"{"predictions":[{"embeddings":{"statistics":{"token_count":4,"truncated":false},"values":[1]}},{"embeddings":{"statistics":{"token_count":5.0},"values":[2]}}],"metadata":{}}"#;
    assert_eq!(
        answer(&[Bytes::from(vertex)], &floats, "shown", Form::Vertex).unwrap(),
        br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]},{"object":"embedding","index":1,"embedding":[2]}],"model":"shown","usage":{"prompt_tokens":9,"total_tokens":9}}"#
    );
}

#[test]
fn an_answer_without_a_vector_for_each_input_is_broken() {
    let request = request(r#"{"input":"a"}"#);
    for (body, form) in [
        ("{}", Form::AiStudio),
        (r#"{"embeddings":[]}"#, Form::AiStudio),
        (r#"{"embeddings":[{"values":[]}]}"#, Form::AiStudio),
        (
            r#"{"embeddings":[{"values":[1]},{"values":[1]}]}"#,
            Form::AiStudio,
        ),
        (
            r#"{"predictions":[{"embeddings":{"values":"x"}}]}"#,
            Form::Vertex,
        ),
        ("[", Form::Vertex),
    ] {
        let failure = answer(&[Bytes::from(body)], &request, "m", form).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{body}");
    }
}
