//! How Redis is spoken to: RESP2 over a connection of our own, for the few commands that are needed.
//!
//! The `redis` crate alone adds half a MiB to the binary, all of this a fifth of one.
//! Never here: what is kept in a Redis, or what is done while it is away.

mod place;
mod resp;

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use self::place::Place;
pub(crate) use self::resp::{Reply, encode};

/// The words by which it says that we may not.
const REFUSALS: [&[u8]; 3] = [b"NOAUTH", b"WRONGPASS", b"NOPERM"];

pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A connection to `place`, where we are let in and its database is chosen. `tls` is for a place
/// that wants it.
///
/// # Errors
/// `PermissionDenied` when we are not let in; none of them holds a password.
pub(crate) async fn connect(
    place: &Place,
    tls: Option<ClientConfig>,
) -> io::Result<Box<dyn Socket>> {
    let stream = TcpStream::connect((&*place.host, place.port)).await?;
    stream.set_nodelay(true)?;
    let mut socket: Box<dyn Socket> = match tls {
        Some(config) => {
            let name = ServerName::try_from(place.host.clone()).map_err(io::Error::other)?;
            let connector = TlsConnector::from(Arc::new(config));
            Box::new(connector.connect(name, stream).await?)
        }
        None => Box::new(stream),
    };
    let mut buffer = BytesMut::new();
    for command in greeting(place) {
        if let Reply::Error(error) = ask(&mut socket, &mut buffer, &command).await? {
            return Err(refusal(&error));
        }
    }
    Ok(socket)
}

/// Sends a command and waits for its reply.
///
/// # Errors
/// The connection is lost, or something else than Redis is at its end.
pub(crate) async fn ask(
    socket: &mut (impl Socket + ?Sized),
    buffer: &mut BytesMut,
    command: &[u8],
) -> io::Result<Reply> {
    socket.write_all(command).await?;
    socket.flush().await?;
    next(socket, buffer).await
}

/// The next reply; what has come of those behind it stays in `buffer`.
///
/// # Errors
/// The connection is lost, or something else than Redis is at its end.
pub(crate) async fn next(
    reader: &mut (impl AsyncRead + Unpin + ?Sized),
    buffer: &mut BytesMut,
) -> io::Result<Reply> {
    loop {
        match resp::decode(buffer) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(resp::Broken) => return Err(io::ErrorKind::InvalidData.into()),
        }
        if reader.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// An error of Redis's as one of ours: its first word says what it is, and the rest may quote us.
pub(crate) fn refusal(error: &[u8]) -> io::Error {
    let word = error.split(|byte| *byte == b' ').next().unwrap_or_default();
    let text = String::from_utf8_lossy(word).into_owned();
    if REFUSALS.contains(&word) {
        return io::Error::new(io::ErrorKind::PermissionDenied, text);
    }
    io::Error::other(text)
}

fn greeting(place: &Place) -> Vec<Bytes> {
    let mut commands = Vec::new();
    if let Some(password) = &place.password {
        let words = [
            Some(&b"AUTH"[..]),
            place.user.as_ref().map(|user| user.as_bytes()),
            Some(password.as_bytes()),
        ];
        commands.push(encode(&words.into_iter().flatten().collect::<Vec<_>>()));
    }
    let database = place.database.to_string();
    commands.push(encode(&[b"SELECT", database.as_bytes()]));
    commands
}
