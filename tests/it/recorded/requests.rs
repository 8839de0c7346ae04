//! Requests of applications, to a provider that speaks what they speak.

use serde_json::Value;

use super::{Recording, recordings};
use crate::support::stage::alone;
use crate::support::{Act, Kind, Reply, Stage, Surface};

/// The recorded requests of one surface.
fn requests(folder: &str, suits: impl Fn(&Recording) -> bool) -> Option<Vec<(String, Value)>> {
    let all = recordings(folder)?.into_iter();
    let suiting =
        all.filter(|one| one.sample["request"]["body"]["model"].is_string() && suits(one));
    Some(
        suiting
            .map(|one| (one.name.clone(), one.sample["request"]["body"].clone()))
            .collect(),
    )
}

/// Sends each, and returns how many; all arrive as they were but for the model.
async fn pass(surface: Surface, kind: Kind, requests: Vec<(String, Value)>) -> usize {
    let stage = Stage::new().await;
    // Only what is sent matters here, and this is sent once.
    stage.cast(kind, Act::does(|_, _| Reply::error(400, "x", None, "No.")));
    let count = requests.len();
    for (number, (name, mut body)) in requests.into_iter().enumerate() {
        body["model"] = alone(kind).into();
        if surface == Surface::Chat && body["stream"] == true {
            // Else it is added, so that there is something to record.
            body["stream_options"]["include_usage"] = true.into();
        }
        let text = body.to_string();
        let (answer, record) = stage.ask(surface, &text).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        assert_eq!(
            record.classes(),
            ["invalid_request"],
            "{name}: {}",
            answer.text()
        );
        let seen = stage.upstream(kind).request(number).await;
        let ours = format!("\"model\":\"{}\"", alone(kind));
        assert_eq!(text.matches(&ours).count(), 1, "{name}");
        let expected = text.replace(&ours, &format!("\"model\":\"{}\"", kind.model()));
        assert!(
            seen.text() == expected,
            "{name}: {}\n{expected}",
            seen.text()
        );
        assert_eq!(answer.header("x-pillion-dropped"), None, "{name}");
    }
    count
}

#[tokio::test]
async fn requests_to_messages_arrive_as_they_were_but_for_the_model() {
    let ours = |one: &Recording| {
        one.kind() == Kind::Anthropic
            && one.sample["request"]["body"]["messages"].is_array()
            && one.path().ends_with("/messages")
    };
    if let Some(requests) = requests("anthropic-gemini-bedrock/samples", ours) {
        assert_eq!(pass(Surface::Messages, Kind::Anthropic, requests).await, 58);
    }
}

#[tokio::test]
async fn requests_to_responses_arrive_as_they_were_but_for_the_model() {
    let ours = |one: &Recording| one.path().ends_with("/responses");
    if let Some(requests) = requests("openai/samples", ours) {
        assert_eq!(pass(Surface::Responses, Kind::OpenAi, requests).await, 45);
    }
}

#[tokio::test]
async fn requests_to_chat_completions_arrive_as_they_were_but_for_the_model() {
    let ours = |one: &Recording| one.path().ends_with("/chat/completions");
    if let Some(requests) = requests("openai/samples", ours) {
        assert_eq!(pass(Surface::Chat, Kind::Compatible, requests).await, 143);
    }
}
