//! One issued credential: when it is used, renewed, or given up. Time is an argument.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Credential;
use crate::outcome::{Class, Failure};
use crate::secret::Secret;

/// After a failure the source is left alone for so long; meanwhile the failure is the answer.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two fetches that refused requests ask for: not every refusal is the credential's fault.
const DOUBT_PAUSE: Duration = Duration::from_secs(5);

/// A credential as its source gave it.
pub(super) struct Issued {
    pub(super) credential: Credential,
    /// Absent when it is good until it is refused.
    pub(super) expires: Option<SystemTime>,
    /// How long before that it is renewed.
    pub(super) window: Duration,
    /// The document that it was issued for.
    pub(super) document: Option<Arc<Secret>>,
}

#[derive(Default)]
pub(super) struct State {
    issued: Option<Issued>,
    renew_at: Option<SystemTime>,
    /// Whether a task is at it.
    pub(super) renewing: bool,
    failed: Option<(SystemTime, Failure)>,
    doubted: Option<SystemTime>,
}

/// What whoever asks for a credential is to do.
pub(super) enum Step {
    Use(Credential),
    UseAndRenew(Credential),
    Renew,
    /// Somebody else is renewing it.
    Wait,
    Fail(Failure),
}

impl State {
    pub(super) fn step(&self, now: SystemTime, document: Option<&Arc<Secret>>) -> Step {
        let rests = self
            .failed
            .as_ref()
            .filter(|(at, _)| is_within(*at, PAUSE, now));
        let good = self
            .issued
            .as_ref()
            .filter(|it| it.expires.is_none_or(|end| now < end));
        match (good, rests) {
            (Some(issued), rests) => {
                let credential = issued.credential.clone();
                let due =
                    self.renew_at.is_some_and(|at| at <= now) || issued.is_for_another(document);
                if due && rests.is_none() && !self.renewing {
                    Step::UseAndRenew(credential)
                } else {
                    Step::Use(credential)
                }
            }
            (None, _) if self.renewing => Step::Wait,
            (None, Some((_, failure))) => Step::Fail(failure.clone()),
            (None, None) => Step::Renew,
        }
    }

    pub(super) fn fetched(&mut self, fetched: Result<Issued, Failure>, now: SystemTime) {
        match fetched {
            Ok(issued) if issued.expires.is_some_and(|end| end <= now) => {
                let reason = "the credentials that were issued have expired by our clock";
                self.failed = Some((now, Failure::new(Class::Connect, reason)));
            }
            Ok(issued) => {
                self.renew_at = issued.expires.map(|end| renew_at(now, end, issued.window));
                self.issued = Some(issued);
                self.failed = None;
            }
            Err(failure) => self.failed = Some((now, failure)),
        }
    }

    /// Marks it as being renewed because `used` was refused; false when that is not called for.
    pub(super) fn doubt(&mut self, used: &Credential, now: SystemTime) -> bool {
        let asked = self
            .doubted
            .is_some_and(|at| is_within(at, DOUBT_PAUSE, now));
        if self.renewing || asked || self.differs(used) {
            return false;
        }
        self.doubted = Some(now);
        self.renewing = true;
        true
    }

    /// Whether there is one, and it is not `used`.
    pub(super) fn differs(&self, used: &Credential) -> bool {
        self.issued
            .as_ref()
            .is_some_and(|it| it.credential != *used)
    }

    /// How the last fetch failed, if it did.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failed.as_ref().map(|(_, failure)| failure)
    }

    pub(super) fn has_one(&self) -> bool {
        self.issued.is_some()
    }
}

impl Issued {
    fn is_for_another(&self, document: Option<&Arc<Secret>>) -> bool {
        match (&self.document, document) {
            (Some(own), Some(now)) => !Arc::ptr_eq(own, now),
            (_, _) => false,
        }
    }
}

/// So long before its end, but not in the first half of a short life.
fn renew_at(now: SystemTime, end: SystemTime, window: Duration) -> SystemTime {
    let left = end.duration_since(now).unwrap_or_default();
    end.checked_sub(window.min(left / 2)).unwrap_or(end)
}

/// A clock that was set back ends every pause.
fn is_within(since: SystemTime, pause: Duration, now: SystemTime) -> bool {
    now.duration_since(since).is_ok_and(|gone| gone < pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    fn token(text: &str) -> Credential {
        Credential::Bearer(Arc::new(Secret::try_new(text.as_bytes()).unwrap()))
    }

    fn issued(text: &str, expires: Option<u64>) -> Issued {
        Issued {
            credential: token(text),
            expires: expires.map(at),
            window: Duration::from_secs(225),
            document: None,
        }
    }

    fn failure() -> Result<Issued, Failure> {
        Err(Failure::new(Class::Connect, "the source cannot be reached"))
    }

    /// A step in words.
    fn told(state: &State, seconds: u64) -> &'static str {
        match state.step(at(seconds), None) {
            Step::Use(_) => "use",
            Step::UseAndRenew(_) => "use and renew",
            Step::Renew => "renew",
            Step::Wait => "wait",
            Step::Fail(_) => "fail",
        }
    }

    #[test]
    fn a_credential_is_renewed_before_its_end_and_not_used_behind_it() {
        for (expires, seconds, expected) in [
            (Some(3600), 0, "use"),
            (Some(3600), 3374, "use"),
            (Some(3600), 3375, "use and renew"),
            (Some(3600), 3599, "use and renew"),
            (Some(3600), 3600, "renew"),
            // A life shorter than twice the window is halved.
            (Some(100), 49, "use"),
            (Some(100), 50, "use and renew"),
            (None, 1 << 40, "use"),
        ] {
            let mut state = State::default();
            state.fetched(Ok(issued("t", expires)), START);
            assert_eq!(told(&state, seconds), expected, "{expires:?} {seconds}");
        }
    }

    #[test]
    fn the_old_one_is_used_while_its_renewal_fails() {
        let mut state = State::default();
        assert_eq!(told(&state, 0), "renew");
        state.renewing = true;
        assert_eq!(told(&state, 0), "wait");
        state.renewing = false;
        state.fetched(Ok(issued("t", Some(3600))), at(0));
        state.fetched(failure(), at(3400));
        assert_eq!(told(&state, 3401), "use");
        assert_eq!(told(&state, 3402), "use and renew");
        state.renewing = true;
        assert_eq!(told(&state, 3402), "use");
        state.renewing = false;
        state.fetched(failure(), at(3599));
        assert_eq!(told(&state, 3600), "fail");
        assert_eq!(told(&state, 3601), "renew");
        // A clock that was set back does not make the pause longer.
        assert_eq!(told(&state, 3598), "use and renew");
        state.fetched(Ok(issued("u", Some(9000))), at(3601));
        assert_eq!(told(&state, 3601), "use");
        assert!(state.failure().is_none());
    }

    #[test]
    fn what_is_issued_expired_is_a_failure() {
        let mut state = State::default();
        state.fetched(Ok(issued("t", Some(100))), at(100));
        assert_eq!(told(&state, 100), "fail");
    }

    #[test]
    fn a_refused_credential_is_doubted_once_in_a_while() {
        let mut state = State::default();
        state.fetched(Ok(issued("t", Some(3600))), at(0));
        assert!(!state.doubt(&token("older"), at(1)), "there is a newer one");
        assert!(state.doubt(&token("t"), at(1)));
        assert!(!state.doubt(&token("t"), at(1)), "it is being renewed");
        assert_eq!(told(&state, 1), "use", "by the others");
        state.renewing = false;
        assert!(!state.doubt(&token("t"), at(2)));
        assert!(state.doubt(&token("t"), at(7)));
        state.fetched(Ok(issued("u", None)), at(8));
        assert!(state.differs(&token("t")) && !state.differs(&token("u")));
    }

    #[test]
    fn another_document_asks_for_another_token() {
        let document = |text: &str| Arc::new(Secret::document(text.as_bytes()).unwrap());
        let (old, new) = (document("{\"a\": 1}"), document("{\"a\": 2}"));
        let mut state = State::default();
        let mut token = issued("t", Some(3600));
        token.document = Some(Arc::clone(&old));
        state.fetched(Ok(token), at(0));
        assert!(matches!(state.step(at(1), Some(&old)), Step::Use(_)));
        assert!(matches!(
            state.step(at(1), Some(&new)),
            Step::UseAndRenew(_)
        ));
    }
}
