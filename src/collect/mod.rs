//! Records to a collector elsewhere: JSON lines by HTTP, or OTLP; and spans ([`Spans`]).
//!
//! What waits, and how far a collector has come, is the [`Outbox`]'s. Here it is sent, one batch after the
//! other, until the collector has said that it has it: a batch whose acknowledgement was lost is sent again,
//! the same lines with the same hashes. Nothing is sent on the request path. Never here: what a record or a
//! span says, but for the few facts of a record that OTLP has attributes for.

mod judge;
mod otlp;
mod pace;
mod post;
mod spans;

use std::time::Duration;

use fastrand::Rng;
use http::HeaderMap;
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::judge::Verdict;
use self::pace::Pace;
use self::post::{Load, Post};
use crate::proof::{Note, What};
use crate::record::{Line, Outbox, Parcel, Standing};
use crate::snapshot::Identity;
use crate::source::{Auth, SourceUrl};
use crate::upstream::Clients;

pub use self::spans::Spans;

/// A collector, as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    pub url: SourceUrl,
    pub auth: Auth,
    /// The header that a token goes into by itself, instead of `authorization`.
    pub token_header: Option<http::HeaderName>,
    /// A PEM file of authorities trusted beside the usual ones.
    pub ca: Option<std::path::PathBuf>,
    pub headers: HeaderMap,
    pub gzip: bool,
    /// How long what is sent together is gathered.
    pub every: Duration,
}

/// What a collector of records speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON lines that are posted.
    Lines,
    /// OTLP/HTTP.
    Otlp,
}

impl Kind {
    /// As the configuration names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "https",
            Self::Otlp => "otlp",
        }
    }

    fn load(self) -> Load {
        match self {
            Self::Lines => Load::Lines,
            Self::Otlp => Load::Logs,
        }
    }
}

/// Sends what waits for one collector.
pub struct Delivery {
    outbox: Outbox,
    post: Post,
    kind: Kind,
    every: Duration,
    identity: Identity,
    standing: Standing,
    pace: Pace,
}

/// What one batch came to.
enum Outcome {
    /// Go on with the next.
    Done,
    /// The same once more, after so long.
    Again(Duration),
}

impl Delivery {
    /// # Errors
    /// What in the configuration cannot work, for the operator.
    pub fn new(
        (kind, collector): (Kind, &Collector),
        outbox: Outbox,
        identity: Identity,
        standing: Standing,
        clients: &Clients,
        rng: Rng,
    ) -> Result<Self, &'static str> {
        standing.tell(outbox.name, None);
        Ok(Self {
            outbox,
            post: Post::new(kind.load(), collector, clients)?,
            kind,
            every: collector.every,
            identity,
            standing,
            pace: Pace::new(rng),
        })
    }

    /// Goes on until `end` is cancelled and everything is sent. Whoever cannot wait so long drops it.
    pub async fn run(mut self, end: CancellationToken) {
        while self.outbox.filled(self.every, &end).await {
            let outcome = self.step().await;
            self.standing.waits(self.outbox.name, self.outbox.waiting());
            if let Outcome::Again(wait) = outcome {
                if end.is_cancelled() {
                    sleep(self.pace.last_time(wait)).await;
                } else {
                    let _ = end.run_until_cancelled(sleep(wait)).await;
                }
            }
        }
    }

    async fn step(&mut self) -> Outcome {
        let parcel = match self.outbox.parcel().await {
            Ok(parcel) => parcel,
            Err(why) => return self.failed(&why.to_string(), None),
        };
        let encode = self.encoder(&parcel);
        match self.post.send(encode).await {
            Verdict::Taken { refused, why } => {
                if refused > 0 {
                    let (sink, why) = (self.outbox.name, why.unwrap_or_default());
                    tracing::error!(sink, refused, %why, "a collector has refused records, and is not to be sent them again");
                    self.standing.lost(refused);
                }
                self.taken(&parcel, refused).await
            }
            Verdict::Unfit(why) => {
                if self.outbox.halve(&parcel) {
                    return Outcome::Done;
                }
                let (sink, seq) = (self.outbox.name, parcel.lines.first().map(|it| it.head.seq));
                tracing::error!(sink, seq, %why, "a collector takes no such record: it is passed over");
                self.standing.lost(1);
                self.taken(&parcel, 1).await
            }
            Verdict::Refused(why) => self.failed(&why, None),
            Verdict::Again { why, after } => self.failed(&why, after),
        }
    }

    async fn taken(&mut self, parcel: &Parcel, refused: u64) -> Outcome {
        let sink = self.outbox.name;
        self.outbox.taken(parcel).await;
        let sent = (parcel.lines.len() as u64).saturating_sub(refused);
        self.standing.sent(sink, sent);
        if self.pace.works() {
            tracing::info!(sink, "records are sent again");
        }
        self.standing.tell(sink, None);
        Outcome::Done
    }

    fn failed(&mut self, why: &str, after: Option<Duration>) -> Outcome {
        let (sink, waiting) = (self.outbox.name, self.outbox.waiting());
        let (wait, is_first) = self.pace.fails(after);
        if is_first {
            tracing::error!(sink, %why, waiting, "records cannot be sent: they wait");
        } else {
            tracing::debug!(sink, %why, waiting, "records still cannot be sent");
        }
        self.standing.tell(sink, Some(why));
        Outcome::Again(wait)
    }

    /// What makes the body of a parcel, to be done aside.
    fn encoder(&self, parcel: &Parcel) -> impl FnOnce() -> Vec<u8> + Send + 'static {
        let (kind, identity, lines) = (self.kind, self.identity.clone(), parcel.lines.clone());
        let now = Timestamp::now();
        move || {
            let instance = identity.instance.as_deref();
            match kind {
                Kind::Lines => {
                    let mut body = Vec::new();
                    for line in &lines {
                        let note = gap(kind, line, instance, now);
                        for text in note.as_deref().into_iter().chain([&*line.text]) {
                            body.extend_from_slice(text);
                            body.push(b'\n');
                        }
                    }
                    body
                }
                Kind::Otlp => {
                    let gap = |line: &Line| gap(kind, line, instance, now);
                    otlp::logs(&lines, &identity, now, &gap)
                }
            }
        }
    }
}

/// The note of numbers that are missing before a line, by which a verifier knows that they were lost.
fn gap(kind: Kind, line: &Line, instance: Option<&str>, now: Timestamp) -> Option<Vec<u8>> {
    if line.lost == 0 {
        return None;
    }
    let what = What::Gap {
        after: line.head.seq.saturating_sub(line.lost + 1),
        lost: line.lost,
        why: "they were lost before they could be sent".into(),
    };
    serde_json::to_vec(&Note::new(kind.name(), instance, what, now)).ok()
}

/// Which of the outboxes are whose.
pub fn deliveries(
    collectors: &[(Kind, Collector)],
    outboxes: Vec<Outbox>,
    identity: &Identity,
    standing: &Standing,
    clients: &Clients,
) -> Vec<Result<Delivery, &'static str>> {
    let of = |outbox: Outbox| {
        let mut known = collectors.iter();
        let (kind, collector) = known.find(|(kind, _)| kind.name() == outbox.name)?;
        let (identity, standing) = (identity.clone(), standing.clone());
        let rng = Rng::new();
        let collector = (*kind, collector);
        Some(Delivery::new(
            collector, outbox, identity, standing, clients, rng,
        ))
    };
    outboxes.into_iter().filter_map(of).collect()
}
