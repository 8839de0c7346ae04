//! A call that another process of the fleet may run, or have run: waited for there, else run here.

use std::sync::Arc;

use http::Response;
use tokio::time::Instant;

use super::once::{join, joined, route, work};
use super::{Asking, Gateway, Refusal, deliver, or_cut, refuse};
use crate::body::{Body, full};
use crate::error::GatewayError;
use crate::fleet::{Answer, Claim, Taken};
use crate::listen::respond;
use crate::once::{Conflict, Ticket};
use crate::record::{End, Recorder};
use crate::snapshot::Timeouts;

/// What is to be found out before a call is run here.
pub(super) struct Claiming {
    pub(super) claim: Claim,
    /// Of the call, by which others find it here.
    pub(super) ticket: Arc<Ticket>,
    /// Whether its answer is for those who bear a key.
    pub(super) keyed: bool,
    /// What the caller is told when it has waited for too long.
    pub(super) told: GatewayError,
    /// When it came.
    pub(super) now: Instant,
}

impl Claiming {
    pub(super) async fn work(
        self,
        gateway: Arc<Gateway>,
        asking: Box<Asking>,
        lasts: bool,
        mut recorder: Recorder,
    ) -> Response<Body> {
        let surface = asking.request.surface;
        let route = route(&asking);
        let timeouts = route
            .as_ref()
            .map_or(Timeouts::INTERACTIVE, |route| route.timeouts);
        if let Some(route) = &route {
            recorder.route(route);
        }
        // It gets all of a stream at once, when that has ended.
        let patience = if asking.request.stream {
            timeouts.whole + timeouts.stream
        } else {
            timeouts.whole
        };
        let taking = async { Ok(self.claim.take(self.now + patience).await) };
        let error = match or_cut(&gateway.cut, taking).await {
            Ok(Taken::Mine(lease)) => {
                let response = work(gateway, asking, lasts, recorder).await;
                return lease.over(response);
            }
            Ok(Taken::Answered(answer, kind)) => {
                if !self.keyed {
                    // How long it is of use is counted from its first request, and known there.
                    self.ticket.close();
                }
                join(&mut recorder, &asking, route, kind);
                let id = recorder.id().to_owned();
                recorder.finish(End::Answered(answer.status));
                return joined(surface, &id, replayed(*answer));
            }
            Ok(Taken::Failed(failure, kind)) => {
                join(&mut recorder, &asking, route, kind);
                let id = recorder.id().to_owned();
                let error = GatewayError::Unanswered(*failure);
                let response = refuse(surface, recorder, &error, respond::error);
                return joined(surface, &id, response);
            }
            Ok(Taken::Crowded) => Refusal::Error(GatewayError::Overloaded),
            Ok(Taken::Conflict) => Refusal::Error(Conflict.into()),
            Ok(Taken::Late) => Refusal::Error(self.told),
            Err(refusal) => refusal,
        };
        deliver(&gateway, surface, Err(error), recorder)
    }
}

fn replayed(answer: Answer) -> Response<Body> {
    let mut response = Response::new(full(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}
