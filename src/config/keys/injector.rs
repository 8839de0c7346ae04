//! The settings of `pillion inject`, one line a key. They are no part of a sidecar's configuration.
//!
//! Kept from rustfmt, which would give each key six lines.

use crate::config::shape::Key;
use crate::config::shape::Presence::{Optional, Required};
use crate::config::shape::Shape::{self, AnyOf, Bool, List, Map, PrivateText, Table, Text, Word};
use crate::kube::{Native, Sdk};
use super::table::key;

/// The settings as a whole.
pub(in crate::config) static INJECTOR: &[Key] = &[
    key("kubernetes_version", Text, Optional, "The API server's, such as `\"1.33\"`: before 1.29 sidecars are classic."),
    key("profiles", Map { name: "profile", of: &Table(PROFILE) }, Optional, "Other settings under names, which a pod chooses from by `pillion.dev/profile`; what one does not say is as it is here."),
    IMAGE, PULL_POLICY, NATIVE, SOURCE, CONFIG_MAP, CA, TOKEN_SECRET, AUDIENCE, ENV_SDKS, TEAM, ENVIRONMENT,
    CPU_REQUEST, CPU_LIMIT, MEMORY_REQUEST, MEMORY_LIMIT, ENV,
];

const PROFILE: &[Key] = &[
    IMAGE, PULL_POLICY, NATIVE, SOURCE, CONFIG_MAP, CA, TOKEN_SECRET, AUDIENCE, ENV_SDKS, TEAM, ENVIRONMENT,
    CPU_REQUEST, CPU_LIMIT, MEMORY_REQUEST, MEMORY_LIMIT, ENV,
];

const IMAGE: Key = key("image", Text, Optional, "The sidecar's image.");
const PULL_POLICY: Key = key("image_pull_policy", Word(&["Always", "IfNotPresent", "Never"]), Optional, "By the cluster's own rule when absent.");
const NATIVE: Key = key("native_sidecar", AnyOf(&[Bool, Word(Native::WORDS)]), Optional, "Whether sidecars are native: `auto` goes by `kubernetes_version`, and without that they are.");
const SOURCE: Key = key("source", Text, Optional, "The URL of the central document.");
const CONFIG_MAP: Key = key("config_map", Text, Optional, "`NAME/KEY` of a ConfigMap beside the pod that holds the sidecar's own file; the key is `pillion.yaml` when absent.");
const CA: Key = key("ca", Text, Optional, "`NAME/KEY` of a ConfigMap with authorities that the source is trusted by; the key is `ca.crt` when absent.");
const TOKEN_SECRET: Key = key("token_secret", Text, Optional, "`NAME/KEY` of a Secret with the application's token; without one each pod has a token of its own.");
const AUDIENCE: Key = key("audience", Text, Optional, "For whom the pod's service-account token is; `pillion` when absent.");
const ENV_SDKS: Key = key("env_sdks", List { of: &Word(Sdk::WORDS), least: 0, most: 10 }, Optional, "The SDKs that are told by variables; all of these when absent.");
const TEAM: Key = key("team", Text, Optional, "The team of pods that name none.");
const ENVIRONMENT: Key = key("environment", Text, Optional, "The environment of pods that name none.");
const CPU_REQUEST: Key = key("cpu_request", AMOUNT, Optional, "`10m` when absent.");
const CPU_LIMIT: Key = key("cpu_limit", AMOUNT, Optional, "None when absent.");
const MEMORY_REQUEST: Key = key("memory_request", AMOUNT, Optional, "`24Mi` when absent.");
const MEMORY_LIMIT: Key = key("memory_limit", AMOUNT, Optional, "`128Mi` when absent; `16Mi` at least.");
const ENV: Key = key("env", Map { name: "variable", of: &AnyOf(&[PrivateText, Table(FROM_SECRET)]) }, Optional, "More variables of the sidecar: a text, or `{ secret: NAME/KEY }`.");

const FROM_SECRET: &[Key] = &[
    key("secret", Text, Required, "`NAME/KEY` of a Secret beside the pod."),
];

const AMOUNT: Shape = Text;
