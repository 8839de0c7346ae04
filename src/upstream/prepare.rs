//! A request made ready for one target: its address, its bodies, its headers, everything but the key.

use std::time::SystemTime;

use http::header::HeaderMap;
use http::{Method, Request, Uri};

use super::address::{self, Ask};
use super::body::Outgoing;
use super::credentials::Credential;
use super::send::Call;
use super::{headers, sign};
use crate::chat::{EmbeddingRequest, Surface, Unsupported, embedding};
use crate::dialect::answer::{Part, can_go_on};
use crate::dialect::anthropic::surface::cloud_betas;
use crate::dialect::embed::Embedder;
use crate::dialect::request::{Cloud, Manner, Pieces, encode, unserved};
use crate::dialect::{Dialect, Dropped, Receiver, gemini, support};
use crate::outcome::Failure;
use crate::snapshot::{Kind, OnUnsupported, Target};
use crate::trace::Mark;

/// What is sent, before it is signed.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) dialect: Dialect,
    pub(super) cloud: Cloud,
    pub(super) dropped: Dropped,
    /// One, but for embeddings.
    pub(super) bodies: Vec<Pieces>,
    /// Where vectors are asked for in another dialect than the caller's.
    pub(super) vectors: Option<(Embedder, EmbeddingRequest)>,
    /// Tools that go by another name there, as (ours, theirs).
    pub(super) names: Vec<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
}

impl Call<'_> {
    /// # Errors
    /// What this target cannot be told; another may.
    pub(super) fn prepare(&self, target: &Target) -> Result<Prepared, Unsupported> {
        let request = self.request;
        let surface = request.surface;
        let dialect = target.dialect(surface).ok_or_else(unserved)?;
        let cloud = cloud(&target.provider.kind);
        if self.part == Part::Next && !can_go_on(surface, dialect, cloud) {
            return Err(unserved());
        }
        let ask = match surface {
            Surface::CountTokens => Ask::Count,
            Surface::Embeddings => Ask::Vectors,
            Surface::Chat
            | Surface::Completions
            | Surface::Responses
            | Surface::Messages
            | Surface::Models
            | Surface::Passthrough => Ask::Answer {
                // Who speaks another dialect is always asked for a stream.
                streamed: request.stream || !dialect.is_of(surface),
            },
        };
        let uri = address::of(target, surface, dialect, ask).map_err(|_| {
            Unsupported::parameter("model", "The model's name cannot stand in a URL.")
        })?;
        let openai = matches!(dialect, Dialect::OpenAi | Dialect::Responses);
        let mut headers = headers::judged(self.headers, openai);
        if dialect == Dialect::Anthropic && dialect.is_of(surface) {
            headers::add_anthropic(&mut headers, self.headers);
        } else if cloud == Cloud::Vertex && dialect.is_of(surface) {
            // Bedrock takes them in the body.
            headers::add_betas(&mut headers, cloud_betas(&self.betas()));
        }
        let mut prepared = Prepared {
            dialect,
            cloud,
            dropped: Dropped::new(),
            bodies: Vec::with_capacity(1),
            vectors: None,
            names: Vec::new(),
            uri,
            headers,
        };
        if surface == Surface::Embeddings && !dialect.is_of(surface) {
            self.prepare_vectors(target, &mut prepared)?;
        } else {
            self.prepare_body(target, &mut prepared)?;
        }
        match (self.unsupported, prepared.dropped.first()) {
            (OnUnsupported::Reject, Some(first)) => Err(support::refused(first.clone())),
            (OnUnsupported::Drop, _) | (OnUnsupported::Reject, None) => Ok(prepared),
        }
    }

    fn prepare_body(&self, target: &Target, prepared: &mut Prepared) -> Result<(), Unsupported> {
        let betas = self.betas();
        let manner = Manner {
            dialect: prepared.dialect,
            cloud: prepared.cloud,
            stream_usage: target.stream_usage,
            openai: !matches!(target.provider.kind, Kind::OpenAiCompatible),
            version: self.said("anthropic-version"),
            betas: Some(&*betas).filter(|betas| !betas.is_empty()),
        };
        let to = Receiver {
            id: &target.id,
            model: &target.model,
            facts: &target.facts,
        };
        let (body, dropped) = encode(self.request, &self.meaning, to, manner)?;
        if prepared.dialect == Dialect::Gemini {
            prepared.names = gemini::renamed(self.meaning.of(self.request)?);
        }
        prepared.bodies.push(body);
        prepared.dropped = dropped;
        Ok(())
    }

    fn prepare_vectors(&self, target: &Target, prepared: &mut Prepared) -> Result<(), Unsupported> {
        let embedder = Embedder::of(prepared.dialect, prepared.cloud, &target.model);
        let embedder = embedder.ok_or_else(unserved)?;
        let wanted = embedding::read(&self.request.body)?;
        let (bodies, dropped) = embedder.bodies(&wanted, &target.model)?;
        let bodies = bodies
            .into_iter()
            .map(|body| std::iter::once(body).collect());
        prepared.bodies.extend(bodies);
        prepared.dropped = dropped;
        prepared.vectors = Some((embedder, wanted));
        Ok(())
    }

    /// What the caller wants to try of Anthropic's next version: a list, in whatever headers.
    fn betas(&self) -> String {
        let lines = self.headers.get_all("anthropic-beta").iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        lines.join(",")
    }

    /// What the caller says in a header.
    fn said(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Prepared {
    /// Tells the trace that the attempt is part of, where it has a span of ours.
    pub(super) fn mark(&mut self, mark: Option<Mark>) {
        if let Some(mark) = mark {
            mark.put(&mut self.headers);
        }
    }

    /// One of the requests, with the credential on it.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub(super) fn signed(
        &self,
        body: Pieces,
        target: &Target,
        credential: &Credential,
    ) -> Result<Request<Outgoing>, Failure> {
        let mut request = Request::new(Outgoing::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        sign::sign(
            &mut request,
            &target.provider,
            credential,
            SystemTime::now(),
        )?;
        Ok(request)
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
