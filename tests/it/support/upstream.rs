//! A provider that follows a script: HTTP/1.1 over plain sockets, so that it can do whatever a
//! broken one does, and sees what a library would hide.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::reply::{End, Framing, Reply};
use super::soon;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
    /// Which of the connections it came on, from 0.
    pub(crate) connection: usize,
    /// When the client closed that connection, if it did before another request came.
    pub(crate) closed: Option<Instant>,
    /// Bytes of the reply that the socket has taken so far.
    pub(crate) written: usize,
    /// Whether nothing is under way for it any more: it was answered whole, or its connection is gone.
    pub(crate) over: bool,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A path that begins so is answered as soon as its head has come: the body is left unread.
pub(crate) const EARLY: &str = "/early/";

type Choose = dyn FnMut(&Seen) -> Reply + Send;

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    /// When each connection was accepted.
    connections: Vec<Instant>,
    /// How many of them are open.
    open: usize,
}

struct Shared {
    state: watch::Sender<State>,
    choose: Mutex<Box<Choose>>,
    /// Counts the times that idle connections were closed.
    hang_ups: watch::Sender<usize>,
}

/// A provider on a port of its own. Dropping it closes all its connections.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Option<JoinSet<()>>,
    /// Keeps the port of a provider that was killed from being given to somebody else.
    held: Option<Refusing>,
}

impl Upstream {
    /// Answers with these, one request each; a request beyond them gets a 500 that says so.
    pub(crate) async fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        let beyond = || Reply::error(500, "server_error", None, "the script is over");
        Self::choosing(move |_| replies.pop_front().unwrap_or_else(beyond)).await
    }

    /// Answers every request with this.
    pub(crate) async fn always(reply: Reply) -> Self {
        Self::choosing(move |_| reply.clone()).await
    }

    /// Answers as `choose` says.
    pub(crate) async fn choosing(choose: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State::default()),
            choose: Mutex::new(Box::new(choose)),
            hang_ups: watch::Sender::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            tasks: Some(tasks),
            held: None,
        }
    }

    /// Where everything is.
    pub(crate) fn root_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where `/v1` is.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.state.borrow().seen.clone()
    }

    /// Those from this number on.
    pub(crate) fn requests_from(&self, number: usize) -> Vec<Seen> {
        let state = self.shared.state.borrow();
        state.seen.get(number..).unwrap_or_default().to_vec()
    }

    /// Waits until nothing is under way for any request from this number on.
    pub(crate) async fn over(&self, number: usize) {
        self.wait("the calls are over", |state| {
            let mut seen = state.seen.iter().skip(number);
            seen.all(|seen| seen.over).then_some(())
        })
        .await;
    }

    /// Waits until the socket has taken some of the reply to this request.
    pub(crate) async fn writing(&self, number: usize) {
        self.wait("the reply has begun", |state| {
            (state.seen.get(number)?.written > 0).then_some(())
        })
        .await;
    }

    pub(crate) fn hits(&self) -> usize {
        self.shared.state.borrow().seen.len()
    }

    /// When each connection was accepted.
    pub(crate) fn connections(&self) -> Vec<Instant> {
        self.shared.state.borrow().connections.clone()
    }

    /// Waits for the request with this number, from 0.
    pub(crate) async fn request(&self, number: usize) -> Seen {
        self.wait("a request arrives", |state| state.seen.get(number).cloned())
            .await
    }

    /// Waits for the connection with this number, from 0.
    pub(crate) async fn connected(&self, number: usize) -> Instant {
        self.wait("a connection is opened", |state| {
            state.connections.get(number).copied()
        })
        .await
    }

    /// Waits until the client has closed the connection of this request.
    pub(crate) async fn closed(&self, number: usize) -> Instant {
        self.wait("the call is cancelled", |state| {
            state.seen.get(number)?.closed
        })
        .await
    }

    async fn wait<T>(&self, what: &str, found: impl Fn(&State) -> Option<T>) -> T {
        let mut state = self.shared.state.subscribe();
        let state = soon(what, state.wait_for(|state| found(state).is_some())).await;
        found(&state.unwrap()).unwrap()
    }

    /// Closes every connection; none may be serving a request.
    pub(crate) async fn hang_up(&self) {
        self.shared.hang_ups.send_modify(|count| *count += 1);
        self.wait("connections are closed", |state| {
            (state.open == 0).then_some(())
        })
        .await;
    }

    /// Closes every connection; from here on, connections are refused.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut tasks) = self.tasks.take() {
            tasks.shutdown().await;
        }
        self.held = Refusing::at(self.address);
    }
}

/// An address that refuses connections, for as long as this lives.
pub(crate) struct Refusing {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl Refusing {
    pub(crate) fn new() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into()).unwrap()
    }

    fn at(address: SocketAddr) -> Option<Self> {
        // Bound, which keeps the port, but not listening.
        let socket = TcpSocket::new_v4().ok()?;
        socket.set_reuseaddr(true).ok()?;
        socket.bind(address).ok()?;
        Some(Self {
            address: socket.local_addr().ok()?,
            _socket: socket,
        })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The connections live in the accepting task, so that they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut number = 0;
        shared.state.send_modify(|state| {
            number = state.connections.len();
            state.connections.push(Instant::now());
            state.open += 1;
        });
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            serve(stream, number, Arc::clone(&shared)).await;
            shared.state.send_modify(|state| state.open -= 1);
        });
    }
}

async fn serve(stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let mut buffer = Vec::new();
    let mut last = None;
    let mut hang_ups = shared.hang_ups.subscribe();
    loop {
        let read = tokio::select! {
            biased;
            read = read_request(&mut reader, &mut buffer) => read,
            _ = hang_ups.changed() => return,
        };
        let Some((head, body)) = read else { break };
        let seen = Seen {
            head,
            body,
            at: Instant::now(),
            connection,
            closed: None,
            written: 0,
            over: false,
        };
        let reply = (shared.choose.lock().unwrap())(&seen);
        let mut number = 0;
        shared.state.send_modify(|state| {
            number = state.seen.len();
            state.seen.push(seen);
        });
        last = Some(number);
        let written = |bytes: usize| {
            shared
                .state
                .send_modify(|state| state.seen[number].written += bytes);
        };
        let played = tokio::select! {
            biased;
            played = play(&reply, &mut writer, written) => played,
            () = gone(&mut reader, &mut buffer) => break,
        };
        let over = || {
            shared
                .state
                .send_modify(|state| state.seen[number].over = true);
        };
        match (played, reply.end) {
            (Ok(()), End::Complete) if reply.framing != Framing::Close => over(),
            (Ok(()), End::Rst) => {
                if let Ok(stream) = reader.reunite(writer) {
                    let _ = stream.set_zero_linger();
                }
                over();
                return;
            }
            (Ok(()), End::Silence) => {
                gone(&mut reader, &mut buffer).await;
                break;
            }
            (Ok(()), _) => {
                let _ = writer.shutdown().await;
                gone(&mut reader, &mut buffer).await;
                break;
            }
            (Err(_), _) => break,
        }
    }
    if let Some(number) = last {
        shared.state.send_modify(|state| {
            let seen = &mut state.seen[number];
            seen.closed = Some(Instant::now());
            seen.over = true;
        });
    }
}

/// Returns when the client has closed; what it says meanwhile is kept.
async fn gone(reader: &mut OwnedReadHalf, buffer: &mut Vec<u8>) {
    while reader.read_buf(buffer).await.is_ok_and(|read| read > 0) {}
}

async fn read_request(
    reader: &mut OwnedReadHalf,
    buffer: &mut Vec<u8>,
) -> Option<(String, Vec<u8>)> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        if reader.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..head_end).collect()).unwrap();
    if head.split(' ').nth(1)?.starts_with(EARLY) {
        return Some((head, Vec::new()));
    }
    let lower = head.to_ascii_lowercase();
    assert!(
        !lower.contains("transfer-encoding"),
        "the gateway knows the length of what it sends: {head}"
    );
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    while buffer.len() < length {
        if reader.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, buffer.drain(..length).collect()))
}

async fn play(
    reply: &Reply,
    writer: &mut OwnedWriteHalf,
    written: impl Fn(usize),
) -> std::io::Result<()> {
    if let Some(raw) = &reply.raw {
        return writer.write_all(raw).await;
    }
    if !reply.head {
        return Ok(());
    }
    writer.write_all(reply.head_text().as_bytes()).await?;
    loop {
        let mut pauses = reply.pauses.iter().peekable();
        for (at, part) in reply.parts() {
            while let Some((_, gate)) = pauses.next_if(|(pause, _)| *pause <= at) {
                gate.passed().await;
            }
            if !reply.pace.is_zero() {
                sleep(reply.pace).await;
            }
            let chunk = match reply.framing {
                Framing::Length | Framing::Close => part.to_vec(),
                Framing::Chunked => [
                    format!("{:x}\r\n", part.len()).as_bytes(),
                    part,
                    b"\r\n".as_slice(),
                ]
                .concat(),
            };
            let mut left = chunk.as_slice();
            while !left.is_empty() {
                let count = writer.write(left).await?;
                written(count);
                left = &left[count..];
            }
        }
        for (_, gate) in pauses {
            gate.passed().await;
        }
        if !reply.endless {
            break;
        }
    }
    if reply.framing == Framing::Chunked && reply.end == End::Complete && reply.cut.is_none() {
        writer.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}
