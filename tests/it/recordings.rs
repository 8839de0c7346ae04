//! What providers really sent, replayed. The recordings are not ours to keep, so they are read from
//! the folder that `PILLION_RECORDINGS` names; without it this test says so and does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::fixture::{Ended, Said, read_plain, read_stream};
use crate::support::reply::End;
use crate::support::{Config, Gateway, Reply, Upstream};

/// 200s that are no answers, and what becomes of them: status and class.
const BROKEN: &[(&str, u16, &str)] = &[
    ("azure-prompt-content-filter", 400, "policy"),
    ("compat-200-invalid", 502, "broken"),
    ("compat-200-text-plain", 502, "broken"),
    ("openrouter-stream-error", 502, "broken"),
];

/// Where each stream is cut, in parts of its length.
const CUTS: usize = 6;

struct Sample {
    name: String,
    surface: &'static str,
    /// What was asked, if that was recorded.
    ask: Option<Value>,
    status: u16,
    content_type: String,
    stream: bool,
    body: String,
}

impl Sample {
    fn read(path: &Path) -> Option<Self> {
        let name = path.file_stem()?.to_str()?.to_owned();
        let sample: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let response = &sample["response"];
        let stream = response["sse_text"].is_string();
        let body = match (
            &response["sse_text"],
            &response["body_text"],
            &response["body"],
        ) {
            (Value::String(text), _, _)
            | (_, Value::String(text), _)
            | (_, _, Value::String(text)) => text.clone(),
            (_, _, body) => body.to_string(),
        };
        let path = sample["request"]["path"].as_str().unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let surface = if path.ends_with("/chat/completions") {
            "chat/completions"
        } else if path.ends_with("/completions") {
            "completions"
        } else if path.ends_with("/embeddings") {
            "embeddings"
        } else if path.is_empty() && body.contains("\"chat.completion") {
            "chat/completions"
        } else {
            return None;
        };
        let content_type = response["headers"]["content-type"].as_str();
        Some(Self {
            name,
            surface,
            ask: sample["request"]["body"]
                .as_object()
                .map(|_| sample["request"]["body"].clone()),
            status: u16::try_from(response["status"].as_u64().unwrap_or(200)).unwrap(),
            content_type: content_type
                .unwrap_or(if stream {
                    "text/event-stream"
                } else {
                    "application/json"
                })
                .to_owned(),
            stream,
            body,
        })
    }

    /// The request, for a route of this name.
    fn request(&self, route: &str) -> String {
        let mut ask = self.ask.clone().unwrap_or_else(|| json!({}));
        ask["model"] = route.into();
        match self.surface {
            "chat/completions" if ask["messages"].is_null() => {
                ask["messages"] = json!([{ "role": "user", "content": "Hi" }]);
            }
            "completions" if ask["prompt"].is_null() => ask["prompt"] = "Hi".into(),
            "embeddings" if ask["input"].is_null() => ask["input"] = "Hi".into(),
            _ => {}
        }
        if self.stream {
            ask["stream"] = true.into();
            ask["stream_options"]["include_usage"] = true.into();
        }
        ask.to_string()
    }

    fn reply(&self) -> Reply {
        let reply = if self.stream {
            Reply::sse(self.body.clone())
        } else {
            Reply::status(self.status).body(self.body.clone())
        };
        reply.header("content-type", &self.content_type)
    }

    /// The frames of the recorded stream that are JSON.
    fn frames(&self) -> Vec<Value> {
        let lines = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"));
        lines
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }

    fn reports_an_error(&self) -> bool {
        self.frames().iter().any(|frame| frame["error"].is_object())
    }
}

/// What the recording says, read as leniently as can be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    text: String,
    /// Function and arguments.
    calls: Vec<(String, String)>,
}

impl Heard {
    fn of(said: &Said) -> Self {
        let calls = said.calls.iter();
        Self {
            text: said.text.clone(),
            calls: calls
                .map(|(_, name, arguments)| (name.clone(), arguments.clone()))
                .collect(),
        }
    }

    fn plain(choice: &Value) -> Self {
        let mut heard = Self::default();
        let message = &choice["message"];
        heard.text = text_of(&message["content"]) + choice["text"].as_str().unwrap_or_default();
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            heard.calls.push(name_and_arguments(call));
        }
        heard
    }

    fn streamed(frames: &[Value], choice: u64) -> Self {
        let mut heard = Self::default();
        let mut keys: Vec<(Option<u64>, String)> = Vec::new();
        let choices = frames
            .iter()
            .filter_map(|frame| frame["choices"].as_array())
            .flatten();
        for part in choices.filter(|part| part["index"].as_u64().unwrap_or(0) == choice) {
            let delta = &part["delta"];
            heard.text += &text_of(&delta["content"]);
            if delta.is_null() {
                heard.text += part["text"].as_str().unwrap_or_default();
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let index = call["index"].as_u64();
                let id = call["id"].as_str().unwrap_or_default().to_owned();
                let known = keys.iter().rposition(|(known, of)| {
                    (index.is_none() || *known == index) && (id.is_empty() || *of == id)
                });
                let (name, arguments) = name_and_arguments(call);
                if let Some(at) = known {
                    heard.calls[at].1 += &arguments;
                } else {
                    keys.push((index, id));
                    heard.calls.push((name, arguments));
                }
            }
        }
        heard
    }

    /// Calls without arguments are sent as calls with none.
    fn settled(mut self, cut: bool) -> Self {
        for (_, arguments) in &mut self.calls {
            if arguments.trim().is_empty() && !cut {
                "{}".clone_into(arguments);
            }
        }
        self
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

fn name_and_arguments(call: &Value) -> (String, String) {
    let function = if call["custom"].is_object() {
        &call["custom"]
    } else {
        &call["function"]
    };
    let arguments = match (&function["arguments"], &function["input"]) {
        (Value::String(text), _) | (Value::Null, Value::String(text)) => text.clone(),
        (Value::Null, _) => String::new(),
        (other, _) => other.to_string(),
    };
    (
        function["name"].as_str().unwrap_or_default().to_owned(),
        arguments,
    )
}

/// The members of a value, at any depth, but for usage, which a stream may carry elsewhere.
fn members(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| *key != "usage") {
                let at = format!("{at}.{key}");
                members(value, &at, into);
                into.insert(at);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, at, into)),
        _ => {}
    }
}

/// A gateway whose one provider answers with what is put into the slot. Beside the route `chat`,
/// each cut has one of its own, to that provider under another name.
async fn stage() -> (Gateway, Upstream, Arc<Mutex<Option<Reply>>>) {
    let slot = Arc::new(Mutex::new(None::<Reply>));
    let playing = Arc::clone(&slot);
    let first = Upstream::choosing(move |_| playing.lock().unwrap().clone().unwrap()).await;
    let config = (0..CUTS).fold(Config::of(&[&first]), |config, part| {
        config.row(&cut_route(part), &[&first])
    });
    (Gateway::start(config).await, first, slot)
}

fn cut_route(part: usize) -> String {
    format!("cut-{part}")
}

async fn ask(gateway: &Gateway, sample: &Sample, route: &str) -> crate::support::Answer {
    let path = format!("/v1/{}", sample.surface);
    gateway.post(&path, &[], &sample.request(route)).await
}

#[tokio::test]
async fn what_providers_really_sent_comes_out_valid_and_unchanged() {
    let Some(folder) = std::env::var_os("PILLION_RECORDINGS") else {
        eprintln!("skipped: PILLION_RECORDINGS names no folder");
        return;
    };
    let folder = Path::new(&folder).join("openai/samples");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    let samples: Vec<Sample> = paths.iter().filter_map(|path| Sample::read(path)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for sample in samples {
        let kind = match (sample.status, sample.stream) {
            (200, true) => format!("{} streams", sample.surface),
            (200, false) => format!("{} answers", sample.surface),
            _ => "errors".to_owned(),
        };
        *counts.entry(kind).or_default() += 1;
        let name = sample.name.clone();
        // In a task of its own: a rule that is broken is told beside the others.
        let mut one = JoinSet::new();
        one.spawn(async move { replay(&sample).await });
        match one.join_next().await.unwrap() {
            Ok(Ok(())) => {}
            Ok(Err(what)) => wrong.push(format!("{name}: {what}")),
            Err(panic) => wrong.push(format!("{name}: {panic}")),
        }
    }
    eprintln!("replayed: {counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for kind in [
        "chat/completions streams",
        "chat/completions answers",
        "completions streams",
        "completions answers",
        "embeddings answers",
        "errors",
    ] {
        assert!(
            counts.get(kind).is_some_and(|count| *count > 0),
            "no {kind}: {counts:?}"
        );
    }
}

async fn replay(sample: &Sample) -> Result<(), String> {
    let (gateway, first, slot) = stage().await;
    *slot.lock().unwrap() = Some(sample.reply());
    let answer = ask(&gateway, sample, "chat").await;
    let record = gateway.audit(answer.id()).await;
    assert!(first.hits() > 0, "{}: {}", sample.name, answer.text());
    if sample.status != 200 {
        let code = answer.code();
        let honest = !matches!(answer.status, 200..=399 | 401 | 403) && code != "-";
        let classed = !matches!(record.classes()[0], "ok" | "cancelled");
        return (honest && classed).then_some(()).ok_or(format!(
            "{} {code} {:?}",
            answer.status,
            record.classes()
        ));
    }
    if let Some((_, status, class)) = BROKEN.iter().find(|(name, ..)| *name == sample.name) {
        let told = answer.status == *status && record.classes()[0] == *class;
        return told
            .then_some(())
            .ok_or(format!("{} {}", answer.status, record.0));
    }
    if answer.status != 200 {
        return Err(format!("{} {}", answer.text(), record.0["attempts"]));
    }
    if sample.stream {
        check_stream(sample, &answer, &gateway, &slot).await
    } else {
        check_plain(sample, &answer)
    }
}

fn check_plain(sample: &Sample, answer: &crate::support::Answer) -> Result<(), String> {
    let (came, shown) = (
        serde_json::from_str::<Value>(&sample.body).unwrap(),
        answer.json(),
    );
    if !came["model"].is_null() && shown["model"] != "chat" {
        return Err(format!("model {}", shown["model"]));
    }
    lost(std::slice::from_ref(&came), std::slice::from_ref(&shown))?;
    match sample.surface {
        "embeddings" => {
            let count = |value: &Value| value["data"].as_array().map(Vec::len);
            (count(&came) == count(&shown))
                .then_some(())
                .ok_or("vectors are lost".to_owned())
        }
        "completions" => {
            let texts = |value: &Value| -> Vec<String> {
                let choices = value["choices"].as_array().unwrap().iter();
                choices
                    .map(|choice| choice["text"].as_str().unwrap().to_owned())
                    .collect()
            };
            (texts(&came) == texts(&shown))
                .then_some(())
                .ok_or("text is lost".to_owned())
        }
        _ => {
            let choices = came["choices"].as_array().unwrap();
            for (said, choice) in read_plain(&shown).iter().zip(choices) {
                let cut = matches!(&*said.finish, "length" | "content_filter");
                let heard = Heard::plain(choice).settled(cut);
                if Heard::of(said) != heard {
                    return Err(format!("{heard:?} became {said:?}"));
                }
            }
            Ok(())
        }
    }
}

/// Whether anything that was in the one is not in the other.
fn lost(came: &[Value], shown: &[Value]) -> Result<(), String> {
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    // A frame without choices and without a name is Azure's preamble, which belongs to no answer.
    let preamble = |value: &&Value| value["choices"] == json!([]) && value["id"] == "";
    for value in came.iter().filter(|value| !preamble(value)) {
        members(value, "", &mut before);
    }
    // A list of parts becomes the text of its parts.
    before.retain(|at| !at.contains(".content."));
    for value in shown {
        members(value, "", &mut after);
    }
    let lost: Vec<&String> = before.difference(&after).collect();
    if lost.is_empty() {
        Ok(())
    } else {
        Err(format!("lost: {lost:?}"))
    }
}

async fn check_stream(
    sample: &Sample,
    answer: &crate::support::Answer,
    gateway: &Gateway,
    slot: &Mutex<Option<Reply>>,
) -> Result<(), String> {
    let data = answer.data();
    let whole = read_stream(&data, true);
    let frames = sample.frames();
    let failed = matches!(whole.ended, Ended::Error(_));
    if failed != sample.reports_an_error() {
        return Err(format!(
            "{:?}: {}",
            whole.ended,
            gateway.all_records()[0].0["attempts"]
        ));
    }
    if !failed {
        for (index, said) in (0..).zip(&whole.choices) {
            let cut = matches!(&*said.finish, "length" | "content_filter");
            let heard = Heard::streamed(&frames, index).settled(cut);
            if Heard::of(said) != heard {
                return Err(format!("{heard:?} became {said:?}"));
            }
        }
        let shown: Vec<Value> = data
            .iter()
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect();
        lost(&frames, &shown)?;
    }
    for part in 0..CUTS {
        let at = sample.body.len() * part / CUTS + part;
        let end = if part % 2 == 0 { End::Fin } else { End::Rst };
        *slot.lock().unwrap() = Some(sample.reply().cut_at(at, end));
        let answer = ask(gateway, sample, &cut_route(part)).await;
        if answer.status == 200 {
            // Whole, or with an error at its end; nothing else is readable.
            read_stream(&answer.data(), true);
        } else if answer.status != 502 {
            return Err(format!("cut at {at}: {}", answer.text()));
        }
    }
    Ok(())
}
