//! Redis, for those who ask it: never for longer than they can spare, and not at all while it is away.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::gate::Gate;
use super::link::{self, Order};
use super::lock;
use crate::redis::{Place, Reply, encode};
use crate::tasks::Tasks;

/// How long a command may take.
const DEADLINE: Duration = Duration::from_millis(50);
/// So many commands, and so many bytes of them, wait for the connection; others are not sent.
const QUEUE: usize = 256;
const QUEUED: usize = 8 << 20;

/// A handle to the one connection.
#[derive(Clone)]
pub(super) struct Redis {
    orders: mpsc::Sender<Order>,
    state: Arc<State>,
}

/// What is known of the connection.
pub(super) struct State {
    connected: AtomicBool,
    gate: Mutex<Gate>,
    queued: AtomicUsize,
    /// Whether it was there when somebody last heard of it, and whether anybody has.
    told: Mutex<Option<bool>>,
    up: Gauge,
}

/// There is no reply: Redis is away, slow or refuses, or was not asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Away;

impl Redis {
    /// Connects, and stays connected, as one of `tasks`.
    pub(super) fn start(place: Place, tasks: &Tasks, up: Gauge) -> Self {
        let (sender, orders) = mpsc::channel(QUEUE);
        let state = Arc::new(State {
            connected: AtomicBool::new(false),
            gate: Mutex::default(),
            queued: AtomicUsize::new(0),
            told: Mutex::default(),
            up,
        });
        tasks.spawn(link::run(place, orders, Arc::clone(&state)));
        Self {
            orders: sender,
            state,
        }
    }

    /// Asks, where there is hope of a reply.
    pub(super) async fn ask(&self, words: &[&[u8]]) -> Result<Reply, Away> {
        if !self.state.is_up() {
            return Err(Away);
        }
        self.ask_anyway(encode(words)).await
    }

    /// The same without waiting for the reply.
    pub(super) fn tell(&self, words: &[&[u8]]) {
        if self.state.is_up() {
            // One that cannot be sent is as one that is lost.
            let _ = self.order(encode(words), None);
        }
    }

    /// Looks whether it is well again, when that is due: whether it takes what it is given.
    pub(super) async fn look(&self) {
        if lock(&self.state.gate).is_look_due(Instant::now()) {
            let look = encode(&[b"SET", b"pillion:look", b"", b"PX", b"1000"]);
            let _ = self.ask_anyway(look).await;
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.is_up()
    }

    async fn ask_anyway(&self, bytes: Bytes) -> Result<Reply, Away> {
        let (sender, mut receiver) = oneshot::channel();
        let asked = Instant::now();
        self.order(bytes, Some(sender))?;
        let reply = match timeout(DEADLINE, &mut receiver).await {
            Ok(Ok(reply)) => Some(reply),
            // The connection was lost.
            Ok(Err(_)) => return Err(Away),
            Err(_) => {
                // On a busy machine the time may be up before what has come was looked at.
                tokio::task::yield_now().await;
                receiver.try_recv().ok()
            }
        };
        let Some(reply) = reply else {
            self.state.failed("it is slow");
            return Err(Away);
        };
        self.state.judge(&reply, asked.elapsed().min(DEADLINE));
        match reply {
            Reply::Error(_) => Err(Away),
            Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::List(_) => Ok(reply),
        }
    }

    fn order(&self, bytes: Bytes, reply: Option<oneshot::Sender<Reply>>) -> Result<(), Away> {
        if !self.state.connected.load(Ordering::Acquire) {
            return Err(Away);
        }
        let size = bytes.len();
        if self.state.queued.fetch_add(size, Ordering::AcqRel) + size > QUEUED {
            self.state.sent(size);
            return Err(Away);
        }
        self.orders.try_send(Order { bytes, reply }).map_err(|_| {
            self.state.sent(size);
            Away
        })
    }
}

impl State {
    fn is_up(&self) -> bool {
        self.connected.load(Ordering::Acquire) && lock(&self.gate).is_open()
    }

    pub(super) fn connected(&self) {
        lock(&self.gate).answered();
        self.connected.store(true, Ordering::Release);
        self.say(None);
    }

    pub(super) fn lost(&self, error: &io::Error) {
        self.connected.store(false, Ordering::Release);
        self.say(Some(&error.to_string()));
    }

    /// So many bytes wait no more.
    pub(super) fn sent(&self, size: usize) {
        self.queued.fetch_sub(size, Ordering::AcqRel);
    }

    /// What a reply says of Redis itself.
    pub(super) fn judge(&self, reply: &Reply, took: Duration) {
        match reply {
            Reply::Error(error) => {
                let word = error.split(|byte| *byte == b' ').next();
                self.failed(&String::from_utf8_lossy(word.unwrap_or_default()));
            }
            Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::List(_) => {
                if took > DEADLINE {
                    return self.failed("it is slow");
                }
                lock(&self.gate).answered();
                self.say(None);
            }
        }
    }

    fn failed(&self, why: &str) {
        let shut = {
            let mut gate = lock(&self.gate);
            gate.failed(Instant::now());
            !gate.is_open()
        };
        if shut {
            self.say(Some(why));
        }
    }

    /// Says once how it is, and why it is away.
    fn say(&self, away: Option<&str>) {
        let up = self.is_up();
        let was = lock(&self.told).replace(up);
        self.up.set(i64::from(up));
        match (was, up, away) {
            (None | Some(false), true, _) => tracing::info!("the shared state is there"),
            (None | Some(true), false, Some(why)) => {
                tracing::warn!(
                    why,
                    "the shared state is away: until it is back, what comes twice is one call within this process only"
                );
            }
            (Some(true), true, _) | (Some(false), false, _) | (None | Some(true), false, None) => {}
        }
    }
}
