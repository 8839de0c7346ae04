//! A gateway asked as an application asks it: one request, with a token, and the answer as it comes.
//!
//! For commands that look at a gateway from outside. Nothing on the request path uses it.

use std::error::Error;
use std::path::PathBuf;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;

use super::body::Outgoing;
use super::client::{Client, Clients};
use crate::dialect::openai::Pieces;

/// Connections to gateways, with the same authorities trusted as for providers.
#[derive(Debug, Clone)]
pub struct Visitor {
    client: Client,
}

impl Visitor {
    /// Trusts `ca` (a PEM file) beside the usual authorities.
    pub fn new(clients: &Clients, ca: Option<&PathBuf>) -> Self {
        Self {
            client: clients.trusting(ca),
        }
    }

    /// Posts a JSON body. Dropping the future, or the answer's body, is hanging up.
    ///
    /// # Errors
    /// Why no answer began, in a few words.
    pub async fn post(
        &self,
        uri: Uri,
        authorization: Option<&HeaderValue>,
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let pieces: Pieces = std::iter::once(body).collect();
        let mut request = Request::new(Outgoing::from(pieces));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let sent = self.client.request(request).await;
        sent.map_err(|error| why(&error))
    }
}

/// The last cause says the most: a refused connection, an authority that is not trusted.
fn why(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.last().map_or_else(
        || format!("no answer: {error}"),
        |cause| format!("no answer: {cause}"),
    )
}
