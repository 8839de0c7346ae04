//! What a request takes of the limits of its key, its route and its team. One that has none of them
//! passes by.

use std::sync::Arc;

use super::Gateway;
use super::routing::Caller;
use crate::error::GatewayError;
use crate::limit::{Asked, Refusal, Request, Under};
use crate::record::Recorder;
use crate::snapshot::Target;

/// Takes what the request needs. The recorder keeps it to the end. Of `targets`, those that its budgets are
/// enough for, where not all are.
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
) -> Result<Option<Vec<Arc<Target>>>, GatewayError> {
    if under.is_empty() {
        return Ok(None);
    }
    let request = Request {
        under,
        key: &caller.key.id,
        route,
        asked,
        instances: caller.snapshot.instances.map_or(1, Into::into),
    };
    match Box::pin(gateway.quotas.take(request, targets)).await {
        Ok(given) => {
            recorder.hold(given.hold);
            recorder.limits(given.shown);
            Ok(given.within)
        }
        Err(refusal) => {
            let Refusal { refused, shown } = *refusal;
            recorder.limits(shown);
            Err(GatewayError::Limited(refused))
        }
    }
}
