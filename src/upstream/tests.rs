//! What is planned wrongly is not sent: whoever may not have a request is not asked, whatever the plan says.

use std::sync::Arc;

use http::{HeaderMap, Method};
use tokio::time::Instant;

use super::*;
use crate::chat::{Request, Surface};
use crate::config::{Format, Sources, load};
use crate::dialect::answer::Part;
use crate::error::GatewayError;
use crate::health::{Ask, Health, Hurry, Kind, Policy, Priority};
use crate::plan::{Deadline, Plan, Schedule};
use crate::record::{Arrival, Records};
use crate::secret::{Ambient, Keyring};
use crate::snapshot::{Identity as Instance, Residency};
use crate::tasks::Tasks;
use crate::telemetry::Metrics;

const CONFIG: &str = "
allow_anonymous: true
providers:
  outside: { kind: openai-compatible, base_url: http://127.0.0.1:9/v1 }
  claude: { kind: anthropic, base_url: http://127.0.0.1:9/v1, secret: env:NONE }
routes:
  chat: { targets: [outside/m, claude/m] }
";

fn upstream() -> Upstream {
    let (keyring, tasks) = (Keyring::default(), Tasks::default());
    let clients = Clients::new(tasks.clone(), Egress::default());
    Upstream {
        credentials: Credentials::new(Ambient::default(), keyring.clone(), clients.clone(), tasks),
        clients,
        keyring,
        health: Health::new(fastrand::Rng::with_seed(1)),
    }
}

#[tokio::test]
async fn a_plan_that_is_wrong_sends_nothing() {
    let loaded = load(&Sources::from_text(Format::Yaml, CONFIG)).unwrap();
    let route = &loaded.snapshot.routes["chat"];
    let residency: Residency = [Some(&"kz".into())].into_iter().collect();
    let upstream = upstream();
    let (records, _kept) = Records::kept(Instance::default(), Arc::new(Metrics::new()));
    let mut recorder = records.begin(Arrival::now());
    let headers = HeaderMap::new();
    let now = Instant::now();
    let deadline = Deadline::new(now, &route.timeouts, route.reserve, false, None);
    let body = r#"{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let ask = Ask {
        kind: Kind::Plain,
        tokens: 9,
        priority: Priority::Interactive,
        policy: Policy::DEFAULT,
        hurry: Hurry::default(),
    };
    for surface in [Surface::Chat, Surface::Messages, Surface::CountTokens] {
        let request = Request::read(surface, body.into()).unwrap();
        let question = Question {
            route,
            request: &request,
            headers: &headers,
            residency: &residency,
            deadline,
            part: Part::Whole,
        };
        let targets: Vec<_> = route.targets().cloned().collect();
        if surface == Surface::CountTokens {
            assert_eq!(
                count(&upstream, &targets[1], &question, &mut recorder).await,
                None
            );
            continue;
        }
        let schedule = Schedule::new(&Plan::of(targets), ask, deadline, 4, false);
        let error = attempt(&upstream, &question, schedule, &mut recorder).await;
        assert!(
            matches!(error, Err(GatewayError::NoEligibleTarget { .. })),
            "{error:?}"
        );
    }
    for target in route.targets() {
        let passed = Passed {
            method: &Method::POST,
            path: "/files",
            query: None,
            headers: &headers,
            body: "x".into(),
            residency: &residency,
        };
        let error = pass(&upstream, target, &passed, &mut recorder).await;
        assert!(
            matches!(error, Err(GatewayError::NoEligibleTarget { .. })),
            "{error:?}"
        );
    }
    assert_eq!(recorder.attempts(), 0, "nothing was tried");
    recorder.finish(crate::record::End::Cancelled);
}
