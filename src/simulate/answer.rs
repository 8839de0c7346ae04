//! From a request to a [`Reply`]: which endpoint, which model, what it meets.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::ask::Ask;
use super::behaviour::{Behaviour, FaultClass};
use super::chat::{Completion, Flaw, Surface};
use super::embed;
use super::refusal::Refusal;
use super::reply::{HangUp, Reply};
use super::stage::Stage;

/// No request is kept beyond this.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// What a request meets: an answer, good or not, or one of the ways to give none.
enum Fate {
    Served(Flaw),
    Refused(Refusal),
    Silence,
    HangUp(HangUp),
}

/// # Errors
/// Those of reading the request's body: the client is gone.
pub(super) async fn answer<B>(stage: &Stage, request: Request<B>) -> Result<Reply, B::Error>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let (head, mut body) = request.into_parts();
    let path = head.uri.path();
    let endpoint = path.strip_prefix("/v1").unwrap_or(path);
    let served: fn(&Stage, &[u8]) -> Result<Reply, Refusal> = match (&head.method, endpoint) {
        (&Method::POST, "/chat/completions") => chat,
        (&Method::POST, "/completions") => completions,
        (&Method::POST, "/embeddings") => embeddings,
        (&Method::GET, "/models") => return Ok(Reply::json(Duration::ZERO, &models(stage))),
        (&Method::GET, _) if endpoint.starts_with("/models/") => {
            return Ok(model(stage, &endpoint["/models/".len()..]).unwrap_or_else(Reply::from));
        }
        (method, _) => {
            let bytes = count(&mut body).await?;
            let echo = json!({ "method": method.as_str(), "path": path, "bytes": bytes });
            return Ok(Reply::json(Duration::ZERO, &echo));
        }
    };
    Ok(match read(&mut body).await? {
        Some(bytes) => served(stage, &bytes).unwrap_or_else(Reply::from),
        None => Refusal::too_large().into(),
    })
}

fn chat(stage: &Stage, bytes: &[u8]) -> Result<Reply, Refusal> {
    let ask = Ask::read(bytes)?;
    match ask.body["messages"].as_array() {
        None => Err(Refusal::lacks("messages")),
        Some(messages) if messages.is_empty() => Err(Refusal::no_messages()),
        Some(_) => complete(stage, Surface::Chat, ask),
    }
}

fn completions(stage: &Stage, bytes: &[u8]) -> Result<Reply, Refusal> {
    complete(stage, Surface::Completions, Ask::read(bytes)?)
}

fn complete(stage: &Stage, surface: Surface, mut ask: Ask) -> Result<Reply, Refusal> {
    if let Some(part) = stage.part(&ask.model) {
        fits(&part.behaviour, &ask)?;
        for feature in &part.behaviour.ignores {
            ask.forget(*feature);
        }
    }
    let ask = &ask;
    meet(stage, ask, |behaviour, flaw| {
        Completion::new(surface, &stage.provider, behaviour, ask).reply(flaw)
    })
}

/// # Errors
/// The request asks for more than this model has.
fn fits(behaviour: &Behaviour, ask: &Ask) -> Result<(), Refusal> {
    let rejected = behaviour
        .rejects
        .iter()
        .find(|feature| ask.wants(**feature));
    if let Some(feature) = rejected {
        return Err(Refusal::unsupported(feature.field()));
    }
    match behaviour.context {
        Some(context) if ask.prompt_tokens as u64 > context => {
            Err(Refusal::context_length(context, ask.prompt_tokens))
        }
        Some(_) | None => Ok(()),
    }
}

fn embeddings(stage: &Stage, bytes: &[u8]) -> Result<Reply, Refusal> {
    let ask = Ask::read(bytes)?;
    if ask.body.get("input").is_none() {
        return Err(Refusal::lacks("input"));
    }
    meet(stage, &ask, |behaviour, flaw| {
        let wait = behaviour.first_token;
        let mut body = embed::body(&ask);
        match flaw {
            Flaw::None => Reply::json(wait, &body),
            Flaw::Broken => Reply::half_json(wait, &body),
            Flaw::Cut => Reply::cut_json(wait, &body),
            Flaw::Empty => {
                body["data"] = json!([]);
                Reply::json(wait, &body)
            }
        }
    })
}

/// Gives the request's model its turn, and has `serve` write the answer where there is one.
fn meet(
    stage: &Stage,
    ask: &Ask,
    serve: impl FnOnce(&Behaviour, Flaw) -> Reply,
) -> Result<Reply, Refusal> {
    let part = stage
        .part(&ask.model)
        .ok_or_else(|| Refusal::unknown_model(&ask.model))?;
    let (class, wait) = part.turn();
    match fate(class, &ask.model, wait) {
        Fate::Served(flaw) => Ok(serve(&part.behaviour, flaw)),
        Fate::Refused(refusal) => Err(refusal),
        Fate::Silence => Ok(Reply::Silence),
        Fate::HangUp(how) => Ok(Reply::HangUp(how)),
    }
}

fn fate(class: FaultClass, model: &str, wait: Option<Duration>) -> Fate {
    match class {
        FaultClass::Ok => Fate::Served(Flaw::None),
        FaultClass::Broken => Fate::Served(Flaw::Broken),
        FaultClass::Empty => Fate::Served(Flaw::Empty),
        FaultClass::Cut => Fate::Served(Flaw::Cut),
        FaultClass::Timeout => Fate::Silence,
        FaultClass::Connect => Fate::HangUp(HangUp::Close),
        FaultClass::Reset => Fate::HangUp(HangUp::Reset),
        FaultClass::RateLimited => Fate::Refused(Refusal::rate_limited(model, wait)),
        FaultClass::QuotaExhausted => Fate::Refused(Refusal::quota_exhausted()),
        FaultClass::Overloaded => Fate::Refused(Refusal::overloaded(wait)),
        FaultClass::ServerError => Fate::Refused(Refusal::server_error()),
        FaultClass::Auth => Fate::Refused(Refusal::auth()),
        FaultClass::InvalidRequest => Fate::Refused(Refusal::invalid_request()),
        FaultClass::TargetMissing => Fate::Refused(Refusal::unknown_model(model)),
        FaultClass::ContextLength => Fate::Refused(Refusal::context_length(8192, 9000)),
        FaultClass::Policy => Fate::Refused(Refusal::policy()),
    }
}

fn models(stage: &Stage) -> Value {
    let data: Vec<Value> = stage.models().map(|id| listed(stage, id)).collect();
    json!({ "object": "list", "data": data })
}

fn model(stage: &Stage, id: &str) -> Result<Reply, Refusal> {
    // A slash within a name comes percent-encoded from the official clients.
    let id = id.replace("%2F", "/").replace("%2f", "/");
    stage.part(&id).ok_or(Refusal::unknown_model(&id))?;
    Ok(Reply::json(Duration::ZERO, &listed(stage, &id)))
}

fn listed(stage: &Stage, id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 0, "owned_by": &*stage.provider })
}

/// The whole body, or `None` when it is larger than is kept.
async fn read<B>(body: &mut B) -> Result<Option<Bytes>, B::Error>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if whole.len() + data.len() > BODY_LIMIT {
                return Ok(None);
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(Some(whole.freeze()))
}

/// The size of a body that is not kept.
pub(super) async fn count<B>(body: &mut B) -> Result<u64, B::Error>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes += data.len() as u64;
        }
    }
    Ok(bytes)
}
