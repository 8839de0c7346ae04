//! A request that is sent on as it came: to the first target of the route that it names, else to
//! the key's own provider. Its answer is not judged.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use tokio::time::Instant;

use super::private;
use super::routing::{self, Caller, Way};
use super::ruled::Ruled;
use super::{Answer, Gateway, limited, usable};
use crate::chat::{self, Look, Named, Surface};
use crate::error::GatewayError;
use crate::health::{Ask, Hurry, Kind, Priority};
use crate::limit::{self, Asked};
use crate::plan::{Found, Selection, patience};
use crate::record::Recorder;
use crate::snapshot::{Residency, Route, Target};
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
    let (target, residency) = match Named::find(&head.headers, &body)? {
        Some(named) => match caller.way(&named.model)? {
            Way::Route(route) => {
                recorder.route(&route);
                let look = Look::unread(&body);
                let ruled = Ruled::of(caller, &route, &look, &head.headers, &Found::unknown);
                ruled.tell(recorder);
                private::pass(&route.privacy, ruled.is_personal())?;
                let target = first(gateway, &route, &ruled, &look, &head.headers)?;
                body = named.rename(&body, &target.model).into();
                of = Some(Arc::clone(&route));
                (target, ruled.residency)
            }
            Way::Own(target) => (target, Residency::of(caller.key, None, None)),
        },
        None => own(caller).ok_or(NOWHERE)?,
    };
    let to = (&target, &residency);
    send(gateway, caller, to, of, head, path, body, recorder).await
}

/// A question about a model that is no route of ours.
pub(super) async fn model(
    gateway: &Gateway,
    caller: Caller<'_>,
    head: &Parts,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.surface(Surface::Passthrough);
    let (target, residency) = own(caller).ok_or(NOWHERE)?;
    // Its name as it was written: a slash in it stays encoded.
    let name = head.uri.path().rsplit('/').next().unwrap_or_default();
    send(
        gateway,
        caller,
        (&target, &residency),
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
    (target, residency): (&Arc<Target>, &Residency),
    route: Option<Arc<Route>>,
    head: &Parts,
    path: &str,
    body: Bytes,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.residency(residency);
    if !residency.admits(&target.provider) {
        let why = residency.excludes(target.told());
        return Err(GatewayError::NoEligibleTarget { why, wait: None });
    }
    usable(gateway, target).map_err(|why| GatewayError::NoEligibleTarget { why, wait: None })?;
    recorder.plan(std::slice::from_ref(target));
    let request = Passed {
        method: &head.method,
        path,
        query: head.uri.query(),
        headers: &head.headers,
        body,
        residency,
    };
    let under = caller.snapshot.under(caller.key, route.as_deref());
    let costs_nothing = head.method.is_safe() || head.method == Method::DELETE;
    if let Some(scope) = limit::budget_of(&under).filter(|_| !costs_nothing) {
        let why = format!(
            "the {scope} has a budget, which cannot be held here: what passes through has no price that is known"
        );
        return Err(GatewayError::NoEligibleTarget { why, wait: None });
    }
    let name = route.map_or_else(|| "-".into(), |route| Arc::clone(&route.name));
    let asked = Asked {
        prompt: chat::weigh(&head.headers, &request.body),
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

/// The target that gets a request to `route`, which nobody reads.
fn first(
    gateway: &Gateway,
    route: &Route,
    ruled: &Ruled<'_>,
    look: &Look<'_>,
    headers: &HeaderMap,
) -> Result<Arc<Target>, GatewayError> {
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
        affinity: ruled.draws(route).then(|| look.affinity(headers)).flatten(),
        now,
        deadline: now + route.timeouts.whole,
    };
    let plan = ruled.plan(gateway, route, look, None, &selection)?;
    let mut targets = plan.targets().iter();
    let well = targets.find(|target| health.standing(target, now).is_ok());
    well.or(plan.targets().first()).cloned().ok_or(NOWHERE)
}

/// The key's own provider, and where the key lets a request go.
fn own(caller: Caller<'_>) -> Option<(Arc<Target>, Residency)> {
    let provider = caller.key.passthrough.as_ref()?;
    let target = Arc::new(routing::target(provider, "-"));
    Some((target, Residency::of(caller.key, None, None)))
}
