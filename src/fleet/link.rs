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
use super::redis::State;
use crate::redis::{Place, Reply, Socket, connect, next};

/// To connect and to be let in.
const CONNECT: Duration = Duration::from_secs(2);
/// One that leaves a command without a reply for so long is given up.
const STALLED: Duration = Duration::from_secs(10);
/// Between two tries to connect: the first time, and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A command on its way.
pub(super) struct Order {
    pub(super) bytes: Bytes,
    /// Absent where nobody waits for the reply.
    pub(super) reply: Option<oneshot::Sender<Reply>>,
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
        let connecting = timeout(CONNECT, plain(&place));
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
            state.sent(order.bytes.len());
        }
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// With the usual authorities.
async fn plain(place: &Place) -> io::Result<Box<dyn Socket>> {
    let trusted = || crate::upstream::tls_config(None).map_err(io::Error::other);
    connect(place, place.tls.then(trusted).transpose()?).await
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
        lock(waiting).push_back(Sent {
            reply: order.reply,
            at: Instant::now(),
        });
        let written = async {
            writer.write_all(&order.bytes).await?;
            writer.flush().await
        };
        let written = written.await;
        state.sent(order.bytes.len());
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
        match sent.reply {
            // Whoever waited may have given up.
            Some(to) => drop(to.send(reply)),
            None => state.judge(&reply, sent.at.elapsed()),
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
