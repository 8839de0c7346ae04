//! `GET /models`: to an application, a route is a model.

use http::Response;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::JSON;
use super::routing::Caller;
use crate::body::{Body, full};
use crate::error::GatewayError;

/// The routes that this caller may use.
pub(super) fn list(caller: Caller<'_>) -> Response<Body> {
    let data: Vec<_> = caller.routes().map(|route| entry(&route.name)).collect();
    response(&json!({ "object": "list", "data": data }))
}

/// One of them, by any of its names; `None` when the caller's own provider is to be asked.
///
/// # Errors
/// There is no such route, and nobody else to ask.
pub(super) fn one(caller: Caller<'_>, id: &str) -> Result<Option<Response<Body>>, GatewayError> {
    if caller
        .snapshot
        .route(id)
        .is_some_and(|route| caller.key.may_use(route))
    {
        return Ok(Some(response(&entry(id))));
    }
    if caller.key.passthrough.is_some() {
        Ok(None)
    } else {
        Err(caller.unknown(id))
    }
}

fn entry(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 0, "owned_by": "pillion" })
}

fn response(value: &Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
