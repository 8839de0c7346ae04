//! The providers that are used when their keys are found, and what each is asked for.
//!
//! Names of models are those of the price lists that come with Pillion (`facts/prices.toml`, which says when
//! each was read) where a provider has one there; a test holds them to that.

use crate::facts::list_prices;

/// A provider, as its own documentation has it.
pub(super) struct Vendor {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// The variables that its key is in, the first that is set.
    pub(super) keys: &'static [&'static str],
    pub(super) base_url: BaseUrl,
    /// What the route `chat` asks for.
    pub(super) chat: Model,
    /// What the route `large` asks for.
    pub(super) large: Model,
    /// What the route `embeddings` asks for, where it has that.
    pub(super) embeddings: Option<&'static str>,
    /// Where its prices hold, where they are known.
    pub(super) prices: Option<&'static str>,
}

pub(super) enum BaseUrl {
    /// Its own address, and the variable by which its SDK is told another one.
    Usual(&'static str, Option<Elsewhere>),
    /// There is none but that of the account, in this variable.
    Said(&'static str),
}

/// How an SDK is told another address.
pub(super) struct Elsewhere {
    pub(super) variable: &'static str,
    /// What the SDK puts behind it, and our base URL ends with.
    pub(super) path: &'static str,
}

pub(super) enum Model {
    Known(&'static str),
    /// What one of these variables says.
    Said(&'static [&'static str]),
}

/// In the order in which they fall back.
///
/// Addresses and variables from each vendor's own documentation and SDKs: developers.openai.com/api,
/// platform.claude.com/docs, ai.google.dev/gemini-api/docs, learn.microsoft.com/azure/foundry/openai,
/// docs.mistral.ai, api-docs.deepseek.com, docs.x.ai, console.groq.com/docs/openai, openrouter.ai/docs
/// (read 2026-11).
pub(super) const VENDORS: &[Vendor] = &[
    Vendor {
        name: "openai",
        kind: "openai",
        keys: &["OPENAI_API_KEY"],
        base_url: BaseUrl::Usual(
            "https://api.openai.com/v1",
            Some(Elsewhere {
                variable: "OPENAI_BASE_URL",
                path: "",
            }),
        ),
        chat: Model::Known("gpt-5-mini"),
        large: Model::Known("gpt-5.4"),
        embeddings: Some("text-embedding-3-small"),
        prices: Some("openai"),
    },
    Vendor {
        name: "anthropic",
        kind: "anthropic",
        keys: &["ANTHROPIC_API_KEY"],
        base_url: BaseUrl::Usual(
            "https://api.anthropic.com/v1",
            Some(Elsewhere {
                variable: "ANTHROPIC_BASE_URL",
                path: "/v1",
            }),
        ),
        chat: Model::Known("claude-haiku-4-5"),
        large: Model::Known("claude-sonnet-5"),
        embeddings: None,
        prices: Some("anthropic"),
    },
    Vendor {
        name: "gemini",
        kind: "gemini",
        keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        base_url: BaseUrl::Usual(
            "https://generativelanguage.googleapis.com/v1beta",
            Some(Elsewhere {
                variable: "GOOGLE_GEMINI_BASE_URL",
                path: "/v1beta",
            }),
        ),
        chat: Model::Known("gemini-flash-latest"),
        large: Model::Known("gemini-pro-latest"),
        embeddings: Some("gemini-embedding-001"),
        prices: Some("gemini"),
    },
    Vendor {
        name: "azure",
        kind: "azure",
        keys: &["AZURE_OPENAI_API_KEY"],
        base_url: BaseUrl::Said("AZURE_OPENAI_ENDPOINT"),
        chat: DEPLOYMENT,
        large: DEPLOYMENT,
        embeddings: None,
        prices: None,
    },
    Vendor {
        name: "mistral",
        kind: COMPATIBLE,
        keys: &["MISTRAL_API_KEY"],
        base_url: BaseUrl::Usual("https://api.mistral.ai/v1", None),
        chat: Model::Known("mistral-small-latest"),
        large: Model::Known("mistral-large-latest"),
        embeddings: Some("mistral-embed"),
        prices: Some("api.mistral.ai"),
    },
    Vendor {
        name: "deepseek",
        kind: COMPATIBLE,
        keys: &["DEEPSEEK_API_KEY"],
        base_url: BaseUrl::Usual("https://api.deepseek.com/v1", None),
        chat: Model::Known("deepseek-chat"),
        large: Model::Known("deepseek-v4-pro"),
        embeddings: None,
        prices: Some("api.deepseek.com"),
    },
    Vendor {
        name: "xai",
        kind: COMPATIBLE,
        keys: &["XAI_API_KEY"],
        base_url: BaseUrl::Usual("https://api.x.ai/v1", None),
        chat: Model::Known("grok-4.20"),
        large: Model::Known("grok-4.7"),
        embeddings: None,
        prices: Some("api.x.ai"),
    },
    Vendor {
        name: "groq",
        kind: COMPATIBLE,
        keys: &["GROQ_API_KEY"],
        base_url: BaseUrl::Usual("https://api.groq.com/openai/v1", None),
        chat: Model::Known("llama-3.3-70b-versatile"),
        large: Model::Known("openai/gpt-oss-120b"),
        embeddings: None,
        prices: None,
    },
    Vendor {
        name: "openrouter",
        kind: COMPATIBLE,
        keys: &["OPENROUTER_API_KEY"],
        base_url: BaseUrl::Usual("https://openrouter.ai/api/v1", None),
        chat: Model::Known("openai/gpt-5-mini"),
        large: Model::Known("openai/gpt-5.4"),
        embeddings: None,
        prices: None,
    },
];

const COMPATIBLE: &str = "openai-compatible";

/// A deployment has the name that its account gave it.
const DEPLOYMENT: Model = Model::Said(&["AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_DEPLOYMENT_NAME"]);

/// What of a list is no model that an unchanged script would name, or none for text.
const PASSED_OVER: &[&str] = &["audio", "-beta", "-experimental", "-multi-agent", "-vibe-"];

/// What a model is for, and so which ones are like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Chat,
    Large,
    /// No two are alike: vectors of one mean nothing to another.
    Embeddings,
}

impl Vendor {
    /// The models that it is known to have, by its price list.
    pub(super) fn models(&self) -> Vec<(&'static str, Size)> {
        let Some(place) = self.prices else {
            return Vec::new();
        };
        let output = |model: &Model| match model {
            Model::Known(model) => list_prices(place)
                .find(|(name, _)| name == model)
                .map(|(_, tariff)| u128::from(tariff.rates.output)),
            Model::Said(_) => None,
        };
        let (chat, large) = (output(&self.chat), output(&self.large));
        let limit = chat.zip(large).map(|(chat, large)| chat * large);
        let size = |output: u64| match u128::from(output) {
            0 => Size::Embeddings,
            // Nearer to the one than to the other, by how many times they differ.
            output if limit.is_some_and(|limit| output * output > limit) => Size::Large,
            _ => Size::Chat,
        };
        list_prices(place)
            .filter(|(name, _)| !PASSED_OVER.iter().any(|part| name.contains(part)))
            .map(|(name, tariff)| (name, size(tariff.rates.output)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_vendor_is_asked_for_is_in_its_list() {
        for vendor in VENDORS.iter().filter(|vendor| vendor.prices.is_some()) {
            let models = vendor.models();
            let size = |wanted: &str| {
                let found = models.iter().find(|(name, _)| *name == wanted);
                found.map(|(_, size)| *size)
            };
            for (model, expected) in [(&vendor.chat, Size::Chat), (&vendor.large, Size::Large)] {
                let Model::Known(model) = model else {
                    panic!("{} has a list and no models", vendor.name);
                };
                assert_eq!(size(model), Some(expected), "{model}");
            }
            if let Some(model) = vendor.embeddings {
                assert_eq!(size(model), Some(Size::Embeddings), "{model}");
            }
        }
    }

    #[test]
    fn models_are_alike_by_what_they_cost() {
        let openai = VENDORS[0].models();
        for (model, expected) in [
            ("gpt-4o-mini", Some(Size::Chat)),
            ("gpt-5-nano", Some(Size::Chat)),
            ("gpt-4o", Some(Size::Large)),
            ("o1-pro", Some(Size::Large)),
            ("text-embedding-3-large", Some(Size::Embeddings)),
            ("gpt-audio", None),
        ] {
            let found = openai.iter().find(|(name, _)| *name == model);
            assert_eq!(found.map(|(_, size)| *size), expected, "{model}");
        }
    }
}
