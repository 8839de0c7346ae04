//! What is settled of a request before anything is sent: its route, its plan, its deadline.

use std::sync::Arc;

use http::header::HeaderMap;
use jiff::Timestamp;
use tokio::time::Instant;

use super::private::{Masked, Private};
use super::routing::{Caller, Way};
use super::ruled::Ruled;
use super::{Gateway, content};
use crate::chat::{self, Look};
use crate::error::GatewayError;
use crate::health::{Ask, Kind};
use crate::limit::{self, Seat, Under};
use crate::plan::{Deadline, Plan, Selection, patience};
use crate::price::Month;
use crate::record::Recorder;
use crate::snapshot::{Residency, Route};

pub(super) struct Planned {
    pub(super) route: Arc<Route>,
    pub(super) plan: Plan,
    /// Where the request must stay.
    pub(super) residency: Residency,
    pub(super) ask: Ask,
    pub(super) deadline: Deadline,
    /// Whose limits it is under.
    pub(super) under: Under,
    /// The request as any provider may see it.
    pub(super) masked: Masked,
}

impl Planned {
    /// The recorder is told of each step.
    ///
    /// # Errors
    /// The route is not the caller's to use or is none, or no target of it can be asked; the request holds
    /// what must not be sent, or could not be looked into.
    pub(super) async fn make(
        gateway: &Gateway,
        caller: Caller<'_>,
        headers: &HeaderMap,
        request: &chat::Request,
        recorder: &mut Recorder,
    ) -> Result<Self, GatewayError> {
        recorder.streamed(request.stream);
        let route = match caller.way(&request.model)? {
            Way::Route(route) => {
                recorder.route(&route);
                route
            }
            Way::Own(target) => Arc::new(Route::to(target)),
        };
        let now = Instant::now();
        let deadline = Deadline::new(
            now,
            &route.timeouts,
            route.reserve,
            request.stream,
            patience(headers),
        );
        let ask = Ask {
            kind: if request.stream {
                Kind::Streamed
            } else {
                Kind::Plain
            },
            tokens: request.tokens,
            priority: caller.key.priority,
            policy: route.health,
            hurry: deadline.hurry,
        };
        let mut private = Private::of(caller, &route, request, deadline.at).await?;
        let look = Look::at(request);
        let choose = |private: &Private, look: &Look<'_>| {
            Ruled::of(caller, &route, look, headers, &|| private.told(look))
        };
        let mut ruled = choose(&private, &look);
        if private.is_wanted() {
            private.look(request, deadline.at).await?;
            ruled = choose(&private, &look);
        }
        ruled.tell(recorder);
        let detectors = &caller.snapshot.detectors;
        content::begin(&route, detectors, || private.subject(request), recorder);
        let masked = private.act(ruled.is_personal(), recorder)?;
        let selection = Selection {
            health: &gateway.upstream.health,
            ask,
            affinity: ruled
                .draws(&route)
                .then(|| look.affinity(headers))
                .flatten(),
            now,
            deadline: deadline.at,
        };
        let under = caller.snapshot.under(caller.key, Some(&route));
        recorder.residency(&ruled.residency);
        let budget = limit::budget_of(&under).map(|_| Month::of(Timestamp::now()));
        let plan = ruled.plan(gateway, &route, &look, budget, &selection)?;
        let residency = ruled.residency;
        recorder.plan(plan.targets());
        Ok(Self {
            route,
            plan,
            residency,
            ask,
            deadline,
            under,
            masked,
        })
    }

    /// Waits for a seat: for as long as the first target, from what is known of it, could still answer
    /// in time.
    ///
    /// # Errors
    /// There is none in time.
    pub(super) async fn seat(&self, gateway: &Gateway) -> Result<Seat, GatewayError> {
        let latest = || {
            let now = Instant::now();
            let health = &gateway.upstream.health;
            let first = self.plan.targets().first();
            let expected = first.and_then(|first| health.expected(first, self.ask.kind, now));
            let latest = self.deadline.at.checked_sub(expected.unwrap_or_default());
            latest.unwrap_or(now)
        };
        gateway.seats.take(self.ask.priority, latest).await
    }
}
