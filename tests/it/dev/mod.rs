//! `pillion dev`: keys that are found, lines that are printed, the application beside.

#![cfg(unix)]

mod application;
mod process;

use std::fs;
use std::net::SocketAddr;

use serde_json::json;

use self::process::{Process, folder};
use crate::support::fixture::{ask, plain, streamed};
use crate::support::upstream::Seen;
use crate::support::wire::{Script, Wire};
use crate::support::{Answer, Client, Folder, Refusing, Reply, Upstream, soon};

/// A provider that answers in whatever it is asked.
fn answering(seen: &Seen) -> Reply {
    Wire::of(seen).reply(Wire::streamed(seen), &Script::text(&["Hello!"]))
}

async fn chat(at: SocketAddr, token: &str, model: &str) -> Answer {
    let body = ask().replace("\"chat\"", &json!(model).to_string());
    let mut client = Client::connect(at).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("connection", "close")];
    client
        .post("/v1/chat/completions", &headers, body.as_bytes())
        .await;
    client.answer().await.rest().await
}

#[tokio::test]
async fn keys_of_a_file_are_providers_and_a_fallback_is_a_line() {
    let refused = Reply::error(429, "requests", Some("rate_limit_exceeded"), "Slow down")
        .header("retry-after", "20");
    let first = Upstream::always(refused).await;
    let second = Upstream::choosing(answering).await;
    let dotenv = format!(
        "# mine\nexport OPENAI_API_KEY='sk-canary-1'\nOPENAI_BASE_URL={}\n\
         ANTHROPIC_API_KEY=\"sk-canary-2\"\nANTHROPIC_BASE_URL={}\n",
        first.base_url(),
        second.root_url()
    );
    let env = [("ANTHROPIC_API_KEY", "sk-canary-3"), ("TZ", "Asia/Almaty")];
    let mut dev = Process::dev(folder(&[(".env", &dotenv)]), &[], &env);
    let first_line = dev.out_line("Taken from .env").await;
    assert_eq!(
        first_line,
        "Taken from .env: OPENAI_API_KEY, OPENAI_BASE_URL, ANTHROPIC_BASE_URL."
    );
    let (at, token) = dev.told().await;
    let answer = chat(at, &token, "gpt-4o-mini").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("Hello!"), "{}", answer.text());
    // The environment's own key goes before the file's, and a file's is a key like any other.
    let asked = first.request(0).await;
    assert_eq!(asked.header("authorization"), Some("Bearer sk-canary-1"));
    let asked = second.request(0).await;
    assert_eq!(asked.header("x-api-key"), Some("sk-canary-3"));
    let line = dev.out_line("→").await;
    let tried =
        "  gpt-4o-mini  openai/gpt-4o-mini 429 rate_limited → anthropic/claude-haiku-4-5 ok  ";
    assert!(line.contains(tried), "{line}");
    assert!(
        line.contains(" in, ") && line.contains(" out  $0."),
        "{line}"
    );

    // Who shows no token is told so, and it is a line.
    assert_eq!(chat(at, "wrong", "chat").await.status, 401);
    let line = dev.out_line("the caller got 401").await;
    assert!(
        line.contains("  not sent  the caller got 401 invalid_api_key  "),
        "{line}"
    );
    dev.signal("INT");
    assert_eq!(dev.code().await, 0);
    let said = dev.out() + &dev.err();
    assert!(!said.contains("canary"), "{said}");
    assert!(!said.contains('\u{1b}'), "no terminal, no colour: {said}");
}

#[tokio::test]
async fn without_a_key_every_model_is_answered() {
    let mut dev = Process::dev(Folder::new(), &[], &[("OPENAI_API_KEY", "")]);
    dev.out_line("No provider's key was found").await;
    let (at, token) = dev.told().await;
    let answer = chat(at, &token, "gpt-of-tomorrow").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    dev.out_line("sim-").await;
    // The terminal is closed.
    dev.signal("HUP");
    assert_eq!(dev.code().await, 0);
}

#[tokio::test]
async fn an_ollama_is_asked_for_its_models() {
    let upstream = Upstream::choosing(|seen| {
        if seen.head.starts_with("GET /v1/models ") {
            Reply::json(json!({ "object": "list", "data": [{ "id": "qwen3:8b" }] }).to_string())
        } else {
            Reply::json(plain("Hello!"))
        }
    })
    .await;
    let host = format!("127.0.0.1:{}", upstream.port());
    let dev = Process::dev(Folder::new(), &[], &[("OLLAMA_HOST", &host)]);
    dev.out_line("Providers: ollama (by OLLAMA_HOST).").await;
    let (at, token) = dev.told().await;
    assert_eq!(chat(at, &token, "chat").await.status, 200);
    dev.out_line("  chat  ollama/qwen3:8b ok  ").await;

    let refusing = Refusing::new();
    let host = refusing.address().to_string();
    let dev = Process::dev(Folder::new(), &[], &[("OLLAMA_HOST", &host)]);
    dev.err_line("OLLAMA_HOST is not used").await;
    dev.out_line("No provider's key was found").await;
}

#[tokio::test]
async fn what_was_exported_for_an_application_is_no_provider() {
    // As whoever has followed the welcome of a proxy, and starts another one in the same shell.
    let env = [
        ("OPENAI_API_KEY", "pillion_canary"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:4100/v1"),
    ];
    let dev = Process::dev(Folder::new(), &[], &env);
    dev.out_line("No provider can be used by the keys that were found")
        .await;
    dev.err_line("it holds a token of Pillion's own").await;
    assert!(!dev.err().contains("canary"));
}

#[tokio::test]
async fn of_a_file_of_variables_only_what_is_used_is_told() {
    let dotenv = "DATABASE_URL=postgres://x\nc2stY2FuYXJ5==\nOPENAI_API_KEY=\nANTHROPIC_API_KEY=sk-ant\nPILLION_TOKEN=t\n";
    let dev = Process::dev(folder(&[(".env", dotenv)]), &[], &[]);
    let line = dev.out_line("aken from .env").await;
    assert_eq!(line, "Taken from .env: ANTHROPIC_API_KEY, PILLION_TOKEN.");
    let dev = Process::dev(folder(&[(".env", "DATABASE_URL=x\n")]), &[], &[]);
    dev.out_line("Nothing was taken from .env").await;
}

#[tokio::test]
async fn who_finds_the_port_taken_is_told_what_to_do_in_words_for_people() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = other.local_addr().unwrap().to_string();
    let ports = ["dev", "--listen", &at, "--admin", "127.0.0.1:0"];
    let mut dev = Process::start(Folder::new(), &ports, &[]);
    assert_eq!(dev.code().await, 1);
    let said = dev.err();
    let why =
        format!("ERROR pillion::cli::dev: cannot listen on {at}: the address is already in use");
    assert!(
        said.contains(&why) && said.contains("`--listen 127.0.0.1:0`"),
        "{said}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_and_so_is_a_token_that_is_none() {
    for (more, why) in [
        (["--env-file", "none.env"], "none.env cannot be read"),
        (
            ["--token-file", "none"],
            "the token's file none cannot be read",
        ),
    ] {
        let mut dev = Process::dev(Folder::new(), &more, &[]);
        assert_eq!(dev.code().await, 78, "{why}");
        assert!(dev.err().contains(why), "{}", dev.err());
    }
    let mut dev = Process::dev(Folder::new(), &["--token", ""], &[]);
    assert_eq!(dev.code().await, 2, "nobody would be let in");
}

#[tokio::test]
async fn a_line_of_variables_that_cannot_be_read_is_left_out_and_said() {
    let text = "sk-canary\nKEY='canary\nANTHROPIC_API_KEY=sk-ant\n";
    for (file, more) in [
        (".env", &[][..]),
        ("other.env", &["--env-file", "other.env"]),
    ] {
        let dev = Process::dev(folder(&[(file, text)]), more, &[]);
        dev.out_line("Providers: anthropic").await;
        for why in [
            "line 1 is left out: it is no `NAME=value`",
            "line 2 is left out: it has a quote that is not closed",
        ] {
            dev.err_line(&format!("{file}, {why}")).await;
        }
        let said = dev.err();
        assert!(!said.contains("canary"), "{said}");
    }
}

#[tokio::test]
async fn a_configuration_is_watched_and_a_broken_one_changes_nothing() {
    let first = Upstream::always(Reply::json(plain("one"))).await;
    let second = Upstream::always(Reply::json(plain("two"))).await;
    let text = |upstream: &Upstream| {
        format!(
            "allow_anonymous: true\nproviders: {{ p: {{ kind: openai-compatible, base_url: \"{}\" }} }}\n\
             routes: {{ chat: {{ targets: [p/m] }} }}\n",
            upstream.base_url()
        )
    };
    let folder = folder(&[("dev.yaml", &text(&first))]);
    let file = folder.file("dev.yaml");
    let dev = Process::dev(folder, &["--config", "dev.yaml"], &[]);
    let (at, token) = dev.told().await;
    assert!(chat(at, &token, "chat").await.text().contains("one"));
    dev.out_line("chat  p/m ok").await;
    fs::write(&file, text(&second).replace("targets", "tragets")).unwrap();
    dev.err_line("did you mean `targets`").await;
    dev.err_line("the last good one stays").await;
    assert!(chat(at, &token, "chat").await.text().contains("one"));
    fs::write(&file, text(&second)).unwrap();
    soon("the new one is live", async {
        while !chat(at, &token, "chat").await.text().contains("two") {}
    })
    .await;
}

#[tokio::test]
async fn records_go_where_a_configuration_says_and_lines_stay_lines() {
    let upstream = Upstream::always(Reply::sse(streamed(&["Hel", "lo!"]))).await;
    let config = |audit: &str| {
        format!(
            "allow_anonymous: true\n{audit}\nproviders: {{ p: {{ kind: openai-compatible, base_url: \"{}\" }} }}\n\
             routes: {{ chat: {{ targets: [p/m] }} }}\n",
            upstream.base_url()
        )
    };
    // What is on stdout behind the welcome: lines for people, or records; and what the file has.
    for (audit, more, is_readable, has_file) in [
        ("", &[][..], true, false),
        ("", &["--json"][..], false, false),
        ("audit: { to: [stdout] }", &[], false, false),
        ("audit: { file: audit.jsonl }", &[], true, true),
    ] {
        let folder = folder(&[("dev.yaml", &config(audit))]);
        let file = folder.file("audit.jsonl");
        let arguments = [&["--config", "dev.yaml"], more].concat();
        let mut dev = Process::dev(folder, &arguments, &[]);
        let welcome = if more.is_empty() {
            dev.told().await.0
        } else {
            let line = dev.err_line("OPENAI_BASE_URL=").await;
            let (_, url) = line.split_once("http://").unwrap();
            url.split('/').next().unwrap().parse().unwrap()
        };
        let mut client = Client::connect(welcome).await;
        let body = json!({ "model": "chat", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
        client
            .post(
                "/v1/chat/completions",
                &[("connection", "close")],
                body.to_string().as_bytes(),
            )
            .await;
        assert_eq!(client.answer().await.rest().await.status, 200);
        dev.signal("TERM");
        assert_eq!(dev.code().await, 0);
        let out = dev.out();
        let line = out
            .lines()
            .any(|line| line.contains("chat  p/m ok  first token "));
        let record = out
            .lines()
            .any(|line| line.starts_with("{\"kind\":\"pillion.audit\""));
        assert_eq!(
            (line, record),
            (is_readable, !is_readable),
            "{audit} {more:?}: {out}"
        );
        if more == ["--json"] {
            assert!(out.lines().all(|line| line.starts_with('{')), "{out}");
        }
        assert_eq!(file.exists(), has_file, "{audit}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_page_is_opened_and_told_where_it_cannot_be() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder(&[(
        "xdg-open",
        "#!/bin/sh\nprintf 'opened %s\\n' \"$1\" > said.part\nmv said.part said\n",
    )]);
    let opener = folder.file("xdg-open");
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.file("").display());
    let said = folder.file("said");
    let dev = Process::dev(folder, &["--ui"], &[("PATH", &path)]);
    let line = dev.out_line("What goes on: ").await;
    let page = line.split_whitespace().nth(3).unwrap().to_owned();
    let found = soon("the page is opened", async {
        loop {
            if let Ok(said) = fs::read_to_string(&said) {
                return said;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(found.await, format!("opened {page}\n"));

    let dev = Process::dev(Folder::new(), &["--ui"], &[("PATH", "/nowhere")]);
    dev.err_line("there is no xdg-open").await;
    dev.out_line("What goes on: http://").await;
}
