//! A body with other JSON in some places, and where the rest of it is then.

use std::ops::Range;

/// A place of a body, and the JSON that is to stand there.
pub(super) type Splice = (Range<usize>, String);

/// `text` with others in some places, in order; `None` where there are none.
pub(super) fn spliced<'s>(
    text: &str,
    splices: impl IntoIterator<Item = &'s Splice>,
) -> Option<String> {
    let mut splices = splices.into_iter().peekable();
    splices.peek()?;
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, other) in splices {
        out.push_str(&text[done..span.start]);
        out.push_str(other);
        done = span.end;
    }
    out.push_str(&text[done..]);
    Some(out)
}

/// Where in a changed body is what stood elsewhere before.
#[derive(Debug, Default)]
pub struct Moved {
    /// Where what was changed ended, and where that ends now; in order.
    ends: Vec<(usize, usize)>,
}

impl Moved {
    pub(super) fn by<'s>(splices: impl IntoIterator<Item = &'s Splice>) -> Self {
        let (mut before, mut now) = (0, 0);
        let ends = splices.into_iter().map(|(span, other)| {
            now += span.start - before + other.len();
            before = span.end;
            (before, now)
        });
        let ends = ends.collect();
        Self { ends }
    }

    /// Of a place that lies in nothing that was changed.
    pub fn place(&self, at: usize) -> usize {
        let behind = self.ends.partition_point(|(before, _)| *before <= at);
        let last = behind.checked_sub(1).and_then(|last| self.ends.get(last));
        last.map_or(at, |(before, now)| now + (at - before))
    }
}
