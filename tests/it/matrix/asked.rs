//! Rows whose fault is a provider's: what the first target does to a request, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::{Script, Wire};
use crate::support::{Answer, Config, Gate, Record, Reply, Surface, Upstream};

use super::places::Places;
use super::scene::{Known, Request, Scene};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, ROOM_KIB, cases, is_one_of};

/// What a provider is asked, and when it may go on.
pub(super) struct Asking {
    pub(super) wire: Wire,
    pub(super) streamed: bool,
    /// Opens once the client has the answer's head.
    pub(super) gate: Gate,
}

/// What the first target does.
#[derive(Clone)]
pub(super) enum How {
    /// It is somewhere else than where a provider listens: the root of its URL.
    Elsewhere(fn(&Places) -> String),
    /// It answers so.
    Plays(Arc<dyn Fn(&Asking) -> Reply + Send + Sync>),
    /// The same before the request's body has been read.
    PlaysEarly(Arc<dyn Fn(&Asking) -> Reply + Send + Sync>),
}

/// Who comes after the first target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// A second that answers.
    Answers,
    /// A second that fails in the same way.
    Same,
    Nobody,
}

/// What the client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees {
    /// The second target's answer, as if nothing had been.
    Backup,
    /// The first target's answer, with this text and this way of ending.
    Own(&'static str, Finish),
    Error(u16, &'static str),
    /// In a stream: this text, so many calls, and then the error event. Where nothing has been said
    /// yet, to a plain caller, the second target's answer.
    Broken(&'static str, usize),
}

/// What must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Never {
    /// The second target is asked.
    Elsewhere,
    /// The first target is asked again.
    Twice,
    /// The client gets to see this.
    Shown(&'static str),
    /// The client is told to ask again.
    Again,
    /// A header of this name reaches the client.
    Header(&'static str),
}

/// A line of a table.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) phase: Phase,
    pub(super) how: How,
    pub(super) sees: Sees,
    /// The classes of the attempts that failed; `a|b` is either.
    pub(super) tried: &'static [&'static str],
    /// The class of a stream that broke behind its commit point, where that is another.
    pub(super) broke: Option<&'static str>,
    pub(super) never: &'static [Never],
    pub(super) asked: Asked,
    pub(super) on: &'static [Surface],
    pub(super) then: Then,
    pub(super) tools: bool,
    /// Whether the request is megabytes long.
    pub(super) long: bool,
    /// What the provider may hold of memory, in KiB.
    pub(super) kib: usize,
    pub(super) limits: Limits,
    /// More keys of the route.
    pub(super) knobs: &'static str,
}

pub(super) fn row(
    id: &'static str,
    what: &'static str,
    phase: Phase,
    how: How,
    sees: Sees,
    tried: &'static [&'static str],
) -> Row {
    Row {
        id,
        what,
        phase,
        how,
        sees,
        tried,
        broke: None,
        never: &[],
        asked: Asked::Both,
        on: &SURFACES,
        then: Then::Answers,
        tools: false,
        long: false,
        kib: ROOM_KIB,
        limits: Limits::Long,
        knobs: "",
    }
}

impl Row {
    pub(super) fn broke(self, class: &'static str) -> Self {
        Self {
            broke: Some(class),
            ..self
        }
    }

    pub(super) fn never(self, never: &'static [Never]) -> Self {
        Self { never, ..self }
    }

    pub(super) fn plain(self) -> Self {
        let asked = Asked::Plain;
        Self { asked, ..self }
    }

    pub(super) fn streamed(self) -> Self {
        let asked = Asked::Stream;
        Self { asked, ..self }
    }

    pub(super) fn on(self, on: &'static [Surface]) -> Self {
        Self { on, ..self }
    }

    pub(super) fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    pub(super) fn tools(self) -> Self {
        Self {
            tools: true,
            ..self
        }
    }

    pub(super) fn long(self) -> Self {
        Self { long: true, ..self }
    }

    pub(super) fn holds(self, kib: usize) -> Self {
        Self { kib, ..self }
    }

    pub(super) fn short(self) -> Self {
        let limits = Limits::Short;
        Self { limits, ..self }
    }

    /// For requests that take a while to be sent.
    pub(super) fn middling(self) -> Self {
        let limits = Limits::Middling;
        Self { limits, ..self }
    }

    pub(super) fn knobs(self, knobs: &'static str) -> Self {
        Self { knobs, ..self }
    }

    fn cases(&self) -> Vec<Case> {
        cases(self.id, self.asked, self.on)
    }

    /// What a case of it shows: a break is hidden where nothing has been said.
    fn shows(&self, case: &Case) -> Sees {
        match self.sees {
            Sees::Broken(..) if !case.streamed => Sees::Backup,
            sees => sees,
        }
    }

    fn classes(&self, case: &Case) -> Vec<&'static str> {
        let mut classes = self.tried.to_vec();
        match self.shows(case) {
            Sees::Backup | Sees::Own(..) => classes.push("ok"),
            Sees::Error(..) => {}
            Sees::Broken(..) => {
                if let Some(class) = self.broke {
                    classes = vec![class];
                }
            }
        }
        classes
    }
}

pub(super) fn listed(table: &[Row]) -> Vec<Listed> {
    let each = table.iter().flat_map(|row| {
        let cases = row.cases().into_iter();
        cases.map(|case| Listed::of(&case, At::Upstream, row.phase, &row.classes(&case)))
    });
    each.collect()
}

/// How long the requests of a row may take. Two attempts that time out do not fit, so that a target
/// is left after the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limits {
    Short,
    Middling,
    /// Nothing of the row takes time.
    Long,
}

impl Limits {
    fn deadline(self) -> Duration {
        Duration::from_millis(match self {
            Self::Short => 1500,
            Self::Middling => 5000,
            Self::Long => 15_000,
        })
    }

    fn keys(self) -> &'static str {
        match self {
            Self::Short => "timeout: 1500ms, first_token: 800ms, answer: 800ms, idle: 300ms",
            Self::Middling => "timeout: 5s, first_token: 2600ms, answer: 2600ms, idle: 300ms",
            Self::Long => "timeout: 15s, first_token: 8s, answer: 8s",
        }
    }
}

/// The second target's answer.
pub(super) const BACKUP: [&str; 2] = ["from the ", "backup, canary-said-51c9aa02"];

/// A provider's keys: the dialect is the surface's own.
pub(super) fn provider(surface: Surface, base_url: &str) -> String {
    let kind = match surface {
        Surface::Chat => "openai-compatible",
        Surface::Responses => "openai",
        Surface::Messages => "anthropic",
    };
    format!("kind: {kind}, secret: \"file:$FOLDER/secret\", base_url: \"{base_url}\"")
}

fn add(
    config: Config,
    row: &Row,
    case: &Case,
    upstream: &Upstream,
    places: Option<&Places>,
) -> Config {
    let id = &case.id;
    let root = upstream.root_url();
    let first = match &row.how {
        How::Elsewhere(root) => format!("{}/v1", root(places.unwrap())),
        How::Plays(_) => format!("{root}/{id}.1/v1"),
        How::PlaysEarly(_) => format!("{root}/early/{id}.1/v1"),
    };
    let mut keys = provider(case.surface, &first);
    if first.starts_with("https") {
        keys += ", ca: \"$FOLDER/ca.pem\"";
    }
    let mut config = config.keys_of(&format!("{id}.1"), &keys);
    let mut targets = format!("\"{id}.1/m\"");
    // Under another name, or it could be asked over the connection that the first one is closing.
    let root = root.replace("127.0.0.1", "localhost");
    let second = match row.then {
        Then::Answers => Some(provider(Surface::Chat, &format!("{root}/{id}.2/v1"))),
        Then::Same => Some(provider(case.surface, &first.replace(".1/", ".2/"))),
        Then::Nobody => None,
    };
    if let Some(second) = second {
        config = config.keys_of(&format!("{id}.2"), &second);
        targets += &format!(", \"{id}.2/m\"");
    }
    let limits = row.limits.keys();
    config.route(
        id,
        &format!("{{ targets: [{targets}], {limits}{} }}", row.knobs),
    )
}

/// Plays a whole table.
pub(super) async fn play(name: &str, table: Vec<Row>, places: Option<&Places>) {
    let scene = Scene::set(|config, upstream| {
        let config = match places {
            Some(places) => config.file("ca.pem", &places.authorities),
            None => config,
        };
        let each = table.iter().flat_map(|row| {
            let cases = row.cases().into_iter();
            cases.map(move |case| (row, case))
        });
        each.fold(config, |config, (row, case)| {
            add(config, row, &case, upstream, places)
        })
    })
    .await;
    for row in &table {
        for case in row.cases() {
            let bounds = Bounds {
                kib: row.kib,
                ..Bounds::of(row.limits.deadline())
            };
            let id = case.id.clone();
            let row = row.clone();
            scene
                .row(&id, bounds, |scene, known| async move {
                    known.note(format!("{}, {}", row.phase, row.what));
                    run(&scene, &known, &row, &case).await;
                })
                .await;
        }
    }
    scene.finish(name).await;
}

async fn run(scene: &Scene, known: &Known, row: &Row, case: &Case) {
    let gate = Gate::new();
    let id = &case.id;
    match &row.how {
        How::Elsewhere(_) => {}
        How::Plays(how) | How::PlaysEarly(how) => {
            for place in [format!("{id}.1"), format!("{id}.2")] {
                let (how, gate, streamed) = (Arc::clone(how), gate.clone(), case.streamed);
                scene.cast(&place, move |seen| {
                    how(&Asking {
                        wire: Wire::of(seen),
                        streamed,
                        gate: gate.clone(),
                    })
                });
            }
        }
    }
    if row.then == Then::Answers {
        scene.cast(&format!("{id}.2"), |seen| {
            Wire::of(seen).reply(Wire::streamed(seen), &Script::text(&BACKUP))
        });
    }
    let mut ask = Request::new(case.surface, id, case.streamed);
    if row.tools || row.long {
        let filling = if row.long { 2 << 20 } else { 0 };
        let prompt = super::scene::PROMPT.to_owned() + &"x".repeat(filling);
        ask = Request::saying(case.surface, id, case.streamed, &prompt, row.tools);
    }
    let answer = scene.ask(known, &ask, &gate).await;
    let record = scene.gateway.audit(answer.id()).await;
    sees(known, row, case, &answer);
    says(row, case, &answer, &record);
    never(scene, row, case, &answer, &record);
}

/// What the client sees.
fn sees(known: &Known, row: &Row, case: &Case, answer: &Answer) {
    let (surface, streamed) = (case.surface, case.streamed);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    match row.shows(case) {
        Sees::Error(status, code) => {
            assert_eq!(answer.status, status, "{text}");
            let (told, _) = surface.error(answer);
            assert!(is_one_of(code, &told), "{told}, not {code}: {text}");
            let again = answer.header("x-should-retry") == Some("true");
            assert_eq!(again, answer.header("retry-after").is_some(), "{text}");
        }
        Sees::Backup => {
            let told = surface.read(answer, streamed);
            known.with(|facts| facts.calls.clone_from(&told.ids));
            assert_eq!(told.text, BACKUP.concat());
            assert_eq!((told.finish, told.usage), (Finish::Stop, Some((9, 3))));
            assert_eq!(told.model, case.id);
            let failed = answer.header("x-pillion-reason").unwrap_or("none");
            let expected = row.tried.last().copied().unwrap_or("none");
            assert!(is_one_of(expected, failed), "{failed}, not {expected}");
        }
        Sees::Own(said, finish) => {
            let told = surface.read(answer, streamed);
            known.with(|facts| facts.calls.clone_from(&told.ids));
            assert_eq!((&*told.text, told.finish), (said, finish));
            assert_eq!(told.model, case.id);
        }
        Sees::Broken(said, calls) => {
            let told = surface.read(answer, streamed);
            known.with(|facts| facts.calls.clone_from(&told.ids));
            assert_eq!(told.error.as_deref(), Some("stream_broken"), "{text}");
            assert_eq!((&*told.text, told.calls.len()), (said, calls), "{text}");
        }
    }
}

/// What the record says.
fn says(row: &Row, case: &Case, answer: &Answer, record: &Record) {
    let line = &record.0;
    let expected = row.classes(case);
    let classes = record.classes();
    let fits = classes.len() == expected.len()
        && expected
            .iter()
            .zip(&classes)
            .all(|(expected, class)| is_one_of(expected, class));
    assert!(fits, "{classes:?}, not {expected:?}: {line}");
    let outcome = match row.shows(case) {
        Sees::Backup | Sees::Own(..) => "ok",
        Sees::Error(..) => "error",
        Sees::Broken(..) => "stream_broken",
    };
    assert_eq!(record.outcome(), outcome, "{line}");
    assert_eq!(
        record.number("status"),
        Some(answer.status.into()),
        "{line}"
    );
    assert_eq!(record.text("surface"), case.surface.name(), "{line}");
    assert_eq!(line["stream"], case.streamed, "{line}");
    let attempts = classes.len().to_string();
    assert_eq!(answer.header("x-pillion-attempts"), Some(&*attempts));
    let failed = record.0["attempts"].as_array().unwrap().iter();
    let mut failed = failed.filter(|attempt| attempt["class"] != "ok");
    assert!(
        failed.all(|attempt| attempt["reason"]
            .as_str()
            .is_some_and(|why| !why.is_empty())),
        "{line}"
    );
    match row.shows(case) {
        Sees::Backup => {
            assert_eq!(record.text("target"), format!("{}.2/m", case.id), "{line}");
            assert_eq!(line["usage"]["prompt"], 9, "{line}");
            assert_eq!(line["usage"]["completion"], 3, "{line}");
        }
        Sees::Own(..) | Sees::Broken(..) => {
            assert_eq!(record.text("target"), format!("{}.1/m", case.id), "{line}");
        }
        Sees::Error(..) => {
            let last = classes.last().copied().unwrap_or_default();
            assert_eq!(record.text("reason"), last, "{line}");
            assert!(line["usage"].is_null(), "{line}");
        }
    }
}

/// What must not have happened.
fn never(scene: &Scene, row: &Row, case: &Case, answer: &Answer, record: &Record) {
    let asked = |place: u8| {
        let mark = format!("/{}.{place}/", case.id);
        let seen = scene.upstream.requests();
        seen.iter().filter(|seen| seen.head.contains(&mark)).count()
    };
    let text = String::from_utf8_lossy(&answer.body);
    for never in row.never {
        match never {
            Never::Elsewhere => assert_eq!(asked(2), 0, "the second target was asked"),
            Never::Twice => assert!(asked(1) < 2, "the first target was asked again"),
            Never::Shown(what) => assert!(!text.contains(what), "{what} in {text}"),
            Never::Again => assert_eq!(answer.header("x-should-retry"), Some("false")),
            Never::Header(name) => assert_eq!(answer.header(name), None),
        }
    }
    // The record tells of no more and no fewer than the provider saw.
    if !matches!(row.how, How::Elsewhere(_)) {
        let reached = record
            .classes()
            .iter()
            .filter(|it| **it != "connect")
            .count();
        assert_eq!(asked(1) + asked(2), reached, "{}", record.0);
    }
}
