//! What is answered to whom, and what is seen in it.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::config::{Effective, Format, Sources};
use crate::secret::{Ambient, Reference, StorePlaces};
use crate::snapshot::{BaseUrl, Callers, Kind, Provider, Snapshot};
use crate::tasks::Tasks;
use crate::upstream::{Clients, Egress};

fn state() -> AdminState {
    let metrics = Arc::new(Metrics::new());
    let (keyring, tasks) = (Keyring::default(), Tasks::default());
    let clients = Clients::new(tasks.clone(), Egress::default());
    AdminState {
        status: Arc::new(Status::new(Arc::clone(&metrics))),
        quotas: Quotas::new(Arc::clone(&metrics)),
        metrics,
        credentials: Credentials::new(Ambient::default(), keyring.clone(), clients, tasks),
        health: Health::new(fastrand::Rng::with_seed(1)),
        keyring,
    }
}

fn snapshot(version: &str, secrets: &[(&str, &Reference)]) -> Arc<Snapshot> {
    let provider = |(name, secret): &(&str, &Reference)| {
        let provider = Provider {
            name: (*name).into(),
            kind: Kind::OpenAi,
            base_url: BaseUrl::try_new("http://localhost/v1").unwrap(),
            secret: Some((*secret).clone()),
            ca: None,
            headers: http::HeaderMap::new(),
            responses: true,
            capacity: crate::health::Capacity::default(),
            residency: Vec::new(),
        };
        (Arc::clone(&provider.name), Arc::new(provider))
    };
    Arc::new(Snapshot {
        version: version.into(),
        providers: secrets.iter().map(provider).collect(),
        ..Snapshot::of(Callers::Keys(HashMap::new()))
    })
}

const TEXT_OF_CONFIG: &str = "
allow_anonymous: true
providers: { openai: { kind: openai, secret: env:OPENAI_API_KEY } }
routes: { fast: { targets: [openai/gpt-5] } }
shared_state: redis://:canary-4711@redis.internal
";

fn effective() -> Effective {
    let sources = Sources::from_text(Format::Yaml, TEXT_OF_CONFIG);
    crate::config::load(&sources).unwrap().effective
}

fn answer(state: &AdminState, method: &Method, path: &str, from: IpAddr) -> Response<Body> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let request = Request::builder().method(method).uri(path).body(());
    let request = request.unwrap();
    runtime.unwrap().block_on(respond(&request, from, state))
}

fn get(state: &AdminState, path: &str) -> (StatusCode, String) {
    let response = answer(state, &Method::GET, path, Ipv4Addr::LOCALHOST.into());
    let status = response.status();
    let mut body = Box::pin(response.into_body());
    let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
    let mut text = Vec::new();
    while let std::task::Poll::Ready(Some(frame)) =
        http_body::Body::poll_frame(body.as_mut(), &mut waker)
    {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    (status, String::from_utf8(text).unwrap())
}

fn ready(state: &AdminState) -> (StatusCode, Value) {
    let (status, text) = get(state, "/readyz");
    (status, serde_json::from_str(&text).unwrap())
}

#[test]
fn it_is_ready_from_configuration_and_listener_until_it_drains() {
    use StatusCode as S;
    let state = state();
    let nothing = json!({
        "ready": false,
        "config": { "version": null, "age_seconds": null, "stale": false, "refused": null },
        "secrets": [],
        "draining": false,
    });
    assert_eq!(ready(&state), (S::SERVICE_UNAVAILABLE, nothing));
    state.status.listener_up("127.0.0.1:4100".parse().unwrap());
    assert_eq!(ready(&state).0, S::SERVICE_UNAVAILABLE);
    state.status.config_refused("routes: none");
    assert_eq!(ready(&state).0, S::SERVICE_UNAVAILABLE);
    let now = Instant::now();
    state
        .status
        .config_applied(&snapshot("v1", &[]), effective(), now);
    let serving = json!({
        "ready": true,
        "config": { "version": "v1", "age_seconds": 0, "stale": false, "refused": null },
        "secrets": [],
        "draining": false,
    });
    assert_eq!(ready(&state), (S::OK, serving));
    state
        .status
        .config_refused("routes.chat: no target is named `b`");
    let (status, detail) = ready(&state);
    assert_eq!(status, S::OK);
    assert_eq!(
        detail["config"],
        json!({ "version": "v1", "age_seconds": 0, "stale": true,
            "refused": "routes.chat: no target is named `b`" })
    );
    state.status.draining();
    let (status, detail) = ready(&state);
    assert_eq!(
        (status, &detail["draining"]),
        (S::SERVICE_UNAVAILABLE, &json!(true))
    );
    assert_eq!(get(&state, "/livez").0, S::OK);
}

#[test]
fn a_listener_without_a_configuration_is_not_ready_nor_the_reverse() {
    let state = state();
    let snapshot = snapshot("v1", &[]);
    state
        .status
        .config_applied(&snapshot, effective(), Instant::now());
    assert_eq!(get(&state, "/startupz").0, StatusCode::SERVICE_UNAVAILABLE);
    state.status.listener_up("127.0.0.1:4100".parse().unwrap());
    assert_eq!(get(&state, "/startupz").0, StatusCode::OK);
}

#[test]
fn an_unreadable_secret_is_told_and_does_not_make_it_unready() {
    let path = PathBuf::from("/nowhere/secret");
    let reference = Reference::File(path);
    let state = state();
    state.keyring.load(&StorePlaces::new(), [&reference]);
    let snapshot = snapshot("v1", &[("openai", &reference)]);
    state
        .status
        .config_applied(&snapshot, effective(), Instant::now());
    state.status.listener_up("127.0.0.1:4100".parse().unwrap());
    let (status, detail) = ready(&state);
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        detail["secrets"],
        json!([{ "provider": "openai", "problem": "file:/nowhere/secret does not exist" }])
    );
}

#[test]
fn metrics_tell_the_configuration_and_ages_but_never_a_secret() {
    let unique = fastrand::u64(..);
    let path = std::env::temp_dir().join(format!("pillion-admin-{unique:016x}"));
    fs::write(&path, "canary-4711").unwrap();
    let reference = Reference::File(path.clone());
    let state = state();
    state.keyring.load(&StorePlaces::new(), [&reference]);
    fs::write(&path, "canary-4712\ncanary-4713").unwrap();
    state.keyring.refresh_files();
    fs::remove_file(&path).unwrap();
    let secrets = [("openai", &reference)];
    let now = Instant::now();
    state
        .status
        .config_applied(&snapshot("v1", &secrets), effective(), now);
    state
        .status
        .config_applied(&snapshot("v2", &secrets), effective(), now);
    state.status.config_refused("no");
    let (_, text) = get(&state, "/metrics");
    for sample in [
        "pillion_config_version{version=\"v2\"} 1",
        "pillion_config_age_seconds 0",
        "pillion_config_refusals_total{reason=\"invalid\"} 1",
        "pillion_config_stale 1",
        "pillion_secret_age_seconds{provider=\"openai\"} 0",
        "pillion_secret_usable{provider=\"openai\"} 1",
        "pillion_audit_records_total 0",
        "pillion_audit_dropped_total 0",
    ] {
        assert!(text.contains(&format!("{sample}\n")), "{sample}\n{text}");
    }
    assert!(!text.contains("v1"));
    let (_, detail) = get(&state, "/readyz");
    assert!(detail.contains("more than one line"), "{detail}");
    let seen = format!("{text}{detail}{:?}{:?}", state.status, state.metrics);
    assert!(!seen.contains("canary"), "{seen}");
}

#[test]
fn the_configuration_is_told_to_this_machine_without_its_secrets() {
    let state = state();
    assert_eq!(get(&state, "/api/config"), (StatusCode::OK, "null".into()));
    let snapshot = snapshot("v1", &[]);
    let now = Instant::now();
    state.status.config_applied(&snapshot, effective(), now);
    let (_, text) = get(&state, "/api/config");
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["version"], "v1");
    let config = &shown["config"];
    assert_eq!(config["shared_state"], "redis://…@redis.internal");
    assert_eq!(config["routes"]["fast"]["targets"], json!(["openai/gpt-5"]));
    assert_eq!(shown["origins"]["shared_state"], "file:<text>:5:1");
    assert_eq!(shown["dropped"], json!([]));
    assert!(!format!("{text}{:?}", state.status).contains("canary"));
    let afar = "192.0.2.1".parse().unwrap();
    let refused = answer(&state, &Method::GET, "/api/config", afar);
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[test]
fn others_are_told_by_the_token_alone_and_of_a_request_everybody() {
    use StatusCode as S;
    let path = std::env::temp_dir().join(format!("pillion-token-{:016x}", fastrand::u64(..)));
    fs::write(&path, "canary-4711\n").unwrap();
    let reference = Reference::File(path.clone());
    let state = state();
    state.keyring.load(&StorePlaces::new(), [&reference]);
    let plain = snapshot("v1", &[]);
    let guarded = Arc::try_unwrap(snapshot("v2", &[])).unwrap();
    let guarded = Arc::new(Snapshot {
        admin_token: Some(reference),
        ..guarded
    });
    let asked = |from: &str, path: &str, token: &str| {
        let request = Request::get(path).header("authorization", token);
        let request = request.body(()).unwrap();
        let answer = respond(&request, from.parse().unwrap(), &state);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(answer).status()
    };
    let (here, afar) = ("127.0.0.1", "192.0.2.1");
    let (list, one) = ("/api/requests", "/api/requests/req_1");
    for (snapshot, from, path, token, expected) in [
        (&plain, here, list, "", S::OK),
        (&plain, here, one, "", S::NOT_FOUND),
        (&plain, afar, list, "Bearer canary-4711", S::FORBIDDEN),
        (&guarded, here, list, "", S::OK),
        (&guarded, here, one, "", S::UNAUTHORIZED),
        (&guarded, here, one, "bearer canary-4711", S::NOT_FOUND),
        (&guarded, afar, list, "", S::UNAUTHORIZED),
        (&guarded, afar, list, "canary-4711", S::UNAUTHORIZED),
        (&guarded, afar, list, "Bearer canary-4712", S::UNAUTHORIZED),
        (&guarded, afar, list, "Bearer canary-47111", S::UNAUTHORIZED),
        (&guarded, afar, list, "Bearer canary-4711", S::OK),
        (&guarded, afar, "/api/config", "Bearer canary-4711", S::OK),
        (&guarded, afar, "/livez", "", S::OK),
        (&plain, here, "/", "", S::OK),
        (&plain, afar, "/", "", S::FORBIDDEN),
        (&plain, afar, "/page/app.js", "", S::FORBIDDEN),
        // A browser cannot show the token on its first way: it gets the page, which asks for it.
        (&guarded, afar, "/", "", S::UNAUTHORIZED),
        (&guarded, afar, "/page/app.js", "", S::OK),
        (&guarded, afar, "/", "Bearer canary-4711", S::OK),
    ] {
        let now = Instant::now();
        state.status.config_applied(snapshot, effective(), now);
        let version = &snapshot.version;
        assert_eq!(
            asked(from, path, token),
            expected,
            "{version} {from} {path} {token}"
        );
    }
    fs::remove_file(path).unwrap();
    state.keyring.refresh_files();
    assert_eq!(asked(afar, list, "Bearer "), S::UNAUTHORIZED);
}

#[test]
fn a_page_of_another_name_or_origin_is_told_nothing() {
    use StatusCode as S;
    let state = state();
    for (path, name, value, expected) in [
        ("/api/targets", "host", "localhost:4101", S::OK),
        ("/api/targets", "host", "rebound.example", S::FORBIDDEN),
        ("/", "host", "rebound.example", S::FORBIDDEN),
        (
            "/api/targets",
            "origin",
            "http://localhost:3000",
            S::FORBIDDEN,
        ),
        ("/api/targets", "sec-fetch-site", "same-site", S::FORBIDDEN),
        ("/api/targets", "sec-fetch-site", "same-origin", S::OK),
        // A link to the page is followed from wherever it is.
        ("/", "sec-fetch-site", "cross-site", S::OK),
        ("/readyz", "host", "10.0.0.7:4101", S::SERVICE_UNAVAILABLE),
        ("/metrics", "host", "10.0.0.7:4101", S::OK),
    ] {
        let request = Request::get(path).header(name, value).body(()).unwrap();
        let answer = respond(&request, Ipv4Addr::LOCALHOST.into(), &state);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let status = runtime.unwrap().block_on(answer).status();
        assert_eq!(status, expected, "{path} {name}: {value}");
    }
}

#[test]
fn each_configuration_is_made_to_be_shown_once() {
    let state = state();
    let apply = |version| {
        let snapshot = snapshot(version, &[]);
        let now = Instant::now();
        state.status.config_applied(&snapshot, effective(), now);
    };
    let shown = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let shown = runtime.unwrap().block_on(state.status.config()).unwrap();
        (shown.as_ptr(), shown)
    };
    apply("v1");
    let (first, again) = (shown(), shown());
    assert_eq!(first, again, "the same bytes, at the same place");
    apply("v2");
    let (_, other) = shown();
    let other: Value = serde_json::from_slice(&other).unwrap();
    assert_eq!(other["version"], "v2");
}

#[test]
fn other_paths_and_methods_are_refused() {
    let state = state();
    for (method, path, status) in [
        (Method::GET, "/livez", StatusCode::OK),
        (Method::HEAD, "/healthz", StatusCode::OK),
        (Method::POST, "/livez", StatusCode::METHOD_NOT_ALLOWED),
        (Method::DELETE, "/metrics", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/", StatusCode::OK),
        (Method::POST, "/", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/page/", StatusCode::NOT_FOUND),
        (Method::GET, "/page/mod.rs", StatusCode::NOT_FOUND),
        (Method::GET, "/readyz/", StatusCode::NOT_FOUND),
        (Method::GET, "/api/nothing", StatusCode::NOT_FOUND),
    ] {
        let response = answer(&state, &method, path, Ipv4Addr::LOCALHOST.into());
        assert_eq!(response.status(), status, "{method} {path}");
        let refused = status == StatusCode::METHOD_NOT_ALLOWED;
        assert_eq!(response.headers().contains_key(ALLOW), refused);
    }
}
