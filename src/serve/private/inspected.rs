//! What is in a request of personal data, and what that comes to by what its route says. Pure.

use std::sync::Arc;

use crate::chat::Request;
use crate::error::GatewayError;
use crate::plan;
use crate::privacy::{self, Classes, Detectors, Survey, Unscannable};
use crate::snapshot::Privacy;

/// What is in a request, of what its route asks for.
pub(crate) struct Inspected {
    /// What is masked, blocked and observed, each as if nobody asked for the rest.
    pub(super) found: privacy::Found,
    /// For rules, of which each asks for its own classes.
    present: Classes,
    unscannable: Vec<Unscannable>,
}

/// What is done about it.
pub(crate) struct Decision {
    pub(crate) found: Vec<(Arc<str>, u64)>,
    /// What cannot be looked into.
    pub(crate) unscannable: Vec<&'static str>,
    /// The record's `action`.
    pub(crate) action: Option<&'static str>,
    pub(crate) refusal: Option<GatewayError>,
}

/// What passes through unread, on a route of this `privacy`.
///
/// # Errors
/// It may hold what must not be sent.
pub(in crate::serve) fn pass(privacy: &Privacy, ruled: bool) -> Result<(), GatewayError> {
    if unreadable(privacy, ruled) {
        return Err(refused("all of it, as it passes through"));
    }
    Ok(())
}

impl Inspected {
    /// `None` where the body stops being JSON.
    pub(crate) fn read(
        detectors: &Detectors,
        privacy: &Privacy,
        request: &Request,
    ) -> Option<Self> {
        let survey = Survey::read(detectors, &request.body).ok()?;
        Some(Self::of(&survey, privacy))
    }

    pub(super) fn of(survey: &Survey, privacy: &Privacy) -> Self {
        let Privacy {
            observe,
            mask,
            block,
            told,
            ..
        } = *privacy;
        let only_told = told.without(observe.and(mask).and(block));
        let each = [mask, block, observe, only_told].into_iter();
        let each = each.filter(|classes| !classes.is_empty());
        Self {
            found: each.fold(privacy::Found::default(), |all, classes| {
                all.and(survey.found(classes))
            }),
            present: survey.present(told),
            unscannable: survey.unscannable().to_vec(),
        }
    }

    /// For rules.
    pub(crate) fn told(&self, detectors: &Detectors) -> plan::Found {
        let names = self.present.iter();
        let names = names.map(|class| detectors.name(class).into());
        plan::Found {
            classes: names.collect(),
            unscannable: !self.unscannable.is_empty(),
        }
    }

    /// `ruled` says that the request has fallen under a rule about personal data.
    pub(crate) fn decide(&self, detectors: &Detectors, privacy: &Privacy, ruled: bool) -> Decision {
        let found: Vec<(Arc<str>, u64)> = (self.found.iter())
            .map(|(class, count)| (Arc::from(detectors.name(class)), count))
            .collect();
        let blocked: Vec<&str> = (self.found.iter())
            .filter(|(class, _)| privacy.block.has(*class))
            .map(|(class, _)| detectors.name(class))
            .collect();
        let unscannable: Vec<_> = self.unscannable.iter().map(|it| it.name()).collect();
        let refusal = if !blocked.is_empty() {
            Some(GatewayError::Invalid {
                code: "personal_data_blocked",
                param: None,
                message: format!(
                    "The request holds personal data that this route does not take: {}.",
                    blocked.join(", ")
                )
                .into(),
            })
        } else if !unscannable.is_empty() && unreadable(privacy, ruled) {
            Some(refused(&unscannable.join(", ")))
        } else {
            None
        };
        let action = if refusal.is_some() {
            Some("block")
        } else if self.found.classes().meets(privacy.mask) {
            Some("mask")
        } else {
            (!found.is_empty()).then_some("observe")
        };
        Decision {
            found,
            unscannable,
            action,
            refusal,
        }
    }
}

/// Whether what cannot be looked into must not be sent. What is masked may hold it where a rule about
/// personal data has said where such requests go; what is blocked goes nowhere.
fn unreadable(privacy: &Privacy, ruled: bool) -> bool {
    privacy.refuses() && (!privacy.block.is_empty() || !ruled)
}

fn refused(what: &str) -> GatewayError {
    GatewayError::Invalid {
        code: "personal_data_unreadable",
        param: None,
        message: format!("This route lets no personal data out, and cannot look into {what}.")
            .into(),
    }
}
