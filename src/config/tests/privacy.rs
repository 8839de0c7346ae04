//! Personal data: detectors, and what routes do.

use super::*;
use crate::privacy::Classes;
use crate::snapshot::{Content, Privacy, Unscannable};

fn with(detectors: &str, route: &str) -> Sources {
    yaml(&format!(
        "
allow_anonymous: true
privacy: {{ detectors: {{ {detectors} }} }}
providers:
  inside: {{ kind: openai-compatible, base_url: http://127.0.0.1:8000/v1 }}
routes:
  fast: {{ targets: [inside/a, inside/b], {route} }}
"
    ))
}

#[test]
fn a_route_says_what_becomes_of_which_classes() {
    let own = "loan: { pattern: 'LN-\\d+' }";
    let rule = "rules: [{ name: it, when: { pii: [iin, loan] }, targets: [inside/c] }]";
    let route = format!(
        "privacy: {{ observe: [ip], mask: [email, loan], block: [card], unmask: false, unscannable: pass }}, {rule}"
    );
    let snapshot = loaded(&with(own, &route)).snapshot;
    let classes = |names: &[&str]| -> Classes {
        let named = names
            .iter()
            .map(|name| snapshot.detectors.class(name).unwrap());
        named.collect()
    };
    let expected = Privacy {
        observe: classes(&["ip"]),
        mask: classes(&["email", "loan"]),
        block: classes(&["card"]),
        unmask: false,
        unscannable: Unscannable::Pass,
        told: classes(&["iin", "loan"]),
    };
    assert_eq!(snapshot.routes["fast"].privacy, expected);
    let snapshot = loaded(&with("", "privacy: { mask: [email] }")).snapshot;
    let privacy = snapshot.routes["fast"].privacy;
    assert!(privacy.unmask && privacy.refuses() && privacy.looks());
    let snapshot = loaded(&with("", "timeout: 20s")).snapshot;
    assert_eq!(snapshot.routes["fast"].privacy, Privacy::default());
}

#[test]
fn content_is_recorded_where_the_route_says_it_or_all_do() {
    use Content::{Masked, Nothing};
    for (audit, route, expected) in [
        ("", "", Nothing),
        ("audit: { file: /tmp/a }", "", Nothing),
        ("audit: { file: /tmp/a, content: none }", "", Nothing),
        ("audit: { file: /tmp/a, content: masked }", "", Masked),
        (
            "audit: { file: /tmp/a, content: masked }",
            "content: none",
            Nothing,
        ),
        (
            "audit: { file: /tmp/a, content: none }",
            "content: masked",
            Masked,
        ),
        ("audit: { file: /tmp/a }", "content: masked", Masked),
    ] {
        let sources = yaml(&format!(
            "
allow_anonymous: true
{audit}
providers:
  inside: {{ kind: openai-compatible, base_url: http://127.0.0.1:8000/v1 }}
routes:
  fast: {{ targets: [inside/a, inside/b], {route} }}
"
        ));
        let loaded = loaded(&sources);
        let content = loaded.snapshot.routes["fast"].content;
        assert_eq!(content, expected, "{audit} {route}");
        assert_eq!(loaded.warnings, [], "{audit} {route}");
    }
    let told = loaded(&with("", "content: masked")).warnings;
    assert_eq!(
        said(&told),
        [
            " audit: goes to stdout, and routes have content recorded: what reads a container's output may cut such long lines; a `file` or a collector does not"
        ]
    );
    let [problem] = &*refused(&with("", "content: all")) else {
        panic!("one thing is wrong");
    };
    assert!(
        problem.contains("routes.fast.content: `all` is not"),
        "{problem}"
    );
}

#[test]
fn what_is_wrong_about_personal_data_is_told() {
    for (detectors, route, expected) in [
        (
            "loan: { pattern: 'LN-(' }",
            "privacy: { mask: [loan] }",
            &["privacy.detectors.loan: unclosed group"][..],
        ),
        (
            "loan: { pattern: 'x*' }",
            "privacy: {}",
            &["privacy.detectors.loan: the pattern fits the empty text"],
        ),
        (
            "'loan a': { pattern: 'x' }, e-mail_x: {}",
            "privacy: {}",
            &[
                "privacy.detectors.\"loan a\": a name is up to 32 letters",
                "privacy.detectors.e-mail_x.pattern: is missing",
            ],
        ),
        (
            "",
            "privacy: { mask: [emial], block: [loan] }",
            &[
                "routes.fast.privacy.mask[0]: no class of personal data is named `emial`; did you mean `email`?",
                "routes.fast.privacy.block[0]: no class of personal data is named `loan`",
            ],
        ),
        (
            "",
            "privacy: { mask: [email], block: [card, email] }",
            &[
                "routes.fast.privacy.block: `email` is in `mask` already; one thing is done about a class",
            ],
        ),
        (
            "",
            "rules: [{ name: it, when: { pii: [inn] }, targets: [inside/c] }]",
            &[
                "routes.fast.rules[0].when.pii[0]: no class of personal data is named `inn`; did you mean `iin`?",
            ],
        ),
    ] {
        let problems = refused(&with(detectors, route));
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for said in expected {
            let told = problems.iter().any(|problem| problem.contains(said));
            assert!(told, "{said}: {problems:?}");
        }
    }
}
