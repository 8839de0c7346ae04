//! A target: a model at a provider; and the provider, one upstream account.

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;

use super::BaseUrl;
use crate::chat::Surface;
use crate::dialect::Dialect;
use crate::facts::{Extras, Facts, Families, list_price};
use crate::health::Capacity;
use crate::price::{Exchange, Price};
use crate::secret::Reference;

/// Provider and upstream model: one place that a request may be sent.
#[derive(Debug)]
pub struct Target {
    /// `provider/model`, as written in routes, records and metrics.
    pub id: Arc<str>,
    pub provider: Arc<Provider>,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// The context length in tokens, where the operator declared it.
    pub context: Option<u64>,
    /// Whether `stream_options.include_usage` may be added to a request that did not ask for it.
    pub stream_usage: bool,
    /// What is known of its model's family.
    pub facts: Arc<Facts>,
    pub can: Abilities,
    /// What its tokens cost, where that is known.
    pub price: Option<Price>,
}

/// What the operator says of a target, for or against what is known of its model's family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    pub tools: Option<bool>,
    pub images: Option<bool>,
    pub json_schema: Option<bool>,
}

impl Target {
    /// A target of which nothing is known but what comes with Pillion.
    pub fn new(
        id: impl Into<Arc<str>>,
        provider: Arc<Provider>,
        model: impl Into<Arc<str>>,
    ) -> Self {
        let model = model.into();
        Self {
            id: id.into(),
            provider,
            facts: Families::built_in().of(&model),
            model,
            context: None,
            stream_usage: true,
            can: Abilities::default(),
            price: None,
        }
    }

    /// As people are told of it: one that no configuration names is its provider.
    pub fn told(&self) -> &str {
        match self.id.strip_suffix("/-") {
            Some(provider) if provider == &*self.provider.name => provider,
            _ => &self.id,
        }
    }

    /// With the price of the lists that come with Pillion, where they have one.
    #[must_use]
    pub fn listed(self, exchange: &Exchange) -> Self {
        Self {
            price: self.provider.list_price(&self.model, exchange),
            ..self
        }
    }

    /// What a request of `surface` is written in for this target; `None` where its provider has
    /// nothing like it.
    pub fn dialect(&self, surface: Surface) -> Option<Dialect> {
        let provider = &*self.provider;
        let is_claude = self.facts.extras == Extras::Claude;
        match (&provider.kind, surface) {
            (_, Surface::Models | Surface::Passthrough) => None,
            (
                Kind::OpenAi
                | Kind::OpenAiCompatible
                | Kind::AzureV1
                | Kind::AzureDeployments { .. },
                surface,
            ) => match surface {
                Surface::Responses if provider.responses => Some(Dialect::Responses),
                // It has no count of tokens: they are estimated.
                Surface::CountTokens => None,
                _ => Some(Dialect::OpenAi),
            },
            (_, Surface::Completions) | (Kind::Anthropic, Surface::Embeddings) => None,
            (Kind::Anthropic, _) => Some(Dialect::Anthropic),
            (Kind::Vertex { .. }, surface) if is_claude && surface != Surface::Embeddings => {
                Some(Dialect::AnthropicInCloud)
            }
            (Kind::Gemini | Kind::Vertex { .. }, _) => Some(Dialect::Gemini),
            // Converse takes thinking apart; a caller that speaks Claude's own dialect is spared that.
            (Kind::Bedrock { .. }, Surface::Messages) if is_claude => {
                Some(Dialect::AnthropicInCloud)
            }
            (Kind::Bedrock { .. }, _) => Some(Dialect::Converse),
        }
    }
}

/// One upstream account.
#[derive(Debug)]
pub struct Provider {
    pub name: Arc<str>,
    pub kind: Kind,
    pub base_url: BaseUrl,
    /// Where its key is; some servers inside need none.
    pub secret: Option<Reference>,
    /// A PEM file of authorities trusted for this provider beside the system's.
    pub ca: Option<PathBuf>,
    /// Sent with each request that does not have them already. None of them is a credential.
    pub headers: HeaderMap,
    /// Whether it serves `/responses` itself.
    pub responses: bool,
    /// What the account takes, as declared.
    pub capacity: Capacity,
    /// Where it is, in the operator's words.
    pub residency: Vec<Arc<str>>,
}

impl Provider {
    /// What `model` costs here by the lists that come with Pillion. `None` also where the list is in another
    /// currency than the operator's and there is no rate.
    pub fn list_price(&self, model: &str, exchange: &Exchange) -> Option<Price> {
        let at = |location: &str| format!("vertex:{location}");
        let (place, kind) = match &self.kind {
            Kind::OpenAi => (None, "openai"),
            Kind::OpenAiCompatible => (None, self.base_url.host()),
            Kind::AzureV1 | Kind::AzureDeployments { .. } => (None, "azure"),
            Kind::Anthropic => (None, "anthropic"),
            Kind::Gemini => (None, "gemini"),
            Kind::Vertex { location, .. } => (Some(at(location)), "vertex"),
            Kind::Bedrock { .. } => (None, "bedrock"),
        };
        let places = place.as_deref().into_iter().chain([kind]);
        Price::listed(list_price(places, model)?, exchange)
    }
}

/// How a provider is addressed and what it speaks: the first four speak one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    OpenAi,
    OpenAiCompatible,
    /// Azure's v1 form: `{base}/openai/v1/…`, no `api-version`.
    AzureV1,
    /// Azure's classic form: `{base}/openai/deployments/{model}/…?api-version=…`.
    AzureDeployments {
        api_version: Arc<str>,
    },
    /// Anthropic's own API. Its `anthropic-version` is among the provider's headers.
    Anthropic,
    /// The Gemini API with a key of AI Studio.
    Gemini,
    Vertex {
        project: Arc<str>,
        location: Arc<str>,
    },
    Bedrock {
        /// Where requests are signed for, whatever the URL says.
        region: Arc<str>,
    },
}
