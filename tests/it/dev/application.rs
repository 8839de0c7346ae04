//! `-- CMD…`: what the application is told, and how both end.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::Value;

use super::process::{Process, folder};
use super::{answering, chat};
use crate::support::{Folder, Upstream, program};

/// Tells what it was told, and ends with 7 when its input does.
const TELLS: &str = "env | grep -e ^OPENAI -e ^ANTHROPIC; cat; exit 7";

#[tokio::test]
async fn an_application_is_told_of_us_alone_and_its_code_is_ours() {
    let upstream = Upstream::choosing(answering).await;
    let dotenv = format!(
        "ANTHROPIC_API_KEY=sk-canary-1\nANTHROPIC_BASE_URL={}\nDATABASE=canary\n",
        upstream.root_url()
    );
    let env = [
        ("MISTRAL_API_KEY", "sk-canary-2"),
        ("PILLION_TOKEN", "mine"),
        ("KEPT", "kept"),
    ];
    let command = ["--", "sh", "-c", "env; cat; exit 7"];
    let mut dev = Process::dev(folder(&[(".env", &dotenv)]), &command, &env);
    let (at, token) = dev.told().await;
    assert_eq!(token, "mine");
    dev.out_line("KEPT=kept").await;
    let root = dev.out_line("ANTHROPIC_BASE_URL=").await;
    assert_eq!(root, format!("ANTHROPIC_BASE_URL=http://{at}"));
    assert_eq!(chat(at, &token, "claude-sonnet-5").await.status, 200);
    let line = dev.err_line("anthropic/claude-sonnet-5 ok").await;
    assert!(line.contains("  claude-sonnet-5  "), "{line}");
    dev.close_stdin();
    assert_eq!(dev.code().await, 7);
    // stdout is the application's, and nobody has seen a key.
    let (out, err) = (dev.out(), dev.err());
    assert!(out.lines().all(|line| line.contains('=')), "{out}");
    assert!(
        !out.contains("canary") && !err.contains("canary"),
        "{out}\n{err}"
    );
    assert!(
        !out.contains("MISTRAL") && !out.contains("PILLION"),
        "{out}"
    );
}

#[tokio::test]
async fn a_configuration_of_ones_own_gives_the_application_no_key_either() {
    let config = "allow_anonymous: true\nproviders: { p: { kind: openai-compatible, base_url: \"http://127.0.0.1:9/v1\" } }\n\
                  routes: { chat: { targets: [p/m] } }\n";
    let arguments = ["--config", "dev.yaml", "--", "env"];
    let env = [
        ("GEMINI_API_KEY", "canary"),
        ("KEPT", "kept"),
        ("NOTIFY_SOCKET", "/nowhere/canary"),
    ];
    let mut dev = Process::dev(folder(&[("dev.yaml", config)]), &arguments, &env);
    dev.out_line("KEPT=kept").await;
    assert_eq!(dev.code().await, 0);
    assert!(!dev.out().contains("canary"), "{}", dev.out());
}

#[tokio::test]
async fn for_programs_all_that_is_ours_is_json() {
    let arguments = ["--json", "--", "sh", "-c", TELLS];
    let env = [("AZURE_OPENAI_API_KEY", "canary")];
    let mut dev = Process::dev(Folder::new(), &arguments, &env);
    let (at, token) = dev.told().await;
    assert_eq!(chat(at, &token, "chat").await.status, 200);
    dev.close_stdin();
    assert_eq!(dev.code().await, 7);
    let said = dev.err();
    let is_object = |line| serde_json::from_str::<serde_json::Map<_, Value>>(line).is_ok();
    assert!(said.lines().all(is_object), "{said}");
    let listen = format!("\"listen\":\"{at}\"");
    for part in [&listen, "AZURE_OPENAI_API_KEY is not used", "pillion.audit"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn signals_are_the_applications_and_so_is_what_they_end_with() {
    for (script, signal, code) in [
        ("echo up; exec sleep 1000", "TERM", 128 + 15),
        ("echo up; exec sleep 1000", "INT", 128 + 2),
        ("echo up; exec sleep 1000", "HUP", 128 + 1),
        ("echo up; exec sleep 1000", "QUIT", 128 + 3),
        ("echo up; exec sleep 1000", "USR1", 128 + 10),
        ("echo up; exec sleep 1000", "USR2", 128 + 12),
        (
            "trap 'kill $!; exit 9' TERM; sleep 1000 & echo up; wait",
            "TERM",
            9,
        ),
    ] {
        let mut dev = Process::dev(Folder::new(), &["--", "sh", "-c", script], &[]);
        dev.out_line("up").await;
        dev.signal(signal);
        assert_eq!(dev.code().await, code, "{script}: {signal}");
    }
    // A sidecar has no other use for one, either.
    let upstream = Upstream::choosing(answering).await;
    let waits = ["--", "sh", "-c", "echo up; exec sleep 1000"];
    for (signal, code) in [("HUP", 128 + 1), ("USR1", 128 + 10)] {
        let mut run = run(&upstream, "allow_anonymous: true", &waits, &[]);
        run.out_line("up").await;
        run.signal(signal);
        assert_eq!(run.code().await, code, "{signal}");
    }
    // One that ends itself.
    let mut dev = Process::dev(Folder::new(), &["--", "sh", "-c", "kill -9 $$"], &[]);
    assert_eq!(dev.code().await, 128 + 9);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn under_nohup_a_closed_terminal_ends_nobody() {
    let inner = format!(
        "trap '' HUP; exec '{}' dev --listen 127.0.0.1:0 --admin 127.0.0.1:0 -- sh -c 'echo up; exec sleep 1000'",
        program().display()
    );
    let mut dev = Process::dev(Folder::new(), &["--", "sh", "-c", &inner], &[]);
    dev.out_line("up").await;
    dev.signal("HUP");
    dev.signal("TERM");
    assert_eq!(dev.code().await, 128 + 15);
}

#[tokio::test]
async fn an_application_that_cannot_be_run_is_told_as_a_shell_does() {
    let mut dev = Process::dev(Folder::new(), &["--", "no-such-program", "x"], &[]);
    assert_eq!(dev.code().await, 127);
    let said = dev.err();
    assert!(
        said.contains("`no-such-program` is no program that can be found"),
        "{said}"
    );
    let mut dev = Process::dev(folder(&[("text", "x")]), &["--", "./text"], &[]);
    assert_eq!(dev.code().await, 126);
}

#[tokio::test]
async fn without_a_proxy_there_is_no_application() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let mark = folder.file("started");
    let arguments = [
        "dev",
        "--listen",
        &at,
        "--admin",
        "127.0.0.1:0",
        "--",
        "touch",
        "started",
    ];
    let mut dev = Process::start(folder, &arguments, &[]);
    assert_eq!(dev.code().await, 1);
    assert!(dev.err().contains("cannot listen"), "{}", dev.err());
    assert!(!mark.exists());
}

#[tokio::test]
async fn several_at_once_have_a_port_each() {
    // Whoever has the usual ports, they or others.
    let mut all: Vec<_> = (0..6)
        .map(|_| {
            let words = ["dev", "--", "sh", "-c", TELLS];
            Process::start(Folder::new(), &words, &[])
        })
        .collect();
    let mut ports = BTreeSet::new();
    for dev in &all {
        let (at, token) = dev.told().await;
        assert_eq!(chat(at, &token, "chat").await.status, 200);
        ports.insert(at);
    }
    assert_eq!(ports.len(), all.len());
    for dev in &mut all {
        dev.close_stdin();
        assert_eq!(dev.code().await, 7);
    }
}

#[tokio::test]
async fn an_application_that_was_never_started_has_not_gone_well() {
    let source = "admin: 127.0.0.1:0\nsource: { url: \"http://127.0.0.1:1/central.yaml\" }\n";
    for (signal, more, code) in [
        ("TERM", &["--", "touch", "started"][..], 128 + 15),
        ("INT", &["--", "touch", "started"], 128 + 2),
        ("TERM", &[], 0),
    ] {
        let folder = folder(&[("pillion.yaml", source)]);
        let arguments = [&["run", "--config", "pillion.yaml"], more].concat();
        let mut run = Process::start(folder, &arguments, &[("PILLION_TOKEN", "mine")]);
        run.err_line("following a central document").await;
        run.signal(signal);
        assert_eq!(run.code().await, code, "{signal}");
        assert!(!run.folder.file("started").exists());
    }
}

/// `pillion run` on free ports, with these `keys`.
fn run(upstream: &Upstream, keys: &str, more: &[&str], env: &[(&str, &str)]) -> Process {
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n{keys}\n\
         providers: {{ p: {{ kind: openai, base_url: \"{}\", secret: env:TEAM_KEY }} }}\n\
         routes: {{ chat: {{ targets: [p/m] }} }}\n",
        upstream.base_url()
    );
    let folder = folder(&[("pillion.yaml", &text), ("token", "mine\n")]);
    let arguments = ["run", "--config", "pillion.yaml"];
    let env = [&[("TEAM_KEY", "sk-canary")], env].concat();
    Process::start(folder, &[&arguments, more].concat(), &env)
}

/// A key whose token is `mine`.
const MINE: &str = "keys: [{ id: app, hash: \"sha256:3fd30542fe3f61b14bd4a4b2dc0b6fb30fa6f63ebce52dd1778aaa8c4dc02cff\" }]";

#[tokio::test]
async fn a_sidecar_starts_the_application_with_a_token_that_is_good() {
    let upstream = Upstream::choosing(answering).await;
    for (keys, more, env) in [
        (MINE, &[][..], &[("PILLION_TOKEN", "mine")][..]),
        (MINE, &["--token-file", "token"], &[]),
        ("keys: [{ id: app, hash: pod }]", &[], &[]),
        ("allow_anonymous: true", &[], &[]),
    ] {
        let arguments = [more, &["--", "sh", "-c", TELLS]].concat();
        let mut run = run(&upstream, keys, &arguments, env);
        let (at, token) = run.told().await;
        let answer = chat(at, &token, "chat").await;
        assert_eq!(answer.status, 200, "{keys}: {}", answer.text());
        run.close_stdin();
        assert_eq!(run.code().await, 7, "{keys}");
        // Its records are not among the application's output.
        let (out, err) = (run.out(), run.err());
        assert!(
            !out.contains("pillion.audit") && !out.contains("canary"),
            "{out}"
        );
        let record = format!("\"id\":\"{}\"", answer.id());
        assert!(err.lines().any(|line| line.contains(&record)), "{err}");
    }
}

#[tokio::test]
async fn an_application_without_a_token_is_not_started() {
    let upstream = Upstream::choosing(answering).await;
    let no_token =
        "there is no token for the application: give one by --token-file FILE or PILLION_TOKEN";
    for (keys, more, env, why) in [
        (MINE, &[][..], &[][..], no_token),
        (
            MINE,
            &[],
            &[("PILLION_TOKEN", "canary")],
            "opens no key of the configuration",
        ),
        (
            MINE,
            &["--token-file", "none"],
            &[],
            "the token's file none cannot be read",
        ),
        (
            "keys: [{ id: app, hash: pod, team: other }]",
            &[],
            &[],
            no_token,
        ),
    ] {
        let arguments = [more, &["--", "touch", "started"]].concat();
        let mut run = run(&upstream, keys, &arguments, env);
        assert_eq!(run.code().await, 78, "{why}");
        let said = run.err();
        assert!(said.contains(why) && !said.contains("canary"), "{said}");
        assert!(!run.folder.file("started").exists());
    }
    let mut run = run(&upstream, MINE, &["--token-file", "token"], &[]);
    assert_eq!(
        run.code().await,
        2,
        "a token is for an application that is started"
    );
}
