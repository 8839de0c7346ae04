//! The fields that a request asks for, by name.
//!
//! A request is sized by whoever sends it, and one thread serves many: names are compared with one
//! another, so how many are kept is bounded. A request of more is refused, as a name left out could
//! be one whose loss the caller must hear of.

use std::borrow::Cow;

use super::Unsupported;

/// More members than the top of any surface's request has, and more names than any asks for.
pub const MOST: usize = 256;

/// Notes that `name` is asked for, once. Of more than [`MOST`] names one is kept, for [`checked`].
pub fn note(asked: &mut Vec<Cow<'static, str>>, name: impl Into<Cow<'static, str>>) {
    let name = name.into();
    if asked.len() <= MOST && !asked.contains(&name) {
        asked.push(name);
    }
}

/// Called when all of a request has been read.
///
/// # Errors
/// It asks for more than [`MOST`] different fields.
pub fn checked(asked: &[Cow<'static, str>]) -> Result<(), Unsupported> {
    if asked.len() <= MOST {
        return Ok(());
    }
    Err(Unsupported::invalid(
        "",
        format!(
            "The request sets more than {MOST} different fields that only some providers know."
        ),
    ))
}

/// That the top of a request has more than [`MOST`] members.
pub fn too_many() -> Unsupported {
    Unsupported::invalid(
        "",
        format!("The request body has more than {MOST} members."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_noted_once_and_only_so_many_are_kept() {
        let mut asked = Vec::new();
        for name in ["a", "b", "a"] {
            note(&mut asked, name);
        }
        assert_eq!(asked, ["a", "b"]);
        for at in asked.len()..MOST {
            note(&mut asked, at.to_string());
        }
        assert_eq!(checked(&asked), Ok(()));
        for at in 0..1_000 {
            note(&mut asked, format!("more {at}"));
        }
        assert_eq!(asked.len(), MOST + 1);
        assert!(checked(&asked).is_err());
    }
}
