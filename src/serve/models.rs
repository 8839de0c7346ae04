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
    let names: Vec<&str> = caller.routes().map(|route| &*route.name).collect();
    let data: Vec<_> = names.iter().map(|name| entry(name)).collect();
    // The last three are for Anthropic's SDKs, which page by them.
    response(&json!({
        "object": "list",
        "data": data,
        "has_more": false,
        "first_id": names.first(),
        "last_id": names.last(),
    }))
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
    // `type`, `display_name` and `created_at` are Anthropic's; a route was made at no known time.
    json!({
        "id": id,
        "object": "model",
        "created": 0,
        "owned_by": "pillion",
        "type": "model",
        "display_name": id,
        "created_at": "1970-01-01T00:00:00Z",
    })
}

fn response(value: &Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
