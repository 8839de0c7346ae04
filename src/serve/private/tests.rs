//! Each purpose, what comes too late, and what a masked request is.

use super::*;
use crate::config::{Format, Sources, load};
use crate::privacy::{Class, Classes};
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
    let body = format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"{said}"}}]}}"#);
    let request = Request::read(Surface::Chat, body.into()).unwrap();
    let looked = Private::of(caller, &snapshot.routes["chat"], &request, deadline);
    looked.await.map(|_| ())
}

#[test]
fn what_cannot_be_looked_into_in_time_is_refused() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        let later = Instant::now() + Duration::from_mins(1);
        let large = AT_ONCE;
        assert_eq!(look(1, later).await, Ok(()));
        assert_eq!(look(large, later).await, Ok(()));
        // The one thread for it has something else to do.
        let (free, held) = std::sync::mpsc::channel::<()>();
        let busy = spawn_blocking(move || held.recv());
        let error = look(large, Instant::now()).await.unwrap_err();
        assert_eq!(error, GatewayError::PiiUnavailable);
        assert_eq!(error.wire().2, "pii_unavailable");
        drop(free);
        assert!(busy.await.unwrap().is_err());
    });
}

#[test]
fn a_masked_request_is_the_one_that_its_body_is() {
    let detectors = Detectors::default();
    let all = Privacy {
        mask: Classes::ALL,
        ..Privacy::default()
    };
    let texts = r#""messages":[{"role":"user","content":"anna@mail.kz, \u0438 boris@mail.kz"}]"#;
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
            let mut read = Request::read(Surface::Chat, masked.body.as_bytes().clone()).unwrap();
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
    let body = r#"{"model":"m","messages":[{"role":"user","content":"договор № 900101300017"}]}"#;
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
