//! A request that is sent on as it came: to the first target of the route that it names, else to
//! the key's own provider. Its answer is not judged.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::routing::{self, Caller, Way};
use super::{Answer, Gateway, limited, usable};
use crate::chat::{Named, Surface};
use crate::error::GatewayError;
use crate::health::{Ask, Hurry, Kind, Priority};
use crate::limit::Asked;
use crate::plan::{Plan, Selection, patience};
use crate::record::Recorder;
use crate::snapshot::{Route, Target};
use crate::upstream::{Passed, pass};

/// What a key without a provider of its own is told of a path that names no model.
const NOWHERE: GatewayError = GatewayError::Refused {
    status: StatusCode::NOT_FOUND,
    code: "not_found",
    message: Cow::Borrowed(
        "Only a provider serves this path, and this token has no `passthrough`.",
    ),
};

/// A request waits so long for its turn, unless its caller has said that it waits for less.
const WAIT: Duration = Duration::from_secs(30);

/// `path` is what followed `/v1`.
pub(super) async fn answer(
    gateway: &Gateway,
    caller: Caller<'_>,
    head: &Parts,
    path: &str,
    mut body: Bytes,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.surface(Surface::Passthrough);
    let mut of = None;
    let target = match Named::find(&head.headers, &body)? {
        Some(named) => match caller.way(&named.model)? {
            Way::Route(route) => {
                recorder.route(&route);
                let target = first(gateway, &route)?;
                body = named.rename(&body, &target.model).into();
                of = Some(route);
                target
            }
            Way::Own(target) => target,
        },
        None => own(caller).ok_or(NOWHERE)?,
    };
    send(gateway, caller, &target, of, head, path, body, recorder).await
}

/// A question about a model that is no route of ours.
pub(super) async fn model(
    gateway: &Gateway,
    caller: Caller<'_>,
    head: &Parts,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.surface(Surface::Passthrough);
    let target = own(caller).ok_or(NOWHERE)?;
    // Its name as it was written: a slash in it stays encoded.
    let name = head.uri.path().rsplit('/').next().unwrap_or_default();
    send(
        gateway,
        caller,
        &target,
        None,
        head,
        &format!("/models/{name}"),
        Bytes::new(),
        recorder,
    )
    .await
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is a fact of its own about one request"
)]
async fn send(
    gateway: &Gateway,
    caller: Caller<'_>,
    target: &Arc<Target>,
    route: Option<Arc<Route>>,
    head: &Parts,
    path: &str,
    body: Bytes,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    usable(gateway, target).map_err(|why| GatewayError::NoEligibleTarget { why, wait: None })?;
    recorder.plan(std::slice::from_ref(target));
    let request = Passed {
        method: &head.method,
        path,
        query: head.uri.query(),
        headers: &head.headers,
        body,
    };
    let under = limited::under(caller, route.as_deref());
    if limited::has_budget(&under) && !head.method.is_safe() && head.method != Method::DELETE {
        let why = "what passes through has no price, and a budget cannot be held without it".into();
        return Err(GatewayError::NoEligibleTarget { why, wait: None });
    }
    let name = route.map_or_else(|| "-".into(), |route| Arc::clone(&route.name));
    let asked = Asked {
        prompt: request.body.len() as u64 / 4,
        most: Some(0),
        answers: 1,
    };
    limited::take(gateway, caller, &name, under, asked, &[], recorder).await?;
    let wait = patience(&head.headers).unwrap_or(WAIT).min(WAIT);
    let latest = || Instant::now() + wait;
    let seat = gateway.seats.take(caller.key.priority, latest).await?;
    let response = pass(&gateway.upstream, target, &request, recorder).await?;
    Ok(Answer::Passing(Box::new(response), seat))
}

fn first(gateway: &Gateway, route: &Route) -> Result<Arc<Target>, GatewayError> {
    let now = Instant::now();
    let health = &gateway.upstream.health;
    let selection = Selection {
        health,
        ask: Ask {
            kind: Kind::Plain,
            tokens: 0,
            priority: Priority::default(),
            policy: route.health,
            hurry: Hurry::default(),
        },
        affinity: None,
        now,
        deadline: now + route.timeouts.whole,
    };
    let usable = |target: &Target| usable(gateway, target);
    let plan = Plan::make(route, usable, &selection, &mut fastrand::Rng::new())?;
    let mut targets = plan.targets().iter();
    let well = targets.find(|target| health.standing(target, now).is_ok());
    well.or(plan.targets().first()).cloned().ok_or(NOWHERE)
}

fn own(caller: Caller<'_>) -> Option<Arc<Target>> {
    let provider = caller.key.passthrough.as_ref()?;
    Some(Arc::new(routing::target(provider, "-")))
}
