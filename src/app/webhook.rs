//! The admission webhook as a process: a listener with TLS, whose certificate, key and settings are files
//! that may be replaced.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zeroize::Zeroizing;

use super::StartError;
use super::life::{LOOK, Signals};
use crate::body::{self, Body};
use crate::config;
use crate::kube::{self, Mint, Room, Settings};
use crate::listen::{self, Connections, Peer, Phase};
use crate::live::{Live, Publisher};
use crate::stamp::Stamp;
use crate::tasks::Tasks;

/// API servers keep a few connections each, and one more for each review at a time.
const CONNECTIONS: usize = 1024;
/// API servers go on to TLS, and to their request, at once.
const HEAD: Duration = Duration::from_secs(2);
/// After the order to end, connections are accepted for so long: API servers learn late that we are gone.
const LAME_DUCK: Duration = Duration::from_secs(3);
/// What runs then has this long; an answer takes milliseconds.
const DRAIN: Duration = Duration::from_secs(5);

/// What it is made of.
pub struct Webhook {
    pub listen: SocketAddr,
    /// With its chain, in PEM.
    pub certificate: PathBuf,
    /// In PEM.
    pub key: PathBuf,
    /// The settings now, by the file and the flags below.
    pub settings: Settings,
    pub settings_file: Option<PathBuf>,
    pub flags: Vec<(&'static str, String)>,
    pub mint: Mint,
}

impl Webhook {
    /// Serves until a signal ends it.
    ///
    /// # Errors
    /// The address, the certificate or the key cannot be had; nothing has been served.
    pub async fn run(self) -> Result<ExitCode, StartError> {
        let mut signals = Signals::of_service().map_err(StartError::Signals)?;
        // Before they are read: a change meanwhile is found by the next look.
        let stamp = self.settings_file.as_deref().and_then(Stamp::at);
        let pair = Pair::read(&self.certificate, &self.key).map_err(StartError::Certificate)?;
        let identity = pair.identity().map_err(StartError::Certificate)?;
        let listener = listen::bind(self.listen).map_err(StartError::Bind)?;
        let address = listener.local_addr().unwrap_or(self.listen);
        let (identities, identity) = Live::new(Arc::new(identity));
        let (publisher, settings) = Live::new(Arc::new(self.settings));
        let tasks = Tasks::default();
        let (phase, serving) = watch::channel(Phase::Serving);
        let is_ready = Arc::new(AtomicBool::new(true));
        let (tasks_of_requests, says_ready, mint) =
            (tasks.clone(), Arc::clone(&is_ready), self.mint);
        let room = Arc::new(Room::default());
        let service = move |request: Request<Incoming>, peer: Peer| {
            let (tasks, is_ready) = (tasks_of_requests.clone(), Arc::clone(&says_ready));
            let room = Arc::clone(&room);
            let settings = settings.current();
            async move {
                if peer.crowded {
                    return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many connections\n");
                }
                if peer.violation.is_some() {
                    return refusal(StatusCode::BAD_REQUEST, "not well-formed HTTP\n");
                }
                let is_ready = is_ready.load(Ordering::Relaxed);
                kube::respond(request, &settings, mint, is_ready, &room, &tasks).await
            }
        };
        tasks.spawn(listen::serve_tls(
            listener,
            identity,
            listen::Settings {
                head: HEAD,
                ..listen::Settings::default()
            },
            Connections::giving_way(CONNECTIONS),
            tasks.clone(),
            serving,
            service,
        ));
        tracing::info!(listen = %address, "serving admission reviews");

        let files = Files {
            certificate: self.certificate,
            key: self.key,
            settings: self.settings_file,
            flags: self.flags,
            identities,
            publisher,
        };
        let seen = Seen {
            pair,
            stamp,
            trouble: None,
        };
        until_told_to_end(&mut signals, Arc::new((files, Mutex::new(seen)))).await;
        tracing::info!("told to end: draining");
        is_ready.store(false, Ordering::Relaxed);
        let drained = async {
            sleep(LAME_DUCK).await;
            phase.send_replace(Phase::Draining);
            if timeout(DRAIN, tasks.idle()).await.is_err() {
                tracing::warn!("connections are still open at the drain limit: cutting them");
            }
        };
        tokio::select! {
            () = drained => {}
            () = signals.end() => tracing::warn!("told to end again"),
        }
        tracing::info!("ended");
        Ok(ExitCode::SUCCESS)
    }
}

/// Looks at the files until a signal says that it is over.
async fn until_told_to_end(signals: &mut Signals, watched: Arc<(Files, Mutex<Seen>)>) {
    let look = || -> JoinHandle<()> {
        let watched = Arc::clone(&watched);
        // On a thread aside: a file on a mount that hangs must not stop the answers.
        spawn_blocking(move || {
            let (files, seen) = &*watched;
            files.look(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
        })
    };
    let mut looking = look();
    let mut next = Instant::now() + LOOK;
    loop {
        tokio::select! {
            () = signals.end() => return,
            () = sleep_until(next) => {
                if looking.is_finished() {
                    looking = look();
                }
                next = Instant::now() + LOOK;
            }
        }
    }
}

/// The files that may be replaced, and where what they hold is published.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    settings: Option<PathBuf>,
    flags: Vec<(&'static str, String)>,
    identities: Publisher<ServerConfig>,
    publisher: Publisher<Settings>,
}

/// What the last look has found.
struct Seen {
    pair: Pair,
    stamp: Option<Stamp>,
    /// Why the pair could not be taken, which is told once.
    trouble: Option<String>,
}

impl Files {
    fn look(&self, seen: &mut Seen) {
        let trouble = self.look_at_pair(&mut seen.pair).err();
        if let Some(why) = trouble.as_ref().filter(|_| trouble != seen.trouble) {
            tracing::warn!("the new certificate is refused, the last good one stays: {why}");
        }
        seen.trouble = trouble;
        let stamp = self.settings.as_deref().and_then(Stamp::at);
        if std::mem::replace(&mut seen.stamp, stamp) != stamp {
            match config::injector(self.settings.as_deref(), &self.flags) {
                Ok(settings) => {
                    self.publisher.publish(Arc::new(settings));
                    tracing::info!("the new settings are live");
                }
                Err(problems) => {
                    for problem in problems {
                        tracing::error!("{problem}");
                    }
                    tracing::error!("the new settings are refused; the last good ones stay");
                }
            }
        }
    }

    /// The two are read each time, and are a few kilobytes: of one that is replaced before the other, the next
    /// look sees both.
    fn look_at_pair(&self, last: &mut Pair) -> Result<(), String> {
        let pair = Pair::read(&self.certificate, &self.key)?;
        if pair != *last {
            self.identities.publish(Arc::new(pair.identity()?));
            *last = pair;
            tracing::info!("the new certificate is live");
        }
        Ok(())
    }
}

/// A certificate with its chain, and its key, as they lie in their files.
#[derive(PartialEq, Eq)]
struct Pair {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Pair {
    fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let read = |file: &Path| {
            fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
        };
        Ok(Self {
            chain: read(certificate)?,
            key: Zeroizing::new(read(key)?),
        })
    }

    fn identity(&self) -> Result<ServerConfig, String> {
        listen::tls::identity(&self.chain, &self.key)
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Response<Body> {
    let mut response = Response::new(body::full(why));
    *response.status_mut() = status;
    response
}
