//! The sockets of what is simulated: accept, serve, hang up.
//!
//! [`serve`] is the whole of it. A connection is kept apart from the requests on it, because some
//! faults are the connection's: a request that is to meet one tells its connection by a channel.

use std::future::{Future, pending};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::reply::{HangUp, Reply};
use crate::body::{Body, BoxError};
use crate::tasks::Tasks;

/// Out of file descriptors, most likely: they come back as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Gives each request what `answer` says, until `stop` says so or is dropped; then the port is
/// closed.
pub(super) async fn serve<Answering>(
    listener: TcpListener,
    answer: impl Fn(Request<Incoming>) -> Answering + Clone + Send + 'static,
    tasks: Tasks,
    mut stop: watch::Receiver<bool>,
) where
    Answering: Future<Output = hyper::Result<Reply>> + Send + 'static,
{
    let until = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        match accepted {
            Ok((stream, _)) => tasks.spawn(converse(stream, answer.clone(), until.clone())),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// One connection, to its end.
async fn converse<Answering>(
    stream: TcpStream,
    answer: impl Fn(Request<Incoming>) -> Answering,
    mut stop: watch::Receiver<bool>,
) where
    Answering: Future<Output = hyper::Result<Reply>>,
{
    // Tokens are small and must not wait for each other; without it they are late, not lost.
    let _ = stream.set_nodelay(true);
    let (hang_up, mut hang_ups) = mpsc::channel(1);
    let service =
        service_fn(move |request: Request<Incoming>| respond(answer(request), hang_up.clone()));
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
    answering: impl Future<Output = hyper::Result<Reply>>,
    hang_up: mpsc::Sender<HangUp>,
) -> Result<Response<Body>, BoxError> {
    match answering.await? {
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
