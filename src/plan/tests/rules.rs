//! Every condition of a rule, by table.

use std::cell::OnceCell;

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

use crate::chat::{Look, Request, Surface};
use crate::config::{Format, Sources, load};
use crate::plan::{Circumstances, Found, beside, choose};
use crate::snapshot::{Key, Snapshot};

/// What a request is to a rule, beside its body.
struct Asked {
    body: String,
    headers: HeaderMap,
    now: Timestamp,
    found: Found,
    key: Key,
}

fn asked(more: &str) -> Asked {
    let comma = if more.is_empty() { "" } else { "," };
    Asked {
        body: format!(
            r#"{{"model":"chat","messages":[{{"role":"user","content":"Hello"}}]{comma}{more}}}"#
        ),
        headers: HeaderMap::new(),
        // A Thursday.
        now: "2026-11-26T10:00:00Z".parse().unwrap(),
        found: Found::default(),
        key: Key::named("chat-prod"),
    }
}

impl Asked {
    fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.append(name, value);
        self
    }

    fn at(self, now: &str) -> Self {
        Self {
            now: now.parse().unwrap(),
            ..self
        }
    }

    fn finding(self, classes: &[&str], unscannable: bool) -> Self {
        let classes = classes.iter().map(|&class| class.into()).collect();
        Self {
            found: Found {
                classes,
                unscannable,
            },
            ..self
        }
    }

    fn by(mut self, change: fn(&mut Key)) -> Self {
        change(&mut self.key);
        self
    }

    /// The rule of the route `chat` that it falls under.
    fn rule(&self, snapshot: &Snapshot, read: bool) -> Option<String> {
        let request = Request::read(Surface::Chat, self.body.clone().into()).unwrap();
        let look = if read {
            Look::at(&request)
        } else {
            Look::unread(request.body.as_bytes())
        };
        let by = Circumstances {
            key: &self.key,
            identity: &snapshot.identity,
            headers: &self.headers,
            look: &look,
            now: self.now,
            find: &|| self.found.clone(),
            found: OnceCell::new(),
        };
        let rule = choose(&snapshot.routes["chat"].rules, &by);
        rule.map(|rule| rule.name.to_string())
    }
}

fn configured(rules: &str) -> Snapshot {
    let text = format!(
        "
allow_anonymous: true
identity: {{ team: support, environment: prod }}
providers:
  a: {{ kind: openai-compatible, base_url: http://127.0.0.1:1/v1 }}
routes:
  chat: {{ targets: [a/one, a/two], rules: [{rules}] }}
"
    );
    let loaded = load(&Sources::from_text(Format::Yaml, text));
    loaded
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .snapshot
}

fn holds(when: &str, asked: &Asked) -> bool {
    let rule = format!("{{ name: it, when: {{ {when} }}, targets: [a/two] }}");
    asked.rule(&configured(&rule), true).is_some()
}

#[test]
fn each_condition_holds_for_what_it_names_alone() {
    let long = format!(r#""metadata":{{"a":"{}"}}"#, "a b ".repeat(2500));
    for (when, asked, expected) in [
        ("prompt_tokens: { over: 2000 }", asked(""), false),
        ("prompt_tokens: { over: 2000 }", asked(&long), true),
        ("prompt_tokens: { under: 2000 }", asked(""), true),
        (
            "prompt_tokens: { over: 5, under: 2000 }",
            asked(&long),
            false,
        ),
        (
            "tools: true",
            asked(r#""tools":[{"type":"function","function":{"name":"f"}}]"#),
            true,
        ),
        ("tools: true", asked(""), false),
        ("tools: false", asked(""), true),
        ("stream: true", asked(r#""stream":true"#), true),
        ("stream: false", asked(r#""stream":true"#), false),
        ("images: true", asked(""), false),
        ("images: false", asked(""), true),
        ("matches: \"(?i)hel+o\"", asked(""), true),
        ("matches: \"^user$\"", asked(""), false),
        (
            "metadata: { tier: gold }",
            asked(r#""metadata":{"tier":"gold"}"#),
            true,
        ),
        (
            "metadata: { tier: [silver, gold] }",
            asked(r#""metadata":{"tier":"gold"}"#),
            true,
        ),
        (
            "metadata: { tier: { matches: \"^g\" } }",
            asked(r#""metadata":{"tier":"gold"}"#),
            true,
        ),
        (
            "metadata: { tier: gold }",
            asked(r#""metadata":{"tier":"golden"}"#),
            false,
        ),
        ("metadata: { tier: gold }", asked(""), false),
        (
            "header: { X-Region: kz }",
            asked("").with_header("x-region", "kz"),
            true,
        ),
        (
            "header: { x-region: kz }",
            asked("").with_header("x-region", "ru"),
            false,
        ),
        (
            "header: { x-region: { matches: \"^k\" } }",
            asked("").with_header("x-region", "kz"),
            true,
        ),
        ("header: { x-region: kz }", asked(""), false),
        (
            "tag: { tier: gold }",
            asked("").with_header("x-pillion-tag-tier", "gold"),
            true,
        ),
        (
            "tag: { tier: gold }",
            asked("").with_header("x-pillion-tag-tier", "tin"),
            false,
        ),
        (
            "tag: { place: [Қазақстан] }",
            asked("").with_header("x-pillion-tag-place", "Қазақстан"),
            true,
        ),
        (
            "tag: { place: { matches: \"(?i)^қаз\" } }",
            asked("").with_header("x-pillion-tag-place", "ҚАЗ"),
            true,
        ),
        ("key: chat-prod", asked(""), true),
        ("key: [other, chat-prod]", asked(""), true),
        ("key: other", asked(""), false),
        ("team: support", asked(""), true),
        (
            "team: support",
            asked("").by(|key| key.team = Some("sales".into())),
            false,
        ),
        (
            "team: sales",
            asked("").by(|key| key.team = Some("sales".into())),
            true,
        ),
        ("service: chat", asked(""), false),
        ("environment: [prod, test]", asked(""), true),
        ("pii: [iin, phone]", asked(""), false),
        (
            "pii: [iin, phone]",
            asked("").finding(&["phone"], false),
            true,
        ),
        ("pii: [iin]", asked("").finding(&["phone"], false), false),
        ("pii: [iin]", asked("").finding(&[], true), true),
        ("share: 100%", asked(""), true),
        ("tools: false, stream: true", asked(""), false),
        (
            "tools: false, stream: true",
            asked(r#""stream":true"#),
            true,
        ),
    ] {
        assert_eq!(holds(when, &asked), expected, "{when}: {}", asked.body);
    }
}

#[test]
fn hours_are_those_of_their_zone() {
    let office = "time: { days: [mon, tue, wed, thu, fri], from: \"09:00\", to: \"18:00\", zone: \"+05:00\" }";
    let night = "time: { days: [fri], from: \"22:00\", to: \"06:00\" }";
    let always = "time: { from: \"00:00\", zone: \"-03:30\" }";
    for (when, now, expected) in [
        (office, "2026-11-26T04:00:00Z", true),
        (office, "2026-11-26T03:59:59Z", false),
        (office, "2026-11-26T12:59:59Z", true),
        (office, "2026-11-26T13:00:00Z", false),
        // Saturday there, Friday in UTC.
        (office, "2026-11-27T23:30:00Z", false),
        (night, "2026-11-27T22:00:00Z", true),
        (night, "2026-11-28T05:59:00Z", true),
        (night, "2026-11-28T06:00:00Z", false),
        (night, "2026-11-28T22:00:00Z", false),
        (night, "2026-11-27T05:00:00Z", false),
        (always, "2026-11-27T23:59:59Z", true),
    ] {
        assert_eq!(holds(when, &asked("").at(now)), expected, "{when}, {now}");
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let snapshot = configured(
        "{ name: loud, when: { stream: true }, targets: [a/two] },
         { name: tagged, when: { tag: { t: x } }, targets: [a/two] },
         { name: rest, when: { share: 100% }, targets: [a/two] }",
    );
    let tagged = || asked("").with_header("x-pillion-tag-t", "x");
    let loud = Asked {
        body: asked(r#""stream":true"#).body,
        ..tagged()
    };
    for (asked, rule) in [(loud, "loud"), (tagged(), "tagged"), (asked(""), "rest")] {
        assert_eq!(asked.rule(&snapshot, true).as_deref(), Some(rule));
    }
}

/// Which of these conversations a rule of this name and share is for.
fn chosen(name: &str, percent: u32) -> Vec<bool> {
    let rule = format!("{{ name: {name}, when: {{ share: {percent}% }}, targets: [a/two] }}");
    let snapshot = configured(&rule);
    let conversations = (0..2000)
        .map(|number| asked("").with_header("x-pillion-tag-conversation", &format!("c{number}")));
    conversations
        .map(|asked| asked.rule(&snapshot, true).is_some())
        .collect()
}

#[test]
fn a_share_is_of_conversations_and_a_larger_one_holds_the_smaller() {
    let count = |chosen: &[bool]| chosen.iter().filter(|is_in| **is_in).count();
    let (five, twenty) = (chosen("a", 5), chosen("a", 20));
    assert!((60..140).contains(&count(&five)), "{}", count(&five));
    assert!((330..470).contains(&count(&twenty)), "{}", count(&twenty));
    assert!(
        five.iter()
            .zip(&twenty)
            .all(|(small, large)| !small || *large)
    );
    assert_eq!(five, chosen("a", 5), "and always the same ones");
    let other = chosen("b", 20);
    let both: Vec<bool> = twenty.iter().zip(&other).map(|(a, b)| *a && *b).collect();
    assert!(
        (40..130).contains(&count(&both)),
        "4 % are in both: {}",
        count(&both)
    );
}

#[test]
fn a_conversation_stays_where_it_is_as_it_grows() {
    let rule = "{ name: it, when: { share: 50% }, targets: [a/two] }";
    let snapshot = configured(rule);
    for number in 0..20 {
        let turn = |more: &str| Asked {
            body: format!(
                r#"{{"model":"chat","messages":[{{"role":"user","content":"Hello {number}"}}{more}]}}"#
            ),
            ..asked("")
        };
        let later = turn(r#",{"role":"assistant","content":"Hi"},{"role":"user","content":"So?"}"#);
        assert_eq!(turn("").rule(&snapshot, true), later.rule(&snapshot, true));
    }
}

#[test]
fn what_nobody_reads_may_say_and_hold_anything_and_has_no_facts() {
    for (when, expected) in [
        ("pii: [iin]", true),
        ("matches: never", true),
        ("prompt_tokens: { over: 0 }", false),
        ("tools: true", false),
        ("tools: false", true),
        ("stream: true", false),
        ("images: true", false),
        ("metadata: { a: b }", false),
        ("tag: { t: x }", true),
        ("key: chat-prod", true),
    ] {
        let rule = format!("{{ name: it, when: {{ {when} }}, targets: [a/two] }}");
        let asked = asked("").with_header("x-pillion-tag-t", "x");
        let asked = asked.finding(&[], true);
        let rule = asked.rule(&configured(&rule), false);
        assert_eq!(rule.is_some(), expected, "{when}");
    }
}

#[test]
fn personal_data_is_looked_for_once_and_only_where_a_rule_is_about_it() {
    let snapshot = configured(
        "{ name: loud, when: { stream: true, pii: [iin] }, targets: [a/two] },
         { name: first, when: { pii: [iin] }, targets: [a/two] },
         { name: second, when: { pii: [phone] }, targets: [a/two] }",
    );
    let body = asked("").body;
    let request = Request::read(Surface::Chat, body.into()).unwrap();
    let times = std::cell::Cell::new(0);
    let by = Circumstances {
        key: &Key::named("k"),
        identity: &snapshot.identity,
        headers: &HeaderMap::new(),
        look: &Look::at(&request),
        now: Timestamp::UNIX_EPOCH,
        find: &|| {
            times.set(times.get() + 1);
            Found::default()
        },
        found: OnceCell::new(),
    };
    let rules = &snapshot.routes["chat"].rules;
    assert!(choose(&rules[..1], &by).is_none());
    assert_eq!(times.get(), 0, "the cheaper condition did not hold");
    assert!(choose(rules, &by).is_none());
    assert_eq!(times.get(), 1);
}

#[test]
fn what_a_request_says_beside_its_body_tells_where_it_may_go() {
    let snapshot = configured(
        "{ name: gold, when: { tag: { tier: gold }, tools: true }, targets: [a/two] },
         { name: both, when: { tag: { tier: [gold, tin] }, header: { x-a: b } }, targets: [a/two] },
         { name: half, when: { share: 50% }, targets: [a/two] },
         { name: all, when: { tools: false }, targets: [a/two] }",
    );
    let rules = &snapshot.routes["chat"].rules;
    let said = |asked: &Asked| {
        let request = Request::read(Surface::Chat, asked.body.clone().into()).unwrap();
        let by = Circumstances {
            key: &asked.key,
            identity: &snapshot.identity,
            headers: &asked.headers,
            look: &Look::at(&request),
            now: asked.now,
            find: &Found::unknown,
            found: OnceCell::new(),
        };
        beside(rules, &by).replace("half\n", "")
    };
    let gold = || asked("").with_header("x-pillion-tag-tier", "gold");
    assert_eq!(said(&asked("")), "");
    assert_eq!(said(&gold()), "gold\n");
    assert_eq!(said(&gold().with_header("x-a", "b")), "gold\nboth\n");
    assert_eq!(said(&gold().with_header("x-other", "b")), "gold\n");
    let turns = (0..64).map(|turn| {
        let tag = format!("c{turn}");
        let asked = asked("").with_header("x-pillion-tag-conversation", &tag);
        let request = Request::read(Surface::Chat, asked.body.clone().into()).unwrap();
        let by = Circumstances {
            key: &asked.key,
            identity: &snapshot.identity,
            headers: &asked.headers,
            look: &Look::at(&request),
            now: asked.now,
            find: &Found::unknown,
            found: OnceCell::new(),
        };
        (
            beside(rules, &by),
            choose(rules, &by).map(|rule| rule.name.to_string()),
        )
    });
    for (said, rule) in turns {
        assert_eq!(said.contains("half"), rule.as_deref() == Some("half"));
    }
}
