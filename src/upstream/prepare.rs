//! A request made ready for one target: its address, its body, its headers, everything but the key.

use http::header::HeaderMap;
use http::{Method, Request, Uri};

use super::address::{self, Ask};
use super::body::Outgoing;
use super::send::Call;
use super::{headers, sign};
use crate::chat::{Surface, Unsupported};
use crate::dialect::request::{Cloud, Manner, Pieces, encode};
use crate::dialect::{Dialect, Dropped, Receiver};
use crate::secret::Secret;
use crate::snapshot::{Kind, OnUnsupported, Target};

/// What is sent, before it is signed.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) dialect: Dialect,
    pub(super) cloud: Cloud,
    pub(super) dropped: Dropped,
    uri: Uri,
    headers: HeaderMap,
    body: Pieces,
}

impl Call<'_> {
    /// # Errors
    /// What this target cannot be told; another may.
    pub(super) fn prepare(&self, target: &Target) -> Result<Prepared, Unsupported> {
        let request = self.request;
        let surface = request.surface;
        let Some(dialect) = target.dialect(surface) else {
            return Err(Unsupported::parameter(
                "model",
                "The provider that this route leads to does not serve this endpoint.",
            ));
        };
        let cloud = cloud(&target.provider.kind);
        let manner = Manner {
            dialect,
            cloud,
            stream_usage: target.stream_usage,
            max_completion_tokens: !matches!(target.provider.kind, Kind::OpenAiCompatible),
            betas: self
                .headers
                .get("anthropic-beta")
                .and_then(|value| value.to_str().ok()),
        };
        let to = Receiver {
            id: &target.id,
            model: &target.model,
            facts: &target.facts,
        };
        let (body, dropped) = encode(request, &self.meaning, to, manner)?;
        if self.unsupported == OnUnsupported::Reject
            && let Some(first) = dropped.first()
        {
            return Err(crate::dialect::support::refused(first.clone()));
        }
        let ask = match surface {
            Surface::CountTokens => Ask::Count,
            Surface::Embeddings => Ask::Vectors,
            _ => Ask::Answer {
                // Who speaks another dialect is always asked for a stream.
                streamed: request.stream || !dialect.is_of(surface),
            },
        };
        let uri = address::of(target, surface, dialect, ask).map_err(|_| {
            Unsupported::parameter("model", "The model's name cannot stand in a URL.")
        })?;
        let mut headers = headers::judged(self.headers);
        if dialect == Dialect::Anthropic && dialect.is_of(surface) {
            headers::add_anthropic(&mut headers, self.headers);
        }
        Ok(Prepared {
            dialect,
            cloud,
            dropped,
            uri,
            headers,
            body,
        })
    }
}

impl Prepared {
    /// The request, with the provider's key on it.
    pub(super) fn sign(self, target: &Target, secret: Option<&Secret>) -> Request<Outgoing> {
        let mut request = Request::new(Outgoing::from(self.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        if let Some(secret) = secret {
            sign::sign(request.headers_mut(), &target.provider.kind, secret);
        }
        request
    }
}

fn cloud(kind: &Kind) -> Cloud {
    match kind {
        Kind::Vertex { .. } => Cloud::Vertex,
        Kind::Bedrock { .. } => Cloud::Bedrock,
        Kind::OpenAi
        | Kind::OpenAiCompatible
        | Kind::AzureV1
        | Kind::AzureDeployments { .. }
        | Kind::Anthropic
        | Kind::Gemini => Cloud::None,
    }
}
