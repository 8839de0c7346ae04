//! The client: one connection at a time, one request at a time on it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use memchr::memchr_iter;
use tokio::task::JoinSet;
use tower_service::Service as _;

use crate::Error;
use crate::process::{FIGURES, MASKED, PROSE, PROSE_AS_IT_IS};

/// What the applications' token is in every configuration made here.
pub(crate) const TOKEN: &str = "sk-bench-0123456789abcdef0123456789abcdef";

/// Where a client may connect to: the upstream itself or a proxy before it.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) connector: HttpsConnector<HttpConnector>,
}

/// A connection that is kept.
pub(crate) struct Lane {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    /// Drives the connection; dropped with it.
    _driver: JoinSet<()>,
}

/// One answer, read to its end.
pub(crate) struct Answered {
    /// Until the first byte of the body.
    pub(crate) first: Duration,
    pub(crate) whole: Duration,
    /// Events of a stream; of a plain answer, nothing that has a meaning.
    pub(crate) events: u64,
}

impl Lane {
    pub(crate) async fn open(door: &Door) -> Result<Self, Error> {
        let scheme = if door.tls { "https" } else { "http" };
        let uri: Uri = format!("{scheme}://{}", door.address).parse()?;
        let stream = door.connector.clone().call(uri).await?;
        let (sender, connection) = http1::handshake(stream).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Its error is the request's too.
            let _ = connection.await;
        });
        Ok(Self {
            address: door.address,
            sender,
            _driver: driver,
        })
    }

    /// Sends `body` and returns the body of an answer that says 200.
    pub(crate) async fn post(&mut self, body: &Bytes) -> Result<Incoming, Error> {
        let request = Request::post("/v1/chat/completions")
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {TOKEN}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        if status != http::StatusCode::OK {
            let mut body = response.into_body();
            let said = body.frame().await.transpose()?;
            let said = said.and_then(|frame| frame.into_data().ok());
            let said = said.unwrap_or_default();
            return Err(format!("{status}: {}", String::from_utf8_lossy(&said)).into());
        }
        Ok(response.into_body())
    }

    /// Sends `body` and reads the answer to its end.
    pub(crate) async fn ask(&mut self, body: &Bytes) -> Result<Answered, Error> {
        let start = Instant::now();
        let mut answer = self.post(body).await?;
        let mut first = None;
        let mut lines = 0;
        while let Some(frame) = answer.frame().await {
            if let Some(data) = frame?.data_ref() {
                first.get_or_insert_with(|| start.elapsed());
                lines += memchr_iter(b'\n', data).count() as u64;
            }
        }
        Ok(Answered {
            first: first.ok_or("an answer without a body")?,
            whole: start.elapsed(),
            // An event is a line and an empty one.
            events: lines / 2,
        })
    }
}

/// A request of about `size` bytes, with the escapes that real text has.
pub(crate) fn request(model: &str, size: usize, stream: bool) -> Bytes {
    const TEXT: &str = r#"The customer said: \"my card was charged twice\".\nPlease advise. "#;
    let prose = |body: &mut String| {
        *body += r#"The customer says that the card was charged twice for one purchase.\nПросит вернуть деньги и \"ответить\" до конца недели. "#;
    };
    let figures = |body: &mut String| {
        let n = body.len();
        // A string takes whatever is written to it.
        let _ = write!(
            body,
            r#"Order {n} of 12.03.2026 at 14:{:02} came to 1 {:03} 450,00 KZT.\nПо заявке {n} решение: \"принято\", срок 5 дней, ставка 14,{} %. The desk will look into it and answer by the end of the week. "#,
            n % 60,
            n % 1000,
            n % 10
        );
    };
    match model {
        PROSE | PROSE_AS_IT_IS => return conversation(model, size, prose),
        FIGURES => return conversation(model, size, figures),
        _ => {}
    }
    let start = format!(
        r#"{{"model":"{model}","stream":{stream},"temperature":0.2,"messages":[{{"role":"system","content":"You are a helpful assistant of a bank."}},{{"role":"user","content":""#
    );
    if model == MASKED {
        return personal(&start, size);
    }
    let count = size.saturating_sub(start.len()).div_ceil(TEXT.len());
    Bytes::from(format!(r#"{start}{}"}}]}}"#, TEXT.repeat(count)))
}

/// The same with an address, a telephone and a card in each kilobyte.
fn personal(start: &str, size: usize) -> Bytes {
    const TEXT: &str = r#"The customer said: \"my card was charged twice\".\nPlease advise. "#;
    let mut body = start.to_owned();
    while body.len() < size {
        let number = body.len();
        body += &TEXT.repeat(14);
        let _ = write!(
            body,
            "Anna, anna{number}@mail.kz, +7 701 123 45 67, 4111 1111 1111 1111. "
        );
    }
    body += r#""}]}"#;
    Bytes::from(body)
}

/// A talk with a bank's service desk: turns of what `sentence` adds, and ten values among them.
fn conversation(model: &str, size: usize, sentence: impl Fn(&mut String)) -> Bytes {
    const VALUES: [&str; 10] = [
        "Write to anna.k@mail.kz",
        "Call +7 701 123 45 67",
        "Her card is 4111 1111 1111 1111",
        "Pay to KZ86125KZT5004100100",
        "ИИН 880101300209",
        "She lives at ул. Абая 150, кв. 12",
        "See contract № 45-К/2023",
        "Passport N12345678",
        "Copy to boris@firma.kz",
        "Logged in from 203.0.113.7",
    ];
    const TURN: usize = 700;
    let mut body = format!(
        r#"{{"model":"{model}","temperature":0.2,"messages":[{{"role":"system","content":"You are a helpful assistant of a bank."}}"#
    );
    let mut turn = 0;
    while body.len() < size {
        let role = ["user", "assistant"][turn % 2];
        let _ = write!(body, r#",{{"role":"{role}","content":""#);
        let end = body.len() + TURN;
        while body.len() < end {
            sentence(&mut body);
        }
        // One in each of the user's turns.
        if let Some(value) = VALUES.get(turn / 2).filter(|_| turn % 2 == 0) {
            body += value;
        }
        body += r#""}"#;
        turn += 1;
    }
    body += "]}";
    Bytes::from(body)
}
