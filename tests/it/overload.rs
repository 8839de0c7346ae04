//! More than fits: who is served, who waits, who is refused and how soon, and what all of them cost.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::fixture::{ask, ask_stream, finish, plain, role, streamed, text};
use crate::support::{Answer, Client, Config, Gate, Gateway, Reply, Upstream, soon};

/// Between two looks at a metric.
const LOOK: Duration = Duration::from_millis(2);
/// A refusal takes milliseconds; this much only a machine that is busy with something else.
const AT_ONCE: Duration = Duration::from_millis(250);
/// Two keys: an interactive one and a batch one.
pub(crate) const KEYS: &str = "keys:
  - { id: chat, hash: \"sha256:9ed9e0109703909c9750c6ea7db9e40ab5984662c8e812264fe790f174f00122\" }
  - { id: nightly, hash: \"sha256:3e86efb633f0cc9d043331c557c41d7d1aba230fce05d190ce1e8bc543dc9428\", priority: batch }";
const INTERACTIVE: &str = "Bearer pillion_demo_support_chat";
pub(crate) const BATCH: &str = "Bearer pillion_demo_summaries";

fn seats(upstream: &Upstream, seats: usize, queue: usize) -> Config {
    Config::of(&[upstream]).root(&format!("concurrency: {seats}\nqueue: {queue}"))
}

/// Answers that all wait at the gate.
fn gated(gate: &Gate) -> Reply {
    Reply::json(plain("Hello!")).pause_at(0, gate)
}

async fn sent(gateway: &Gateway, headers: &[(&str, &str)], body: &str) -> Client {
    let mut client = gateway.connect().await;
    client
        .post("/v1/chat/completions", headers, body.as_bytes())
        .await;
    client
}

async fn waiting(gateway: &Gateway, count: usize) {
    let line = format!("pillion_queue_waiting {count}");
    gateway.until_metric(&line, |told| told == line).await;
}

fn is_refused(answer: &Answer) {
    assert_eq!((answer.status, &*answer.code()), (503, "overloaded"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn what_fits_nowhere_is_refused_at_once_and_the_rest_is_served() {
    let gate = Gate::new();
    let upstream = Upstream::always(gated(&gate)).await;
    let gateway = Gateway::start(seats(&upstream, 1, 1)).await;
    let served = sent(&gateway, &[], &ask()).await;
    upstream.request(0).await;
    let waits = sent(&gateway, &[], &ask()).await;
    waiting(&gateway, 1).await;
    let start = Instant::now();
    let refused = gateway.chat(&ask()).await;
    let took = start.elapsed();
    is_refused(&refused);
    assert!(took < AT_ONCE, "{took:?}");
    let record = gateway.audit(refused.id()).await;
    assert_eq!(record.outcome(), "error");
    assert_eq!(record.text("reason"), "overloaded");
    assert!(record.classes().is_empty());
    let counted = gateway
        .metric("pillion_rejections_total{code=\"overloaded\"}")
        .await;
    assert_eq!(counted.as_deref(), Some("1"));
    assert_eq!(
        upstream.hits(),
        1,
        "nothing was sent for those without a seat"
    );
    gate.open();
    for client in [served, waits] {
        assert_eq!(client.answer().await.rest().await.status, 200);
    }
    waiting(&gateway, 0).await;
    assert_eq!(upstream.hits(), 2);
}

#[tokio::test]
async fn interactive_requests_come_before_batch_ones_which_give_way() {
    let gate = Gate::new();
    let upstream = Upstream::always(gated(&gate)).await;
    let gateway = Gateway::start(seats(&upstream, 1, 2).root(KEYS)).await;
    let named = |name: &str| ask().replace("Hi", name);
    let interactive = [("authorization", INTERACTIVE)];
    let batch = [("authorization", BATCH)];
    let first = sent(&gateway, &interactive, &named("first")).await;
    upstream.request(0).await;
    let older = sent(&gateway, &batch, &named("older")).await;
    waiting(&gateway, 1).await;
    let newer = sent(&gateway, &batch, &named("newer")).await;
    waiting(&gateway, 2).await;
    let chat = sent(&gateway, &interactive, &named("chat")).await;
    is_refused(&newer.answer().await.rest().await);
    let no_room = sent(&gateway, &batch, &named("no room")).await;
    is_refused(&no_room.answer().await.rest().await);
    gate.open();
    for client in [first, chat, older] {
        assert_eq!(client.answer().await.rest().await.status, 200);
    }
    let asked: Vec<String> = upstream
        .requests()
        .iter()
        .map(|seen| seen.json()["messages"][0]["content"].to_string())
        .collect();
    assert_eq!(asked, ["\"first\"", "\"chat\"", "\"older\""]);
}

#[tokio::test]
async fn a_caller_that_leaves_gives_its_place_in_the_queue_back() {
    let gate = Gate::new();
    let upstream = Upstream::always(gated(&gate)).await;
    let gateway = Gateway::start(seats(&upstream, 1, 1)).await;
    let served = sent(&gateway, &[], &ask()).await;
    upstream.request(0).await;
    let leaves = sent(&gateway, &[], &ask()).await;
    waiting(&gateway, 1).await;
    drop(leaves);
    waiting(&gateway, 0).await;
    let waits = sent(&gateway, &[], &ask()).await;
    waiting(&gateway, 1).await;
    // Also one that is served.
    drop(served);
    upstream.request(1).await;
    gate.open();
    assert_eq!(waits.answer().await.rest().await.status, 200);
    let left = gateway
        .records(|record| record.outcome() == "cancelled", 2)
        .await;
    let attempts: Vec<_> = left.iter().map(|record| record.classes().len()).collect();
    assert_eq!(attempts.iter().sum::<usize>(), 1, "{attempts:?}");
}

#[tokio::test]
async fn nobody_waits_for_what_would_come_too_late() {
    let took = Duration::from_millis(600);
    let (quick, stuck) = (Gate::new(), Gate::new());
    let script = [gated(&quick), gated(&stuck)];
    let upstream = Upstream::script(script).await;
    let gateway = Gateway::start(seats(&upstream, 1, 9)).await;
    // What an answer takes is known from the first one.
    let first = sent(&gateway, &[], &ask()).await;
    upstream.request(0).await;
    sleep(took).await;
    quick.open();
    assert_eq!(first.answer().await.rest().await.status, 200);
    let _held = sent(&gateway, &[], &ask()).await;
    upstream.request(1).await;
    // These callers wait 550 ms, and 2250 ms: a quarter second is left for the telling.
    for (patience, least, most) in [("0.8", 0, 500), ("2.5", 800, 2200)] {
        let start = Instant::now();
        let headers = [("x-stainless-timeout", patience)];
        let refused = gateway.post("/v1/chat/completions", &headers, &ask()).await;
        let after = start.elapsed();
        is_refused(&refused);
        let range = Duration::from_millis(least)..Duration::from_millis(most);
        assert!(range.contains(&after), "{patience}: {after:?}");
    }
    assert_eq!(upstream.hits(), 2);
}

#[tokio::test]
async fn a_stream_keeps_its_seat_to_its_last_byte() {
    let gate = Gate::new();
    let stream = Reply::sse(streamed(&["Hel", "lo!"])).pause_after(2, &gate);
    let script = [stream.clone(), stream, Reply::json(plain("Hello!"))];
    let upstream = Upstream::script(script).await;
    let gateway = Gateway::start(seats(&upstream, 1, 2)).await;
    let mut left = gateway.stream(&ask_stream()).await;
    left.event().await;
    let next = sent(&gateway, &[], &ask_stream()).await;
    waiting(&gateway, 1).await;
    assert_eq!(upstream.hits(), 1);
    drop(left);
    let mut read = next.answer().await;
    read.event().await;
    let last = sent(&gateway, &[], &ask()).await;
    waiting(&gateway, 1).await;
    assert_eq!(upstream.hits(), 2);
    gate.open();
    assert!(read.rest().await.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(last.answer().await.rest().await.status, 200);
}

#[tokio::test]
async fn what_passes_through_takes_a_seat_like_anything_else() {
    let gate = Gate::new();
    let passes = Reply::json("{\"a\":1}").pause_at(3, &gate);
    let upstream = Upstream::script([passes, Reply::json(plain("Hello!"))]).await;
    let gateway = Gateway::start(seats(&upstream, 1, 1)).await;
    let passing = gateway
        .open(
            "/v1/moderations",
            &[],
            "{\"model\":\"chat\",\"input\":\"x\"}",
        )
        .await;
    assert_eq!(passing.head.status, 200);
    let waits = sent(&gateway, &[], &ask()).await;
    waiting(&gateway, 1).await;
    let body = "{\"model\":\"chat\",\"input\":\"y\"}";
    is_refused(&gateway.post("/v1/moderations", &[], body).await);
    assert_eq!(upstream.hits(), 1);
    gate.open();
    assert_eq!(passing.rest().await.json()["a"], 1);
    assert_eq!(waits.answer().await.rest().await.status, 200);
}

#[tokio::test]
async fn a_count_of_tokens_is_estimated_rather_than_waited_for() {
    let gate = Gate::new();
    let upstream = Upstream::always(gated(&gate)).await;
    let gateway = Gateway::start(seats(&upstream, 1, 1)).await;
    let _served = sent(&gateway, &[], &ask()).await;
    upstream.request(0).await;
    let answer = gateway.post("/v1/messages/count_tokens", &[], &ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_closed() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&upstream]).root("connections: 2")).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = gateway.connect().await;
        client.get("/v1/models", &[]).await;
        let (answer, client) = client.answer().await.rest_and_client().await;
        assert_eq!(answer.status, 200);
        held.push(client);
    }
    let start = Instant::now();
    let refused = gateway.chat(&ask()).await;
    let took = start.elapsed();
    is_refused(&refused);
    assert_eq!(refused.header("connection"), Some("close"));
    assert!(took < AT_ONCE, "{took:?}");
    let record = gateway.audit(refused.id()).await;
    assert_eq!(record.text("reason"), "overloaded");
    let anthropics = gateway.post("/v1/messages", &[], "{}").await;
    assert_eq!(anthropics.status, 503, "{}", anthropics.text());
    assert_eq!(anthropics.json()["error"]["type"], "overloaded_error");
    // Those that came in time are served, and so is whoever comes once there is room.
    let mut client = held.remove(0);
    client
        .post("/v1/chat/completions", &[], ask().as_bytes())
        .await;
    let (answer, client) = client.answer().await.rest_and_client().await;
    assert_eq!(answer.status, 200);
    drop(client);
    soon("there is room again", async {
        while gateway.chat(&ask()).await.status != 200 {
            sleep(LOOK).await;
        }
    })
    .await;
}

#[tokio::test]
async fn without_file_descriptors_nothing_spins_and_nothing_is_lost() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&upstream])).await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    if !gateway.may_open(24) {
        eprintln!("skipped: this system has no `prlimit`");
        return;
    }
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(TcpStream::connect(gateway.listen).await.unwrap());
    }
    soon("the descriptors run out", async {
        while !gateway.log().contains("cannot accept connections") {
            sleep(LOOK).await;
        }
    })
    .await;
    let before = gateway.processor_time();
    sleep(Duration::from_secs(1)).await;
    let used = gateway.processor_time().saturating_sub(before);
    assert!(used < Duration::from_millis(200), "{used:?} of a second");
    drop(held);
    assert_eq!(gateway.chat(&ask()).await.status, 200);
}

/// Files that this process may have open. The test holds about as many as the gateway.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or_default()
}

/// As many as are promised, or as there are files for, of which each takes some here; `None` for too
/// few, which is said.
fn count(promised: usize, files_each: usize) -> Option<usize> {
    const BESIDE: usize = 500;
    let room = open_files().saturating_sub(BESIDE) / files_each;
    if room < promised / 10 {
        eprintln!("skipped: too few files may be open, or this is not Linux");
        return None;
    }
    Some(promised.min(room))
}

#[tokio::test]
async fn idle_connections_cost_little() {
    /// In KiB, each. The goal is 16, of a release build.
    const MOST: usize = 32;
    let Some(count) = count(10_000, 1) else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&upstream])).await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    let before = gateway.resident_kib();
    let mut held = Vec::new();
    for _ in 0..count {
        let mut client = gateway.connect().await;
        client.get("/v1/models", &[]).await;
        let (answer, client) = client.answer().await.rest_and_client().await;
        assert_eq!(answer.status, 200);
        held.push(client);
    }
    let each = gateway.resident_kib().saturating_sub(before) / count;
    assert!(each < MOST, "{each} KiB for an idle connection");
}

#[tokio::test]
async fn streams_that_nobody_reads_cost_little_and_stop_their_providers() {
    /// By then the program itself is in memory.
    const WARM: usize = 10;
    /// In KiB, each. The goal is 96, of a release build.
    const MOST: usize = 256;
    let Some(count) = count(1000, 2) else {
        return;
    };
    let body = role() + &text(&"x".repeat(16 << 10));
    let upstream = Upstream::always(Reply::sse(body).endless()).await;
    let gateway = Gateway::start(Config::of(&[&upstream])).await;
    let mut held = Vec::new();
    let mut before = 0;
    for number in 0..WARM + count {
        if number == WARM {
            before = gateway.resident_kib();
        }
        let mut stream = sent(&gateway, &[], &ask_stream()).await.into_socket();
        // The head has come, and with it the stream has begun.
        soon("an answer begins", stream.read_u8()).await.unwrap();
        held.push(stream);
    }
    let total = || upstream.requests().iter().map(|seen| seen.written).sum();
    let mut last: usize = 0;
    soon("the providers' writes stand still", async {
        while last != total() {
            last = total();
            sleep(Duration::from_millis(300)).await;
        }
    })
    .await;
    let each = gateway.resident_kib().saturating_sub(before) / count;
    assert!(each < MOST, "{each} KiB for a stream that nobody reads");
    // Meanwhile others are served.
    assert_eq!(gateway.get("/v1/models").await.status, 200);
    drop(held);
    for number in 0..WARM + count {
        upstream.closed(number).await;
    }
    gateway
        .records(|record| record.outcome() == "cancelled", WARM + count)
        .await;
}

#[tokio::test]
async fn under_twice_the_load_all_is_answered_and_every_seat_comes_back() {
    let events = role() + &text("Hello!") + &finish("stop") + "data: [DONE]\n\n";
    let upstream = Upstream::choosing(move |seen| {
        if seen.json()["stream"] == true {
            Reply::sse(events.clone())
        } else {
            Reply::json(plain("Hello!"))
        }
    })
    .await;
    let gateway = Gateway::start(seats(&upstream, 4, 4)).await;
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..100 {
        let address = gateway.listen;
        requests.spawn(async move {
            let body = if number % 2 == 0 { ask() } else { ask_stream() };
            let mut client = Client::connect(address).await;
            client
                .post("/v1/chat/completions", &[], body.as_bytes())
                .await;
            client.answer().await.rest().await
        });
    }
    let mut served = 0;
    while let Some(answer) = requests.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 200 {
            served += 1;
        } else {
            is_refused(&answer);
        }
    }
    assert!(served >= 8, "{served}");
    assert_eq!(upstream.hits(), served);
    gateway.records(|_| true, 100).await;
    waiting(&gateway, 0).await;
    // One after the other, more than there are seats.
    for _ in 0..8 {
        assert_eq!(gateway.chat(&ask()).await.status, 200);
    }
}
