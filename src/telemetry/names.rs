//! Every metric and label name. Dashboards depend on them: they do not change.
//!
//! Counters are written here without their `_total`, which the encoder appends.

pub const REQUESTS: &str = "pillion_requests";
pub const ATTEMPTS: &str = "pillion_attempts";
pub const BREAKER_STATE: &str = "pillion_breaker_state";
pub const TARGET_OUT_SECONDS: &str = "pillion_target_out_seconds";
pub const FALLBACKS: &str = "pillion_fallbacks";
pub const REJECTIONS: &str = "pillion_rejections";
pub const STREAM_ENDS: &str = "pillion_stream_ends";
pub const JOINS: &str = "pillion_joins";
pub const TOKENS: &str = "pillion_tokens";
pub const COST: &str = "pillion_cost";
pub const PII_FOUND: &str = "pillion_pii_found";
pub const FIRST_TOKEN_SECONDS: &str = "pillion_first_token_seconds";
pub const REQUEST_SECONDS: &str = "pillion_request_seconds";
pub const IN_FLIGHT: &str = "pillion_in_flight";
pub const QUEUE_WAITING: &str = "pillion_queue_waiting";
pub const CONFIG_VERSION: &str = "pillion_config_version";
pub const CONFIG_AGE_SECONDS: &str = "pillion_config_age_seconds";
pub const CONFIG_REFUSALS: &str = "pillion_config_refusals";
pub const CONFIG_STALE: &str = "pillion_config_stale";
pub const CONFIG_SOURCE_UP: &str = "pillion_config_source_up";
pub const CONFIG_SOURCE_AGE_SECONDS: &str = "pillion_config_source_age_seconds";
pub const CONFIG_COPY_FAILURES: &str = "pillion_config_copy_failures";
pub const SECRET_AGE_SECONDS: &str = "pillion_secret_age_seconds";
pub const SECRET_USABLE: &str = "pillion_secret_usable";
pub const LIMIT_REJECTIONS: &str = "pillion_limit_rejections";
pub const BUDGET_REMAINING: &str = "pillion_budget_remaining";
pub const BUDGET_WARNING: &str = "pillion_budget_warning";
pub const AUDIT_RECORDS: &str = "pillion_audit_records";
pub const AUDIT_DROPPED: &str = "pillion_audit_dropped";
pub const AUDIT_SENT: &str = "pillion_audit_sent";
pub const AUDIT_SINK_UP: &str = "pillion_audit_sink_up";
pub const AUDIT_WAITING: &str = "pillion_audit_waiting";
pub const SPANS_SENT: &str = "pillion_spans_sent";
pub const SPANS_DROPPED: &str = "pillion_spans_dropped";
pub const TASKS: &str = "pillion_tasks";
pub const SHARED_STATE_UP: &str = "pillion_shared_state_up";

pub const ROUTE: &str = "route";
pub const KEY: &str = "key";
pub const OUTCOME: &str = "outcome";
pub const STATUS: &str = "status";
pub const TARGET: &str = "target";
pub const CLASS: &str = "class";
pub const REASON: &str = "reason";
pub const FROM: &str = "from";
pub const TO: &str = "to";
pub const KIND: &str = "kind";
pub const CODE: &str = "code";
pub const VERSION: &str = "version";
pub const LIMIT: &str = "limit";
pub const SCOPE: &str = "scope";
pub const PROVIDER: &str = "provider";
pub const SINK: &str = "sink";
pub const CURRENCY: &str = "currency";
