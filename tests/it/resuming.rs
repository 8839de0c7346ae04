//! `on_break: continue`: an answer of plain text that breaks off is gone on with by another target.

use serde_json::{Value, json};

use crate::support::fixture::{ask_stream, plain, role, streamed, text};
use crate::support::kind::KINDS;
use crate::support::reply::End;
use crate::support::surface::SURFACES;
use crate::support::wire::{Script, Tag, Wire};
use crate::support::{Act, Config, Gate, Gateway, Kind, Reply, Stage, Surface, Upstream};

const CONTINUE: &str = ", on_break: continue";

/// Whose stream can be gone on with, and who can go on: Responses as they are, and Claude's own frames in
/// Amazon's, are only passed on.
fn is_read(kind: Kind, surface: Surface) -> bool {
    !matches!(kind.wire(surface), Wire::Responses | Wire::Invoke)
}

fn breaks_off(wire: Wire, _: bool) -> Reply {
    wire.cut(
        &Script::text(&["The first half, ", "never seen"]),
        Tag::Text,
        1,
        false,
        End::Fin,
    )
}

#[tokio::test]
async fn another_target_goes_on_from_the_text_so_far() {
    for kind in KINDS {
        let stage = Stage::of_takes(SURFACES.len(), &[kind], &KINDS, CONTINUE).await;
        for (number, surface) in SURFACES.into_iter().enumerate() {
            let others: Vec<Kind> = KINDS
                .into_iter()
                .filter(|other| *other != kind && is_read(*other, surface))
                .collect();
            let backup = others[(number + kind as usize) % others.len()];
            let what = format!("{kind:?}, then {backup:?}, {surface:?}");
            stage.cast(kind, Act::does(breaks_off));
            stage.cast(backup, Act::Says(Script::text(&["and the ", "second."])));
            stage.next_take();
            let ask = surface.asking(&stage.pair(kind, backup), true).to_string();
            let (answer, record) = stage.ask(surface, &ask).await;
            let told = surface.read(&answer, true);
            let what = format!("{what}: {} {}", record.0, answer.text());
            if !is_read(kind, surface) {
                assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
                assert_eq!(record.classes().len(), 1, "{what}");
                continue;
            }
            assert_eq!(told.error, None, "{what}");
            assert_eq!(told.text, "The first half, and the second.", "{what}");
            assert_eq!(record.outcome(), "ok", "{what}");
            assert_eq!(record.classes().len(), 2, "{what}");
            assert_eq!(record.classes()[1], "ok", "{what}");
            let asked = stage.upstream(backup).requests();
            let asked = asked.last().unwrap().json().to_string();
            assert!(asked.contains("The first half, "), "{what}: {asked}");
            assert!(!asked.contains("never seen"), "{what}: {asked}");
        }
    }
}

#[tokio::test]
async fn what_may_be_more_than_text_is_told_as_broken() {
    let stage = Stage::of_takes(SURFACES.len() * 2, &[Kind::Anthropic], &KINDS, CONTINUE).await;
    let (kind, backup) = (Kind::Anthropic, Kind::Gemini);
    stage.cast(kind, Act::does(breaks_off));
    stage.cast(backup, Act::Says(Script::text(&["and the second."])));
    for surface in SURFACES {
        let with_tools = |ask: &mut Value| ask["tools"] = surface.tools(&["weather"]);
        let with_schema = |ask: &mut Value| match surface {
            Surface::Chat => ask["response_format"] = json!({"type": "json_object"}),
            Surface::Responses => ask["text"] = json!({"format": {"type": "json_object"}}),
            Surface::Messages => {
                ask["output_config"] = json!({"format": {"type": "json_schema", "schema":
                    {"type": "object", "properties": {}, "additionalProperties": false}}});
            }
        };
        for more in [&with_tools as &dyn Fn(&mut Value), &with_schema] {
            let before = stage.upstream(backup).hits();
            stage.next_take();
            let mut ask = surface.asking(&stage.pair(kind, backup), true);
            more(&mut ask);
            let (answer, record) = stage.ask(surface, &ask.to_string()).await;
            let what = format!("{surface:?}: {} {}", record.0, answer.text());
            let told = surface.read(&answer, true);
            assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
            assert_eq!(stage.upstream(backup).hits(), before, "{what}");
        }
    }
}

#[tokio::test]
async fn when_nobody_goes_on_the_break_is_told() {
    let stage = Stage::of_takes(SURFACES.len(), &[Kind::Gemini], &KINDS, CONTINUE).await;
    let (kind, backup) = (Kind::Gemini, Kind::Anthropic);
    stage.cast(kind, Act::does(breaks_off));
    stage.cast(backup, Act::Fails(crate::support::wire::Fault::Server));
    for surface in SURFACES {
        stage.next_take();
        let ask = surface.asking(&stage.pair(kind, backup), true).to_string();
        let (answer, record) = stage.ask(surface, &ask).await;
        let what = format!("{surface:?}: {} {}", record.0, answer.text());
        let told = surface.read(&answer, true);
        assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
        assert_eq!(told.text, "The first half, ", "{what}");
        assert_eq!(record.outcome(), "stream_broken", "{what}");
        assert_eq!(record.classes().len(), 2, "{what}");
    }
}

#[tokio::test]
async fn who_cannot_go_on_is_not_asked() {
    let unread = [
        (Surface::Responses, Kind::OpenAi),
        (Surface::Messages, Kind::BedrockClaude),
    ];
    let stage = Stage::of_takes(unread.len(), &[Kind::Gemini], &KINDS, CONTINUE).await;
    stage.cast(Kind::Gemini, Act::does(breaks_off));
    for (surface, backup) in unread {
        stage.cast(backup, Act::Says(Script::text(&["and the second."])));
        stage.next_take();
        let ask = surface.asking(&stage.pair(Kind::Gemini, backup), true);
        let (answer, record) = stage.ask(surface, &ask.to_string()).await;
        let told = surface.read(&answer, true);
        let what = format!("{surface:?}: {} {}", record.0, answer.text());
        assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
        assert_eq!(record.classes().len(), 1, "{what}");
        assert_eq!(stage.upstream(backup).hits(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_whole_answer_goes_on_with_nothing_and_the_next_is_asked() {
    let first = Upstream::always(breaks_off(Wire::Chat, true)).await;
    let second = Upstream::always(Reply::json(plain("All of it."))).await;
    let third = Upstream::always(Reply::sse(streamed(&["and the ", "second."]))).await;
    let config = Config::of(&[&first, &second, &third]).knob("on_break: continue");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask_stream()).await;
    let records = gateway.records(|_| true, 1).await;
    let record = &records[0];
    let told = Surface::Chat.read(&answer, true);
    assert_eq!(told.error, None, "{}", answer.text());
    assert_eq!(told.text, "The first half, and the second.");
    assert_eq!(record.classes(), ["reset", "broken", "ok"], "{}", record.0);
    assert_eq!(record.outcome(), "ok", "{}", record.0);
}

#[tokio::test]
async fn an_end_of_the_process_while_another_is_asked_is_told_and_recorded() {
    let mut stage = Stage::with("drain: 100ms", CONTINUE).await;
    let (kind, backup) = (Kind::Anthropic, Kind::Gemini);
    stage.cast(kind, Act::does(breaks_off));
    stage.cast(backup, Act::does(|_, _| Reply::silence()));
    let surface = Surface::Chat;
    let ask = surface.asking(&stage.pair(kind, backup), true).to_string();
    let stream = stage.gateway.open(surface.path(), &[], &ask).await;
    stage.upstream(backup).request(0).await;
    stage.gateway.signal("TERM");
    let answer = stream.rest().await;
    let told = surface.read(&answer, true);
    let what = answer.text();
    assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
    assert_eq!(told.text, "The first half, ", "{what}");
    assert!(what.contains("shutting down"), "{what}");
    assert!(stage.gateway.ended().await.success());
    let records = stage.gateway.all_records();
    let record = &records[0];
    assert_eq!(record.outcome(), "stream_broken", "{}", record.0);
    assert_eq!(record.0["status"], 200, "{}", record.0);
    assert_eq!(record.classes()[1..], ["cancelled"], "{}", record.0);
}

#[tokio::test]
async fn nobody_is_waited_for_beyond_the_end_of_the_stream() {
    let more = format!("{CONTINUE}, stream: 1s");
    let stage = Stage::with("", &more).await;
    let (kind, backup) = (Kind::Anthropic, Kind::Gemini);
    stage.cast(kind, Act::does(breaks_off));
    stage.cast(backup, Act::does(|_, _| Reply::silence()));
    let surface = Surface::Chat;
    let ask = surface.asking(&stage.pair(kind, backup), true).to_string();
    let (answer, record) = stage.ask(surface, &ask).await;
    let told = surface.read(&answer, true);
    assert_eq!(told.error.as_deref(), Some("stream_broken"), "{}", record.0);
    assert_eq!(record.outcome(), "stream_broken", "{}", record.0);
    assert_eq!(
        record.classes()[1..],
        ["cancelled"],
        "given up: {}",
        record.0
    );
}

#[tokio::test]
async fn nobody_goes_on_when_the_attempts_are_used_up() {
    let more = format!("{CONTINUE}, max_attempts: 1");
    let stage = Stage::with("", &more).await;
    let (kind, backup) = (Kind::Anthropic, Kind::Gemini);
    stage.cast(kind, Act::does(breaks_off));
    stage.cast(backup, Act::Says(Script::text(&["and the second."])));
    let surface = Surface::Chat;
    let ask = surface.asking(&stage.pair(kind, backup), true).to_string();
    let (answer, record) = stage.ask(surface, &ask).await;
    let told = surface.read(&answer, true);
    assert_eq!(told.error.as_deref(), Some("stream_broken"), "{}", record.0);
    assert_eq!(stage.upstream(backup).hits(), 0);
}

#[tokio::test]
async fn what_another_target_cannot_mend_is_not_gone_on_with() {
    for (code, kind) in [
        ("content_filter", "invalid_request_error"),
        ("invalid_api_key", "authentication_error"),
    ] {
        let error = json!({ "error": { "message": "no", "type": kind, "code": code } });
        let body = role() + &text("The first half, ") + &format!("data: {error}\n\n");
        let gate = Gate::new();
        let first = Upstream::always(Reply::sse(body).pause_after(2, &gate)).await;
        let second = Upstream::always(Reply::sse(streamed(&["and the second."]))).await;
        let config = Config::of(&[&first, &second]).knob("on_break: continue");
        let gateway = Gateway::start(config).await;
        let stream = gateway.stream(&ask_stream()).await;
        gate.open();
        let answer = stream.rest().await;
        assert!(answer.text().contains("stream_broken"), "{}", answer.text());
        assert_eq!(second.hits(), 0, "{code}");
    }
}
