//! The whole run: which measurements, in which order, with which processes.

use std::time::Duration;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::client::{Door, Lane, request};
use crate::machine::{self, Cores, Memory};
use crate::measure::{Load, Tally, Until, hold};
use crate::process::{self, Proxy, Scratch, Upstream};
use crate::report::{Book, Metric, Way, median};
use crate::{Error, Options, tls};

const PLAIN: &str = "plain-1024";
/// A hundred events, one each 10 ms.
const PACED: &str = "stream-100-10-1";
/// Ten writes of 64 events.
const BURST: &str = "stream-640-0-64";
/// All of a small stream at once: its first byte is its first token.
const SHORT: &str = "stream-1-0-8";
/// The same, for Pillion behind a primary that is gone.
const BEHIND: &str = process::BEHIND;
/// A kilobyte, of a route that masks personal data.
const MASKED: &str = process::MASKED;
const PROSE: &str = process::PROSE;
const FIGURES: &str = process::FIGURES;
const PROSE_AS_IT_IS: &str = process::PROSE_AS_IT_IS;
const HOLD: &str = "hold";
/// The same in Anthropic's dialect, for callers of OpenAI's: a kilobyte of text in sixteen events.
const CLAUDE_PLAIN: &str = "claude-sonnet-4-5-stream-16-0-22";
const CLAUDE_BURST: &str = "claude-sonnet-4-5-stream-640-0-64";
const MODELS: [&str; 12] = [
    PLAIN,
    PACED,
    BURST,
    SHORT,
    BEHIND,
    MASKED,
    PROSE,
    FIGURES,
    PROSE_AS_IT_IS,
    HOLD,
    CLAUDE_PLAIN,
    CLAUDE_BURST,
];

const HELD_STREAMS: usize = 500;

/// How a kind of request is put on, and what is read from it.
struct Scenario {
    model: &'static str,
    stream: bool,
    /// Bytes of the request's body.
    size: usize,
    lanes: usize,
    /// The proxy's time per request, or per event of a stream.
    cpu: Option<&'static Metric>,
    /// How many events an answer has; what is counted is not the same in every dialect.
    events: Option<u64>,
    /// The rate, and how much of its core the proxy used: below all of it, the load's core was
    /// the limit.
    rate: Option<[&'static Metric; 2]>,
    /// The median and the 99th percentile.
    latency: Option<[&'static Metric; 2]>,
}

const fn metric(name: &'static str, label: &'static str, unit: &'static str) -> Metric {
    Metric {
        name,
        label,
        unit,
        added: false,
    }
}

const fn added(name: &'static str, label: &'static str) -> Metric {
    Metric {
        name,
        label,
        unit: "µs",
        added: true,
    }
}

static CPU_1K: Metric = metric("cpu_1k", "CPU per request of 1 KB", "µs");
static CPU_20K: Metric = metric("cpu_20k", "CPU per request of 20 KB", "µs");
static CPU_20K_PROSE_AS_IT_IS: Metric = metric("cpu_20k_prose", "the same in prose", "µs");
static CPU_20K_PROSE: Metric = metric(
    "cpu_20k_prose_masked",
    "masked: that prose, ten values in it",
    "µs",
);
static CPU_20K_MASKED: Metric = metric("cpu_20k_masked", "masked: three values in each KB", "µs");
static CPU_20K_FIGURES: Metric = metric(
    "cpu_20k_figures",
    "masked: figures in each sentence, ten values",
    "µs",
);
static CPU_200K: Metric = metric("cpu_200k", "CPU per request of 200 KB", "µs");
static RATE: Metric = metric("rate", "requests, 16 connections", "/s");
static CORE: Metric = metric("core", "core used by the proxy", "%");
static P50: Metric = added("latency_p50", "latency p50, 1 connection");
static P99: Metric = added("latency_p99", "latency p99, 1 connection");
static FIRST_P50: Metric = added("first_token_p50", "first token p50");
static FIRST_P99: Metric = added("first_token_p99", "first token p99");
static BEHIND_P50: Metric = added("first_token_p50_backup", "the same, behind a dead primary");
static BEHIND_P99: Metric = added("first_token_p99_backup", "its p99");
static CPU_PACED: Metric = metric("cpu_event_paced", "CPU per event, 50 streams, paced", "µs");
static CPU_BURST: Metric = metric("cpu_event_burst", "CPU per event, 64 a write", "µs");
static CPU_1K_CLAUDE: Metric = metric(
    "cpu_1k_translated",
    "CPU per translated request of 1 KB",
    "µs",
);
static CPU_BURST_CLAUDE: Metric = metric(
    "cpu_event_burst_translated",
    "CPU per translated event, 64 a write",
    "µs",
);
static IDLE: Metric = metric("idle_rss", "memory idle, resident", "KiB");
static IDLE_ANON: Metric = metric("idle_anon", "memory idle, anonymous", "KiB");
static STREAM_RSS: Metric = metric("stream_rss", "memory per open stream, of 500", "KiB");
static READY_MIN: Metric = metric("ready_min", "time to ready, least", "ms");
static READY_MEDIAN: Metric = metric("ready_median", "time to ready, median", "ms");
static BINARY: Metric = metric("binary", "binary, as built", "KiB");

static SCENARIOS: [Scenario; 14] = [
    plain(1024, 16, Some(&CPU_1K), Some([&RATE, &CORE]), None),
    plain(20 * 1024, 16, Some(&CPU_20K), None, None),
    Scenario {
        model: PROSE_AS_IT_IS,
        ..plain(20 * 1024, 16, Some(&CPU_20K_PROSE_AS_IT_IS), None, None)
    },
    Scenario {
        model: PROSE,
        ..plain(20 * 1024, 16, Some(&CPU_20K_PROSE), None, None)
    },
    Scenario {
        model: MASKED,
        ..plain(20 * 1024, 16, Some(&CPU_20K_MASKED), None, None)
    },
    Scenario {
        model: FIGURES,
        ..plain(20 * 1024, 16, Some(&CPU_20K_FIGURES), None, None)
    },
    plain(200 * 1024, 16, Some(&CPU_200K), None, None),
    plain(1024, 1, None, None, Some([&P50, &P99])),
    stream(SHORT, 1, None, Some([&FIRST_P50, &FIRST_P99])),
    stream(BEHIND, 1, None, Some([&BEHIND_P50, &BEHIND_P99])),
    stream(PACED, 50, Some(&CPU_PACED), None),
    Scenario {
        events: Some(640),
        ..stream(BURST, 4, Some(&CPU_BURST), None)
    },
    Scenario {
        model: CLAUDE_PLAIN,
        ..plain(1024, 16, Some(&CPU_1K_CLAUDE), None, None)
    },
    Scenario {
        events: Some(640),
        ..stream(CLAUDE_BURST, 4, Some(&CPU_BURST_CLAUDE), None)
    },
];

const fn plain(
    size: usize,
    lanes: usize,
    cpu: Option<&'static Metric>,
    rate: Option<[&'static Metric; 2]>,
    latency: Option<[&'static Metric; 2]>,
) -> Scenario {
    Scenario {
        model: PLAIN,
        stream: false,
        size,
        lanes,
        cpu,
        events: None,
        rate,
        latency,
    }
}

const fn stream(
    model: &'static str,
    lanes: usize,
    cpu: Option<&'static Metric>,
    latency: Option<[&'static Metric; 2]>,
) -> Scenario {
    Scenario {
        model,
        stream: true,
        size: 1024,
        lanes,
        cpu,
        events: None,
        rate: None,
        latency,
    }
}

/// What one run needs at every step.
struct Run<'a> {
    cores: Option<Cores>,
    scratch: Scratch,
    upstream: Upstream,
    connector: HttpsConnector<HttpConnector>,
    options: &'a Options,
    book: Book,
}

/// One way to the upstream, ready to be measured.
struct Path {
    way: Way,
    door: Door,
    /// Kept, so that it runs.
    proxy: Option<Proxy>,
}

pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let cores = Cores::find();
    let scratch = Scratch::new()?;
    let mut run = Run {
        cores,
        upstream: process::upstream(cores.map(|cores| cores.load), &scratch)?,
        connector: tls::connector(&scratch.certificate())?,
        scratch,
        options,
        book: Book::default(),
    };
    match cores {
        Some(cores) => {
            machine::pin_self(cores.load)?;
            let Cores { load, proxy } = cores;
            println!("client and upstream on core {load}, the proxy on core {proxy}");
        }
        None => println!("not pinned: this needs two cores and `taskset`"),
    }
    run.everything().await?;
    println!("{}", run.book.table());
    let json =
        json!({ "pinned": cores.is_some(), "quick": options.quick, "report": run.book.json() });
    match &options.json {
        Some(file) => std::fs::write(file, format!("{json:#}\n"))?,
        None => println!("{json}"),
    }
    Ok(())
}

impl Run<'_> {
    async fn everything(&mut self) -> Result<(), Error> {
        let rounds = if self.options.quick { 1 } else { 5 };
        for upstream in ["cleartext", "TLS"] {
            let paths = self.paths(upstream)?;
            for round in 1..=rounds {
                println!("{upstream}: round {round} of {rounds}");
                for scenario in &SCENARIOS {
                    for path in &paths {
                        self.measure(upstream, scenario, path).await?;
                    }
                }
            }
            drop(paths);
            self.memory(upstream).await?;
        }
        self.start_times()?;
        let bytes = std::fs::metadata(process::pillion_binary())?.len();
        self.book
            .add("process", &BINARY, Way::Pillion, float(bytes) / 1024.0);
        Ok(())
    }

    /// The ways that there are: without Pillion when it does not come up.
    fn paths(&mut self, upstream: &str) -> Result<Vec<Path>, Error> {
        let secure = upstream == "TLS";
        let address = if secure {
            self.upstream.secure
        } else {
            self.upstream.clear
        };
        let scheme = if secure { "https" } else { "http" };
        let to = format!("{scheme}://{address}");
        let mut paths = vec![Path {
            way: Way::Direct,
            door: Door {
                address,
                tls: secure,
                connector: self.connector.clone(),
            },
            proxy: None,
        }];
        let core = self.cores.map(|cores| cores.proxy);
        let bare = process::bare(core, &self.scratch, &to)?;
        paths.push(self.path(Way::Bare, bare));
        let models = MODELS.map(str::to_owned);
        match process::pillion(core, &self.scratch, &to, &models) {
            Ok(proxy) => paths.push(self.path(Way::Pillion, proxy)),
            Err(error) => self
                .book
                .note(format!("pillion is left out, it did not come up: {error}")),
        }
        Ok(paths)
    }

    fn path(&self, way: Way, proxy: Proxy) -> Path {
        Path {
            way,
            door: Door {
                address: proxy.address,
                tls: false,
                connector: self.connector.clone(),
            },
            proxy: Some(proxy),
        }
    }

    async fn measure(
        &mut self,
        upstream: &'static str,
        scenario: &Scenario,
        path: &Path,
    ) -> Result<(), Error> {
        let span = Duration::from_millis(if self.options.quick { 200 } else { 700 });
        let load = Load {
            lanes: scenario.lanes,
            body: request(scenario.model, scenario.size, scenario.stream),
            until: if scenario.model == PACED {
                Until::Asked(1)
            } else {
                Until::Elapsed(span)
            },
        };
        let pid = path.proxy.as_ref().map(|proxy| proxy.process.pid());
        match load.run(&path.door, pid).await {
            Ok(tally) => self.write_down(upstream, scenario, path.way, &tally),
            Err(error) if path.way == Way::Pillion => self
                .book
                .note(format!("pillion failed at {}: {error}", scenario.model)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn write_down(&mut self, upstream: &'static str, scenario: &Scenario, way: Way, tally: &Tally) {
        let requests = float(tally.requests as u64);
        let took = tally.took.as_secs_f64();
        if let (Some(metric), Some(cpu)) = (scenario.cpu, tally.cpu) {
            let units = match scenario.events {
                Some(events) => requests * float(events),
                None if scenario.stream => float(tally.events),
                None => requests,
            };
            self.book.add(upstream, metric, way, micros(cpu) / units);
        }
        if let Some([rate, core]) = scenario.rate {
            self.book.add(upstream, rate, way, requests / took);
            if let Some(cpu) = tally.cpu {
                let share = 100.0 * cpu.as_secs_f64() / took;
                self.book.add(upstream, core, way, share);
            }
        }
        if let Some([p50, p99]) = scenario.latency {
            let spans = if scenario.stream {
                &tally.first
            } else {
                &tally.whole
            };
            let at = |hundredths: usize| micros(spans[spans.len() * hundredths / 100]);
            self.book.add(upstream, p50, way, at(50));
            self.book.add(upstream, p99, way, at(99));
        }
    }

    /// Memory of processes that are fresh: idle after one request, then with many streams open.
    async fn memory(&mut self, upstream: &'static str) -> Result<(), Error> {
        for path in self.paths(upstream)? {
            let Some(proxy) = &path.proxy else { continue };
            let way = path.way;
            match occupied(&path.door, proxy.process.pid()).await {
                Ok((idle, busy)) => {
                    let grown = float(busy.resident.saturating_sub(idle.resident));
                    let (resident, anonymous) = (float(idle.resident), float(idle.anonymous));
                    let each = grown / float(HELD_STREAMS as u64);
                    self.book.add(upstream, &IDLE, way, resident);
                    self.book.add(upstream, &IDLE_ANON, way, anonymous);
                    self.book.add(upstream, &STREAM_RSS, way, each);
                }
                Err(error) if way == Way::Pillion => {
                    self.book.note(format!("pillion failed at {HOLD}: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn start_times(&mut self) -> Result<(), Error> {
        let times = if self.options.quick { 3 } else { 9 };
        let (mut bare, mut pillion) = (Vec::new(), Vec::new());
        for _ in 0..times {
            for path in self.paths("cleartext")? {
                let Some(proxy) = path.proxy else { continue };
                let millis = micros(proxy.ready) / 1000.0;
                match path.way {
                    Way::Pillion => pillion.push(millis),
                    Way::Direct | Way::Bare => bare.push(millis),
                }
            }
        }
        for (way, times) in [(Way::Bare, bare), (Way::Pillion, pillion)] {
            if let Some(median) = median(&times) {
                let least = times.iter().copied().fold(f64::INFINITY, f64::min);
                self.book.add("process", &READY_MIN, way, least);
                self.book.add("process", &READY_MEDIAN, way, median);
            }
        }
        Ok(())
    }
}

/// What the process `pid` behind `door` occupies: idle, and with all the streams open.
async fn occupied(door: &Door, pid: u32) -> Result<(Memory, Memory), Error> {
    let mut lane = Lane::open(door).await?;
    lane.ask(&request(PLAIN, 1024, false)).await?;
    settle().await;
    let idle = machine::memory(pid)?;
    let held = hold(door, &request(HOLD, 1024, true), HELD_STREAMS).await?;
    settle().await;
    let busy = machine::memory(pid)?;
    drop(held);
    Ok((idle, busy))
}

/// Until what a burst of work left behind is done with.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes here are far below 2^52"
)]
fn float(count: u64) -> f64 {
    count as f64
}
