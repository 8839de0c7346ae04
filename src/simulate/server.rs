//! The simulator's sockets: accept, serve, hang up.
//!
//! [`serve`] is the whole of it. A connection is kept apart from the requests on it, because some
//! faults are the connection's: a request that is to meet one tells its connection by a channel.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::answer::answer;
use super::reply::{HangUp, Reply};
use super::stage::Stage;
use crate::body::{Body, BoxError};
use crate::tasks::Tasks;

/// Out of file descriptors, most likely: they come back as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `stage` until `stop` says so or is dropped; then the port is closed.
pub(super) async fn serve(
    listener: TcpListener,
    stage: Arc<Stage>,
    tasks: Tasks,
    mut stop: watch::Receiver<bool>,
) {
    let until = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        match accepted {
            Ok((stream, _)) => tasks.spawn(converse(stream, Arc::clone(&stage), until.clone())),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// One connection, to its end.
async fn converse(stream: TcpStream, stage: Arc<Stage>, mut stop: watch::Receiver<bool>) {
    // Tokens are small and must not wait for each other; without it they are late, not lost.
    let _ = stream.set_nodelay(true);
    let (hang_up, mut hang_ups) = mpsc::channel(1);
    let service = service_fn(move |request: Request<Incoming>| {
        respond(Arc::clone(&stage), hang_up.clone(), request)
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let how = tokio::select! {
        // Its error is the client's business or a fault that was asked for.
        _ = &mut connection => return,
        () = stopped(&mut stop) => return,
        how = hang_ups.recv() => how,
    };
    if how == Some(HangUp::Reset) {
        let stream = connection.into_parts().io.into_inner();
        // On failure the drop below closes it in the ordinary way.
        let _ = stream.set_zero_linger();
    }
}

/// One request. On an error hyper ends the connection.
async fn respond(
    stage: Arc<Stage>,
    hang_up: mpsc::Sender<HangUp>,
    request: Request<Incoming>,
) -> Result<Response<Body>, BoxError> {
    match answer(&stage, request).await? {
        Reply::Answer { wait, response } => {
            tokio::time::sleep(wait).await;
            Ok(response)
        }
        // hyper drops this when the client goes away.
        Reply::Silence => pending().await,
        Reply::HangUp(how) => {
            hang_up.send(how).await?;
            pending().await
        }
    }
}

/// Returns once the simulator is stopped or dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}
