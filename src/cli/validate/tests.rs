//! What is said of files that are fine, and of those that are not.

use super::*;

fn run(files: &[&str], resolve: bool) -> (String, ExitCode) {
    run_with(files, None, resolve)
}

fn run_with(files: &[&str], central: Option<&str>, resolve: bool) -> (String, ExitCode) {
    let command = Validate {
        files: files.iter().map(PathBuf::from).collect(),
        central: central.map(PathBuf::from),
        resolve,
    };
    let mut out = Vec::new();
    let refuse = |snapshot: &Snapshot, _: &[(String, String)]| {
        let named = snapshot
            .providers
            .values()
            .filter_map(|it| it.secret.clone());
        Ok(named.map(|it| (it, "is not there".to_owned())).collect())
    };
    let nowhere = |_: &Place, _: &[_]| Err("cannot be reached".to_owned());
    let code = command.run(nowhere, refuse, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), code)
}

#[test]
fn a_good_file_is_told_with_its_routes() {
    let (said, code) = run(&["examples/support-chat.yaml"], false);
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    assert!(said.contains("ok: examples/support-chat.yaml"), "{said}");
    assert!(said.contains("  support-chat: openai/"), "{said}");
    assert!(said.contains("(accepts gpt-4o, gpt-4o-mini)"), "{said}");
}

#[test]
fn a_target_without_a_price_is_warned_of() {
    let (said, code) = run(&["examples/local-and-external.yaml"], false);
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    let warning = "models.\"local/qwen3:32b\".price: is not known";
    assert!(said.contains(warning), "{said}");
    assert!(!said.contains("models.\"openai/"), "{said}");
}

#[test]
fn a_rate_that_begins_later_is_missed_until_then() {
    let name = format!("pillion-rates-{:016x}.yaml", fastrand::u64(..));
    let file = std::env::temp_dir().join(name);
    let text = "allow_anonymous: true
currency: KZT
rates: { KZT: { 9999-01: 480 } }
providers: { openai: { kind: openai, secret: env:KEY } }
routes: { r: { targets: [openai/gpt-5-mini] } }
";
    std::fs::write(&file, text).unwrap();
    let (said, code) = run(&[file.to_str().unwrap()], false);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    let hint = "add that month to `rates.KZT`";
    assert!(
        said.contains("models.\"openai/gpt-5-mini\".price: is not known in 2"),
        "{said}"
    );
    assert!(said.contains(hint), "{said}");
}

#[test]
fn a_group_is_told_with_what_chooses_in_it() {
    for (file, told) in [
        (
            "examples/support-chat.yaml",
            "  summaries: [9 azure/gpt-5-mini | 1 openai/gpt-5-mini], openai/gpt-5\n",
        ),
        (
            "examples/reliability.yaml",
            "  summaries: [cheapest of openai/gpt-5-nano | openai/gpt-5-mini], claude/",
        ),
        (
            "examples/reliability.yaml",
            "  support-chat: [fastest of openai/gpt-5-mini | claude/claude-haiku-4-5], openai/",
        ),
    ] {
        let (said, _) = run(&[file], false);
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn the_rules_of_a_route_are_told_with_it() {
    let (said, _) = run(&["examples/rules.yaml"], false);
    for told in [
        "    stays (tag.residency: kz): inside/qwen3-32b, within kz\n",
        "    gold (tag.tier: gold or platinum): openai/gpt-5, claude/claude-sonnet-5\n",
        "    night (time: 22:00 to 07:00 +05:00): inside/qwen3-32b\n",
    ] {
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn the_two_that_belong_together_are_told_apart_and_checked_together() {
    const OWN: &str = "examples/central/local.yaml";
    const CENTRAL: &str = "examples/central/central.yaml";
    let (said, code) = run(&[OWN, CENTRAL], false);
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    for told in [
        "ok: examples/central/local.yaml, whose routes and keys are at https://config.internal/pillion/prod.yaml\n",
        "), a central document\n",
        "  summaries: inside/qwen3-32b, openai/gpt-5-nano\n",
    ] {
        assert!(said.contains(told), "{said}");
    }
    let (said, code) = run_with(&[OWN], Some(CENTRAL), false);
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    assert!(
        said.contains("  support-chat: openai/gpt-5-mini, "),
        "{said}"
    );
    // It is another team's.
    assert!(!said.contains("summaries"), "{said}");
    // What is not its own to say does not count, and it is told so.
    let (said, code) = run_with(&["examples/support-chat.yaml"], Some(CENTRAL), false);
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    let loosened = ": providers: is dropped: it is for the central document to say; ";
    assert!(said.contains(loosened), "{said}");
    assert!(!said.contains("support-chat: "), "{said}");
    let (said, code) = run_with(&[OWN], Some(CENTRAL), true);
    assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
    assert!(said.contains("providers.claude.secret: "), "{said}");
    assert!(!said.contains("providers.inside"), "{said}");
    // Without the document at hand, the one at the source is what counts.
    let (said, code) = run(&[OWN], true);
    assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
    let unreachable = "examples/central/local.yaml: source.url: https://config.internal/pillion/prod.yaml cannot be reached\n";
    assert_eq!(said, unreachable);
}

#[test]
fn a_file_that_is_not_there_is_a_bad_configuration() {
    let (said, code) = run(&["examples/support-chat.yaml", "/no/such.yaml"], false);
    assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
    assert!(said.contains("/no/such.yaml: cannot be read: "), "{said}");
    assert!(said.contains("ok: examples/support-chat.yaml"), "{said}");
}

#[test]
fn secrets_are_read_only_when_asked() {
    let (said, code) = run(&["examples/support-chat.yaml"], true);
    assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
    let problem = "providers.openai.secret: env:OPENAI_API_KEY is not there";
    assert!(said.contains(problem), "{said}");
    assert!(!said.contains("ok:"), "{said}");
}
