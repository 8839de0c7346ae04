//! What a model string means to the one who sends it.

use std::sync::Arc;

use crate::error::GatewayError;
use crate::snapshot::{Key, Provider, Route, Snapshot, Target};

/// A known caller, under the configuration that its request is served with.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) key: &'a Arc<Key>,
}

/// Where a model string leads.
pub(super) enum Way {
    /// To a route of the configuration.
    Route(Arc<Route>),
    /// To the key's own provider, unchanged.
    Own(Arc<Target>),
}

impl<'a> Caller<'a> {
    /// # Errors
    /// The route is not the caller's to use, or there is none and no provider of its own either.
    pub(super) fn way(self, model: &str) -> Result<Way, GatewayError> {
        if let Some(route) = self
            .snapshot
            .route(model)
            .or(self.key.default_route.as_ref())
        {
            return if self.key.may_use(route) {
                Ok(Way::Route(Arc::clone(route)))
            } else {
                Err(GatewayError::RouteNotAllowed {
                    route: Arc::clone(&route.name),
                })
            };
        }
        match &self.key.passthrough {
            Some(provider) => {
                let target = target(provider, model).listed(&self.snapshot.exchange);
                Ok(Way::Own(Arc::new(target)))
            }
            None => Err(self.unknown(model)),
        }
    }

    /// The routes that the caller may use.
    pub(super) fn routes(self) -> impl Iterator<Item = &'a Arc<Route>> {
        self.snapshot
            .routes
            .values()
            .filter(move |route| self.key.may_use(route))
    }

    pub(super) fn unknown(self, model: &str) -> GatewayError {
        let routes = self.routes().map(|route| Arc::clone(&route.name)).collect();
        GatewayError::UnknownModel {
            model: model.to_owned(),
            routes,
        }
    }
}

/// A target that no configuration names. Its id labels metrics, so it does not hold the model, which
/// may be the caller's own text; the record has that in a field of its own.
pub(super) fn target(provider: &Arc<Provider>, model: &str) -> Target {
    Target::new(format!("{}/-", provider.name), Arc::clone(provider), model)
}
