//! What providers call their errors: the words and phrases that decide, as tables.
//!
//! A *word* is a `code` or a `type`, meant for machines, and decides by itself. A *phrase* is a part
//! of a message, meant for people; it decides only where no word does. The caller can make a provider
//! quote its request in a message. So phrases that would bench a target or an account are looked for
//! at the start of a message, or at a status that quotes nothing.
//! Never here: a status, or the order in which these are asked; both are [`super::judge`](super::judge())'s.
//! All is compared without regard to case; phrases are written in lower case.
//! Sources are named at each row; all were read 2026-11-22.

use super::Class;

/// What each machine word means. The spelling here is the one that records and logs show.
pub(super) const WORDS: &[(&str, Class)] = &[
    // Money. help.openai.com/en/articles/5955604 and OpenAI's guide of error codes: not cured by
    // waiting. `billing_hard_limit_reached` has come with 400.
    ("insufficient_quota", Class::QuotaExhausted),
    ("credit_balance_exhausted", Class::QuotaExhausted),
    ("organization_spend_limit_exceeded", Class::QuotaExhausted),
    ("project_spend_limit_exceeded", Class::QuotaExhausted),
    ("organization_usage_limit_exceeded", Class::QuotaExhausted),
    ("billing_not_active", Class::QuotaExhausted),
    ("billing_hard_limit_reached", Class::QuotaExhausted),
    ("account_deactivated", Class::QuotaExhausted),
    // Anthropic, docs.claude.com/en/api/errors.
    ("billing_error", Class::QuotaExhausted),
    ("ramp_limit_exceeded", Class::QuotaExhausted),
    ("enforced_spend_limit_reached", Class::QuotaExhausted),
    ("contract_spend_limit_reached", Class::QuotaExhausted),
    (
        "linked_organization_spend_limit_reached",
        Class::QuotaExhausted,
    ),
    // Bedrock, botocore's service model.
    ("ServiceQuotaExceededException", Class::QuotaExhausted),
    // Google, `google.api.ErrorReason`: with 403.
    ("BILLING_DISABLED", Class::QuotaExhausted),
    // Content policy. OpenAI images, reasoning models and Responses (openai-python, ResponseErrorCode).
    ("content_policy_violation", Class::Policy),
    ("moderation_blocked", Class::Policy),
    ("invalid_prompt", Class::Policy),
    ("bio_policy", Class::Policy),
    ("misalignment_policy_violation", Class::Policy),
    ("image_content_policy_violation", Class::Policy),
    // Azure's input filter: the outer and the inner code.
    ("content_filter", Class::Policy),
    ("ResponsibleAIPolicyViolation", Class::Policy),
    ("content_filter_policy", Class::Policy),
    // Length. OpenAI; llama.cpp, tools/server; Cohere; Perplexity.
    ("context_length_exceeded", Class::ContextLength),
    ("exceed_context_size_error", Class::ContextLength),
    ("TOO_MANY_TOKENS", Class::ContextLength),
    ("too_many_prompt_tokens", Class::ContextLength),
    // Rates. `slow_down` is about how fast our own traffic rose, so it is a rate even where it
    // comes as 503, as it did before 2026.
    ("slow_down", Class::RateLimited),
    ("rate_limit_exceeded", Class::RateLimited),
    ("rate_limit_error", Class::RateLimited),
    // Mistral; Azure AI Foundry; Gemini; Bedrock.
    ("rate_limited", Class::RateLimited),
    ("RateLimitReached", Class::RateLimited),
    ("RESOURCE_EXHAUSTED", Class::RateLimited),
    ("ThrottlingException", Class::RateLimited),
    // Capacity. OpenAI; Groq flex; Anthropic; llama.cpp; Gemini; Bedrock (which says it with a 429).
    ("server_is_overloaded", Class::Overloaded),
    ("service_unavailable_error", Class::Overloaded),
    ("engine_overloaded", Class::Overloaded),
    ("engine_overloaded_error", Class::Overloaded),
    ("capacity_exceeded", Class::Overloaded),
    ("service_tier_capacity_exceeded", Class::Overloaded),
    ("overloaded_error", Class::Overloaded),
    ("unavailable_error", Class::Overloaded),
    ("UNAVAILABLE", Class::Overloaded),
    ("ServiceUnavailableException", Class::Overloaded),
    ("ModelNotReadyException", Class::Overloaded),
    // Keys. Perplexity has `invalid_api_key` as a type; Gemini hides its own behind a 400.
    ("invalid_api_key", Class::Auth),
    ("authentication_error", Class::Auth),
    ("permission_error", Class::Auth),
    ("API_KEY_INVALID", Class::Auth),
    ("UNAUTHENTICATED", Class::Auth),
    ("PERMISSION_DENIED", Class::Auth),
    // AWS, botocore and the API reference's common errors; some services send them with a 400.
    ("UnrecognizedClientException", Class::Auth),
    ("InvalidSignatureException", Class::Auth),
    ("ExpiredTokenException", Class::Auth),
    ("IncompleteSignatureException", Class::Auth),
    ("MissingAuthenticationTokenException", Class::Auth),
    ("AccessDeniedException", Class::Auth),
    ("unsupported_country_region_territory", Class::Auth),
    // Models. OpenAI (404 on Chat, 400 on Responses); Azure, also in a deployment's first five
    // minutes; Mistral; Bedrock.
    ("model_not_found", Class::TargetMissing),
    ("DeploymentNotFound", Class::TargetMissing),
    ("invalid_model", Class::TargetMissing),
    ("ResourceNotFoundException", Class::TargetMissing),
    // console.groq.com/docs/errors: the model's own tool call did not fit the schema. The request
    // was well formed; an answer was not.
    ("tool_use_failed", Class::Broken),
    ("ModelErrorException", Class::ServerError),
    ("ModelTimeoutException", Class::Timeout),
    // The caller's mistakes, by OpenAI's codes. They decide only inside a 200: elsewhere the status
    // says as much, and a word such as `invalid_request_error` comes with a 401 as well.
    ("unsupported_parameter", Class::InvalidRequest),
    ("unsupported_value", Class::InvalidRequest),
    ("unknown_parameter", Class::InvalidRequest),
    ("invalid_value", Class::InvalidRequest),
    ("invalid_type", Class::InvalidRequest),
    ("empty_array", Class::InvalidRequest),
    ("empty_string", Class::InvalidRequest),
    ("decimal_above_max_value", Class::InvalidRequest),
    ("decimal_below_min_value", Class::InvalidRequest),
    ("integer_below_min_value", Class::InvalidRequest),
    (STRING_TOO_LONG, Class::InvalidRequest),
    ("invalid_function_parameters", Class::InvalidRequest),
    ("invalid_image_url", Class::InvalidRequest),
    ("unsupported_file", Class::InvalidRequest),
    ("missing_required_parameter", Class::InvalidRequest),
    ("previous_response_not_found", Class::InvalidRequest),
    // Types: OpenAI and most others; vLLM; SGLang; llama.cpp.
    ("image_generation_user_error", Class::InvalidRequest),
    ("invalid_request_error", Class::InvalidRequest),
    ("BadRequestError", Class::InvalidRequest),
    ("BadRequest", Class::InvalidRequest),
    // Bedrock.
    ("ValidationException", Class::InvalidRequest),
    (NOT_SUPPORTED, Class::InvalidRequest),
];

/// One field is too long, not the conversation: its message is not asked about length.
pub(super) const STRING_TOO_LONG: &str = "string_above_max_length";

/// llama.cpp's type of a 501.
pub(super) const NOT_SUPPORTED: &str = "not_supported_error";

/// Google: the account lacks something; of what, the message tells. Gemini's free tier in a country
/// where it is not offered says it with 400, and asks to enable billing.
pub(super) const UNMET: &str = "FAILED_PRECONDITION";

/// `OpenRouter`'s limit on what is in flight: a 402 that passes by itself.
pub(super) const IN_FLIGHT_BUDGET: &str = "openrouter_in_flight_budget";

/// Money in prose, for bodies that lost their code: `DeepSeek`; `OpenAI` in early 2023; Fireworks.
/// Gemini says the second of a plain rate limit, and is told apart by its word.
pub(super) const BILLING: &[&str] = &[
    "insufficient balance",
    "exceeded your current quota, please check your plan and billing details",
    "account is suspended",
    "account suspended",
];

/// How a message *starts* that speaks of a day's quota: Bedrock, by the same word as of a minute's.
pub(super) const DAILY: &[&str] = &["too many tokens per day"];

/// Content policy in prose: litellm 1.109.1, `exception_mapping_utils.py`.
pub(super) const POLICY: &[&str] = &[
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "the response was filtered due to the prompt triggering azure openai's content management",
    "your task failed as a result of our safety system",
    "the model produced invalid content",
    "content_filter_policy",
    "your request was rejected as a result of our safety system",
];

/// Length in prose.
pub(super) const CONTEXT: &[&str] = &[
    // OpenAI, vLLM, DeepSeek, OpenRouter, Mistral.
    "maximum context length",
    "exceeds the context window",
    "model's maximum context limit",
    "is longer than the model's context length",
    "input tokens exceed the configured limit",
    // Together, docs.together.ai/docs/error-codes: with 403.
    "must be less than the context length",
    "must be less than the model's context length",
    // llama.cpp: the second for embeddings, with 500.
    "exceeds the available context size",
    "too large to process",
    // Others, by litellm 1.109.1.
    "exceed context limit",
    "current length is",
    "too many tokens: size limit exceeded",
    "`inputs` tokens + `max_new_tokens` must be",
    // Ollama; Perplexity; Anthropic; Gemini; Bedrock.
    "prompt too long; exceeded max context length",
    "total length of all messages is too long",
    "prompt is too long",
    "exceeds the maximum number of tokens allowed",
    "number of input tokens exceeds maximum length",
    "input is too long for requested model",
];

/// Capacity in prose: `OpenAI`; Azure under load; Mistral by litellm; llama.cpp while it loads.
pub(super) const CAPACITY: &[&str] = &[
    "overloaded",
    "at capacity",
    "tier capacity exceeded",
    "experiencing high demand",
    "during peak load",
    "loading model",
];

/// How a message *starts* that refuses the key or the region with a 400: xAI; Gemini, twice.
pub(super) const NOT_ADMITTED: &[&str] = &[
    "incorrect api key provided",
    "api key not valid",
    "user location is not supported",
];

/// How a message *starts* that says the model does not exist, with a 400 or inside a 200:
/// xAI; Venice; `DeepSeek`; Bedrock.
pub(super) const NO_SUCH_MODEL: &[&str] = &[
    "model not found",
    "specified model not found",
    "the supported api model names are",
    "the provided model identifier is invalid",
    // Where only an inference profile leads to it.
    "invocation of model id ",
];

/// How a message *starts* that is about money although its status is 400 and its word the caller's:
/// Anthropic, for a balance that is used up and for a limit that its owner has set
/// (github.com/anthropics/claude-code, 66314 and 38035).
pub(super) const OUT_OF_MONEY: &[&str] = &[
    "your credit balance is too low",
    "you have reached your specified api usage limits",
];

/// How a message *ends* that says that a model does not exist: `OpenRouter`.
pub(super) const NOT_A_MODEL: &str = "is not a valid model id";

/// How a 404 says that a thing is absent; asked only of a message that names a model.
pub(super) const ABSENT: &[&str] = &[
    "not found",
    "does not exist",
    "has been deprecated",
    "not supported",
    "no longer available",
];

/// llama.cpp: what the request needs and the server was not started with, sent as 500 or 501
/// (`tools/server`). Permanent, and caused by the request: no fault of the target's health.
pub(super) const UNSUPPORTED: &[&str] = &[
    "input is not supported",
    "does not support embeddings",
    "requires --jinja flag",
];

/// The class of a machine word, with its spelling in our table.
pub(super) fn known(word: &str) -> Option<(&'static str, Class)> {
    let mut words = WORDS.iter();
    words
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .copied()
}

/// Whether a message, in lower case, has any of these phrases.
pub(super) fn has(phrase: &str, list: &[&str]) -> bool {
    list.iter().any(|part| phrase.contains(part))
}

/// Whether a message, in lower case, starts with any of these phrases.
pub(super) fn starts(phrase: &str, list: &[&str]) -> bool {
    list.iter().any(|part| phrase.starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_one_thing() {
        for (at, (word, _)) in WORDS.iter().enumerate() {
            let twice = WORDS[at + 1..]
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(word));
            assert!(!twice, "{word} is listed twice");
        }
    }

    #[test]
    fn phrases_are_in_lower_case_as_messages_are_when_compared() {
        let lists = [
            BILLING,
            DAILY,
            POLICY,
            CONTEXT,
            CAPACITY,
            NOT_ADMITTED,
            NO_SUCH_MODEL,
            OUT_OF_MONEY,
            &[NOT_A_MODEL],
            ABSENT,
            UNSUPPORTED,
        ];
        for phrase in lists.into_iter().flatten() {
            assert_eq!(*phrase, phrase.to_lowercase());
        }
    }

    #[test]
    fn words_are_known_without_regard_to_case() {
        assert_eq!(
            known("Insufficient_Quota"),
            Some(("insufficient_quota", Class::QuotaExhausted))
        );
        assert_eq!(
            known("deploymentnotfound").map(|(word, _)| word),
            Some("DeploymentNotFound")
        );
        assert_eq!(known("sk-canary"), None);
    }
}
