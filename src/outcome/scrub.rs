//! What a provider said, made fit for the caller's eyes.
//!
//! A provider may quote the key it was sent, name the organisation that owns it, or repeat a URL
//! with a password in it. The caller is a tenant of ours and must learn none of these. Anything that
//! *looks* like one becomes `[redacted]`: to lose a harmless word is cheaper than to show a secret.
//! The ids of what callers own themselves (responses, files, calls) stay, as they are what the message
//! is about.
//! Never here: which classes may speak at all; that is [`super::judge`](super::judge())'s.
//! Prefixes: the key formats that providers and GitHub's secret scanning document, read 2026-11-22.

use super::Said;

/// Two kibibytes hold every message that was seen in the wild; beyond is an echo of the request.
const MAX_MESSAGE: usize = 2048;
/// Codes, types and the paths of parameters are short; beyond is something else.
const MAX_WORD: usize = 128;

/// Letters and digits mixed are a key from here on: the shortest in use have 32, less a margin.
const SHORTEST_KEY: usize = 24;
/// What has a telling prefix is one from here on; English words with such a start are shorter.
const SHORTEST_ID: usize = 12;

const REDACTED: &str = "[redacted]";

/// What keys of known make start with: whatever follows is not shown.
const SECRET_PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "rk-",
    "pk-",
    "gsk_",
    "xai-",
    "pplx-",
    "csk-",
    "nvapi-",
    "hf_",
    "r8_",
    "fw_",
    "tgp_",
    "ghp_",
    "github_pat_",
];

/// Those that could start a word too, and so need the length of a key: AWS, Google, tokens (JWT).
const BARE_PREFIXES: &[&str] = &["AKIA", "ASIA", "ABSK", "AIza", "eyJ"];

/// What the callers' own things start with.
const PUBLIC_PREFIXES: &[&str] = &[
    "resp_",
    "rs_",
    "msg_",
    "call_",
    "fc_",
    "req_",
    "file-",
    "batch_",
    "chatcmpl-",
    "toolu_",
];

/// What stands before a secret, and whether it needs a `:` or `=` between to mean one.
const ANNOUNCED: &[(&str, bool)] = &[
    ("bearer", false),
    ("authorization: basic", false),
    ("key provided", true),
    ("api key", true),
    ("api-key", true),
    ("api_key", true),
    ("apikey", true),
    ("access_token", true),
    ("authorization", true),
    ("password", true),
];

/// The message and its fields without secrets. `None` when nothing was said.
pub(super) fn scrub(said: &Said) -> Option<Said> {
    let message = clean(&said.message, MAX_MESSAGE);
    let field = |value: &Option<String>| Some(clean(value.as_deref()?, MAX_WORD));
    (!message.is_empty()).then(|| Said {
        message,
        kind: field(&said.kind),
        param: field(&said.param),
        code: field(&said.code),
    })
}

fn clean(text: &str, most: usize) -> String {
    let text = without_url_secrets(&printable(text));
    let mut out = String::with_capacity(text.len().min(most));
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        if out.len() > most {
            break;
        }
        let announced = announces_secret(&out);
        let run = word_end(rest, if announced { in_credential } else { in_key });
        let (word, after) = rest.split_at(run);
        if word.is_empty() {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let shown = is_scheme(word) || !announced && !is_secret(word);
        out.push_str(if shown { word } else { REDACTED });
        rest = after;
    }
    cut(&mut out, most);
    out
}

/// Line ends become spaces; control and invisible formatting characters go, lest they split a key.
fn printable(text: &str) -> String {
    let spaced = text.replace(['\n', '\r', '\t'], " ");
    let visible = spaced.trim().chars().filter(|c| !is_invisible(*c));
    visible.collect()
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

/// URLs lose their query, where credentials travel, and are lost whole with any `@`: a password may
/// hold every character that would tell where it ends.
fn without_url_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        let (url, after) = url.split_at(word_end(url, |c| {
            !c.is_whitespace() && !matches!(c, '"' | '\'' | '`' | '<' | '>')
        }));
        if url.contains('@') {
            out.push_str(REDACTED);
        } else if let Some((url, _)) = url.split_once('?') {
            out.push_str(url);
            out.push('?');
            out.push_str(REDACTED);
        } else {
            out.push_str(url);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn in_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*')
}

/// What follows an announcement is taken whole: its alphabet is not known.
fn in_credential(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '"' | '\'' | '`' | ',')
}

/// The scheme of an `Authorization` header is no secret, and announces one.
fn is_scheme(word: &str) -> bool {
    word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic")
}

fn word_end(text: &str, keep: impl Fn(char) -> bool) -> usize {
    text.find(|c| !keep(c)).unwrap_or(text.len())
}

/// Whether what was written so far announces that the next word is a secret.
fn announces_secret(so_far: &str) -> bool {
    let before = so_far.trim_end_matches([' ', ':', '=', '"', '\'', '`']);
    let gap = &so_far[before.len()..];
    if gap.is_empty() {
        return false;
    }
    ANNOUNCED.iter().any(|(name, needs_sign)| {
        let tail = before
            .len()
            .checked_sub(name.len())
            .and_then(|at| before.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(name))
            && (!needs_sign || gap.contains([':', '=']))
    })
}

fn is_secret(word: &str) -> bool {
    let starts = |list: &[&str]| {
        let mut starts = list.iter().filter(|prefix| word.starts_with(**prefix));
        starts.any(|prefix| word.len() > prefix.len())
    };
    let known = starts(SECRET_PREFIXES) || starts(BARE_PREFIXES) && word.len() >= SHORTEST_ID;
    // `***` is how providers mask the middle of a key; its ends are no one else's business either.
    if known || word.contains("***") || word.contains("-sk-") || word.contains("_sk-") {
        return true;
    }
    if starts(&["org-", "proj_"]) {
        return names_organisation(word);
    }
    !starts(PUBLIC_PREFIXES) && word.split(['-', '_']).any(is_random)
}

/// `org-` with an id behind it; `org-wide` is a word.
fn names_organisation(word: &str) -> bool {
    let id = &word[word.find(['-', '_']).map_or(0, |at| at + 1)..];
    id.len() >= SHORTEST_ID || id.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
}

/// Letters and digits mixed, as long as the shortest keys in use: no one's prose, nor a model's name.
fn is_random(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    part.len() >= SHORTEST_KEY && digits >= 3 && digits < part.len()
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let mark = '…';
        let end = text.floor_char_boundary(most - mark.len_utf8());
        text.truncate(end);
        text.push(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let table = [
            (
                "Incorrect API key provided: sk-abc123.",
                "Incorrect API key provided: [redacted]",
            ),
            (
                "Incorrect API key provided: canary.",
                "Incorrect API key provided: [redacted]",
            ),
            ("key sk-proj-a_b-C9 is bad", "key [redacted] is bad"),
            ("key sk-inval********-key.", "key [redacted]."),
            (
                "Your api key: ****-key is invalid",
                "Your api key: [redacted] is invalid",
            ),
            (
                "Authorization: Bearer a.b/c+d=, x",
                "Authorization: Bearer [redacted], x",
            ),
            ("(bearer abc)", "(bearer [redacted]"),
            ("api_key=\"hunter2\" given", "api_key=\"[redacted]\" given"),
            (
                "in organization org-AbCdEf123 on tokens",
                "in organization [redacted] on tokens",
            ),
            ("an org-wide limit", "an org-wide limit"),
            ("key 0123456789abcdef0123456789abcdef", "key [redacted]"),
            ("s\u{0}k-\u{200b}abc", "[redacted]"),
            (
                "at https://host.example/v1?key=1 now",
                "at https://host.example/v1?[redacted] now",
            ),
            ("see https://u:p/w?@h/x now", "see https://[redacted] now"),
            (
                "in asia-east1, by call_sk-abc",
                "in asia-east1, by [redacted]",
            ),
            ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
            (
                "see https://platform.openai.com/docs.",
                "see https://platform.openai.com/docs.",
            ),
            ("Invalid API Key", "Invalid API Key"),
            (
                "a task-oriented, risk-free sk- tale",
                "a task-oriented, risk-free sk- tale",
            ),
            (
                "Item 'rs_68c42de022c881948db7ed1cc2529f2e0202' is alone",
                "Item 'rs_68c42de022c881948db7ed1cc2529f2e0202' is alone",
            ),
            (
                "model gpt-4o-mini-2024-07-18 and get_current_weather_for_location_2",
                "model gpt-4o-mini-2024-07-18 and get_current_weather_for_location_2",
            ),
            ("line\r\none\ttab\u{7}", "line  one tab"),
            ("Слишком длинный запрос", "Слишком длинный запрос"),
        ];
        for (text, expected) in table {
            assert_eq!(clean(text, MAX_MESSAGE), expected);
        }
    }

    #[test]
    fn an_echo_of_the_request_is_cut_at_a_character() {
        let long = clean(&"ж".repeat(5000), MAX_MESSAGE);
        assert!(
            long.len() <= MAX_MESSAGE && long.ends_with("ж…"),
            "{}",
            long.len()
        );
        // A key across the cut is redacted before it is cut.
        let text = format!("{} sk-{}", "x y ".repeat(511), "k1".repeat(40));
        assert!(!clean(&text, MAX_MESSAGE).contains("k1"));
    }

    #[test]
    fn every_field_is_scrubbed_and_silence_stays_silence() {
        let secret = || Some("sk-abc".to_owned());
        let said = Said {
            message: "m".to_owned(),
            kind: secret(),
            param: secret(),
            code: secret(),
        };
        let said = scrub(&said).unwrap();
        for field in [said.kind, said.param, said.code] {
            assert_eq!(field.as_deref(), Some(REDACTED));
        }
        assert_eq!(scrub(&Said::default()), None);
    }
}
