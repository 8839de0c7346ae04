//! A target of another dialect stands in unseen, on every surface: what each dialect's failures are,
//! what hides them, and what a caller is told once nothing can be hidden anymore.

use crate::support::kind::KINDS;
use crate::support::reply::End;
use crate::support::stage::{alone, pair};
use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::{CLOCK, Fault, Frames, Script, Tag, WEATHER, Wire};
use crate::support::{Act, Answer, Gate, Kind, Reply, Stage, Stream, Surface};

/// Those that stand in for `kind`, one after another as the scenes change: of another dialect.
fn backup_of(kind: Kind, surface: Surface, number: usize) -> Kind {
    let others: Vec<Kind> = KINDS
        .into_iter()
        .filter(|other| other.wire(surface) != kind.wire(surface))
        .collect();
    others[number % others.len()]
}

/// Failures before anything that means something, and what each may be called.
const HIDDEN: &[(Fault, &[&str])] = &[
    (Fault::Rate, &["rate_limited"]),
    (Fault::Quota, &["quota_exhausted"]),
    (Fault::Overloaded, &["overloaded"]),
    (Fault::Unavailable, &["overloaded"]),
    (Fault::Server, &["server_error"]),
    (Fault::Missing, &["target_missing"]),
    (Fault::BrokenJson, &["broken"]),
    (
        Fault::ErrorInside,
        &["broken", "overloaded", "server_error"],
    ),
    (Fault::CutBefore, &["reset", "broken"]),
    (Fault::Reset, &["reset"]),
    (Fault::Empty, &["broken"]),
    (Fault::CutInCall, &["reset", "broken"]),
];

#[tokio::test]
async fn a_failure_in_any_dialects_words_is_hidden_by_a_target_of_another() {
    for kind in KINDS {
        let takes = HIDDEN.len() * SURFACES.len() * 2;
        let stage = Stage::of_takes(takes, &[kind], &KINDS, "").await;
        for (number, (fault, classes)) in HIDDEN.iter().enumerate() {
            // Records come a moment later, and several at once: the requests are made first.
            let mut answers = Vec::new();
            for surface in SURFACES {
                let backup = backup_of(kind, surface, number);
                stage.cast(kind, Act::Fails(*fault));
                stage.cast(backup, Act::Says(Script::text(&["from the ", "backup"])));
                for streamed in [false, true] {
                    stage.next_take();
                    let route = stage.pair(kind, backup);
                    let ask = surface.asking(&route, streamed).to_string();
                    let answer = stage.gateway.post(surface.path(), &[], &ask).await;
                    answers.push((surface, backup, streamed, route, answer));
                }
            }
            for (surface, backup, streamed, route, answer) in answers {
                let what = format!(
                    "{fault:?} of {kind:?}, then {backup:?}, {surface:?}, streamed: {streamed}"
                );
                let record = stage.gateway.audit(answer.id()).await;
                let line = &record.0;
                assert_eq!(answer.status, 200, "{what}: {} {line}", answer.text());
                let told = surface.read(&answer, streamed);
                assert_eq!(told.text, "from the backup", "{what}");
                assert_eq!(
                    (told.finish, told.usage),
                    (Finish::Stop, Some((9, 3))),
                    "{what}"
                );
                assert_eq!(told.model, route, "{what}");
                let mut tried = record.classes();
                assert_eq!(tried.pop(), Some("ok"), "{what}: {line}");
                assert!(!tried.is_empty(), "{what}: {line}");
                let expected = tried.iter().all(|class| classes.contains(class));
                assert!(expected, "{what}: {line}");
                let reason = tried.last().copied();
                assert_eq!(answer.header("x-pillion-reason"), reason, "{what}");
                let attempts = (tried.len() + 1).to_string();
                assert_eq!(
                    answer.header("x-pillion-attempts"),
                    Some(&*attempts),
                    "{what}"
                );
                assert_eq!(record.outcome(), "ok", "{what}");
            }
        }
    }
}

/// What each dialect tells of how long to wait: the caller is told the same, by every surface.
#[tokio::test]
async fn a_wait_that_a_provider_names_is_told_when_nobody_stands_in() {
    let takes = KINDS.len() * SURFACES.len();
    let stage = Stage::of_takes(takes, &KINDS, &KINDS, ", timeout: 3s, answer: 2s").await;
    for kind in KINDS {
        let second = backup_of(kind, Surface::Chat, 0);
        for surface in SURFACES {
            stage.next_take();
            stage.cast(kind, Act::Fails(Fault::Rate));
            stage.cast(second, Act::Fails(Fault::Rate));
            let ask = surface.asking(&stage.pair(kind, second), true).to_string();
            let (answer, record) = stage.ask(surface, &ask).await;
            let what = format!("{kind:?}, {second:?}, {surface:?}: {}", record.0);
            assert_eq!(answer.status, 429, "{what}");
            assert_eq!(record.classes(), ["rate_limited"; 2], "{what}");
            assert_eq!(surface.error(&answer).0, "rate_limit_exceeded", "{what}");
            // Amazon names no wait.
            let both = [kind, second];
            let named = both
                .iter()
                .any(|kind| !matches!(kind, Kind::Bedrock | Kind::BedrockClaude));
            let (should, after) = if named {
                ("true", Some("7"))
            } else {
                ("false", None)
            };
            assert_eq!(answer.header("x-should-retry"), Some(should), "{what}");
            assert_eq!(answer.header("retry-after"), after, "{what}");
        }
    }
}

/// What is the caller's own fault, or the operator's, goes nowhere else.
#[tokio::test]
async fn neither_a_refused_key_nor_a_bad_request_is_sent_to_another_provider() {
    let takes = KINDS.len() * 3 * SURFACES.len();
    let backups = [Kind::Compatible, Kind::Anthropic];
    let stage = Stage::of_takes(takes, &KINDS, &backups, "").await;
    for kind in KINDS {
        for (fault, class, status, codes) in [
            (
                Fault::Auth,
                "auth",
                502,
                &["upstream_authentication_error"][..],
            ),
            (
                Fault::Invalid,
                "invalid_request",
                400,
                &["invalid_request", "invalid_value"],
            ),
            (
                Fault::TooLong,
                "context_length",
                400,
                &["context_length_exceeded"],
            ),
        ] {
            for surface in SURFACES {
                // One whose context nobody knows, and one that is known to be smaller.
                let second = if kind == Kind::Compatible {
                    Kind::Anthropic
                } else {
                    Kind::Compatible
                };
                let what = format!("{fault:?} of {kind:?}, {surface:?}");
                let before = stage.upstream(second).hits();
                stage.next_take();
                stage.cast(kind, Act::Fails(fault));
                stage.cast(second, Act::Says(Script::text(&["leaked"])));
                let ask = surface.asking(&stage.pair(kind, second), true).to_string();
                let (answer, record) = stage.ask(surface, &ask).await;
                assert_eq!(
                    answer.status,
                    status,
                    "{what}: {} {}",
                    answer.text(),
                    record.0
                );
                assert_eq!(stage.upstream(second).hits(), before, "{what}");
                assert_eq!(record.classes(), [class], "{what}");
                assert_eq!(record.outcome(), "error", "{what}");
                let (code, _) = surface.error(&answer);
                assert!(codes.contains(&&*code), "{what}: {code}");
                assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_too_long_goes_on_to_a_model_with_a_larger_context_only() {
    // Only what the operator declares counts.
    let contexts = [
        (Kind::Anthropic, 200_000),
        (Kind::BedrockClaude, 200_000),
        (Kind::Gemini, 1_000_000),
        (Kind::Vertex, 1_000_000),
    ];
    let models = contexts.map(|(kind, context)| {
        let target = kind.target(&alone(kind));
        format!("  \"{target}\": {{ context: {context} }}\n")
    });
    let stage = Stage::with(&format!("models:\n{}", models.concat()), "").await;
    for (first, second, goes_on) in [
        (Kind::Anthropic, Kind::Gemini, true),
        (Kind::BedrockClaude, Kind::Vertex, true),
        (Kind::Gemini, Kind::Anthropic, false),
        (Kind::Vertex, Kind::BedrockClaude, false),
    ] {
        for surface in SURFACES {
            stage.cast(first, Act::Fails(Fault::TooLong));
            stage.cast(second, Act::Says(Script::text(&["there is room"])));
            let ask = surface.asking(&pair(first, second), true).to_string();
            let (answer, record) = stage.ask(surface, &ask).await;
            let what = format!("{first:?}, {second:?}, {surface:?}: {}", record.0);
            if goes_on {
                assert_eq!(surface.read(&answer, true).text, "there is room", "{what}");
                assert_eq!(record.classes(), ["context_length", "ok"], "{what}");
            } else {
                assert_eq!(answer.status, 400, "{what}");
                assert_eq!(
                    surface.error(&answer).0,
                    "context_length_exceeded",
                    "{what}"
                );
                if surface == Surface::Messages {
                    // What Claude Code looks for.
                    assert!(
                        answer.text().contains("prompt is too long"),
                        "{}",
                        answer.text()
                    );
                }
            }
        }
    }
}

/// How a stream breaks behind its first text.
const BREAKS: [&str; 4] = ["cut", "reset", "an error", "garbage"];

/// A stream that breaks so once `gate` is open.
fn breaking(wire: Wire, how: &str, gate: &Gate) -> Reply {
    let mut frames: Frames = wire.frames(&Script::text(&["Hel", "lo"]));
    let second = frames
        .iter()
        .rposition(|(tag, _)| *tag == Tag::Text)
        .unwrap();
    let at = frames[..second].iter().map(|(_, bytes)| bytes.len()).sum();
    let fault = match how {
        "an error" => Some(Fault::ErrorInside),
        "garbage" => Some(Fault::BrokenJson),
        _ => None,
    };
    if let Some(fault) = fault {
        frames.truncate(second);
        frames.push((Tag::Around, fault.event(wire)));
    }
    let reply = wire.stream(&frames).pause_at(at, gate);
    match how {
        "cut" => reply.cut_at(at, End::Fin),
        "reset" => reply.cut_at(at + 9, End::Rst),
        _ => reply,
    }
}

#[tokio::test]
async fn a_break_behind_the_first_text_is_told_in_the_surfaces_own_event() {
    let takes = BREAKS.len() * SURFACES.len() * 2;
    for kind in KINDS {
        let stage = Stage::of_takes(takes, &[kind], &KINDS, "").await;
        for how in BREAKS {
            for surface in SURFACES {
                let backup = backup_of(kind, surface, 1);
                let what = format!("{how} of {kind:?}, {surface:?}");
                let before = stage.upstream(backup).hits();
                let gate = Gate::new();
                let closed = gate.clone();
                stage.cast(kind, Act::does(move |wire, _| breaking(wire, how, &closed)));
                stage.cast(backup, Act::Says(Script::text(&["from the backup"])));
                stage.next_take();
                let ask = surface.asking(&stage.pair(kind, backup), true).to_string();
                let mut stream = stage.gateway.open(surface.path(), &[], &ask).await;
                let begin = begun(&mut stream).await;
                gate.open();
                let answer = whole(&begin, stream).await;
                let told = surface.read(&answer, true);
                let record = stage.gateway.audit(answer.id()).await;
                let what = format!("{what}: {}", answer.text());
                assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
                assert_eq!(told.text, "Hel", "{what}");
                assert_eq!(record.outcome(), "stream_broken", "{what}: {}", record.0);
                assert_eq!(record.classes().len(), 1, "{what}: {}", record.0);
                assert_ne!(record.classes(), ["ok"], "{what}: {}", record.0);
                assert_eq!(stage.upstream(backup).hits(), before, "{what}");
                // To a plain caller nothing has been said yet: there it is hidden.
                if !kind.speaks(surface) {
                    stage.next_take();
                    let ask = surface.asking(&stage.pair(kind, backup), false).to_string();
                    let (answer, record) = stage.ask(surface, &ask).await;
                    let told = surface.read(&answer, false);
                    assert_eq!(told.text, "from the backup", "{what}: {}", record.0);
                }
            }
        }
    }
}

/// Half a call is nobody's: with the second call cut, the first has come whole and nothing of the
/// second.
#[tokio::test]
async fn a_call_leaves_whole_and_once_or_not_at_all() {
    for kind in KINDS {
        let stage = Stage::of_takes(SURFACES.len() * 2, &[kind], &KINDS, "").await;
        for surface in SURFACES {
            for texts in [&["Wait."][..], &[]] {
                let what = format!("{kind:?}, {surface:?}, {texts:?}");
                let script = Script::calls(texts, &[WEATHER, CLOCK]);
                stage.cast(
                    kind,
                    Act::does(move |wire, _| {
                        let script = Script::calls(texts, &[WEATHER, CLOCK]);
                        // In the middle of the last piece of the second call.
                        let pieces = wire.frames(&script);
                        let pieces = pieces.iter().filter(|(tag, _)| *tag == Tag::CallPart);
                        wire.cut(&script, Tag::CallPart, pieces.count() - 1, true, End::Fin)
                    }),
                );
                let backup = backup_of(kind, surface, 2);
                stage.cast(backup, Act::Says(Script::text(&["from the backup"])));
                let before = stage.upstream(backup).hits();
                stage.next_take();
                let mut ask = surface.asking(&stage.pair(kind, backup), true);
                ask["tools"] = surface.tools(&["weather", "clock"]);
                let (answer, record) = stage.ask(surface, &ask.to_string()).await;
                let told = surface.read(&answer, true);
                let what = format!("{what}: {}", answer.text());
                // Gemini may take its calls back by how it ends, so all of them wait for that.
                let waits = kind.wire(surface) == Wire::Gemini;
                if waits && texts.is_empty() {
                    assert_eq!(told.text, "from the backup", "{what}");
                    assert!(told.calls.is_empty() && told.error.is_none(), "{what}");
                    continue;
                }
                let whole = script.whole_calls();
                let left = if waits { &[] } else { &whole[..1] };
                assert_eq!(told.calls, left, "{what}");
                assert_eq!(told.text, texts.concat(), "{what}");
                assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
                assert!(!answer.text().contains("Asia"), "{what}");
                assert_eq!(record.outcome(), "stream_broken", "{what}");
                assert_eq!(stage.upstream(backup).hits(), before, "{what}");
            }
        }
    }
}

/// An act that says one piece and then nothing, until whoever listens has gone.
fn pausing() -> Act {
    Act::does(|wire, _| {
        wire.cut(
            &Script::text(&["Hel", "lo"]),
            Tag::Text,
            1,
            false,
            End::Silence,
        )
    })
}

/// The rest of a stream behind what was read of it.
async fn whole(begin: &str, stream: Stream) -> Answer {
    let mut answer = stream.rest().await;
    answer.body = [begin.as_bytes(), &answer.body].concat();
    answer
}

/// Reads up to the first event that says something.
async fn begun(stream: &mut Stream) -> String {
    let mut all = String::new();
    while !all.contains("Hel") {
        all += &stream.event().await.unwrap();
    }
    all
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_the_call_in_every_dialect() {
    let stage = Stage::new().await;
    for kind in KINDS {
        stage.cast(kind, pausing());
        for surface in SURFACES {
            let number = stage.upstream(kind).hits();
            let ask = surface.asking(&alone(kind), true);
            let mut stream = stage
                .gateway
                .open(surface.path(), &[], &ask.to_string())
                .await;
            begun(&mut stream).await;
            let id = stream.head.header("x-request-id").unwrap().to_owned();
            drop(stream);
            stage.upstream(kind).closed(number).await;
            let record = stage.gateway.audit(&id).await;
            assert_eq!(
                record.outcome(),
                "cancelled",
                "{kind:?}, {surface:?}: {}",
                record.0
            );
            assert_eq!(record.text("surface"), surface.name());
        }
    }
}

#[tokio::test]
async fn an_end_of_the_process_is_told_in_the_surfaces_own_event() {
    let mut stage = Stage::with("drain: 100ms", "").await;
    let mut streams = Vec::new();
    for kind in KINDS {
        stage.cast(kind, pausing());
        for surface in SURFACES {
            let ask = surface.asking(&alone(kind), true);
            let ask = ask.to_string();
            let mut stream = stage.gateway.open(surface.path(), &[], &ask).await;
            let before = begun(&mut stream).await;
            streams.push((kind, surface, before, stream));
        }
    }
    let count = streams.len();
    stage.gateway.signal("TERM");
    for (kind, surface, before, stream) in streams {
        let answer = whole(&before, stream).await;
        let told = surface.read(&answer, true);
        let what = format!("{kind:?}, {surface:?}: {}", answer.text());
        assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
        assert_eq!(told.text, "Hel", "{what}");
        assert!(answer.text().contains("shutting down"), "{what}");
    }
    assert!(stage.gateway.ended().await.success());
    let records = stage.gateway.all_records();
    assert_eq!(records.len(), count);
    for record in records {
        assert_eq!(record.outcome(), "stream_broken", "{}", record.0);
    }
}
