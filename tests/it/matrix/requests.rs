//! Section C, the request that is at fault: what is refused before any provider hears of it, and what
//! is let through but has no say in where it goes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::support::reply::End;
use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::Wire;
use crate::support::{Gate, Reply, Surface};

use super::asked::provider;
use super::parts::hello;
use super::scene::{Known, Request, SECRET, Scene, TOKEN};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, cases, is_one_of};

/// What the client sees.
#[derive(Debug, Clone, Copy)]
enum Sees {
    Error(u16, &'static str),
    /// The answer, as if the fault were none.
    Answer,
}

#[derive(Clone, Copy)]
pub(super) struct Row {
    id: &'static str,
    what: &'static str,
    phase: Phase,
    fault: fn(Request) -> Request,
    sees: Sees,
    on: &'static [Surface],
}

fn row(
    id: &'static str,
    what: &'static str,
    phase: Phase,
    fault: fn(Request) -> Request,
    sees: Sees,
) -> Row {
    Row {
        id,
        what,
        phase,
        fault,
        sees,
        on: &SURFACES,
    }
}

/// Without what it says of who is calling.
fn nobody(mut ask: Request) -> Request {
    ask.headers.clear();
    ask
}

fn body(mut ask: Request, body: impl Into<Vec<u8>>) -> Request {
    ask.body = body.into();
    ask
}

/// With another member of this name.
fn member(mut ask: Request, name: &str, value: &str) -> Request {
    let text = String::from_utf8(ask.body).unwrap();
    ask.body = text
        .replacen('{', &format!("{{\"{name}\":{value},"), 1)
        .into_bytes();
    ask
}

/// Without the member of one of these names.
fn without(mut ask: Request, names: &[&str]) -> Request {
    let mut body: Value = serde_json::from_slice(&ask.body).unwrap();
    let members = body.as_object_mut().unwrap();
    members.retain(|name, _| !names.contains(&&**name));
    ask.body = body.to_string().into_bytes();
    ask
}

#[rustfmt::skip]
pub(super) fn table() -> Vec<Row> {
    use Phase::{Connect, RequestBody};
    use Sees::{Answer, Error};
    let unknown = Error(401, "invalid_api_key");
    let json = Error(400, "invalid_json|invalid_value|invalid_type|missing_required_parameter");
    let kind = Error(415, "unsupported_media_type");
    vec![
        row("C18", "no token", Connect, nobody, unknown),
        row("C18a", "a wrong token", Connect, |it| nobody(it).header("authorization", "Bearer wrong"), unknown),
        row("C18b", "a token in the query", Connect, |mut it| { it.path += &format!("?key={TOKEN}&api_key={TOKEN}"); nobody(it) }, unknown),
        row("C18c", "two tokens", Connect, |it| it.header("authorization", "Bearer wrong"), Error(400, "bad_request")),
        row("C18d", "a token that is only begun", Connect, |it| nobody(it).header("authorization", &format!("Bearer {}", &TOKEN[..20])), unknown),
        row("C18e", "a provider's key for a token", Connect, |it| nobody(it).header("x-api-key", "sk-ant-wrong"), unknown),
        row("H18", "a page in a browser", Connect, |it| it.header("origin", "https://evil.example"), Error(403, "origin_not_allowed")),
        row("H17", "no JSON by its name", RequestBody, |it| it.header("content-type", "text/plain"), kind),
        row("H17a", "a form", RequestBody, |it| it.header("content-type", "multipart/form-data; boundary=x"), kind),
        row("H17b", "a compressed body", RequestBody, |it| it.header("content-encoding", "gzip"), kind),
        row("H9", "an expectation that cannot be met", RequestBody, |it| it.header("expect", "200-ok"), Error(417, "expectation_failed")),
        row("C10", "more than the limit", RequestBody, |it| body(it, vec![b' '; 3 << 20]), Error(413, "request_too_large")),
        row("C11", "no JSON", RequestBody, |it| body(it, "{\"model\":"), json),
        row("C11a", "nothing at all", RequestBody, |it| body(it, ""), json),
        row("C11b", "a list", RequestBody, |it| body(it, "[]"), json),
        row("C11c", "null", RequestBody, |it| body(it, "null"), json),
        row("C11d", "brackets without end", RequestBody, |it| body(it, "[".repeat(100_000)), json),
        row("C11e", "a depth that nobody needs", RequestBody, |it| {
            let deep = "[".repeat(50_000) + &"]".repeat(50_000);
            member(it, "metadata", &deep)
        }, json),
        row("C11f", "a mark of the byte order", RequestBody, |it| { let text = [b"\xef\xbb\xbf", &*it.body].concat(); body(it, text) }, json),
        row("C11g", "bytes that are no text", RequestBody, |it| body(it, b"{\"model\":\"\xff\"}"), json),
        row("C11h", "something behind the end", RequestBody, |it| { let text = [&*it.body, b"{}"].concat(); body(it, text) }, json),
        row("C11i", "a model twice", RequestBody, |it| member(it, "model", "\"steady\""), Error(400, "duplicate_parameter")),
        row("C11j", "a model that is no text", RequestBody, |it| { let it = without(it, &["model"]); member(it, "model", "7") }, Error(400, "invalid_type|invalid_value")),
        row("C11k", "no model", RequestBody, |it| without(it, &["model"]), Error(400, "missing_required_parameter|model_not_found")),
        // Responses may have its input elsewhere.
        Row { on: &[Surface::Chat, Surface::Messages],
            ..row("C11l", "nothing to answer", RequestBody, |it| without(it, &["messages"]), Error(400, "missing_required_parameter")) },
        row("C11m", "a model that is nobody's", RequestBody, |it| { let it = without(it, &["model"]); member(it, "model", "\"nobody\"") }, Error(404, "model_not_found")),
        row("C11n", "a model that is a place", RequestBody, |it| { let it = without(it, &["model"]); member(it, "model", "\"http://169.254.169.254/latest\"") }, Error(404, "model_not_found")),
        row("C20", "another place to send it, in the body", RequestBody, |it| {
            let it = member(it, "api_base", "\"http://127.0.0.1:9\"");
            member(it, "base_url", "\"http://127.0.0.1:9\"")
        }, Answer),
        row("C20a", "another place to send it, in headers", Connect, |it| {
            it.header("x-custom-host", "127.0.0.1:9").header("x-forwarded-host", "evil.example").header("x-portkey-custom-host", "http://127.0.0.1:9")
        }, Answer),
        row("C20b", "an account and cookies for the provider, in headers", Connect, |it| it.header("openai-organization", "wrong").header("cookie", "wrong=1"), Answer),
        row("C20c", "trace and tags that are rubbish", Connect, |it| it.header("traceparent", "00-zz").header("x-pillion-tag-conversation", "%%%\u{e9}"), Answer),
        row("C20d", "a second token by another name", Connect, |it| it.header("x-goog-api-key", "AIza-wrong"), unknown),
    ]
}

pub(super) fn listed() -> Vec<Listed> {
    let mut all = Vec::new();
    for row in table() {
        for case in cases(row.id, Asked::Both, row.on) {
            let classes: &[&str] = match row.sees {
                Sees::Error(..) => &[],
                Sees::Answer => &["ok"],
            };
            all.push(Listed::of(&case, At::Client, row.phase, classes));
        }
    }
    all
}

pub(super) async fn play() {
    let scene = Scene::set(|config, upstream| {
        let mut config = config.root("body_limit: 2MiB");
        for row in table() {
            for case in cases(row.id, Asked::Both, row.on) {
                let id = &case.id;
                let first = format!("{}/{id}.1/v1", upstream.root_url());
                config = config
                    .keys_of(&format!("{id}.1"), &provider(case.surface, &first))
                    .route(id, &format!("{{ targets: [\"{id}.1/m\"] }}"));
            }
        }
        config
    })
    .await;
    for row in table() {
        for case in cases(row.id, Asked::Both, row.on) {
            let id = case.id.clone();
            let bounds = Bounds::of(Duration::from_secs(2));
            scene
                .row(&id, bounds, |scene, known| async move {
                    known.note(format!("{}: {}", row.phase, row.what));
                    run(&scene, &known, row, &case).await;
                })
                .await;
        }
    }
    scene.finish("requests at fault").await;
}

async fn run(scene: &Arc<Scene>, known: &Known, row: Row, case: &Case) {
    let id = &case.id;
    scene.cast(&format!("{id}.1"), |seen| {
        let reply = Wire::of(seen).reply(Wire::streamed(seen), &hello());
        // Whoever asks with more than our own key is found out.
        if seen.head.contains("wrong") {
            return Reply::nothing(End::Rst);
        }
        reply
    });
    let before = scene.upstream.hits();
    let ask = (row.fault)(Request::new(case.surface, id, case.streamed));
    let answer = scene.ask(known, &ask, &Gate::new()).await;
    let record = scene.gateway.audit(answer.id()).await;
    let line = &record.0;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    match row.sees {
        Sees::Error(status, code) => {
            assert_eq!(answer.status, status, "{text}");
            let (told, _) = case.surface.error(&answer);
            assert!(is_one_of(code, &told), "{told}, not {code}: {text}");
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            assert_eq!(record.outcome(), "error", "{line}");
            assert!(record.classes().is_empty(), "{line}");
            assert_eq!(scene.upstream.hits(), before, "a provider was asked");
        }
        Sees::Answer => {
            let told = case.surface.read(&answer, case.streamed);
            assert_eq!(
                (&*told.text, told.finish),
                (&*hello().texts.concat(), Finish::Stop)
            );
            assert_eq!(record.classes(), ["ok"], "{line}");
            let seen = scene.upstream.requests_from(before);
            assert_eq!(seen.len(), 1);
            let keys = [seen[0].header("authorization"), seen[0].header("x-api-key")];
            let keys: Vec<&str> = keys.into_iter().flatten().collect();
            assert!(keys.iter().all(|key| key.ends_with(SECRET)), "{keys:?}");
        }
    }
    assert_eq!(
        record.number("status"),
        Some(answer.status.into()),
        "{line}"
    );
}
