//! Which tools a target is told of, and what it must do with them: one rule for every dialect.
//!
//! No dialect but OpenAI's has a list of allowed tools beside the list of all, and many a model cannot
//! be made to call. What is left of a choice then is a shorter list: of the allowed tools, or of the
//! one that was named.

use std::collections::HashSet;

use super::conversation::{Conversation, Tool, ToolChoice};
use super::unsupported::Unsupported;

/// How far a model can be made to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    /// Not at all.
    Nothing,
    /// Some tool, whichever.
    Any,
    /// This one.
    Named,
}

/// What a target is told of the tools.
#[derive(Debug, Default)]
pub struct Offer<'a> {
    /// In the caller's order.
    pub tools: Vec<&'a Tool>,
    /// `None` where the caller said nothing, or there are no tools.
    pub choice: Option<Choice<'a>>,
    /// Some tools are left out: the prefix of the conversation is another than the caller's.
    pub narrowed: bool,
    /// The caller asked for a call, and is not promised one: `tool_choice` is dropped.
    pub lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    Auto,
    None,
    /// Any of the tools that are told of, but one of them.
    Any,
    Named(&'a str),
}

impl Choice<'_> {
    /// Whether a tool must be called.
    pub fn forces(self) -> bool {
        match self {
            Self::Auto | Self::None => false,
            Self::Any | Self::Named(_) => true,
        }
    }
}

impl Conversation {
    /// Its tools for a model that can be made to call so far.
    ///
    /// # Errors
    /// A tool is chosen that is not there, or none is allowed.
    pub fn offer(&self, force: Force) -> Result<Offer<'_>, Unsupported> {
        let asks = matches!(
            self.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { .. })
        );
        if self.tools.is_empty() {
            return Ok(Offer {
                lost: asks,
                ..Offer::default()
            });
        }
        let any = match force {
            Force::Nothing => Choice::Auto,
            Force::Any | Force::Named => Choice::Any,
        };
        let (choice, names): (_, &[String]) = match self.tool_choice.as_ref() {
            None => (None, &[]),
            Some(ToolChoice::Auto) => (Some(Choice::Auto), &[]),
            Some(ToolChoice::None) => (Some(Choice::None), &[]),
            Some(ToolChoice::Required) => (Some(any), &[]),
            Some(ToolChoice::Named(name)) => {
                let named = Some(Choice::Named(name)).filter(|_| force == Force::Named);
                (named.or(Some(any)), std::slice::from_ref(name))
            }
            Some(ToolChoice::Allowed { names, required }) => {
                if names.is_empty() {
                    return Err(Unsupported::invalid(
                        "tool_choice",
                        "`tool_choice` allows none of the tools.",
                    ));
                }
                let choice = if *required { any } else { Choice::Auto };
                (Some(choice), names)
            }
        };
        let only = self.known(names)?;
        // Where a tool can be named, the others may stand beside it.
        let all = only.is_empty() || matches!(choice, Some(Choice::Named(_)));
        let tools = self.tools.iter();
        let tools: Vec<&Tool> = tools
            .filter(|tool| all || only.contains(&*tool.name))
            .collect();
        let required = !matches!(
            self.tool_choice,
            Some(ToolChoice::Allowed {
                required: false,
                ..
            })
        );
        Ok(Offer {
            narrowed: tools.len() != self.tools.len(),
            tools,
            choice,
            lost: asks && required && force == Force::Nothing,
        })
    }

    /// The names as a set, each of them a tool's.
    fn known<'a>(&self, names: &'a [String]) -> Result<HashSet<&'a str>, Unsupported> {
        if names.is_empty() {
            return Ok(HashSet::new());
        }
        let tools: HashSet<&str> = self.tools.iter().map(|tool| &*tool.name).collect();
        match names.iter().find(|name| !tools.contains(name.as_str())) {
            Some(name) => Err(Unsupported::invalid(
                "tool_choice",
                format!("There is no tool `{name}` in `tools`."),
            )),
            None => Ok(names.iter().map(String::as_str).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Tool {
        Tool {
            name: name.into(),
            description: None,
            schema: None,
            strict: None,
            cache: None,
        }
    }

    fn allowed(names: &[&str], required: bool) -> ToolChoice {
        ToolChoice::Allowed {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            required,
        }
    }

    #[test]
    fn a_choice_comes_to_tools_and_a_word() {
        use Force::{Any, Named, Nothing};
        let named = || ToolChoice::Named("b".into());
        for (choice, force, tools, word, lost) in [
            (None, Nothing, "abc", None, false),
            (
                Some(ToolChoice::Auto),
                Named,
                "abc",
                Some(Choice::Auto),
                false,
            ),
            (
                Some(ToolChoice::None),
                Nothing,
                "abc",
                Some(Choice::None),
                false,
            ),
            (
                Some(ToolChoice::Required),
                Any,
                "abc",
                Some(Choice::Any),
                false,
            ),
            (
                Some(ToolChoice::Required),
                Nothing,
                "abc",
                Some(Choice::Auto),
                true,
            ),
            (Some(named()), Named, "abc", Some(Choice::Named("b")), false),
            (Some(named()), Any, "b", Some(Choice::Any), false),
            (Some(named()), Nothing, "b", Some(Choice::Auto), true),
            (
                Some(allowed(&["c", "a"], true)),
                Named,
                "ac",
                Some(Choice::Any),
                false,
            ),
            (
                Some(allowed(&["c", "a"], true)),
                Nothing,
                "ac",
                Some(Choice::Auto),
                true,
            ),
            (
                Some(allowed(&["c"], false)),
                Nothing,
                "c",
                Some(Choice::Auto),
                false,
            ),
        ] {
            let conversation = Conversation {
                tools: ["a", "b", "c"].map(tool).into(),
                tool_choice: choice.clone(),
                ..Conversation::default()
            };
            let offer = conversation.offer(force).unwrap();
            let left: String = offer.tools.iter().map(|tool| &*tool.name).collect();
            assert_eq!(
                (&*left, offer.choice, offer.lost),
                (tools, word, lost),
                "{choice:?} {force:?}"
            );
            assert_eq!(offer.narrowed, left.len() < 3);
        }
    }

    #[test]
    fn a_choice_of_nothing_is_refused_and_one_among_nothing_lost() {
        for choice in [
            allowed(&[], false),
            allowed(&[], true),
            allowed(&["a", "x"], false),
            ToolChoice::Named("x".into()),
        ] {
            for force in [Force::Nothing, Force::Any, Force::Named] {
                let mut conversation = Conversation {
                    tools: vec![tool("a")],
                    tool_choice: Some(choice.clone()),
                    ..Conversation::default()
                };
                let error = conversation.offer(force).unwrap_err();
                assert_eq!(
                    (&*error.param, error.code),
                    ("tool_choice", Unsupported::INVALID)
                );
                conversation.tools.clear();
                let offer = conversation.offer(force).unwrap();
                assert!(offer.lost && offer.choice.is_none(), "{choice:?}");
            }
        }
        for choice in [ToolChoice::Auto, ToolChoice::None] {
            let conversation = Conversation {
                tool_choice: Some(choice),
                ..Conversation::default()
            };
            assert!(!conversation.offer(Force::Nothing).unwrap().lost);
        }
    }

    #[test]
    fn many_names_of_many_tools_are_compared_once() {
        // Each with each would be five thousand million comparisons: nobody waits for that.
        let names: Vec<String> = (0..100_000).map(|at| format!("tool_{at}")).collect();
        let conversation = Conversation {
            tools: names.iter().map(|name| tool(name)).collect(),
            tool_choice: Some(ToolChoice::Allowed {
                names: names.iter().rev().cloned().collect(),
                required: true,
            }),
            ..Conversation::default()
        };
        let offer = conversation.offer(Force::Any).unwrap();
        assert!(offer.tools.len() == 100_000 && !offer.narrowed);
    }
}
