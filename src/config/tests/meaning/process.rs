//! Where the process listens and under which names, where its audit goes, and what it simulates.

use super::*;
use crate::collect::Kind;
use crate::record::{AuditFile, Fsync};
use crate::simulate::{FaultClass, Feature, ToolCall};
use crate::source::Auth;

#[test]
fn audit_goes_where_it_is_sent() {
    for (audit, stdout, file) in [
        ("", true, None),
        ("audit:\n", true, None),
        ("audit: { file: /a }\n", false, Some("/a")),
        (
            "audit: { to: [stdout, file], file: /a }\n",
            true,
            Some("/a"),
        ),
        ("audit: { to: [stdout], file: /a }\n", true, None),
    ] {
        let config = loaded(&small_with(audit)).process.audit;
        assert_eq!(
            (config.stdout, config.file),
            (stdout, file.map(|file| AuditFile::at(file.into()))),
            "{audit}"
        );
    }
    let kept = "audit: { file: /a, fsync: always, rotate: 1MiB, retention: 30d, compress: false, required: true, group: audit }\n";
    let file = loaded(&small_with(kept)).process.audit.file.unwrap();
    let expected = AuditFile {
        path: "/a".into(),
        fsync: Fsync::Always,
        rotate: 1 << 20,
        retention: Duration::from_hours(30 * 24),
        compress: false,
        required: true,
        group: Some("audit".into()),
    };
    assert_eq!(file, expected);
    assert!(problem("audit: { to: [file] }\n").contains("audit.file: is missing"));
    let required = "audit: { to: [stdout], file: /a, required: true }\n";
    assert!(problem(required).contains("audit.required: needs a `file`"));
    assert!(problem("audit: { to: [] }\n").contains("audit.to: is empty"));
}

#[test]
fn records_go_to_collectors_that_can_be_reached_so() {
    let keys = "audit: { https: { url: \"https://c/a?b\", gzip: true, auth: { token_file: /t, header: X-Key } }, otlp: { url: \"http://o:4318\", ca: /ca, headers: { x-tenant: a }, every: 2s } }\n";
    let audit = loaded(&small_with(keys)).process.audit;
    assert!(!audit.stdout && audit.file.is_none());
    let [(one, lines), (other, otlp)] = &*audit.collectors else {
        panic!("{audit:?}");
    };
    assert_eq!((*one, *other), (Kind::Lines, Kind::Otlp));
    let file = "/t".into();
    assert_eq!(lines.auth, Auth::Token { file });
    assert_eq!(lines.token_header.as_ref().unwrap(), "x-key");
    assert_eq!((lines.gzip, lines.every), (true, Duration::from_secs(1)));
    assert_eq!(otlp.headers["x-tenant"], "a");
    assert_eq!((otlp.gzip, otlp.every), (false, Duration::from_secs(2)));
    // What `to` does not name is not used.
    let named = keys.replace("{ https:", "{ to: [stdout, otlp], https:");
    let audit = loaded(&small_with(&named)).process.audit;
    assert!(audit.stdout);
    assert_eq!(audit.collectors.len(), 1);
    loaded(&small_with(
        "audit: { required: true, https: { url: \"http://c/\" } }\n",
    ));
    for (keys, why) in [
        ("to: [otlp]", "audit.otlp: is missing; `to` names it"),
        ("https: { gzip: true }", "audit.https.url: is missing"),
        (
            "https: { url: \"redis://h/0/k\" }",
            "audit.https.url: is none of",
        ),
        (
            "https: { url: \"http://c\", auth: { cert: /c, key: /k } }",
            "must be one of TLS",
        ),
        (
            "https: { url: \"http://c\", auth: { header: x } }",
            "neither `token_file`",
        ),
        (
            "https: { url: \"http://c\", auth: { token_file: /t, header: host } }",
            "no header that",
        ),
        (
            "https: { url: \"http://c\", headers: { authorization: a } }",
            "carries a credential",
        ),
    ] {
        let said = problem(&format!("audit: {{ {keys} }}\n"));
        assert!(said.contains(why), "{keys}: {said}");
    }
}

#[test]
fn spans_go_nowhere_or_to_a_collector_that_can_be_reached_so() {
    let traces = |keys: &str| loaded(&small_with(keys)).process.traces;
    assert_eq!(traces(""), None);
    let usual = traces("traces: { url: \"http://o:4318\" }\n").unwrap();
    assert_eq!(usual.sample, Percent::ALL);
    assert_eq!(usual.collector.every, Duration::from_secs(5));
    let keys = "traces: { url: \"https://o/otlp\", auth: { token_file: /t, header: X-Key }, ca: /ca, headers: { x-tenant: a }, gzip: true, every: 1s, sample: 5% }\n";
    let traces = traces(keys).unwrap();
    assert_eq!(traces.sample.to_string(), "5%");
    let collector = traces.collector;
    assert_eq!(collector.auth, Auth::Token { file: "/t".into() });
    assert_eq!(collector.token_header.as_ref().unwrap(), "x-key");
    assert_eq!(collector.headers["x-tenant"], "a");
    assert_eq!(
        (collector.gzip, collector.every),
        (true, Duration::from_secs(1))
    );
    for (keys, why) in [
        ("gzip: true", "traces.url: is missing"),
        ("url: \"redis://h/0/k\"", "traces.url: is none of"),
        ("url: \"http://c\", sample: 101%", "traces.sample: "),
        ("url: \"http://c\", to: otlp", "traces.to: "),
        (
            "url: \"http://c\", auth: { cert: /c, key: /k }",
            "must be one of TLS",
        ),
        (
            "url: \"http://c\", headers: { authorization: a }",
            "carries a credential",
        ),
    ] {
        let said = problem(&format!("traces: {{ {keys} }}\n"));
        assert!(said.contains(why), "{keys}: {said}");
    }
}

#[test]
fn addresses_are_each_taken_once() {
    let said = problem("admin: 127.0.0.1:4100\nsimulate: { s: { listen: 127.0.0.1:4100 } }\n");
    assert!(
        said.contains("admin: 127.0.0.1:4100 is already the address of listen"),
        "{said}"
    );
    assert!(
        said.contains("simulate.s.listen: 127.0.0.1:4100 is already"),
        "{said}"
    );
    loaded(&small_with("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"));
}

#[test]
fn hosts_are_names() {
    let hosts = "hosts: [Pillion.Support.svc, 10.0.0.1, \"FD00:0::1\"]\n";
    let snapshot = loaded(&small_with(hosts)).snapshot;
    for host in ["pillion.support.svc", "10.0.0.1", "fd00::1"] {
        assert!(snapshot.hosts.contains(host), "{host}");
    }
    assert!(
        problem("hosts: [\"http://a\"]\n").contains("hosts[0]: `http://a` is not a host's name")
    );
}

#[test]
fn simulated_providers_behave_as_written() {
    let text = "
simulate:
  primary:
    listen: 127.0.0.1:4201
    models:
      plain:
      gpt-5:
        pace: 0s
        tokens: 3
        tool: { name: look_up }
        rejects: [json_schema]
        ignores: [stream_usage]
        context: 8192
        fail: [{ class: rate_limited, share: 20%, wait: 2s }, { class: cut, share: 5% }]
        script: [ok, overloaded]
";
    let process = loaded(&small_with(text)).process;
    let [primary] = &*process.simulate else {
        panic!("there is one");
    };
    assert_eq!(
        primary.models["plain"],
        crate::simulate::Behaviour::default()
    );
    let behaviour = &primary.models["gpt-5"];
    assert_eq!(behaviour.first_token, Duration::from_millis(150));
    assert_eq!(behaviour.pace, Duration::ZERO);
    let look_up = ToolCall::Named {
        name: "look_up".into(),
        arguments: "{}".into(),
    };
    assert_eq!(behaviour.tool, Some(look_up));
    assert_eq!(behaviour.rejects, [Feature::JsonSchema]);
    assert_eq!(behaviour.ignores, [Feature::StreamUsage]);
    assert_eq!(behaviour.context, Some(8192));
    assert_eq!(behaviour.fail[0].wait, Some(Duration::from_secs(2)));
    assert_eq!(behaviour.fail[1].class, FaultClass::Cut);
    assert_eq!(behaviour.script, [FaultClass::Ok, FaultClass::Overloaded]);
    let said = problem(&text.replace("20%", "99%").replace("overloaded", "overload"));
    assert!(
        said.contains("fail: has shares of more than `100%`"),
        "{said}"
    );
    assert!(said.contains("did you mean `overloaded`?"), "{said}");
}
