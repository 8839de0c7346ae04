//! What a request holds of personal data, as far as its route asks, and what is done about it.
//!
//! A request is looked into once at most: where its route does something about personal data, or one of
//! its rules comes to ask. What takes its time is done on a thread aside, so that nobody else waits. A
//! look that fails, or comes too late, is a refusal: what was not seen is not sent.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::content::Subject;
use super::routing::Caller;
use crate::chat::{Look, Request, Surface};
use crate::error::GatewayError;
use crate::plan;
use crate::privacy::{self, Classes, Detectors, Frames, Survey, Unscannable, Vault};
use crate::record::Recorder;
use crate::snapshot::{Privacy, Route};

/// The longest body that is looked into where it is, in bytes: a millisecond's work.
pub(super) const AT_ONCE: usize = 64 << 10;
/// The longest that a look may take; the largest body takes a second.
const LONGEST: Duration = Duration::from_secs(5);

/// What is seen of one request.
pub(super) struct Private {
    detectors: Arc<Detectors>,
    privacy: Privacy,
    seen: Option<Seen>,
    /// Whether a rule came to ask for what has not been seen.
    wanted: Cell<bool>,
}

/// What a look came to.
struct Seen {
    inspected: Inspected,
    masked: Option<(Request, Arc<Vault>)>,
}

/// What is in a request, of what its route asks for.
pub(crate) struct Inspected {
    /// What is masked, blocked and observed, each as if nobody asked for the rest.
    found: privacy::Found,
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

/// A request as any provider may see it, and what was taken out.
#[derive(Default)]
pub(super) struct Masked {
    /// Absent where nothing was taken out.
    pub(super) request: Option<Request>,
    vault: Option<Arc<Vault>>,
}

impl Private {
    /// Looks at once where the route does something about what is found.
    ///
    /// # Errors
    /// It could not be looked into in time.
    pub(super) async fn of(
        caller: Caller<'_>,
        route: &Route,
        request: &Request,
        deadline: Instant,
    ) -> Result<Self, GatewayError> {
        let mut private = Self {
            detectors: Arc::clone(&caller.snapshot.detectors),
            privacy: route.privacy,
            seen: None,
            wanted: Cell::new(false),
        };
        if route.privacy.looks() {
            private.look(request, deadline).await?;
        }
        Ok(private)
    }

    /// For rules: what was found. Where nobody has looked, it is wanted.
    pub(super) fn told(&self, look: &Look<'_>) -> plan::Found {
        let Some(seen) = &self.seen else {
            // One that passes through is not looked into.
            self.wanted.set(look.request().is_some());
            return plan::Found::unknown();
        };
        seen.inspected.told(&self.detectors)
    }

    /// Whether a rule has asked in vain.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.replace(false)
    }

    /// # Errors
    /// It could not be looked into in time.
    pub(super) async fn look(
        &mut self,
        request: &Request,
        deadline: Instant,
    ) -> Result<(), GatewayError> {
        let privacy = self.privacy;
        let seen = if request.body.len() <= AT_ONCE {
            // One that fails is one that has not seen.
            let look = || see(&self.detectors, request, &privacy);
            catch_unwind(AssertUnwindSafe(look)).ok().flatten()
        } else {
            let (detectors, request) = (Arc::clone(&self.detectors), request.clone());
            let look = spawn_blocking(move || see(&detectors, &request, &privacy));
            let end = deadline.min(Instant::now() + LONGEST);
            // Late, or it panicked.
            timeout_at(end, look)
                .await
                .ok()
                .and_then(Result::ok)
                .flatten()
        };
        self.seen = Some(seen.ok_or(GatewayError::PiiUnavailable)?);
        Ok(())
    }

    /// The request as any provider may see it, for its record.
    pub(super) fn subject(&self, request: &Request) -> Subject {
        let seen = self.seen.as_ref();
        match seen.and_then(|seen| seen.masked.as_ref()) {
            Some((masked, vault)) => Subject::Sent(masked.body.clone(), Some(Arc::clone(vault))),
            None => Subject::Sent(request.body.clone(), None),
        }
    }

    /// What is done about it, which the recorder is told. `ruled` says that the request has fallen under a rule
    /// about personal data, which says where what cannot be looked into goes.
    ///
    /// # Errors
    /// It holds what must not be sent, or may hold it.
    pub(super) fn act(self, ruled: bool, recorder: &mut Recorder) -> Result<Masked, GatewayError> {
        let Some(seen) = self.seen else {
            return Ok(Masked::default());
        };
        let decision = seen.inspected.decide(&self.detectors, &self.privacy, ruled);
        recorder.privacy(decision.found, decision.action);
        if let Some(refusal) = decision.refusal {
            return Err(refusal);
        }
        let Some((request, vault)) = seen.masked else {
            return Ok(Masked::default());
        };
        Ok(Masked {
            request: Some(request),
            vault: self.privacy.unmask.then_some(vault),
        })
    }
}

impl Masked {
    /// What puts the values back into the answer of a request that asks for a stream.
    pub(super) fn frames(&self, asked: &Request) -> Option<Box<Frames>> {
        let vault = self.vault.as_ref().filter(|_| asked.stream)?;
        let json = Look::at(asked).json();
        let frames = Frames::new(Arc::clone(vault), asked.surface, json);
        Some(Box::new(frames))
    }

    /// A whole answer with the values put back.
    ///
    /// # Errors
    /// It is no JSON, which none of ours is.
    pub(super) fn restored(
        &self,
        asked: &Request,
        body: bytes::Bytes,
    ) -> Result<bytes::Bytes, GatewayError> {
        let Some(vault) = &self.vault else {
            return Ok(body);
        };
        if asked.surface == Surface::Embeddings {
            // Numbers, and many of them.
            return Ok(body);
        }
        if let Some(mut frames) = self.frames(asked) {
            let mut out = frames.pass(body.into());
            frames.finish(&mut out);
            return Ok(out.into());
        }
        let text = str::from_utf8(&body).map_err(|_| GatewayError::Internal)?;
        let restored = vault.restore_body(text);
        let restored = restored.map_err(|_| GatewayError::Internal)?;
        Ok(restored.map_or(body, Into::into))
    }
}

/// What passes through unread, on a route of this `privacy`.
///
/// # Errors
/// It may hold what must not be sent.
pub(super) fn pass(privacy: &Privacy, ruled: bool) -> Result<(), GatewayError> {
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

    fn of(survey: &Survey, privacy: &Privacy) -> Self {
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

/// `None` where the body is no JSON, which none of ours is.
fn see(detectors: &Detectors, request: &Request, privacy: &Privacy) -> Option<Seen> {
    let (text, mask) = (&request.body, privacy.mask);
    let survey = Survey::read(detectors, text).ok()?;
    let inspected = Inspected::of(&survey, privacy);
    let masked = if inspected.found.classes().meets(mask) {
        let privacy::Masked {
            body, moved, vault, ..
        } = survey.mask(detectors, text, mask).ok()?;
        body.map(|body| {
            let request = request.reworded(body, |at| moved.place(at));
            (request, Arc::new(vault))
        })
    } else {
        None
    };
    Some(Seen { inspected, masked })
}

fn refused(what: &str) -> GatewayError {
    GatewayError::Invalid {
        code: "personal_data_unreadable",
        param: None,
        message: format!("This route lets no personal data out, and cannot look into {what}.")
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, Sources, load};
    use crate::privacy::Class;
    use crate::snapshot::{Callers, Snapshot};

    fn snapshot() -> Snapshot {
        let text = "
allow_anonymous: true
providers: { a: { kind: openai-compatible, base_url: http://127.0.0.1:1/v1 } }
routes: { chat: { targets: [a/m], privacy: { mask: [email] } } }
";
        load(&Sources::from_text(Format::Yaml, text))
            .unwrap()
            .snapshot
    }

    async fn look(words: usize, deadline: Instant) -> Result<(), GatewayError> {
        let snapshot = snapshot();
        let Callers::Anyone(key) = &snapshot.callers else {
            panic!("anybody may call");
        };
        let caller = Caller {
            snapshot: &snapshot,
            key,
        };
        let said = "word ".repeat(words);
        let body =
            format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"{said}"}}]}}"#);
        let request = Request::read(Surface::Chat, body.into()).unwrap();
        let looked = Private::of(caller, &snapshot.routes["chat"], &request, deadline);
        looked.await.map(|_| ())
    }

    #[tokio::test]
    async fn what_cannot_be_looked_into_in_time_is_refused() {
        let later = Instant::now() + Duration::from_mins(1);
        let large = AT_ONCE;
        assert_eq!(look(1, later).await, Ok(()));
        assert_eq!(look(large, later).await, Ok(()));
        let error = look(large, Instant::now()).await.unwrap_err();
        assert_eq!(error, GatewayError::PiiUnavailable);
        assert_eq!(error.wire().2, "pii_unavailable");
    }

    #[test]
    fn a_masked_request_is_the_one_that_its_body_is() {
        let detectors = Detectors::default();
        let all = Privacy {
            mask: Classes::ALL,
            ..Privacy::default()
        };
        let texts =
            r#""messages":[{"role":"user","content":"anna@mail.kz, \u0438 boris@mail.kz"}]"#;
        let asks = r#""metadata":{"a":"boris@mail.kz","b":"anna@mail.kz"}"#;
        for options in [
            "null",
            "{}",
            r#"{"x":1}"#,
            r#"{"include_usage":true}"#,
            r#"{"include_usage":false}"#,
            r#"{"x":1,"include_usage":null}"#,
        ] {
            for body in [
                format!(r#"{{"model":"m",{texts},"stream_options":{options},{asks}}}"#),
                format!(r#"{{"stream_options":{options},{asks},{texts},"model":"m"}}"#),
                format!(r#"{{{texts},"stream_options":{options},"model":"m",{asks}}}"#),
            ] {
                let request = Request::read(Surface::Chat, body.into()).unwrap();
                let seen = see(&detectors, &request, &all).unwrap();
                let (masked, _) = seen.masked.unwrap();
                let mut read =
                    Request::read(Surface::Chat, masked.body.as_bytes().clone()).unwrap();
                let text = &masked.body;
                assert!(!text.contains('@') && text.contains("[EMAIL_2]"), "{text}");
                read.tokens = request.tokens;
                assert_eq!(format!("{masked:?}"), format!("{read:?}"));
            }
        }
    }

    #[test]
    fn each_purpose_looks_as_if_it_were_alone() {
        let detectors = Detectors::default();
        // Of both classes.
        let body =
            r#"{"model":"m","messages":[{"role":"user","content":"договор № 900101300017"}]}"#;
        let request = Request::read(Surface::Chat, body.into()).unwrap();
        let [contract, iin] = [Class::CONTRACT, Class::IIN].map(|class| Classes::NONE.with(class));
        let seen = |privacy: &Privacy| see(&detectors, &request, privacy).unwrap();
        let names = |found: &[(Arc<str>, u64)]| -> Vec<String> {
            found.iter().map(|(name, _)| name.to_string()).collect()
        };
        for observe in [Classes::NONE, iin] {
            let masks = Privacy {
                mask: contract,
                observe,
                ..Privacy::default()
            };
            let one = seen(&masks);
            let (masked, _) = one.masked.unwrap();
            assert!(masked.body.contains("[CONTRACT_1]"), "{}", masked.body);
            let decision = one.inspected.decide(&detectors, &masks, false);
            assert_eq!(decision.action, Some("mask"));
            let all = names(&decision.found);
            assert_eq!(all.contains(&"iin".to_owned()), !observe.is_empty());
            assert!(all.contains(&"contract".to_owned()), "{all:?}");
            let blocks = Privacy {
                block: contract,
                observe,
                ..Privacy::default()
            };
            let decision = seen(&blocks).inspected.decide(&detectors, &blocks, false);
            assert!(decision.refusal.is_some());
            let rules = Privacy {
                told: contract.and(iin),
                observe,
                ..Privacy::default()
            };
            let told = seen(&rules).inspected.told(&detectors).classes;
            assert_eq!(told, ["iin".into(), "contract".into()]);
        }
    }
}
