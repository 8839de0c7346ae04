//! Names, ports and places that pods, charts and policies agree on.

/// What all our labels and annotations begin with.
pub const PREFIX: &str = "pillion.dev/";

/// The label by which a pod asks for the sidecar, or does not want it: `true` or `false`.
pub const INJECT: &str = "pillion.dev/inject";
/// The label of a pod that has the sidecar, for those who select such pods.
pub const INJECTED: &str = "pillion.dev/injected";
/// The annotation of a pod that has been seen to: nothing is done to it again.
pub const STATUS: &str = "pillion.dev/status";
/// What [`STATUS`] then says.
pub const DONE: &str = "injected";

/// Labels that a pod may have, without their prefix.
pub const LABELS: &[&str] = &["inject", "injected", "team", "service", "environment"];
/// Annotations that a pod may have, without their prefix.
pub const ANNOTATIONS: &[&str] = &[
    "profile",
    "config",
    "containers",
    "env-sdks",
    "token-secret",
    "cpu-request",
    "memory-limit",
    "image",
    "native-sidecar",
    "team",
    "service",
    "environment",
    "status",
];

/// The sidecar's container.
pub const CONTAINER: &str = "pillion";
/// Where applications connect.
pub const LISTEN: &str = "127.0.0.1:4100";
/// Where probes and metrics are: the kubelet comes from outside of the pod, by the family of its addresses.
pub const ADMIN: &str = "[::]:4101";
pub const ADMIN_PORT: u16 = 4101;
/// What [`ADMIN_PORT`] is called, for a `PodMonitor`.
pub const ADMIN_PORT_NAME: &str = "pillion-admin";

/// Where the last good central document is kept, and other things that are to outlive a container.
pub const CACHE: Mount = Mount {
    volume: "pillion-cache",
    path: "/var/lib/pillion",
};
/// Where the pod's token for the source and the secret store is.
pub const TOKEN: Mount = Mount {
    volume: "pillion-token",
    path: "/var/run/secrets/pillion.dev",
};
/// The file within [`TOKEN`].
pub const TOKEN_FILE: &str = "/var/run/secrets/pillion.dev/token";
/// Where a `ConfigMap` with a configuration is.
pub const CONFIG: Mount = Mount {
    volume: "pillion-config",
    path: "/etc/pillion/config",
};
/// Where a `ConfigMap` with authorities is.
pub const CA: Mount = Mount {
    volume: "pillion-ca",
    path: "/etc/pillion/ca",
};

/// A volume of ours, and where the sidecar has it.
#[derive(Debug, Clone, Copy)]
pub struct Mount {
    pub volume: &'static str,
    pub path: &'static str,
}
