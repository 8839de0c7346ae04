//! What a model thought, and the seal under which its signature travels through the application.
//!
//! Providers sign what their models think and want it back unchanged with the next turn. Pillion
//! keeps no state between turns, so the signature goes out in a field that the SDKs return with the
//! history, and comes back in it. What comes back may meet another target, to which the signature
//! is worth nothing or an error: so the seal names the target that signed, and what another one
//! signed is taken out. What no provider signed is sealed all the same, under nothing.

/// What a model thought, as one block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thought {
    /// Empty where the provider shows none; the signature holds it.
    pub text: String,
    /// In an answer as the provider sent it; in history as it came back, sealed or not.
    pub signature: Option<String>,
    /// The whole block is opaque: this, and nothing else.
    pub redacted: Option<String>,
}

impl Thought {
    /// Whether `target` is known to have thought it: its seal stands there, be there a signature
    /// under it or none.
    pub fn is_of(&self, target: &str) -> bool {
        let sealed = self.signature.as_deref().or(self.redacted.as_deref());
        sealed
            .and_then(open)
            .is_some_and(|(maker, _)| maker == target)
    }
}

/// What a seal begins with: no provider's signature does.
const MARK: &str = "pillion:";

/// `signature` as it goes out: with the target (`provider/model`) that made it. An empty one says
/// whose a thought is that nobody signed.
pub fn seal(target: &str, signature: &str) -> String {
    format!("{MARK}{}:{target}:{signature}", target.len())
}

/// The target and the signature of a seal; `None` for what bears none.
pub fn open(sealed: &str) -> Option<(&str, &str)> {
    let (length, rest) = sealed.strip_prefix(MARK)?.split_once(':')?;
    let (target, signature) = rest.split_at_checked(length.parse().ok()?)?;
    Some((target, signature.strip_prefix(':')?))
}

/// Whether `text` holds a seal anywhere: a quick look before a careful one.
pub fn may_hold_seal(text: &[u8]) -> bool {
    memchr::memmem::find(text, MARK.as_bytes()).is_some()
}

/// The signature, if `target` may be shown it: it made it. One that nobody sealed may be anybody's.
pub fn signature_for<'a>(signature: &'a str, target: &str) -> Option<&'a str> {
    let (maker, signature) = open(signature)?;
    (maker == target && !signature.is_empty()).then_some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_for_its_maker_alone() {
        let sealed = seal("claude/claude-x:1", "sig:==");
        assert_eq!(open(&sealed), Some(("claude/claude-x:1", "sig:==")));
        assert!(may_hold_seal(
            format!("{{\"signature\":\"{sealed}\"}}").as_bytes()
        ));
        for (signature, target, expected) in [
            (&*sealed, "claude/claude-x:1", Some("sig:==")),
            (&sealed, "claude/claude-x", None),
            ("bare", "claude/claude-x:1", None),
            ("", "claude/claude-x:1", None),
            (&*seal("a/b", ""), "a/b", None),
        ] {
            assert_eq!(signature_for(signature, target), expected);
        }
    }

    #[test]
    fn a_thought_is_its_makers_signed_or_not() {
        let thought = |signature: Option<String>| Thought {
            text: "hm".into(),
            signature,
            redacted: None,
        };
        for (signature, expected) in [
            (Some(seal("a/b", "sig")), true),
            (Some(seal("a/b", "")), true),
            (Some(seal("a/c", "")), false),
            (Some("bare".into()), false),
            (None, false),
        ] {
            assert_eq!(
                thought(signature.clone()).is_of("a/b"),
                expected,
                "{signature:?}"
            );
        }
    }

    #[test]
    fn what_is_no_seal_is_not_opened() {
        for text in [
            "",
            "sig",
            "pillion:",
            "pillion:9:a:b",
            "pillion:x:a:b",
            "pillion:1:ab",
        ] {
            assert_eq!(open(text), None, "{text}");
        }
    }
}
