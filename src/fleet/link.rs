//! The one connection: everybody's commands go over it in the order in which they were given, and
//! the replies come back in that order. When it is lost it is made anew.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::lock;
use super::redis::{State, look};
use crate::redis::{Place, Reply, Socket, ask, connect, next, refusal};

/// To connect and to be let in.
const CONNECT: Duration = Duration::from_secs(2);
/// One that leaves a command without a reply for so long is given up.
const STALLED: Duration = Duration::from_secs(10);
/// Between two tries to connect: the first time, and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What a command takes beside its bytes.
pub(super) const ORDER: usize = 64;

/// A command on its way.
pub(super) struct Order {
    pub(super) bytes: Bytes,
    /// Absent where nobody waits for the reply.
    pub(super) reply: Option<oneshot::Sender<Reply>>,
}

impl Order {
    /// What it takes of the room, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + ORDER
    }
}

/// One that was sent.
struct Sent {
    reply: Option<oneshot::Sender<Reply>>,
    at: Instant,
}

type Waiting = Mutex<VecDeque<Sent>>;

/// Keeps the connection until nobody can give a command any more.
pub(super) async fn run(place: Place, mut orders: mpsc::Receiver<Order>, state: Arc<State>) {
    let mut pause = PAUSE;
    loop {
        let connecting = timeout(CONNECT, writable(&place));
        let connected = connecting
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let ended = match connected {
            Ok(socket) => {
                pause = PAUSE;
                state.connected();
                exchange(socket, &mut orders, &state).await
            }
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => return,
            Err(error) => state.lost(&error),
        }
        while let Ok(order) = orders.try_recv() {
            // Whoever waits for it learns that it is gone.
            state.sent(order.size());
        }
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A connection to a Redis that takes what it is given, with the usual authorities.
async fn writable(place: &Place) -> io::Result<Box<dyn Socket>> {
    let trusted = || crate::upstream::tls_config(None).map_err(io::Error::other);
    let mut socket = connect(place, place.tls.then(trusted).transpose()?).await?;
    match ask(&mut socket, &mut BytesMut::new(), &look()).await? {
        Reply::Error(error) => Err(refusal(&error)),
        Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::List(_) => Ok(socket),
    }
}

/// A Redis that has become the replica of another one says so in each refusal. That one has the name
/// now, so it is looked up again.
fn is_replica(reply: &Reply) -> bool {
    const WORD: &[u8] = b"READONLY";
    // Older ones say it behind the name of the script.
    matches!(reply, Reply::Error(error) if error.windows(WORD.len()).any(|word| word == WORD))
}

/// `Ok` when nobody can give a command any more.
async fn exchange(
    socket: Box<dyn Socket>,
    orders: &mut mpsc::Receiver<Order>,
    state: &State,
) -> io::Result<()> {
    let (reader, writer) = split(socket);
    let waiting = Waiting::default();
    tokio::select! {
        ended = write(writer, orders, &waiting, state) => ended,
        error = read(reader, &waiting, state) => Err(error),
        () = stall(&waiting) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn write(
    mut writer: WriteHalf<Box<dyn Socket>>,
    orders: &mut mpsc::Receiver<Order>,
    waiting: &Waiting,
    state: &State,
) -> io::Result<()> {
    while let Some(order) = orders.recv().await {
        let size = order.size();
        lock(waiting).push_back(Sent {
            reply: order.reply,
            at: Instant::now(),
        });
        let written = async {
            writer.write_all(&order.bytes).await?;
            writer.flush().await
        };
        let written = written.await;
        state.sent(size);
        written?;
    }
    Ok(())
}

async fn read(
    mut reader: ReadHalf<Box<dyn Socket>>,
    waiting: &Waiting,
    state: &State,
) -> io::Error {
    let mut buffer = BytesMut::new();
    loop {
        let reply = match next(&mut reader, &mut buffer).await {
            Ok(reply) => reply,
            Err(error) => return error,
        };
        let Some(sent) = lock(waiting).pop_front() else {
            return io::Error::other("a reply to nothing");
        };
        let is_replica = is_replica(&reply);
        match sent.reply {
            // Whoever waited may have given up.
            Some(to) => drop(to.send(reply)),
            None => state.heard(&reply),
        }
        if is_replica {
            return io::Error::other("READONLY");
        }
    }
}

/// Returns once a command has waited for too long.
async fn stall(waiting: &Waiting) {
    loop {
        sleep(STALLED / 10).await;
        let oldest = lock(waiting).front().map(|sent| sent.at);
        if oldest.is_some_and(|at| at.elapsed() >= STALLED) {
            return;
        }
    }
}
