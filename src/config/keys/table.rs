//! One line a key: its name, its shape, whether it must be there, and what an editor says of it.
//!
//! Kept from rustfmt, which would give each key six lines.

use crate::config::shape::Presence::{self, Default, Optional, Required};
use crate::config::shape::Shape::{
    self, Address, AnyOf, Bool, Date, Decimal, Duration, DurationOrOff, DurationRange, File, Hash, HashOrPod,
    Integer, List, Map, Percent, PrivateText, PublicKey, Reference, SharedState, Size, SourceUrl,
    Table, Text, Url, Word,
};
use crate::config::shape::Key;
use super::privacy::{ON_ROUTE, PRIVACY};
use super::rules::RULE;

/// The configuration as a whole.
pub(in crate::config) static ROOT: &[Key] = &[
    key("listen", Address, Default("127.0.0.1:4100"), "Where applications connect."),
    key("admin", Address, Default("127.0.0.1:4101"), "Probes, metrics and the page; [::]:4101 inside Kubernetes, which is of IPv4 too."),
    key("admin_token", Reference, Optional, "Where the token is by which others than this machine are told of `/api`, and everybody of a single request: `env:NAME`, `file:/path` or `STORE:path#field`."),
    key("identity", Table(IDENTITY), Optional, "Where this instance runs; written into every record."),
    key("source", Table(SOURCE), Optional, "Where the central document is, which says all the rest; what this file may say beside it, that document's `local_overrides` names."),
    key("cache_dir", File, Optional, "A folder of this sidecar's own, where the last good central document is kept for a restart without its source, and what its budgets have spent."),
    key("pod_key", Hash, Optional, "SHA-256 of this pod's own token, as `pillion inject` sets it by `PILLION_POD_KEY`; the key with `hash: pod` that is for this sidecar's `identity` has it."),
    key("version", Integer { least: 0, most: u64::MAX }, Optional, "Of a central document only: its number, which only grows; needed where `source.verify` asks for a signature, where it names one text."),
    key("audience", AnyOf(&[Text, List { of: &Text, least: 1, most: 1000 }]), Optional, "Of a central document only: for whom it is; a sidecar whose `source.audience` is none of these refuses it."),
    key("allow_rollback", Bool, Default("false"), "Of a central document only: whether it is taken over any higher `version`; not where `source.verify` asks for a signature."),
    key("allow_rollback_from", Integer { least: 0, most: u64::MAX }, Optional, "Of a central document only: the highest `version` that it is taken over although its own is lower."),
    key("rollout", Table(ROLLOUT), Optional, "Of a central document only: which sidecars take it first; absent means all of them at once."),
    key("local_overrides", list(&Text), Optional, "Of a central document only: what a sidecar's own file may set, as paths such as `routes.*.timeout`."),
    key("instances", Integer { least: 1, most: 1_000_000 }, Optional, "How many sidecars there are, where they share no state; and where they do, for one that starts while it is away and has not seen how many."),
    key("body_limit", Size, Default("32MiB"), "The largest request body."),
    key("drain", ANY_SPAN, Default("25s"), "How long requests in flight may take to end after SIGTERM."),
    key("lame_duck", ANY_SPAN, Default("2s"), "How long connections are still accepted after SIGTERM."),
    key("workers", Integer { least: 1, most: 256 }, Default("1"), "Worker threads."),
    key("concurrency", AT_ONCE, Default("1024"), "Requests that are served at once."),
    key("queue", AT_ONCE, Default("1024"), "Requests that may wait until one of those has ended; what comes on top is refused at once."),
    key("connections", AT_ONCE, Default("16384"), "Connections of applications that may be open at once."),
    key("shared_state", SharedState, Optional, "A Redis where the instances of a fleet share what they know; `PILLION_SHARED_STATE` keeps its password out of the file."),
    key("secret_max_stale", SPAN, Default("12h"), "For so long a secret of a store or a file is used after it was last confirmed there."),
    key("secret_stores", Map { name: "store of secrets", of: &Table(SECRET_STORE) }, Optional, "Where secrets are that `STORE:path#field` names."),
    key("hosts", list(&Text), Optional, "`Host` names accepted beside the loopback ones."),
    key("h2c", Bool, Default("false"), "Whether HTTP/2 without TLS is accepted."),
    key("allow_anonymous", Bool, Default("false"), "Whether anyone who can connect may call; on loopback only, and only without `keys`."),
    key("providers", Map { name: "provider", of: &Table(PROVIDER) }, Optional, "Upstream accounts by name."),
    key("models", Map { name: "`provider/model`", of: &Table(MODEL) }, Optional, "Facts about targets."),
    key("model_families", File, Optional, "A TOML file of facts about model families, asked before the built-in one."),
    key("profiles", Map { name: "profile", of: &Table(PROFILE) }, Optional, "Named sets of a route's knobs; `interactive` (the default) and `batch` are built in."),
    key("teams", Map { name: "team", of: &Table(TEAM) }, Optional, "What the keys of a team may use together; a key without a team counts for that of `identity`."),
    key("routes", Map { name: "route", of: &Table(ROUTE) }, Optional, "What applications name in `model`."),
    key("keys", list(&Table(CALLER)), Optional, "The internal keys of applications; `pillion keys new` makes one."),
    key("privacy", Table(PRIVACY), Optional, "How personal data is told; what becomes of it, each route says."),
    key("audit", Table(AUDIT), Optional, "Where audit records go."),
    key("traces", Table(TRACES), Optional, "Where spans of requests and of their attempts are sent, by OTLP over HTTP and as JSON; absent means that there are none."),
    key("currency", Text, Default("USD"), "In which costs are told and prices are written; three letters."),
    key("rates", Map { name: "currency", of: &Map { name: "month such as `2026-11`", of: &MONEY } }, Optional, "What one US dollar comes to in other currencies, by month."),
    key("simulate", Map { name: "simulated provider", of: &Table(SIMULATED) }, Optional, "Simulated providers that this process serves itself."),
];

const IDENTITY: &[Key] = &[
    key("team", Text, Optional, "`$VAR` and `${VAR}` are expanded here."),
    key("service", Text, Optional, "`$VAR` and `${VAR}` are expanded here."),
    key("environment", Text, Optional, "Keys of another environment are refused here; `$VAR` is expanded."),
    key("instance", Text, Optional, "Such as `$POD_NAME`."),
];

const SOURCE: &[Key] = &[
    key("url", SourceUrl, Required, "`https://…`, `file:/path`, `etcd://…`, `consul://…`, `redis://…` or `s3://…`."),
    key("refresh", SPAN, Default("15s"), "How often a source is asked that cannot tell of a change by itself."),
    key("auth", Table(SOURCE_AUTH), Optional, "Who this sidecar is to the source: a token, or a certificate."),
    key("ca", File, Optional, "A PEM file of authorities trusted beside the system's."),
    key("report", SourceUrl, Optional, "Where this sidecar tells every half minute what it runs and what it refused: `https://…`, or `redis://host:6379/0/KEY`."),
    key("audience", Text, Optional, "Whose document it must be: one that does not name this in its own `audience` is refused."),
    key("verify", AnyOf(&[Table(VERIFY), List { of: &Table(VERIFY), least: 1, most: 2 }]), Optional, "Whose signature the document must bear; a list of two while a key is being rotated. Without a `cache_dir` a restart knows no `version` that it must not go below; in a cluster of Redis the key needs a hash tag, so that its signature lies beside it."),
];

const SOURCE_AUTH: &[Key] = &[
    key("token_file", File, Optional, "Holds a bearer token, or what the store has in its place; read anew each time."),
    key("cert", File, Optional, "The client's certificate and its chain, in PEM; `key` belongs to it."),
    key("key", File, Optional, "The private key of `cert`, in PEM."),
];

const VERIFY: &[Key] = &[
    key("key_id", Text, Required, "Names the key in a signature."),
    key("public_key", PublicKey, Required, "An Ed25519 key: its 32 bytes in base64 or hexadecimal, or in PEM."),
];

const ROLLOUT: &[Key] = &[
    key("percent", Percent, Required, "The share of the sidecars that take this version; the others keep the one before."),
    key("salt", Text, Optional, "Another salt chooses others."),
];

const PROVIDER: &[Key] = &[
    key("kind", Word(&["openai", "openai-compatible", "azure", "anthropic", "gemini", "vertex", "bedrock"]), Required, "How the provider is addressed."),
    key("base_url", Url, Optional, "Ends where `/v1` would; every kind but `openai-compatible` and `azure` has a default."),
    key("secret", Reference, Optional, "Where its key is: `env:NAME`, `file:/path` or `STORE:path#field` (may change at run time), `aws` for bedrock, `google` for vertex."),
    key("api_version", Text, Optional, "Azure only: its `api-version`, for the classic form with deployments in the path."),
    key("anthropic_version", Text, Optional, "Anthropic only: its `anthropic-version`; 2023-06-01 when absent."),
    key("project", Text, Optional, "Vertex only: the Google Cloud project."),
    key("location", Text, Optional, "Vertex only: `global`, `us`, `eu` or a region such as `europe-west4`."),
    key("region", Text, Optional, "Bedrock only: the AWS region, such as `eu-central-1`."),
    key("ca", File, Optional, "A PEM file of authorities trusted beside the system's."),
    key("headers", Map { name: "header", of: &PrivateText }, Optional, "Headers sent to this provider beside our own; none that carries a credential."),
    key("responses", Bool, Optional, "Whether it serves `/responses` itself: by default `openai` and `azure` do."),
    key("residency", AnyOf(&[Text, List { of: &Text, least: 1, most: 100 }]), Optional, "Where it is, such as `kz`, or a list of what that is part of; without it, it is nowhere that a `residency` demands."),
    key("capacity", Table(CAPACITY), Optional, "What the account takes; what would be too much goes to the next target before it is refused."),
];

const SECRET_STORE: &[Key] = &[
    key("kind", Word(&["vault", "aws-sm", "aws-ssm"]), Required, "HashiCorp Vault or OpenBao (version 2 of the key-value engine), AWS Secrets Manager, or AWS Systems Manager's Parameter Store."),
    key("address", Url, Optional, "Of a Vault, without `/v1`; of AWS, instead of the region's endpoint."),
    key("ca", File, Optional, "A PEM file of authorities trusted beside the system's."),
    key("refresh", SPAN, Default("5m"), "How often each path is read again, give or take a tenth; a refused key is looked for at once."),
    key("auth", Word(&["token", "approle", "kubernetes", "jwt"]), Optional, "Vault only: how to log in."),
    key("auth_mount", Text, Optional, "Vault only: where that method is mounted; its own name when absent."),
    key("token_file", File, Optional, "Vault only: the token for `token` and `jwt`; for `kubernetes`, another one than the pod's own."),
    key("role", Text, Optional, "Vault only: the role for `kubernetes` and `jwt`."),
    key("role_id", Text, Optional, "Vault only: the role for `approle`."),
    key("secret_id_file", File, Optional, "Vault only: the secret id for `approle`."),
    key("namespace", Text, Optional, "Vault only: its namespace."),
    key("mount", Text, Optional, "Vault only: where the engine is mounted; `secret` when absent."),
    key("region", Text, Optional, "AWS only: the environment's region when absent."),
];

const CAPACITY: &[Key] = &[
    key("rpm", COUNT, Optional, "Requests in a minute."),
    key("tpm", COUNT, Optional, "Tokens in a minute, prompt and completion together."),
    key("concurrency", COUNT, Optional, "Requests at once."),
];

const MODEL: &[Key] = &[
    key("context", COUNT, Optional, "Context length in tokens."),
    key("tools", Bool, Optional, "Whether it takes tools; what is not known, it can."),
    key("images", Bool, Optional, "Whether it sees images."),
    key("json_schema", Bool, Optional, "Whether its answer can be held to a JSON schema."),
    key("stream_usage", Bool, Default("true"), "Whether `stream_options.include_usage` may be added; false for servers that reject it."),
    key("price", Table(PRICE), Optional, "What its tokens cost, in place of the list price; `select: cheapest` goes by it."),
];

const PRICE: &[Key] = &[
    key("input", MONEY, Required, "For a million tokens of prompt, in the currency."),
    key("output", MONEY, Required, "For a million tokens of completion, in the currency."),
    CACHED,
    CACHE_WRITE,
    REASONING,
    AUDIO_INPUT,
    AUDIO_OUTPUT,
    key("long", Table(LONG_PRICE), Optional, "What all tokens of a request cost whose prompt is longer than so many."),
];

const LONG_PRICE: &[Key] = &[
    key("over", COUNT, Required, "Tokens of prompt."),
    key("input", MONEY, Required, "For a million tokens of prompt, in the currency."),
    key("output", MONEY, Required, "For a million tokens of completion, in the currency."),
    CACHED,
    CACHE_WRITE,
    REASONING,
    AUDIO_INPUT,
    AUDIO_OUTPUT,
];

const CACHED: Key = key("cached", MONEY, Optional, "For a million tokens of prompt that came from the provider's cache; as `input` when absent.");
const CACHE_WRITE: Key = key("cache_write", MONEY, Optional, "For a million tokens of prompt that went into the provider's cache; as `input` when absent.");
const REASONING: Key = key("reasoning", MONEY, Optional, "For a million tokens of reasoning; as `output` when absent.");
const AUDIO_INPUT: Key = key("audio_input", MONEY, Optional, "For a million tokens of prompt that are sound; as `input` when absent.");
const AUDIO_OUTPUT: Key = key("audio_output", MONEY, Optional, "For a million tokens of answer that are sound; as `output` when absent.");

const TIMEOUT: Key = key("timeout", SPAN, Optional, "A plain answer whole; a stream until its first event is passed on.");
const FIRST_TOKEN: Key = key("first_token", SPAN, Optional, "A streamed attempt until its first meaningful event.");
const ANSWER: Key = key("answer", SPAN, Optional, "A plain attempt until its whole answer.");
const IDLE: Key = key("idle", SPAN, Optional, "Between two events of a stream.");
const STREAM: Key = key("stream", SPAN, Optional, "A stream from its first passed event to its end.");
const MAX_ATTEMPTS: Key = key("max_attempts", Integer { least: 1, most: 100 }, Optional, "Attempts per request, retries and fallbacks together.");
const RESERVE: Key = key("reserve", Percent, Optional, "The share of what is left of the timeout that an attempt leaves to the next target.");
const WARM: Key = key("warm", Bool, Optional, "Whether a connection to every target is kept open, so that a switch pays no handshake.");
const SLOW_FACTOR: Key = key("slow_factor", Decimal { least: 1, most: 1000 }, Optional, "A target is slow when its recent latency is this many times its usual one.");
const SLOW_FLOOR: Key = key("slow_floor", SPAN, Optional, "A target that answers within this is not slow.");
const BREAKER_OF: Key = key("breaker", Table(BREAKER), Optional, "When a target that fails is left alone, and for how long.");
const HEDGE_OF: Key = key("hedge", AnyOf(&[Word(&["off", "on"]), Table(HEDGE)]), Optional, "Whether a second target is asked when the first keeps silent for unusually long.");
const DEDUPE: Key = key("dedupe", DurationOrOff, Optional, "Identical requests without tools, from one key within so long, are sent once.");

const PROFILE: &[Key] = &[
    TIMEOUT, FIRST_TOKEN, ANSWER, IDLE, STREAM, MAX_ATTEMPTS, RESERVE, WARM,
    SLOW_FACTOR, SLOW_FLOOR, BREAKER_OF, HEDGE_OF, DEDUPE,
];

const BREAKER: &[Key] = &[
    key("failures", Integer { least: 1, most: 1_000_000 }, Optional, "It is left alone after so many failures in a row."),
    key("window", SPAN, Optional, "A failure that comes later than this after the one before begins a new row."),
    key("cooldown", DurationRange, Optional, "For how long: twice as long each time that a probe fails, from the first duration to the second."),
];

const HEDGE: &[Key] = &[
    key("spend", Percent, Default("5%"), "The share of all tokens that may be spent on answers nobody gets."),
];

const ROUTE: &[Key] = &[
    key("accepts", list(&Text), Optional, "Other model strings that mean this route."),
    key("profile", Text, Default("interactive"), "The profile whose knobs this route has, unless it sets its own."),
    key("targets", TARGETS, Required, "The fallback order: `provider/model`, or a group that shares one place."),
    key("rules", List { of: &Table(RULE), least: 0, most: 1000 }, Optional, "Requests that go another way; the first rule that fits decides."),
    key("residency", Text, Optional, "Where its requests must stay: providers of another `residency`, or of none, get none of them."),
    key("privacy", Table(ON_ROUTE), Optional, "What becomes of personal data in its requests."),
    key("content", CONTENT, Optional, "What of its requests and answers is recorded; as `audit.content` says when absent."),
    key("unsupported", Word(&["drop", "reject"]), Default("drop"), "What becomes of fields that a target of another dialect cannot be told."),
    key("expose_model", Bool, Default("false"), "Whether the caller sees the upstream's model name instead of the string it sent."),
    key("on_break", Word(&["error", "continue"]), Default("error"), "What becomes of a stream that breaks off: the caller is told, or another target goes on where the answer is plain text."),
    LIMITS_OF, BUDGET_OF,
    TIMEOUT, FIRST_TOKEN, ANSWER, IDLE, STREAM, MAX_ATTEMPTS, RESERVE, WARM,
    SLOW_FACTOR, SLOW_FLOOR, BREAKER_OF, HEDGE_OF, DEDUPE,
];

pub(super) const TARGETS: Shape = List { of: &AnyOf(&[Text, Table(GROUP)]), least: 1, most: 100 };
const TEAM: &[Key] = &[LIMITS_OF, BUDGET_OF];

const LIMITS_OF: Key = key("limits", Table(LIMITS), Optional, "What may be used in a minute, and at once, by the fleet together.");
const BUDGET_OF: Key = key("budget", Table(BUDGET), Optional, "What may be spent in a day or a month, by the fleet together.");

const LIMITS: &[Key] = &[
    key("rpm", COUNT, Optional, "Requests in a minute."),
    key("tpm", COUNT, Optional, "Tokens in a minute, prompt and completion together."),
    key("concurrency", COUNT, Optional, "Requests at once."),
    key("on_loss", Word(&["open", "closed"]), Default("open"), "While the shared state is away: each sidecar's share holds, or nothing passes."),
];

const BUDGET: &[Key] = &[
    key("amount", MONEY, Required, "In the currency."),
    key("per", Word(&["day", "month"]), Required, "Both begin at 00:00 UTC."),
    key("scope", Word(&["fleet", "pod"]), Default("fleet"), "`pod`: each sidecar has an amount of its own."),
    key("on_loss", Word(&["closed", "open"]), Default("closed"), "While the shared state is away: a small allowance goes out, or each sidecar's share of what was left when that was last known."),
];

const GROUP: &[Key] = &[
    key("any", List { of: &Table(MEMBER), least: 1, most: 100 }, Required, "The targets that share this place."),
    key("select", Word(&["weighted", "fastest", "cheapest"]), Default("weighted"), "How one is chosen for a request: by weight, by the latency expected, or by price."),
];

const MEMBER: &[Key] = &[
    key("to", Text, Required, "`provider/model`."),
    key("weight", Integer { least: 0, most: 1_000_000 }, Optional, "Its share among the weights of the group; 1 when absent."),
];

const CALLER: &[Key] = &[
    key("id", Text, Required, "Names the key in records and metrics."),
    key("hash", AnyOf(&[HashOrPod, List { of: &Hash, least: 1, most: 2 }]), Required, "SHA-256 of the token; a list of two while it is being rotated; `pod` where each pod has a token of its own, whose hash its sidecar has as `PILLION_POD_KEY`."),
    key("team", Text, Optional, "Written into records."),
    key("service", Text, Optional, "Written into records."),
    key("environment", Text, Optional, "Where the key is good; absent means everywhere."),
    key("routes", list(&Text), Optional, "The routes it may use; absent means all."),
    key("default_route", Text, Optional, "Where a model string goes that no route bears."),
    key("passthrough", Text, Optional, "The provider that gets what no route takes."),
    key("expires", Date, Optional, "The first day, in UTC, on which the key is refused."),
    key("residency", Text, Optional, "Where all that it sends must stay."),
    LIMITS_OF, BUDGET_OF,
    key("priority", Word(&["interactive", "batch"]), Default("interactive"), "`batch` takes only the capacity that interactive requests leave."),
];

const AUDIT: &[Key] = &[
    key("to", List { of: &Word(&["stdout", "file", "https", "otlp"]), least: 1, most: 4 }, Optional, "By default those of `file`, `https` and `otlp` that are set, else `stdout`."),
    key("file", File, Optional, "One JSON object a line, one line a request; what is noted of their chain goes to `FILE.heads`."),
    key("fsync", Word(&["always", "interval", "never"]), Default("interval"), "When records are brought to the disk itself: `always` before the last byte of the answer goes out, `interval` within 100 ms."),
    key("rotate", Size, Default("100MB"), "The size at which the file becomes a segment, `FILE.TIME-SEQ`."),
    key("retention", SPAN, Default("90d"), "How old a segment may become."),
    key("compress", Bool, Default("true"), "Whether segments are compressed, to `FILE.TIME-SEQ.gz`."),
    key("required", Bool, Default("false"), "Whether requests are refused while their records cannot be written."),
    key("group", Text, Optional, "The group that may read the file, by name or number; absent means our own."),
    key("content", CONTENT, Default("none"), "What of requests and answers is recorded, on routes that do not say it themselves: nothing, or both with placeholders for all personal data that is found."),
    key("https", Table(COLLECTOR), Optional, "Where records are posted as JSON lines."),
    key("otlp", Table(COLLECTOR), Optional, "Where records are sent as logs of OTLP, over HTTP and as JSON."),
];

// What all collectors have in common, of records and of spans.
const AUTH_OF_COLLECTOR: Key = key("auth", Table(COLLECTOR_AUTH), Optional, "Who this sidecar is to the collector: a token, or a certificate.");
const CA_OF_COLLECTOR: Key = key("ca", File, Optional, "A PEM file of authorities trusted beside the system's.");
const HEADERS_OF_COLLECTOR: Key = key("headers", Map { name: "header", of: &PrivateText }, Optional, "Headers sent beside our own; none that carries a credential.");
const GZIP_OF_COLLECTOR: Key = key("gzip", Bool, Default("false"), "Whether what is sent is compressed.");

const COLLECTOR: &[Key] = &[
    key("url", SourceUrl, Required, "Such as `https://audit.internal/records`; of OTLP what `/v1/logs` follows."),
    AUTH_OF_COLLECTOR,
    CA_OF_COLLECTOR,
    HEADERS_OF_COLLECTOR,
    GZIP_OF_COLLECTOR,
    key("every", SPAN, Default("1s"), "How long records are gathered that are sent together; 500 of them go at once."),
];

const TRACES: &[Key] = &[
    key("url", SourceUrl, Required, "What `/v1/traces` follows, such as `http://otel-collector.internal:4318`."),
    AUTH_OF_COLLECTOR,
    CA_OF_COLLECTOR,
    HEADERS_OF_COLLECTOR,
    GZIP_OF_COLLECTOR,
    key("every", SPAN, Default("5s"), "How long spans are gathered that are sent together; those of 512 requests go at once."),
    key("sample", Percent, Default("100%"), "Of the requests whose caller sends no `traceparent`, so many are told; of the others those that the caller keeps."),
];

const COLLECTOR_AUTH: &[Key] = &[
    key("token_file", File, Optional, "Holds a token; read anew each time."),
    key("header", Text, Optional, "The header that the token goes into as it is, such as `dd-api-key`; absent means `authorization: Bearer`."),
    key("cert", File, Optional, "The client's certificate and its chain, in PEM; `key` belongs to it."),
    key("key", File, Optional, "The private key of `cert`, in PEM."),
];

const SIMULATED: &[Key] = &[
    key("listen", Address, Required, "Where this simulated provider is served."),
    key("models", Map { name: "model", of: &Table(BEHAVIOUR) }, Optional, "How each of its models behaves."),
];

const BEHAVIOUR: &[Key] = &[
    key("first_token", ANY_SPAN, Default("150ms"), "Before the first token."),
    key("pace", ANY_SPAN, Default("15ms"), "Between two tokens."),
    key("tokens", Integer { least: 0, most: 1_000_000 }, Default("24"), "How long the answer is."),
    key("text", Text, Optional, "What it answers."),
    key("tool", Table(TOOL), Optional, "The tool that it calls when the request offers tools."),
    key("rejects", list(&FEATURE), Optional, "What it refuses a request for."),
    key("ignores", list(&FEATURE), Optional, "What it answers as if the request had not asked for it."),
    key("context", Integer { least: 1, most: 100_000_000 }, Optional, "Tokens of prompt beyond which it refuses a request."),
    key("fail", list(&Table(FAULT)), Optional, "How often it fails, and how."),
    key("script", list(&FAULT_CLASS), Optional, "How the next requests end, one word each, before `fail` applies."),
];

const TOOL: &[Key] = &[
    key("name", Text, Required, "The function's name; `*` is the first one offered, with arguments that fit its schema."),
    key("arguments", Text, Default("{}"), "Its arguments, as JSON in text."),
];

const FAULT: &[Key] = &[
    key("class", FAULT_CLASS, Required, "How the request ends."),
    key("share", Percent, Default("100%"), "Of the requests."),
    key("wait", ANY_SPAN, Optional, "The `retry-after` it sends, or how long it stays silent."),
];

const CONTENT: Shape = Word(&["none", "masked"]);

const FEATURE: Shape = Word(&["tools", "json_schema", "stream_usage"]);

const FAULT_CLASS: Shape = Word(&[
    "ok", "connect", "timeout", "reset", "rate_limited", "quota_exhausted", "overloaded",
    "server_error", "broken", "empty", "cut", "auth", "invalid_request", "target_missing",
    "context_length", "policy",
]);

const SPAN: Shape = Duration { zero: false };
const COUNT: Shape = Integer { least: 1, most: u64::MAX };
const AT_ONCE: Shape = Integer { least: 1, most: 1_000_000 };
/// Together with its decimals it has fifteen digits, which a float holds exactly.
const MONEY: Shape = Decimal { least: 0, most: 100_000_000 };
const ANY_SPAN: Shape = Duration { zero: true };

const fn list(of: &'static Shape) -> Shape {
    List { of, least: 0, most: usize::MAX }
}

pub(super) const fn key(name: &'static str, shape: Shape, presence: Presence, help: &'static str) -> Key {
    Key { name, shape, presence, help }
}
