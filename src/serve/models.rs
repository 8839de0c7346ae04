//! What an application is told of the models it may ask for: the routes of its key.

use http::Response;
use http::header::CONTENT_TYPE;

use super::{JSON, allowed};
use crate::body::{Body, full};
use crate::snapshot::{Key, Snapshot};

/// `GET /models`: the routes this key may use.
pub(super) fn all(snapshot: &Snapshot, key: &Key) -> Response<Body> {
    let data: Vec<_> = allowed(snapshot, key)
        .map(|route| listed(&route.name))
        .collect();
    json(&serde_json::json!({ "object": "list", "data": data }))
}

/// `GET /models/{id}`: a route of this key by its name.
pub(super) fn one(snapshot: &Snapshot, key: &Key, id: &str) -> Option<Response<Body>> {
    let route = snapshot.route(id).filter(|route| key.may_use(route));
    route.map(|_| json(&listed(id)))
}

fn listed(id: &str) -> serde_json::Value {
    serde_json::json!({ "id": id, "object": "model", "created": 0, "owned_by": "pillion" })
}

fn json(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
