//! The quick way through a request, which passes over what cannot hold a value and writes in one go, comes to
//! the same as the plain one: every text undone and looked at, twice.

use std::fmt::Write as _;

use fastrand::Rng;
use serde_json::{Value, json};

use super::round::any_text;
use super::*;
use crate::privacy::detect::resolve;
use crate::privacy::detect::tests::corpus::{business, negatives, positives};
use crate::privacy::splice::spliced;
use crate::privacy::walk::{Context, Part, To, Visit, walk};

/// Passes over nothing, and has `each` look at every text.
struct Every<F>(F);

impl<F: FnMut(&str, Part) -> Option<String>> Visit for Every<F> {
    fn passes(&self, _: &str) -> bool {
        false
    }

    fn text(&mut self, text: &str, context: Context) -> Option<String> {
        (self.0)(text, context.part)
    }
}

/// A body on its way to `to`, without `classes`.
fn plainly(
    detectors: &Detectors,
    known: &Vault,
    body: &str,
    to: To,
    classes: Classes,
) -> (Option<String>, Found) {
    let mut reserved = Vault::default();
    let mut texts: Vec<(String, Part, Vec<Hit>)> = Vec::new();
    let mut look = Every(|text: &str, part| {
        let mut hits = detectors.all(text);
        known.pass_over(text, &mut hits);
        reserved.reserve(text);
        texts.push((text.to_owned(), part, resolve(&hits, classes)));
        None
    });
    walk(body, to, &mut look).unwrap();
    let mut vault = known.going_on(&reserved.into_reserved());
    let mut found = Found::default();
    for part in [Part::Head, Part::Rest] {
        for (text, _, hits) in texts.iter().filter(|(_, of, _)| *of == part) {
            for hit in hits {
                found.add(hit.class);
                vault.entry(detectors, hit.class, &text[hit.span.clone()]);
            }
        }
    }
    let mut number = 0;
    let mut write = Every(|text: &str, _| {
        let hits = &texts[number].2;
        number += 1;
        without(detectors, text, hits, &mut vault, classes)
    });
    let walked = walk(body, to, &mut write).unwrap();
    (spliced(body, &walked.splices), found)
}

/// `text` without its hits, and without the values of `vault` that stand in it by themselves.
fn without(
    detectors: &Detectors,
    text: &str,
    hits: &[Hit],
    vault: &mut Vault,
    classes: Classes,
) -> Option<String> {
    let alone = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    let (mut out, mut at) = (String::new(), 0);
    let mut hits = hits.iter().peekable();
    while at < text.len() {
        if let Some(hit) = hits.next_if(|hit| hit.span.start == at) {
            let entry = vault.entry(detectors, hit.class, &text[hit.span.clone()]);
            out.push_str(vault.placeholder(entry));
            at = hit.span.end;
            continue;
        }
        let most = hits.peek().map_or(text.len(), |hit| hit.span.start);
        let again = vault.entries().filter(|(_, class, value)| {
            let fits = value.len() >= 5 && text[at..most].starts_with(value);
            fits && classes.has(*class)
                && alone(text[..at].chars().next_back())
                && alone(text[at + value.len()..].chars().next())
        });
        // Of the longest the first.
        let again: Option<(usize, usize)> = again
            .map(|(entry, _, value)| (value.len(), entry))
            .max_by_key(|(length, entry)| (*length, usize::MAX - entry));
        if let Some((length, entry)) = again {
            out.push_str(vault.placeholder(entry));
            at += length;
        } else {
            let c = text[at..].chars().next().unwrap();
            out.push(c);
            at += c.len_utf8();
        }
    }
    (out != text).then_some(out)
}

/// Both ways come to the same, to a provider and into a record. Returns how often something was taken out.
#[track_caller]
fn alike(detectors: &Arc<Detectors>, body: &str) -> usize {
    let nothing = Vault::default();
    let survey = Survey::read(detectors, body).unwrap();
    let emails: Classes = [Class::EMAIL, Class::PHONE].into_iter().collect();
    let mut changed = 0;
    for classes in [Classes::ALL, emails] {
        let masked = survey.mask(detectors, body, classes).unwrap();
        let (expected, found) = plainly(detectors, &nothing, body, To::Peer, classes);
        assert_eq!(masked.body, expected, "{body}");
        assert_eq!(masked.found, found, "{body}");
        assert_eq!(survey.found(classes), found, "{body}");
        let sent = masked.body.as_deref().unwrap_or(body);
        let kept = Transcript::of(detectors, sent, Some(&masked.vault)).unwrap();
        let (expected, _) = plainly(detectors, &masked.vault, sent, To::Record, Classes::ALL);
        assert_eq!(
            kept.request().as_str(),
            expected.as_deref().unwrap_or(sent),
            "{body}"
        );
        let restored = masked.vault.restore_body(sent).unwrap();
        let mut restore = Every(|text: &str, _| {
            let restored = masked.vault.restore(text, Form::Text);
            (restored != text).then(|| restored.into_owned())
        });
        if !body.contains("arguments") {
            let plain = walk(sent, To::Peer, &mut restore).unwrap();
            assert_eq!(restored, spliced(sent, &plain.splices), "{body}");
        }
        changed += usize::from(masked.body.is_some());
    }
    changed
}

/// A text as it may stand in a request: words, values, JSON, base64, escapes that are text.
fn any_string(rng: &mut Rng, texts: &[String], depth: u8) -> String {
    match rng.u8(..16) {
        0 => String::new(),
        1 => "QUJDefgh/+".repeat(rng.usize(90..120)),
        2 => "QUJD\r\nabcd/".repeat(rng.usize(90..120)),
        3 => "data:image/png;base64,QUJD".to_owned() + &"abCD".repeat(260),
        4..=6 if depth < 3 => {
            let blank = if rng.bool() { "\n " } else { "" };
            format!("{blank}{}", any_object(rng, texts, depth + 1))
        }
        7 => any_object(rng, texts, 3).to_string().replace(':', ": \\n"),
        8 => [
            "Nothing to see",
            "[]",
            "{}",
            "[\"one\", \"two\"]",
            "слово",
            "[x",
            "\\",
        ][rng.usize(..7)]
        .to_owned(),
        9..=11 => rng.choice(texts).unwrap().clone(),
        _ => any_text(rng),
    }
}

fn any_object(rng: &mut Rng, texts: &[String], depth: u8) -> Value {
    let mut object = serde_json::Map::new();
    for _ in 0..rng.usize(..4) {
        let key = any_string(rng, texts, 3);
        let value = match rng.u8(..8) {
            0 => json!(87_010_000_000_u64 + rng.u64(..9_999_999)),
            1 => json!(rng.u32(..)),
            2 => json!(["none", any_string(rng, texts, depth), null, 0.5]),
            3 => json!({"password": any_string(rng, texts, 3), "type": any_string(rng, texts, 3)}),
            _ => json!(any_string(rng, texts, depth)),
        };
        object.insert(key, value);
    }
    Value::Object(object)
}

fn any_body(rng: &mut Rng, texts: &[String]) -> Value {
    let mut any = |depth| any_string(rng, texts, depth);
    let mut body = json!({
        "model": any(3),
        "messages": [
            {"role": "user", "name": any(3), "content": any(0)},
            {"role": "user", "content": [{"type": "text", "text": any(0)},
                {"type": "image_url", "image_url": any(3)}, {"type": "redacted_thinking", "data": any(3)}]},
            {"role": "assistant", "content": any(2), "tool_calls": [
                {"id": any(3), "function": {"name": any(3), "arguments": any(1)}}]},
            {"role": "tool", "tool_call_id": any(3), "content": any(1)}],
        "tools": [{"description": any(3), "headers": any(3), "parameters": {"enum": [any(3)]}}],
        "previous_response_id": any(3),
    });
    if rng.bool() {
        body["input"] = json!([1, 2, 3]);
    }
    body["metadata"] = any_object(rng, texts, 0);
    if rng.bool() {
        // Without arguments, what is put back is text everywhere.
        body["messages"].as_array_mut().unwrap().remove(2);
        body["system"] = json!(any_string(rng, texts, 0));
    }
    body
}

/// JSON with some of its characters by their numbers, and with blanks.
fn written(value: &Value, rng: &mut Rng, numbered: u8) -> String {
    let text = value.to_string();
    let mut out = String::new();
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        let plain = inside && !escaped && c != '"' && c != '\\';
        if plain && rng.u8(..) < numbered {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else if plain && c == '/' && numbered > 0 {
            out.push_str("\\/");
        } else {
            out.push(c);
        }
        if !inside && matches!(c, ',' | ':') && numbered > 0 {
            out.push_str("\n\t ");
        }
        inside ^= c == '"' && !escaped;
        escaped = inside && !escaped && c == '\\';
    }
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), *value);
    out
}

#[test]
fn over_the_corpus() {
    let detectors = Arc::new(Detectors::default());
    let mut rng = Rng::with_seed(21);
    let mut items = positives(&mut rng, 30);
    items.extend(negatives(&mut rng, 200));
    rng.shuffle(&mut items);
    let mut changed = 0;
    for items in items.chunks(6) {
        let messages: Vec<Value> = items
            .iter()
            .map(|item| json!({"content": item.text}))
            .collect();
        let body = json!({"messages": messages, "system": items[0].text});
        changed += alike(&detectors, &written(&body, &mut rng, 0));
        changed += alike(&detectors, &written(&body, &mut rng, 3));
    }
    assert!(changed > 100, "{changed}");
    let body = json!({"messages": [{"content": business(&mut rng, 20_000)}]});
    alike(&detectors, &body.to_string());
}

#[test]
fn over_any_bodies() {
    let mut rng = Rng::with_seed(22);
    let mut texts: Vec<String> = positives(&mut rng, 3)
        .into_iter()
        .map(|item| item.text)
        .collect();
    texts.extend(negatives(&mut rng, 10).into_iter().map(|item| item.text));
    texts.extend(["Anna Karenina, ул. Абая 10", "of Anna Karenina", "AB_12"].map(str::to_owned));
    let own = [
        ("who", r"(?m)^Anna [A-Z]\w+"),
        ("code", r"[A-Z]+_\d+"),
        ("address", r"Абая \d+"),
    ];
    for detectors in [Detectors::default(), Detectors::new(own).unwrap()] {
        let detectors = Arc::new(detectors);
        let mut changed = 0;
        for _ in 0..150 {
            let body = any_body(&mut rng, &texts);
            let numbered = *rng.choice(&[0, 0, 2, 40]).unwrap();
            changed += alike(&detectors, &written(&body, &mut rng, numbered));
        }
        assert!(changed > 150, "{changed}");
    }
}
