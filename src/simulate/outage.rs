//! A provider that is gone: an address at which nobody is answered, in one of four ways.
//!
//! Whatever the path and the dialect: nothing of a request is looked at.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use http::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::answer::count;
use super::refusal::Refusal;
use super::reply::Reply;
use super::server;
use crate::tasks::Tasks;

/// How a provider is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Connections are refused.
    Connect,
    /// Answers begin, and their connection is cut.
    Reset,
    /// Requests are taken, and nothing comes.
    Hang,
    /// Status 503.
    Error,
}

/// One outage, for as long as it lives.
#[derive(Debug)]
pub struct Outage {
    address: SocketAddr,
    _held: Held,
}

/// What keeps the address.
#[derive(Debug)]
enum Held {
    /// Bound and not listening: the system refuses for us.
    Refusing { _socket: TcpSocket },
    /// Serves until this is dropped.
    Serving { _stop: watch::Sender<bool> },
}

impl Outage {
    /// Begins one on a loopback port of its own.
    ///
    /// # Errors
    /// Those of binding.
    pub fn start(gone: Gone) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr()?;
        let held = match gone {
            Gone::Connect => Held::Refusing { _socket: socket },
            Gone::Reset | Gone::Hang | Gone::Error => {
                let (stop, stopped) = watch::channel(false);
                let listener: TcpListener = socket.listen(1024)?;
                let tasks = Tasks::default();
                let answer = move |request| answer(gone, request);
                tasks.spawn(server::serve(listener, answer, tasks.clone(), stopped));
                Held::Serving { _stop: stop }
            }
        };
        Ok(Self {
            address,
            _held: held,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// # Errors
/// Those of reading the request's body: the client is gone.
async fn answer(gone: Gone, request: Request<Incoming>) -> hyper::Result<Reply> {
    count(&mut request.into_body()).await?;
    Ok(match gone {
        Gone::Connect | Gone::Hang => Reply::Silence,
        Gone::Reset => Reply::cut_head(),
        Gone::Error => Refusal::overloaded(None).into(),
    })
}
