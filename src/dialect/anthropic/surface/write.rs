//! What a stream and a plain answer write alike.

use std::io::Write as _;

use crate::chat::{Finish, Reason, Usage};

/// Writes `text` as a JSON string.
pub(super) fn quoted(out: &mut Vec<u8>, text: &str) {
    // A string always serialises, and memory takes every byte.
    let _ = serde_json::to_writer(out, text);
}

/// The provider's id as one of ours, or one made from `seed`.
pub(super) fn message_id(theirs: Option<&str>, seed: u64) -> String {
    const LONGEST: usize = 64;
    let theirs = theirs.unwrap_or_default();
    if theirs.starts_with("msg_") {
        return theirs.to_owned();
    }
    let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let kept: String = theirs.chars().filter(fit).take(LONGEST).collect();
    if kept.is_empty() {
        let mut rng = fastrand::Rng::with_seed(seed);
        return format!("msg_{:024x}", rng.u128(..) >> 32);
    }
    format!("msg_{kept}")
}

/// The schema's word for the end of an answer. The blocks are asked before the provider, since
/// some call an answer with calls finished, and some one without them a call.
pub(super) fn stop_reason(finish: &Finish, calls: bool, refused: bool) -> &'static str {
    match finish.reason {
        Reason::Length => "max_tokens",
        Reason::ContentFilter => "refusal",
        Reason::Stop | Reason::ToolCalls if calls => "tool_use",
        Reason::Stop | Reason::ToolCalls if refused => "refusal",
        Reason::Stop | Reason::ToolCalls if finish.stop_sequence.is_some() => "stop_sequence",
        Reason::Stop | Reason::ToolCalls => "end_turn",
    }
}

/// `"stop_reason":…,"stop_sequence":…`.
pub(super) fn stop(out: &mut Vec<u8>, finish: &Finish, calls: bool, refused: bool) {
    let reason = stop_reason(finish, calls, refused);
    // Writing to memory does not fail.
    let _ = write!(out, "\"stop_reason\":\"{reason}\",\"stop_sequence\":");
    match &finish.stop_sequence {
        Some(sequence) if reason == "stop_sequence" => quoted(out, sequence),
        Some(_) | None => out.extend_from_slice(b"null"),
    }
}

/// `{"input_tokens":…}`. The schema wants the numbers of both sides, so there alone an unknown one
/// is 0; in a stream's end the caller's side may be left out.
pub(super) fn usage(out: &mut Vec<u8>, usage: &Usage, whole: bool) {
    let cached = usage.cached.unwrap_or(0);
    let cache_write = usage.cache_write.unwrap_or(0);
    let fresh = usage
        .prompt
        .map(|prompt| prompt.saturating_sub(cached).saturating_sub(cache_write));
    out.push(b'{');
    if whole || fresh.is_some() {
        let _ = write!(
            out,
            "\"input_tokens\":{},\"cache_creation_input_tokens\":{cache_write},\"cache_read_input_tokens\":{cached},",
            fresh.unwrap_or(0),
        );
    }
    let _ = write!(out, "\"output_tokens\":{}", usage.completion.unwrap_or(0));
    if let Some(thinking) = usage.reasoning {
        let _ = write!(
            out,
            ",\"output_tokens_details\":{{\"thinking_tokens\":{thinking}}}"
        );
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_theirs_or_made_from_it_or_from_the_seed() {
        for (theirs, expected) in [
            (Some("msg_01x"), "msg_01x"),
            (Some("chatcmpl-9:b"), "msg_chatcmpl-9b"),
        ] {
            assert_eq!(message_id(theirs, 7), expected);
        }
        let made = message_id(Some("::"), 7);
        assert_eq!(made, message_id(None, 7));
        assert_ne!(made, message_id(None, 8));
        assert_eq!(made.len(), "msg_".len() + 24);
        assert_eq!(
            message_id(Some(&"x".repeat(99)), 0).len(),
            "msg_".len() + 64
        );
    }

    #[test]
    fn an_end_has_the_schemas_word() {
        let sequence = Finish {
            reason: Reason::Stop,
            stop_sequence: Some("\n".into()),
        };
        for (finish, calls, refused, expected) in [
            (Reason::Stop.into(), false, false, "end_turn"),
            (sequence.clone(), false, false, "stop_sequence"),
            (sequence, true, false, "tool_use"),
            (Reason::Stop.into(), true, false, "tool_use"),
            (Reason::ToolCalls.into(), true, false, "tool_use"),
            (Reason::ToolCalls.into(), false, false, "end_turn"),
            (Reason::Length.into(), true, false, "max_tokens"),
            (Reason::ContentFilter.into(), false, false, "refusal"),
            (Reason::Stop.into(), false, true, "refusal"),
        ] {
            let finish: Finish = finish;
            assert_eq!(stop_reason(&finish, calls, refused), expected, "{finish:?}");
        }
    }

    #[test]
    fn what_was_read_from_the_cache_is_no_fresh_input() {
        let known = Usage {
            prompt: Some(100),
            cached: Some(70),
            cache_write: Some(20),
            reasoning: Some(3),
            completion: Some(9),
            ..Usage::default()
        };
        let absurd = Usage {
            prompt: Some(1),
            cached: Some(70),
            ..Usage::default()
        };
        for (of, whole, expected) in [
            (
                known,
                false,
                r#"{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":70,"output_tokens":9,"output_tokens_details":{"thinking_tokens":3}}"#,
            ),
            (
                absurd,
                false,
                r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":70,"output_tokens":0}"#,
            ),
            (Usage::default(), false, r#"{"output_tokens":0}"#),
            (
                Usage::default(),
                true,
                r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#,
            ),
        ] {
            let mut out = Vec::new();
            usage(&mut out, &of, whole);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
