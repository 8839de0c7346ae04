//! A plain HTTP/1.1 client that tells how an answer ended, which libraries hide.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::soon;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub(crate) complete: bool,
}

/// An answer while it comes.
pub(crate) struct Stream {
    pub(crate) head: Head,
    client: Client,
    framing: Framing,
    /// Decoded, and not yet taken.
    body: Vec<u8>,
    /// How it ended, once it has: whether properly.
    ended: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Left(usize),
    Chunked,
    Close,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon("the gateway accepts", TcpStream::connect(address)).await;
        let stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The same to a gateway that may close before it has all of it.
    pub(crate) async fn write_or_lose(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Sends a request with JSON.
    pub(crate) async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n");
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            head += "content-type: application/json\r\n";
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        self.write(&[head.as_bytes(), body].concat()).await;
    }

    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) {
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.write((head + "\r\n").as_bytes()).await;
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Goes away, and waits until the gateway has seen it.
    pub(crate) async fn leave(mut self) {
        self.half_close().await;
        self.until_closed().await;
    }

    /// Breaks off (RST).
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// All that comes until the gateway closes.
    pub(crate) async fn until_closed(mut self) -> Vec<u8> {
        let reading = async {
            while self
                .stream
                .read_buf(&mut self.buffer)
                .await
                .is_ok_and(|read| read > 0)
            {}
        };
        soon("the gateway closes", reading).await;
        self.buffer
    }

    /// The connection alone.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.stream
    }

    /// Waits for the head of the answer.
    pub(crate) async fn answer(self) -> Stream {
        soon("an answer's head", self.head()).await
    }

    async fn head(mut self) -> Stream {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the gateway closed without an answer");
        };
        let text = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = text.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let head = Head {
            status: status.parse().unwrap(),
            headers,
        };
        let framing = match (
            head.header("transfer-encoding"),
            head.header("content-length"),
        ) {
            (Some("chunked"), None) => Framing::Chunked,
            (None, Some(length)) => Framing::Left(length.parse().unwrap()),
            (None, None) if head.status == 204 => Framing::Left(0),
            (None, None) => Framing::Close,
            other => panic!("an answer framed twice: {other:?}"),
        };
        Stream {
            head,
            client: self,
            framing,
            body: Vec::new(),
            ended: None,
        }
    }
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl Stream {
    /// More of the body; false once it has ended.
    async fn pull(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        loop {
            match self.decode() {
                Some(true) => return true,
                Some(false) => return false,
                None => {}
            }
            let read = self.client.stream.read_buf(&mut self.client.buffer).await;
            if !read.is_ok_and(|read| read > 0) {
                self.ended = Some(matches!(self.framing, Framing::Close));
                return false;
            }
        }
    }

    /// Moves what is there into the body: whether anything was, or `false` at the end.
    fn decode(&mut self) -> Option<bool> {
        let buffer = &mut self.client.buffer;
        match &mut self.framing {
            Framing::Left(0) => {
                self.ended = Some(true);
                Some(false)
            }
            _ if buffer.is_empty() => None,
            Framing::Close => {
                self.body.append(buffer);
                Some(true)
            }
            Framing::Left(left) => {
                let take = buffer.len().min(*left);
                *left -= take;
                self.body.extend(buffer.drain(..take));
                Some(true)
            }
            Framing::Chunked => {
                let line = buffer.windows(2).position(|end| end == b"\r\n")?;
                let size = std::str::from_utf8(&buffer[..line]).unwrap();
                let size = usize::from_str_radix(size, 16).unwrap();
                if buffer.len() < line + 2 + size + 2 {
                    return None;
                }
                self.body.extend(&buffer[line + 2..line + 2 + size]);
                buffer.drain(..line + 2 + size + 2);
                if size == 0 {
                    self.ended = Some(true);
                }
                Some(size > 0)
            }
        }
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub(crate) async fn half_close(&mut self) {
        self.client.half_close().await;
    }

    /// Goes away, and waits until the gateway has seen it.
    pub(crate) async fn leave(self) {
        self.client.leave().await;
    }

    /// Breaks off (RST).
    pub(crate) fn reset(self) {
        self.client.reset();
    }

    /// The next event with its blank line; `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<String> {
        soon("an event of the answer", async {
            loop {
                if let Some(at) = self.body.windows(2).position(|end| end == b"\n\n") {
                    let event = self.body.drain(..at + 2).collect();
                    return Some(String::from_utf8(event).unwrap());
                }
                if !self.pull().await {
                    assert!(self.body.is_empty(), "a last event without its blank line");
                    return None;
                }
            }
        })
        .await
    }

    /// The whole of it, less what was taken.
    pub(crate) async fn rest(mut self) -> Answer {
        soon("the answer's end", async { while self.pull().await {} }).await;
        Answer {
            status: self.head.status,
            headers: self.head.headers,
            body: self.body,
            complete: self.ended == Some(true),
        }
    }

    /// The same, with the connection for another request.
    pub(crate) async fn rest_and_client(mut self) -> (Answer, Client) {
        soon("the answer's end", async { while self.pull().await {} }).await;
        let answer = Answer {
            status: self.head.status,
            headers: self.head.headers,
            body: self.body,
            complete: self.ended == Some(true),
        };
        (answer, self.client)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The record's id.
    pub(crate) fn id(&self) -> &str {
        self.header("x-request-id").unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// `error.code`.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or("-")
            .to_owned()
    }

    /// The `data` of each event.
    pub(crate) fn data(&self) -> Vec<&str> {
        let events = self.text().split_terminator("\n\n");
        let data = events.map(|event| event.strip_prefix("data: "));
        data.map(|data| data.unwrap_or_else(|| panic!("not a data event in {}", self.text())))
            .collect()
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| &**value)
}
