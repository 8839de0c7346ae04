//! Redis, for those who ask it: never for longer than they can spare, and not at all while it is away.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::gate::Gate;
use super::link::{self, ORDER, Order};
use super::lock;
use crate::limit::Room;
use crate::redis::{Place, Reply, encode};
use crate::tasks::Tasks;

/// How long a command may take.
const DEADLINE: Duration = Duration::from_millis(50);
/// What waits for the connection, in bytes. One for which there is no room says that Redis is away.
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
    /// How many there have been.
    connections: AtomicU64,
    gate: Mutex<Gate>,
    queued: Room,
    /// Whether it was there when somebody last heard of it, and whether anybody has.
    told: Mutex<Option<bool>>,
    up: Gauge,
}

/// A command that is on its way, since then.
struct Asking {
    receiver: oneshot::Receiver<Reply>,
    at: Instant,
    state: Arc<State>,
}

/// There is no reply: Redis is away, slow or refuses, or was not asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Away;

impl Redis {
    /// Connects, and stays connected, as one of `tasks`.
    pub(super) fn start(place: Place, tasks: &Tasks, up: Gauge) -> Self {
        // There is no room for more of even the smallest.
        let (sender, orders) = mpsc::channel(QUEUED / ORDER);
        let state = Arc::new(State {
            connected: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            gate: Mutex::default(),
            queued: Room::new(QUEUED),
            told: Mutex::default(),
            up,
        });
        tasks.spawn(link::run(place, orders, Arc::clone(&state)));
        Self {
            orders: sender,
            state,
        }
    }

    /// Asks, where there is hope of a reply: an error is none, but that a script is not known. Once this has returned the command is on its way, before
    /// all that come later; what it returns waits for the reply.
    pub(super) fn ask(
        &self,
        words: &[&[u8]],
    ) -> impl Future<Output = Result<Reply, Away>> + Send + use<> {
        self.ask_encoded(encode(words))
    }

    /// The same of a command that is bytes already.
    pub(super) fn ask_encoded(
        &self,
        bytes: Bytes,
    ) -> impl Future<Output = Result<Reply, Away>> + Send + use<> {
        let asked = if self.state.is_up() {
            self.send(bytes)
        } else {
            Err(Away)
        };
        async move { asked?.reply().await }
    }

    /// Tells it something, also while it is slow: nobody waits for the reply.
    pub(super) fn tell(&self, words: &[&[u8]]) {
        // Not where it is not connected; and one for which there is no room has said so.
        let _ = self.order(encode(words), None);
    }

    /// Returns once it has what it was told, or has had its time for that.
    pub(super) async fn settle(&self) {
        // Replies come in the order of what they are to.
        if let Ok(asked) = self.send(encode(&[b"PING"])) {
            let _ = asked.reply().await;
        }
    }

    /// Looks whether it is well again, when that is due: whether it takes what it is given.
    pub(super) async fn look(&self) {
        if !lock(&self.state.gate).is_look_due(Instant::now()) {
            return;
        }
        if let Ok(asked) = self.send(look()) {
            let _ = asked.reply().await;
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.is_up()
    }

    /// The number of the connection: another one may be to another Redis.
    pub(super) fn connection(&self) -> u64 {
        self.state.connections.load(Ordering::Acquire)
    }

    fn send(&self, bytes: Bytes) -> Result<Asking, Away> {
        let (sender, receiver) = oneshot::channel();
        let at = Instant::now();
        self.order(bytes, Some(sender))?;
        Ok(Asking {
            receiver,
            at,
            state: Arc::clone(&self.state),
        })
    }

    fn order(&self, bytes: Bytes, reply: Option<oneshot::Sender<Reply>>) -> Result<(), Away> {
        if !self.state.connected.load(Ordering::Acquire) {
            return Err(Away);
        }
        let order = Order { bytes, reply };
        let size = order.size();
        if !self.state.queued.take(size) {
            self.state.sent(size);
            self.state.overrun();
            return Err(Away);
        }
        // It fails only when the process ends: there is a place for all that there is room for.
        self.orders.try_send(order).map_err(|_| {
            self.state.sent(size);
            Away
        })
    }
}

impl Asking {
    async fn reply(mut self) -> Result<Reply, Away> {
        let reply = match timeout_at(self.at + DEADLINE, &mut self.receiver).await {
            Ok(Ok(reply)) => Some(reply),
            // The connection was lost.
            Ok(Err(_)) => return Err(Away),
            Err(_) => {
                // On a busy machine the time may be up before what has come was looked at.
                tokio::task::yield_now().await;
                self.receiver.try_recv().ok()
            }
        };
        let Some(reply) = reply else {
            self.state.failed("it is slow");
            return Err(Away);
        };
        if is_unknown_script(&reply) {
            return Ok(reply);
        }
        self.state.judge(&reply, self.at.elapsed().min(DEADLINE));
        match reply {
            Reply::Error(_) => Err(Away),
            Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::List(_) => Ok(reply),
        }
    }
}

/// What shows whether it takes what it is given.
pub(super) fn look() -> Bytes {
    encode(&[b"SET", b"pillion:look", b"", b"PX", b"1000"])
}

/// The one error that says nothing of Redis itself: it is to be told the script.
fn is_unknown_script(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(error) if error.starts_with(b"NOSCRIPT"))
}

impl State {
    fn is_up(&self) -> bool {
        self.connected.load(Ordering::Acquire) && lock(&self.gate).is_open()
    }

    pub(super) fn connected(&self) {
        lock(&self.gate).answered();
        self.connections.fetch_add(1, Ordering::AcqRel);
        self.connected.store(true, Ordering::Release);
        self.say(None);
    }

    pub(super) fn lost(&self, error: &io::Error) {
        self.connected.store(false, Ordering::Release);
        self.say(Some(&error.to_string()));
    }

    /// So many bytes wait no more.
    pub(super) fn sent(&self, size: usize) {
        self.queued.give_back(size);
    }

    /// What a reply says of Redis itself that nobody has waited for. How long it took may be our own
    /// doing: of many calls that end at once, we are busy with their answers.
    pub(super) fn heard(&self, reply: &Reply) {
        match reply {
            Reply::Error(_) => self.judge(reply, Duration::ZERO),
            Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::List(_) => {}
        }
    }

    /// What a reply says of Redis itself.
    fn judge(&self, reply: &Reply, took: Duration) {
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

    /// So much waits that something was not sent: it is as good as away until it has caught up.
    fn overrun(&self) {
        lock(&self.gate).shut(Instant::now());
        self.say(Some("more waits for it than there is room for"));
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
                    "the shared state is away: until it is back, what comes twice is one call within this process only, and limits and budgets are held by what is known here"
                );
            }
            (Some(true), true, _) | (Some(false), false, _) | (None | Some(true), false, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Something that lets us in, and then neither reads nor answers.
    async fn silent(listener: TcpListener) {
        let mut held = Vec::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            // To be let in, and to be looked at. Whoever finds this slow leaves, and comes again.
            for _ in 0..2 {
                let mut command = Vec::new();
                let _ = socket.read_buf(&mut command).await;
                let _ = socket.write_all(b"+OK\r\n").await;
            }
            held.push(socket);
        }
    }

    #[tokio::test]
    async fn what_waits_is_bounded_by_its_bytes_and_what_is_not_sent_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tasks = Tasks::default();
        tasks.spawn(silent(listener));
        let place = Place::of(&format!("redis://127.0.0.1:{port}")).unwrap();
        let up = Gauge::default();
        let redis = Redis::start(place, &tasks, up.clone());
        let connected = async {
            while !redis.is_up() {
                tokio::task::yield_now().await;
            }
        };
        timeout_at(Instant::now() + Duration::from_secs(10), connected)
            .await
            .unwrap();
        // Nothing is awaited from here on, so nothing is taken out.
        for _ in 0..10_000 {
            redis.tell(&[b"SET", b"key", b"value"]);
        }
        assert!(redis.is_up(), "they are many, and small");
        let long = vec![b'x'; 1 << 20];
        let mut sent = 0;
        while redis.is_up() {
            redis.tell(&[b"SET", b"key", &long]);
            sent += 1;
            assert!(sent < 9, "there is room for 8 MiB");
        }
        assert_eq!(up.get(), 0);
        assert!(sent > 5);
        assert!(redis.ask(&[b"PING"]).await.is_err());
    }
}
