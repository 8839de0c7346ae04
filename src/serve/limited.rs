//! What a request takes of the limits of its key, its route and its team. One that has none of them
//! passes by.

use std::sync::Arc;

use super::Gateway;
use super::routing::Caller;
use crate::error::GatewayError;
use crate::limit::{Asked, Refusal, Request, Under};
use crate::record::Recorder;
use crate::snapshot::{Route, Target};

/// Why a target is left out that has no price.
const UNPRICED: &str = "is not known, and a budget cannot be held without it";

/// Whose limits a request is under.
pub(super) fn under(caller: Caller<'_>, route: Option<&Route>) -> Under {
    let mut under = Under::new();
    under.extend(caller.key.terms.clone());
    under.extend(route.and_then(|route| route.terms.clone()));
    if !caller.snapshot.teams.is_empty() {
        let team = caller.key.team.as_ref();
        let team = team.or(caller.snapshot.identity.team.as_ref());
        under.extend(team.and_then(|team| caller.snapshot.teams.get(team).cloned()));
    }
    under
}

/// Whether money is counted.
pub(super) fn has_budget(under: &Under) -> bool {
    under.iter().any(|terms| terms.budget.is_some())
}

/// Whether a target's cost can be counted where it must be. What costs nothing says so: `price: { input: 0,
/// output: 0 }`.
pub(super) fn priced(under: &Under, target: &Target) -> Result<(), String> {
    if target.price.is_some() || !has_budget(under) {
        return Ok(());
    }
    Err(format!("the price of `{}` {UNPRICED}", target.id))
}

/// Takes what the request needs. The recorder keeps it to the end.
///
/// # Errors
/// A limit does not let it pass.
pub(super) async fn take(
    gateway: &Gateway,
    caller: Caller<'_>,
    route: &Arc<str>,
    under: Under,
    asked: Asked,
    targets: &[Arc<Target>],
    recorder: &mut Recorder,
) -> Result<(), GatewayError> {
    if under.is_empty() {
        return Ok(());
    }
    let request = Request {
        under,
        key: &caller.key.id,
        route,
        asked,
        instances: caller.snapshot.instances.map_or(1, Into::into),
    };
    let targets = targets.iter().map(AsRef::as_ref);
    match Box::pin(gateway.quotas.take(request, targets)).await {
        Ok((hold, shown)) => {
            recorder.hold(hold);
            recorder.limits(shown);
            Ok(())
        }
        Err(refusal) => {
            let Refusal { refused, shown } = *refusal;
            recorder.limits(shown);
            Err(GatewayError::Limited(refused))
        }
    }
}
