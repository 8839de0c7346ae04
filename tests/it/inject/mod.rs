//! Pods that get the sidecar: in manifests, and by the webhook.

mod webhook;

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::fixture::{ask, plain};
use crate::support::{Centre, Folder, Gateway, Program, Reply, Upstream, program};

const SETTINGS: &str = "examples/inject/settings.yaml";
const DEPLOYMENT: &str = "examples/inject/deployment.yaml";

/// What `pillion inject` comes to with this on stdin: its exit code, and what it printed and said.
fn inject(arguments: &[&str], text: &str) -> (i32, String, String) {
    let mut child = Command::new(program())
        .arg("inject")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses its settings does not read.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "chat-0", "labels": { "app": "chat" } },
        "spec": { "containers": [{ "name": "app", "image": "chat:1" }] },
    })
}

/// The value of a variable of a container.
fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let all = container["env"].as_array()?;
    all.iter().find(|it| it["name"] == name)?["value"].as_str()
}

#[test]
fn a_manifest_is_injected_once() {
    let arguments = ["--config", SETTINGS, "-f", DEPLOYMENT];
    let (code, printed, said) = inject(&arguments, "");
    assert_eq!(code, 0, "{said}");
    for part in [
        "- name: pillion\n",
        "restartPolicy: Always\n",
        "image: registry.internal/pillion:0.1.0\n",
        "value: https://config.internal/pillion/prod.yaml\n",
        "pillion.dev/status: injected\n",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    let (code, again, said) = inject(&["--config", SETTINGS, "-f", "-"], &printed);
    assert_eq!((code, again), (0, printed));
    assert!(
        said.contains("WARN") && said.contains("nothing was injected"),
        "{said}"
    );
}

#[test]
fn a_manifest_without_pods_is_printed_and_told() {
    let text = "kind: ConfigMap\napiVersion: v1\n";
    let (code, printed, said) = inject(&["--config", SETTINGS, "-f", "-"], text);
    assert_eq!((code, printed.as_str()), (0, text));
    assert!(
        said.contains("WARN") && said.contains("nothing was injected"),
        "{said}"
    );
}

#[test]
fn nothing_is_printed_of_what_is_wrong() {
    let (code, printed, said) = inject(&["-f", DEPLOYMENT], "");
    assert_eq!((code, printed.as_str()), (1, ""));
    assert!(said.contains("pillion.dev/config]: is missing"), "{said}");

    let text = pod().to_string().replace(
        "\"labels\"",
        "\"annotations\": { \"pillion.dev/imgae\": \"x\" }, \"labels\"",
    );
    let (code, printed, said) = inject(&["--config-map", "c", "-f", "-", "-f", DEPLOYMENT], &text);
    assert_eq!((code, printed.as_str()), (1, ""));
    assert!(said.contains("did you mean `pillion.dev/image`?"), "{said}");

    let (code, _, said) = inject(&["--config-map", "A", "-f", "-"], "");
    assert_eq!(code, 78);
    assert!(
        said.contains("command line: config_map: `A` is not"),
        "{said}"
    );
    let (code, _, said) = inject(&[], "");
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("--filename <FILE>|--tls-cert <FILE>"),
        "{said}"
    );
}

#[tokio::test]
async fn an_injected_sidecar_follows_its_source_and_knows_its_pods_token() {
    let provider = Upstream::always(Reply::json(plain("hello"))).await;
    let document = format!(
        "version: 1
providers: {{ first: {{ kind: openai-compatible, base_url: \"{}\" }} }}
routes: {{ chat: {{ targets: [first/m] }} }}
keys:
  - {{ id: chat-pods, hash: pod, service: chat, routes: [chat] }}
  - {{ id: other-pods, hash: pod, service: other }}
",
        provider.base_url()
    );
    let centre = Centre::with(document).await;
    let pod = pod().to_string();
    let (code, printed, said) = inject(&["-o", "json", "--source", &centre.url(), "-f", "-"], &pod);
    assert_eq!(code, 0, "{said}");
    let pod: Value = serde_json::from_str(&printed).unwrap();
    let sidecar = &pod["spec"]["initContainers"][0];

    let folder = Folder::new();
    let args = sidecar["args"].as_array().unwrap().iter();
    let args: Vec<_> = args.map(|it| it.as_str().unwrap().to_owned()).collect();
    let env = sidecar["env"].as_array().unwrap().iter().map(|it| {
        let name = it["name"].as_str().unwrap();
        let value = match name {
            // What the kubelet fills in, and what a pod has for itself.
            "POD_NAME" => "chat-0".to_owned(),
            "PILLION_LISTEN" | "PILLION_ADMIN" => "127.0.0.1:0".to_owned(),
            "PILLION_CACHE_DIR" => folder.file("cache").display().to_string(),
            _ => it["value"].as_str().unwrap_or("unknown").to_owned(),
        };
        (name.to_owned(), value)
    });
    let env: Vec<_> = env.collect();
    let mut gateway = Gateway::of(&args, &env, folder).await.serving().await;

    let app = &pod["spec"]["containers"][0];
    assert_eq!(
        variable(app, "OPENAI_BASE_URL"),
        Some("http://127.0.0.1:4100/v1")
    );
    let token = variable(app, "OPENAI_API_KEY").unwrap();
    for (token, status) in [(token, 200), ("pillion_another", 401)] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let answer = gateway.post("/v1/chat/completions", &headers, &ask()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let shown = gateway.ask_admin("/api/config").await.json();
    assert_eq!(shown["config"]["identity"]["instance"], "chat-0");
    assert_eq!(shown["config"]["keys"][0]["id"], "chat-pods");
    assert_eq!(shown["config"]["keys"].as_array().unwrap().len(), 1);
    assert!(!shown.to_string().contains(token));
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
}

/// Checks manifests against the schemas of Kubernetes' API.
const VALIDATE: Program = Program {
    variable: "PILLION_TEST_KUBERNETES_VALIDATE",
    names: &["kubernetes-validate"],
    version: "--version",
};

#[test]
fn what_is_printed_is_valid_for_each_api_server() {
    let Some(validate) = VALIDATE.find() else {
        return;
    };
    let template = json!({
        "metadata": { "labels": { "app": "x" } },
        "spec": {
            "containers": [{ "name": "app", "image": "x", "env": [{ "name": "HTTP_PROXY", "value": "p" }] }],
            "initContainers": [{ "name": "migrate", "image": "x" }],
        },
    });
    let job = json!({ "template": {
        "metadata": template["metadata"],
        "spec": { "restartPolicy": "Never", "containers": template["spec"]["containers"] },
    } });
    let selector = json!({ "matchLabels": { "app": "x" } });
    let object = |version: &str, kind: &str, spec: Value| {
        json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "x" }, "spec": spec })
            .to_string()
    };
    let workload = json!({ "selector": selector, "template": template });
    let set = json!({ "selector": selector, "template": template, "serviceName": "x" });
    let lasting = [
        object("v1", "Pod", template["spec"].clone()),
        object("apps/v1", "Deployment", workload.clone()),
        object("apps/v1", "ReplicaSet", workload.clone()),
        object("apps/v1", "DaemonSet", workload),
        object("apps/v1", "StatefulSet", set),
    ];
    let ending = [
        object("batch/v1", "Job", job.clone()),
        object(
            "batch/v1",
            "CronJob",
            json!({ "schedule": "* * * * *", "jobTemplate": { "spec": job } }),
        ),
    ];
    let native: Vec<_> = lasting.iter().chain(&ending).cloned().collect();
    let folder = Folder::new();
    let file = folder.file("injected.yaml");
    for (objects, native) in [(native, "true"), (lasting.to_vec(), "false")] {
        let arguments = [
            "--config",
            SETTINGS,
            "--config-map",
            "own",
            "--native-sidecar",
            native,
            "-f",
            "-",
        ];
        let (code, printed, said) = inject(&arguments, &objects.join("\n---\n"));
        assert_eq!(code, 0, "{said}");
        std::fs::write(&file, printed).unwrap();
        for version in ["1.29", "1.33", "1.37"] {
            let checked = Command::new(&validate)
                .args(["--strict", "-k", version])
                .arg(&file)
                .output()
                .unwrap();
            let said = [checked.stdout, checked.stderr].concat();
            assert!(
                checked.status.success(),
                "{version}: {}",
                String::from_utf8_lossy(&said)
            );
        }
    }
}
