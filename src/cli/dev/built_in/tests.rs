//! What is found makes which configuration.

use super::*;
use crate::config::{Format, Loaded, Sources, load};
use crate::snapshot::{Callers, Snapshot};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4100);

fn known_of(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

fn made(variables: &[(&str, &str)], local: Option<Local>) -> (Snapshot, BuiltIn) {
    let built_in = built_in("t", &known_of(variables), local, LISTEN).unwrap();
    let sources = Sources::from_text(Format::Yaml, built_in.yaml.clone());
    let loaded = load(&sources);
    let Loaded {
        snapshot, warnings, ..
    } = loaded.unwrap_or_else(|problems| panic!("{problems:?}\n{}", built_in.yaml));
    for warning in warnings {
        let said = warning.to_string();
        assert!(said.contains("is the only target"), "{said}");
    }
    (snapshot, built_in)
}

fn targets(snapshot: &Snapshot, model: &str) -> Vec<String> {
    let route = snapshot.route(model);
    let targets = route.iter().flat_map(|route| route.targets());
    targets.map(|target| target.id.to_string()).collect()
}

fn passes_to(snapshot: &Snapshot) -> String {
    let Callers::Keys(keys) = &snapshot.callers else {
        panic!("there are keys");
    };
    let key = keys.values().next().unwrap();
    key.passthrough.as_ref().unwrap().name.to_string()
}

#[test]
fn every_provider_that_has_a_key_is_in_one_configuration() {
    let keys = VENDORS.iter().map(|vendor| (vendor.keys[0], "k"));
    let beside = [
        ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com"),
        ("AZURE_OPENAI_DEPLOYMENT", "mine"),
    ];
    let variables: Vec<_> = keys.chain(beside).collect();
    let (snapshot, built_in) = made(&variables, None);
    assert_eq!(snapshot.providers.len(), VENDORS.len());
    assert_eq!(built_in.notes, [""; 0]);
    let chat = targets(&snapshot, "chat");
    assert_eq!(chat.len(), VENDORS.len());
    assert_eq!(
        chat[..2],
        ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5"]
    );
    assert!(chat.contains(&"azure/mine".to_owned()));
    // What a list knows has its price; so it is current where that is.
    let openai = snapshot.route("chat").unwrap().targets().next().unwrap();
    assert!(openai.price.is_some());
}

#[test]
fn a_model_goes_to_its_own_provider_and_then_to_a_like_one() {
    let keys = [
        ("OPENAI_API_KEY", "sk"),
        ("ANTHROPIC_API_KEY", "sk-ant"),
        ("GOOGLE_API_KEY", "AI"),
    ];
    let (snapshot, built_in) = made(&keys, None);
    for (model, expected) in [
        (
            "gpt-4o-mini",
            &[
                "openai/gpt-4o-mini",
                "anthropic/claude-haiku-4-5",
                "gemini/gemini-flash-latest",
            ][..],
        ),
        (
            "claude-sonnet-4-5-20250929",
            &[
                "anthropic/claude-sonnet-4-5-20250929",
                "openai/gpt-5.4",
                "gemini/gemini-pro-latest",
            ],
        ),
        (
            "gemini-2.5-flash",
            &[
                "gemini/gemini-2.5-flash",
                "openai/gpt-5-mini",
                "anthropic/claude-haiku-4-5",
            ],
        ),
        (
            "large",
            &[
                "openai/gpt-5.4",
                "anthropic/claude-sonnet-5",
                "gemini/gemini-pro-latest",
            ],
        ),
        ("embeddings", &["openai/text-embedding-3-small"]),
        ("gemini-embedding-001", &["gemini/gemini-embedding-001"]),
        ("gpt-image-1", &[]),
    ] {
        assert_eq!(targets(&snapshot, model), expected, "{model}");
    }
    assert_eq!(passes_to(&snapshot), "openai");
    let about = &built_in.about;
    assert!(about.contains("gemini (by GOOGLE_API_KEY)"), "{about}");
    assert!(
        about.contains("chat       openai/gpt-5-mini, then anthropic/"),
        "{about}"
    );
}

#[test]
fn one_provider_alone_has_no_route_that_it_cannot_serve() {
    let (snapshot, _) = made(&[("ANTHROPIC_API_KEY", "sk-ant")], None);
    assert_eq!(targets(&snapshot, "chat"), ["anthropic/claude-haiku-4-5"]);
    assert_eq!(snapshot.routes.len(), 2);
    assert_eq!(passes_to(&snapshot), "anthropic");
}

#[test]
fn a_key_says_where_its_provider_is_as_its_sdk_is_told() {
    let url = |snapshot: &Snapshot, name: &str| snapshot.providers[name].base_url.to_string();
    let keys = [
        ("OPENAI_API_KEY", "sk"),
        ("OPENAI_BASE_URL", "https://llm.internal/openai/v1/"),
        ("ANTHROPIC_API_KEY", "sk"),
        ("ANTHROPIC_BASE_URL", "https://llm.internal/claude"),
        ("GEMINI_API_KEY", "AI"),
        ("GOOGLE_GEMINI_BASE_URL", "https://llm.internal/v1beta"),
    ];
    let (snapshot, _) = made(&keys, None);
    assert_eq!(url(&snapshot, "openai"), "https://llm.internal/openai/v1");
    assert_eq!(
        url(&snapshot, "anthropic"),
        "https://llm.internal/claude/v1"
    );
    assert_eq!(url(&snapshot, "gemini"), "https://llm.internal/v1beta");
    // What was set for an application of this proxy is not the provider's.
    let here = [
        ("OPENAI_API_KEY", "sk"),
        ("OPENAI_BASE_URL", "http://localhost:4100/v1"),
    ];
    let (snapshot, built_in) = made(&here, None);
    assert_eq!(url(&snapshot, "openai"), "https://api.openai.com/v1");
    let notes = built_in.notes.join("\n");
    assert!(notes.contains("OPENAI_BASE_URL is not used"), "{notes}");
}

#[test]
fn what_cannot_be_used_is_said_and_never_shown() {
    for (variables, note) in [
        (
            &[("OPENAI_API_KEY", "pillion_canary")][..],
            "holds a token of Pillion's own",
        ),
        (
            &[("AZURE_OPENAI_API_KEY", "canary")],
            "AZURE_OPENAI_ENDPOINT is not set",
        ),
        (
            &[
                ("AZURE_OPENAI_API_KEY", "canary"),
                ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com"),
            ],
            "AZURE_OPENAI_DEPLOYMENT is not set",
        ),
        (
            &[
                ("OPENAI_API_KEY", "sk"),
                ("OPENAI_BASE_URL", "canary.internal/v1"),
            ],
            "OPENAI_API_KEY is not used: what OPENAI_BASE_URL holds is no URL",
        ),
        (
            &[
                ("AZURE_OPENAI_API_KEY", "canary"),
                ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com"),
                ("AZURE_OPENAI_DEPLOYMENT", "my canary"),
            ],
            "AZURE_OPENAI_DEPLOYMENT has white space in it",
        ),
        (
            &[
                ("AZURE_OPENAI_API_KEY", "canary"),
                ("AZURE_OPENAI_ENDPOINT", "my canary"),
            ],
            "what AZURE_OPENAI_ENDPOINT holds is no URL",
        ),
    ] {
        let (snapshot, built_in) = made(variables, None);
        let said = built_in.notes.join("\n") + &built_in.about + &built_in.yaml;
        assert!(said.contains(note) && !said.contains("canary"), "{said}");
        // It was found.
        let about = &built_in.about;
        assert!(!about.contains("No provider's key"), "{about}");
        // Nothing else was found.
        assert_eq!(
            targets(&snapshot, "chat"),
            ["north/sim-large", "south/sim-small"]
        );
    }
}

#[test]
fn what_is_wrong_with_an_address_is_said_by_its_variable() {
    for (variables, expected) in [
        (
            &[
                ("OPENAI_API_KEY", "sk"),
                ("OPENAI_BASE_URL", "https://u:canary@h/v1"),
            ][..],
            "OPENAI_BASE_URL: holds credentials",
        ),
        (
            &[
                ("OPENAI_API_KEY", "sk"),
                ("OPENAI_BASE_URL", "https://h/v1/chat/completions"),
            ],
            "OPENAI_BASE_URL: goes beyond `/v1`",
        ),
        (
            &[
                ("AZURE_OPENAI_API_KEY", "k"),
                ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com/x"),
                ("AZURE_OPENAI_DEPLOYMENT", "mine"),
            ],
            "AZURE_OPENAI_ENDPOINT: has the path `/x`",
        ),
    ] {
        let built_in = built_in("t", &known_of(variables), None, LISTEN).unwrap();
        let sources = Sources::from_text(Format::Yaml, built_in.yaml.clone());
        let problems = load(&sources).err().unwrap_or_default();
        let told = built_in.told(problems);
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with(expected), "{told:?}");
        assert!(!told.join("\n").contains("canary"), "{told:?}");
    }
}

#[test]
fn a_server_of_ones_own_comes_last() {
    let local = || Local {
        name: "ollama",
        base_url: "http://127.0.0.1:11434/v1".into(),
        models: vec!["qwen3:8b".into(), "gpt-oss:20b".into()],
    };
    let (snapshot, _) = made(&[("ANTHROPIC_API_KEY", "sk")], Some(local()));
    assert_eq!(
        targets(&snapshot, "chat"),
        ["anthropic/claude-haiku-4-5", "ollama/qwen3:8b"]
    );
    assert_eq!(
        targets(&snapshot, "gpt-oss:20b"),
        ["ollama/gpt-oss:20b", "anthropic/claude-haiku-4-5"]
    );
    let (snapshot, built_in) = made(&[], Some(local()));
    assert_eq!(targets(&snapshot, "chat"), ["ollama/qwen3:8b"]);
    assert!(built_in.about.contains("ollama (by OLLAMA_HOST)"));
}
