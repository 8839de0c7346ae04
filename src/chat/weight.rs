//! About how many tokens a text is, told by its bytes as it passes.
//!
//! For answers whose provider does not say: streams that are cut, servers that do not count. No tokenizer
//! is asked: each vendor has its own, most are not published, and one vocabulary alone takes megabytes.
//! Latin text is about four characters a token, other alphabets about two, scripts without alphabets about
//! one. How far that is from what providers count, `tests` measures on recorded answers.

use crate::wire::json::{Cursor, Invalid, Text};

/// What a text weighs that comes in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Quarters of a token. No answer has a thousand million of tokens.
    quarters: u32,
}

impl Weight {
    /// Tokens around a call, as recorded answers have them.
    pub const AROUND_CALL: u32 = 15;
    /// The same at Anthropic's.
    pub const AROUND_TOOL_USE: u32 = 35;

    pub fn of(text: &str) -> Self {
        let mut weight = Self::default();
        weight.add(text.as_bytes());
        weight
    }

    /// Takes the next piece, in UTF-8.
    pub fn add(&mut self, text: &[u8]) {
        // The bytes of a character tell its kind of script: one is Latin, two are most other alphabets,
        // three or four are syllables, words and pictures.
        let quarters = text.iter().map(|byte| match byte {
            0..0x80 => 1,
            // Inside a character.
            0x80..0xC0 => 0,
            0xC0..0xE0 => 2,
            0xE0.. => 4,
        });
        self.quarters = self.quarters.saturating_add(quarters.sum());
    }

    /// A call begins: what stands around one is a few tokens more at most providers, and more than that at
    /// Anthropic's.
    pub fn call(&mut self, around: u32) {
        self.quarters = self.quarters.saturating_add(around * 4);
    }

    pub fn tokens(self) -> u64 {
        u64::from(self.quarters.div_ceil(4))
    }

    /// Of a plain answer in any dialect, or of one as server-sent events: what it says, as far as it can
    /// be read.
    pub fn of_answer(body: &[u8]) -> Self {
        let mut weight = Self::default();
        let Ok(text) = std::str::from_utf8(body) else {
            return weight;
        };
        if text.trim_start().starts_with('{') {
            weight.read(text);
        } else {
            let frames = text.lines().filter_map(|line| line.strip_prefix("data:"));
            frames.for_each(|frame| weight.read(frame));
        }
        weight
    }

    fn read(&mut self, json: &str) {
        let walked = Cursor::new(json).object(|cursor, key| {
            if matches!(key.raw(), "choices" | "content" | "output" | "delta") {
                self.strings(cursor)?;
            }
            Ok::<(), Invalid>(())
        });
        // What cannot be read to its end has been weighed as far as it can.
        drop(walked);
    }

    /// Takes the strings of the value that comes next, but for names and ids.
    pub fn strings(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Invalid> {
        cursor.strings(|key, string| {
            let key = key.map_or("", Text::raw);
            // Of what an answer holds, a call alone has one.
            if key == "name" {
                self.call(Self::AROUND_CALL);
            }
            let said = !matches!(
                key,
                "id" | "call_id"
                    | "type"
                    | "role"
                    | "status"
                    | "finish_reason"
                    | "index"
                    | "signature"
                    | "encrypted_content"
                    | "thought_signature"
                    | "data"
                    | "token"
            );
            if said {
                self.add(string.raw().as_bytes());
            }
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_weigh_what_the_whole_does() {
        let text = "Hello, Алма-Ата, 東京 👋!";
        let whole = Weight::of(text);
        for at in 0..=text.len() {
            let mut weight = Weight::default();
            weight.add(&text.as_bytes()[..at]);
            weight.add(&text.as_bytes()[at..]);
            assert_eq!(weight, whole, "{at}");
        }
        // 9 and 3 Latin characters, 7 of two bytes, 3 of more.
        assert_eq!(whole.quarters, 12 + 14 + 12);
    }

    #[test]
    fn what_an_answer_says_is_found_in_every_dialect() {
        for (body, tokens) in [
            (
                r#"{"id":"chatcmpl-1","choices":[{"index":0,"message":{"role":"assistant","content":"12345678"},"finish_reason":"stop"}],"model":"m"}"#,
                2,
            ),
            (
                r#"{"type":"message","id":"msg_1","content":[{"type":"text","text":"12345678"},{"type":"tool_use","id":"t","name":"find","input":{"city":"Rome"}}],"stop_reason":"end_turn"}"#,
                19,
            ),
            (
                r#"{"id":"resp_1","instructions":"long and longer","output":[{"type":"message","id":"m","content":[{"type":"output_text","text":"12345678"}]}]}"#,
                2,
            ),
            (
                "data: {\"choices\":[{\"delta\":{\"content\":\"1234\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"5678\"}}]}\n\ndata: [DONE]\n\n",
                2,
            ),
            (
                "event: x\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"12345678\"}\n\n",
                2,
            ),
            ("no JSON", 0),
            (r#"{"choices":[{"message":{"content":"12345678"#, 0),
        ] {
            assert_eq!(
                Weight::of_answer(body.as_bytes()).tokens(),
                tokens,
                "{body}"
            );
        }
    }
}
