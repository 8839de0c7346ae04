//! Going on with an answer that broke off, at another target: for routes with `on_break: continue`, and
//! plain text alone.

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::planned::Planned;
use crate::chat::{self, Format};
use crate::dialect::Meaning;
use crate::dialect::answer::Part;
use crate::health::Ask;
use crate::plan::{Deadline, Plan, Schedule};
use crate::record::Recorder;
use crate::snapshot::{OnBreak, Residency, Route, Target};
use crate::stream::{Broken, Resume, Resumed};
use crate::upstream::{Answered, Question, Upstream, attempt};

/// What is kept of a request, so that another target can be asked to go on.
pub(super) struct Resumption {
    route: Arc<Route>,
    targets: Vec<Arc<Target>>,
    residency: Residency,
    ask: Ask,
    deadline: Deadline,
    request: chat::Request,
    headers: HeaderMap,
}

impl Resumption {
    /// `None` where the answer may be more than text, or there is nobody to go on with it.
    pub(super) fn of(
        planned: &Planned,
        request: &chat::Request,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let Planned {
            route,
            plan,
            residency,
            ask,
            deadline,
            ..
        } = planned;
        let continues = route.on_break == OnBreak::Continue && plan.targets().len() > 1;
        if !continues || !request.stream || request.executes || request.choices != 1 {
            return None;
        }
        is_plain(request).then(|| Self {
            route: Arc::clone(route),
            targets: plan.targets().to_vec(),
            residency: residency.clone(),
            ask: *ask,
            deadline: *deadline,
            request: request.clone(),
            headers: headers.clone(),
        })
    }

    /// What a broken stream calls.
    pub(super) fn by(self, upstream: &Upstream) -> Resume {
        let upstream = upstream.clone();
        Box::new(move |broken, recorder| Box::pin(self.resume(upstream, broken, recorder)))
    }

    async fn resume(self, upstream: Upstream, broken: Broken, mut recorder: Recorder) -> Resumed {
        let others = self.targets.into_iter();
        let others: Vec<_> = others
            .filter(|target| target.id != broken.target.id)
            .collect();
        // What is left of the request's own.
        let made = u32::try_from(recorder.attempts()).unwrap_or(u32::MAX);
        let attempts = self.route.max_attempts.saturating_sub(made);
        let may = attempts > 0 && !others.is_empty();
        let Some(request) = chat::continued(&self.request, &broken.said).filter(|_| may) else {
            return (recorder, None);
        };
        let deadline = self.deadline.again(Instant::now());
        let question = Question {
            route: &self.route,
            request: &request,
            headers: &self.headers,
            residency: &self.residency,
            deadline,
            part: Part::Next,
        };
        let plan = Plan::of(others);
        let schedule = Schedule::new(&plan, self.ask, deadline, attempts, false);
        let asking = Box::pin(attempt(&upstream, &question, schedule, &mut recorder));
        let answered = timeout_at(broken.end, broken.cut.run_until_cancelled(asking)).await;
        let next = match answered {
            Ok(Some(Ok(Answered::Streaming(streaming, running)))) => Some((streaming, running)),
            // Only a stream goes on with another; who is late is given up.
            Ok(Some(Ok(Answered::Whole(_)) | Err(_)) | None) | Err(_) => None,
        };
        (recorder, next)
    }
}

/// Whether the answer can be nothing but text.
fn is_plain(request: &chat::Request) -> bool {
    let meaning = Meaning::default();
    meaning.of(request).is_ok_and(|conversation| {
        matches!(conversation.format, Format::Text) && conversation.tools.is_empty()
    })
}
