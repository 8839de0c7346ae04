//! What is settled of a request before anything is sent: its route, its plan, its deadline.

use std::sync::Arc;

use http::header::HeaderMap;
use tokio::time::Instant;

use super::routing::{Caller, Way};
use super::{Gateway, usable};
use crate::error::GatewayError;
use crate::plan::{Deadline, Plan, patience};
use crate::record::Recorder;
use crate::snapshot::Route;

pub(super) struct Planned {
    pub(super) route: Arc<Route>,
    pub(super) plan: Plan,
    pub(super) deadline: Deadline,
}

impl Planned {
    /// For a request that asks for `model`. The recorder is told of each step.
    ///
    /// # Errors
    /// The route is not the caller's to use or is none, or no target of it can be asked.
    pub(super) fn make(
        gateway: &Gateway,
        caller: Caller<'_>,
        headers: &HeaderMap,
        model: &str,
        streamed: bool,
        recorder: &mut Recorder,
    ) -> Result<Self, GatewayError> {
        recorder.streamed(streamed);
        let route = match caller.way(model)? {
            Way::Route(route) => {
                recorder.route(&route);
                route
            }
            Way::Own(target) => Arc::new(Route::to(target)),
        };
        let plan = Plan::make(
            &route,
            |target| usable(gateway, target),
            &mut fastrand::Rng::new(),
        )?;
        recorder.plan(plan.targets());
        let deadline = Deadline::new(
            Instant::now(),
            &route.timeouts,
            route.reserve,
            streamed,
            patience(headers),
        );
        Ok(Self {
            route,
            plan,
            deadline,
        })
    }
}
