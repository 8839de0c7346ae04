//! Where a request must stay.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Key, Provider, Route, Rule};

/// What is demanded of the provider that a request is sent to: each of these must be among its own
/// `residency`. Nothing is demanded where there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Residency(SmallVec<[Arc<str>; 1]>);

impl Residency {
    /// What the key, the route and the rule of a request demand together.
    pub fn of(key: &Key, route: Option<&Route>, rule: Option<&Rule>) -> Self {
        let (route, rule) = demands(route, rule);
        [key.residency.as_ref(), route, rule].into_iter().collect()
    }

    /// What they demand of anybody.
    pub fn demanded(route: Option<&Route>, rule: Option<&Rule>) -> Self {
        let (route, rule) = demands(route, rule);
        [route, rule].into_iter().collect()
    }

    /// Whether `provider` is where the request may go. One that says nothing of itself is nowhere.
    pub fn admits(&self, provider: &Provider) -> bool {
        let mut demanded = self.0.iter();
        demanded.all(|place| provider.residency.contains(place))
    }

    /// What is demanded, in the operator's words.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|place| &**place)
    }

    /// Of a target that is elsewhere.
    pub fn excludes(&self, target: &str) -> String {
        format!("`{target}` is not within {self}")
    }
}

fn demands<'a>(
    route: Option<&'a Route>,
    rule: Option<&'a Rule>,
) -> (Option<&'a Arc<str>>, Option<&'a Arc<str>>) {
    let route = route.and_then(|route| route.residency.as_ref());
    let rule = rule.and_then(|rule| rule.residency.as_ref());
    (route, rule)
}

impl<'a> FromIterator<Option<&'a Arc<str>>> for Residency {
    fn from_iter<I: IntoIterator<Item = Option<&'a Arc<str>>>>(places: I) -> Self {
        let mut demanded = SmallVec::new();
        for place in places.into_iter().flatten() {
            if !demanded.contains(place) {
                demanded.push(Arc::clone(place));
            }
        }
        Self(demanded)
    }
}

impl fmt::Display for Residency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { " and " };
            write!(f, "{before}`{place}`")?;
        }
        Ok(())
    }
}
