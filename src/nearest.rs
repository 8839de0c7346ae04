//! The name that was probably meant by one that nobody knows.

use std::cmp::Reverse;

/// A longer name, in bytes, is none that was mistyped; to compare it would take seconds.
const LONGEST_NAME: usize = 128;

/// The known name that was probably meant: at most a third of it mistyped, or one letter. Of two that are as
/// near it is the longer: letters are left out more often than put in.
pub(crate) fn nearest<'a>(
    asked: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if asked.len() > LONGEST_NAME {
        return None;
    }
    let asked = asked.to_lowercase();
    let length = asked.chars().count();
    let allowed = (length / 3).max(1);
    known
        .into_iter()
        .map(|name| (name.to_lowercase(), name))
        // No nearer than their lengths are.
        .filter(|(lower, _)| lower.chars().count().abs_diff(length) <= allowed)
        .map(|(lower, name)| (strsim::damerau_levenshtein(&asked, &lower), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, name)| (*distance, Reverse(name.len()), *name))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_offered() {
        let known = ["routes", "providers", "keys", "h2c"];
        for (asked, meant) in [
            ("route", Some("routes")),
            ("Routes", Some("routes")),
            ("porviders", Some("providers")),
            ("kyes", Some("keys")),
            ("privacy", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(asked, known), meant, "{asked}");
        }
    }
}
