//! Section C, the client that goes away: at each point of its request, by closing, by a reset, and by
//! saying that it will send no more.

use std::sync::Arc;

use tokio::time::sleep;

use crate::support::reply::End;
use crate::support::surface::SURFACES;
use crate::support::wire::{Fault, Script, Wire};
use crate::support::{Client, Config, Gate, Record, Reply, Surface, Upstream, fixture, soon};

use super::asked::{Asking, How, provider};
use super::parts::{Break, Place, breaks, call, hello, plays, text_and_call};
use super::places::Places;
use super::scene::{Known, Request, Scene};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, cases, is_one_of};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    Closes,
    Resets,
    HalfCloses,
}

const EACH: &[Goes] = &[Goes::Closes, Goes::Resets, Goes::HalfCloses];

/// When the client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// With half of its body sent.
    InBody,
    /// While nobody has been reached.
    UnderWay,
    /// The provider has so many requests.
    Asked(usize),
    /// The provider has said something.
    Answering,
    /// The provider has answered, and is to be asked again later.
    Waiting,
    /// The answer has begun; a plain one, at the provider.
    Begun,
    /// The answer has begun, nobody reads it, and nothing moves any more.
    Stuck,
}

#[derive(Clone)]
pub(super) struct Row {
    id: &'static str,
    what: &'static str,
    phase: Phase,
    when: When,
    how: How,
    goes: &'static [Goes],
    asked: Asked,
    on: &'static [Surface],
    /// The classes that the record shows.
    tried: &'static [&'static str],
}

fn row(
    id: &'static str,
    what: &'static str,
    phase: Phase,
    when: When,
    how: How,
    asked: Asked,
    tried: &'static [&'static str],
) -> Row {
    Row {
        id,
        what,
        phase,
        when,
        how,
        goes: EACH,
        asked,
        on: &SURFACES,
        tried,
    }
}

impl Row {
    fn goes(self, goes: &'static [Goes]) -> Self {
        Self { goes, ..self }
    }

    fn on(self, on: &'static [Surface]) -> Self {
        Self { on, ..self }
    }

    fn cases(&self) -> Vec<(Goes, Case)> {
        let each = self.goes.iter().flat_map(|goes| {
            let id = format!("{}-{}", self.id, format!("{goes:?}").to_lowercase());
            let cases = cases(&id, self.asked, self.on).into_iter();
            cases.map(|case| (*goes, case))
        });
        each.collect()
    }
}

#[rustfmt::skip]
pub(super) fn table() -> Vec<Row> {
    use Asked::{Both, Stream};
    use Phase::{AfterIt, BeforeFinish, BeforeFirstToken, BeforeHead, Connect, Head, InACall, RequestBody, Tls};
    const GONE: &[&str] = &["cancelled"];
    let ends = Break::End(End::Silence);
    vec![
        // After a reset nothing tells that there was a request: only those that are seen to end.
        row("C1", "in the middle of its body", RequestBody, When::InBody, plays(|_| Reply::silence()), Both, &[])
            .goes(&[Goes::Closes, Goes::HalfCloses]),
        row("C1a", "while nobody accepts", Connect, When::UnderWay, How::Elsewhere(|it| format!("http://{}", it.full)), Both, GONE),
        row("C1b", "while TLS is not answered", Tls, When::UnderWay, How::Elsewhere(|it| format!("https://{}", it.silent)), Both, GONE),
        row("C1c", "before a head", BeforeHead, When::Asked(1), plays(|_| Reply::silence()), Both, GONE),
        row("C1d", "before a second target's head", Head, When::Asked(2), plays(|_| Reply::status(500)), Both, &["server_error", "cancelled"]),
        row("C3", "while a rate limit is waited for", Head, When::Waiting,
            plays(|asking| Fault::Rate.reply(asking.wire, asking.streamed).header("retry-after", 5)), Both, &["rate_limited|cancelled"]),
        row("C1e", "behind a head", BeforeFirstToken, When::Answering, breaks(hello, Place::Begun, ends), Both, GONE),
        row("C1f", "in a call, before anything was said", InACall, When::Answering, breaks(call, Place::LastCall, ends), Both, GONE),
        row("C2", "behind the first text", AfterIt, When::Begun, breaks(hello, Place::FirstText, ends), Both, GONE),
        row("C2a", "in a call behind text", InACall, When::Begun, breaks(text_and_call, Place::LastCall, ends), Both, GONE),
        row("C2b", "before the finish", BeforeFinish, When::Begun, breaks(hello, Place::Finish, ends), Both, GONE),
        row("S17", "without ever reading", AfterIt, When::Stuck,
            plays(|_| Reply::sse(fixture::role() + &fixture::text(&"x".repeat(16 << 10))).endless()), Stream, GONE)
            .on(&[Surface::Chat]).goes(&[Goes::Closes, Goes::Resets]),
    ]
}

pub(super) fn listed() -> Vec<Listed> {
    let mut all = Vec::new();
    for row in table() {
        for (_, case) in row.cases() {
            all.push(Listed::of(&case, At::Client, row.phase, row.tried));
        }
    }
    all
}

fn add(config: Config, row: &Row, case: &Case, upstream: &Upstream, places: &Places) -> Config {
    let id = &case.id;
    let root = upstream.root_url();
    let first = match &row.how {
        How::Elsewhere(root) => format!("{}/v1", root(places)),
        How::Plays(_) | How::PlaysEarly(_) => format!("{root}/{id}.1/v1"),
    };
    let config = config.keys_of(&format!("{id}.1"), &provider(case.surface, &first));
    if row.when == When::Waiting {
        // With nowhere else to go, a wait is waited for.
        return config.route(id, &format!("{{ targets: [\"{id}.1/m\"] }}"));
    }
    config
        .keys_of(
            &format!("{id}.2"),
            &provider(case.surface, &format!("{root}/{id}.2/v1")),
        )
        .route(id, &format!("{{ targets: [\"{id}.1/m\", \"{id}.2/m\"] }}"))
}

pub(super) async fn play() {
    let places = Places::open().await;
    let table = table();
    let scene = Scene::set(|config, upstream| {
        let mut config = config;
        for row in &table {
            for (_, case) in row.cases() {
                config = add(config, row, &case, upstream, &places);
            }
        }
        config
    })
    .await;
    for row in &table {
        for (goes, case) in row.cases() {
            let id = case.id.clone();
            let row = row.clone();
            let bounds = Bounds::of(std::time::Duration::from_secs(15));
            scene
                .row(&id, bounds, |scene, known| async move {
                    known.note(format!("{}: a client goes {}", row.phase, row.what));
                    run(&scene, &known, &row, goes, &case).await;
                })
                .await;
        }
    }
    scene.finish("clients that go").await;
}

/// A connection to the gateway in any state.
enum Held {
    Client(Client),
    Stream(crate::support::Stream),
}

async fn run(scene: &Arc<Scene>, known: &Known, row: &Row, goes: Goes, case: &Case) {
    let gate = Gate::new();
    let id = &case.id;
    if let How::Plays(how) | How::PlaysEarly(how) = &row.how {
        let (how, gate, streamed) = (Arc::clone(how), gate.clone(), case.streamed);
        scene.cast(&format!("{id}.1"), move |seen| {
            how(&Asking {
                wire: Wire::of(seen),
                streamed,
                gate: gate.clone(),
            })
        });
    }
    let silent = matches!(row.when, When::Asked(2));
    scene.cast(&format!("{id}.2"), move |seen| {
        if silent {
            return Reply::silence();
        }
        Wire::of(seen).reply(Wire::streamed(seen), &Script::text(&["too late"]))
    });
    let ask = Request::new(case.surface, id, case.streamed);
    let before = scene.upstream.hits();
    known.asked();
    let held = come_to(scene, row.when, &ask, before, &gate).await;
    known.left();
    match (goes, held) {
        (Goes::Closes, held) => drop(held),
        (Goes::Resets, Held::Client(client)) => client.reset(),
        (Goes::Resets, Held::Stream(stream)) => stream.reset(),
        (Goes::HalfCloses, Held::Client(mut client)) => {
            client.half_close().await;
            let raw = client.until_closed().await;
            known.with(|facts| facts.raw = raw);
        }
        (Goes::HalfCloses, Held::Stream(mut stream)) => {
            stream.half_close().await;
            let rest = stream.rest().await;
            assert!(
                !String::from_utf8_lossy(&rest.body).contains("[DONE]"),
                "an end that was none"
            );
            known.with(|facts| facts.raw = rest.body);
        }
    }
    let record = own_record(scene, known, case, row.when).await;
    let line = &record.0;
    assert_eq!(record.outcome(), "cancelled", "{line}");
    assert!(line["status"].is_null(), "{line}");
    let classes = record.classes();
    let fits = classes.len() == row.tried.len()
        && row
            .tried
            .iter()
            .zip(&classes)
            .all(|(expected, class)| is_one_of(expected, class));
    assert!(fits, "{classes:?}, not {:?}: {line}", row.tried);
}

/// Brings the request to the point at which its client goes.
async fn come_to(scene: &Scene, when: When, ask: &Request, before: usize, gate: &Gate) -> Held {
    if when == When::InBody {
        let mut client = scene.gateway.connect().await;
        let whole = ask.body.len();
        let mut head = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {whole}\r\n",
            ask.path
        );
        for (name, value) in &ask.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let half = &ask.body[..whole / 2];
        client
            .write(&[head.as_bytes(), b"\r\n", half].concat())
            .await;
        return Held::Client(client);
    }
    let client = scene.open(ask).await;
    // Of a plain answer nothing is seen before it is whole.
    let when = match when {
        When::Begun if !ask.streamed => When::Answering,
        when => when,
    };
    match when {
        When::InBody => {}
        When::UnderWay => under_way(scene, ask).await,
        When::Asked(count) => {
            scene.upstream.request(before + count - 1).await;
        }
        When::Answering => scene.upstream.writing(before).await,
        When::Waiting => {
            scene.upstream.request(before).await;
            scene.upstream.over(before).await;
        }
        When::Begun => {
            let mut stream = client.answer().await;
            stream.event().await;
            gate.open();
            return Held::Stream(stream);
        }
        When::Stuck => {
            let mut stream = client.answer().await;
            stream.event().await;
            stuck(scene, before).await;
            return Held::Stream(stream);
        }
    }
    Held::Client(client)
}

/// Until the gateway works on it.
async fn under_way(scene: &Scene, ask: &Request) {
    let body: serde_json::Value = serde_json::from_slice(&ask.body).unwrap();
    let route = body["model"].as_str().unwrap();
    scene.gateway.under_way(route, 1).await;
}

/// Until the provider's writes stand still.
async fn stuck(scene: &Scene, number: usize) {
    let written = || scene.upstream.requests_from(number)[0].written;
    soon("the provider's writes stand still", async {
        let mut last = 0;
        while last != written() {
            last = written();
            sleep(std::time::Duration::from_millis(200)).await;
        }
    })
    .await;
}

/// Of a body that never came whole, no route is known.
async fn own_record(scene: &Scene, known: &Known, case: &Case, when: When) -> Record {
    let route = if when == When::InBody { "" } else { &*case.id };
    let before = known.with(|facts| facts.records_before);
    soon("the record is written", async {
        loop {
            let lines = scene.gateway.record_lines(before);
            let mut records = lines
                .iter()
                .map(|line| Record(serde_json::from_str(line).unwrap()));
            if let Some(record) = records.find(|record| record.text("route") == route) {
                return record;
            }
            sleep(std::time::Duration::from_millis(2)).await;
        }
    })
    .await
}
