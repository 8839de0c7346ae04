//! The bare reverse proxy: what any proxy of this shape must at least cost.
//!
//! hyper's server in front, hyper-util's pooled client behind, both bodies streamed, the address
//! replaced. It reads nothing, decides nothing and writes nothing down.

use std::path::Path;

use http::header::HOST;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::{Error, tls};

type Upstream = Client<HttpsConnector<HttpConnector>, Incoming>;

/// Proxies to the base URL `to` until killed; prints where it listens.
pub(crate) async fn run(to: &str, authority: &str) -> Result<(), Error> {
    let client: Upstream = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(tls::connector(Path::new(authority))?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, to) = (client.clone(), to.to_owned());
        tokio::spawn(async move {
            let service = service_fn(|request| forward(&client, &to, request));
            // A client that goes away is no news.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn forward(
    client: &Upstream,
    to: &str,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Error> {
    *request.uri_mut() = format!("{to}{}", request.uri().path()).parse::<Uri>()?;
    request.headers_mut().remove(HOST);
    Ok(client.request(request).await?)
}
