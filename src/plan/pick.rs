//! The order of the targets that share one place.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Selection;
use crate::chat::drawn;
use crate::snapshot::{Member, Place, Select, Target};

/// One request in so many goes to another member than the fastest, so that the others are measured
/// too.
const EXPLORE_ONE_IN: u32 = 16;
/// What an answer costs is guessed before it is there: a quarter of the prompt, and at least this.
const LEAST_COMPLETION: u64 = 256;

type Order<'a> = SmallVec<[&'a Arc<Target>; 4]>;

/// Every member of `place`, the one to be asked first in front. A member without weight gets no
/// traffic but is a fallback.
pub(super) fn order<'a>(
    place: &'a Place,
    by: &Selection<'_>,
    rng: &mut fastrand::Rng,
) -> Order<'a> {
    if let [one] = &*place.members {
        return [&one.target].into_iter().collect();
    }
    match place.select {
        Select::Weighted => weighted(&place.members, by.affinity, rng),
        Select::Fastest => fastest(&place.members, by, rng),
        Select::Cheapest => sorted(&place.members, |member| cost(&member.target, by)),
    }
}

/// By weight, drawn anew for each request, or the same for all of a conversation: every member draws a
/// number, from chance or from the conversation, and the weights decide how far it carries. A change
/// of weights, or of members, moves only the conversations that it must.
/// Efraimidis and Spirakis, *Weighted random sampling with a reservoir* (2006).
fn weighted<'a>(
    members: &'a [Member],
    affinity: Option<u64>,
    rng: &mut fastrand::Rng,
) -> Order<'a> {
    let draw = |member: &Member, rng: &mut fastrand::Rng| match affinity {
        None => rng.f64(),
        Some(conversation) => unit(drawn([
            &conversation.to_be_bytes()[..],
            member.target.id.as_bytes(),
        ])),
    };
    // The smallest goes first: an exponential variable with the weight as its rate.
    sorted(members, |member| {
        let drawn = -(1.0 - draw(member, rng)).ln();
        if member.weight == 0 {
            f64::INFINITY
        } else {
            drawn / f64::from(member.weight)
        }
    })
}

/// 53 bits of a hash, as a number from 0 to below 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// The better of two that chance picks, by what it is expected to take with its load; then the rest,
/// the best first. The better of two spreads what the best of all would draw upon itself.
fn fastest<'a>(members: &'a [Member], by: &Selection<'_>, rng: &mut fastrand::Rng) -> Order<'a> {
    let mut order = sorted(members, |member| by.expected_with_load(&member.target));
    let explore = rng.u32(..EXPLORE_ONE_IN) == 0;
    let (a, b) = (rng.usize(..order.len()), rng.usize(..order.len() - 1));
    let b = if b >= a { b + 1 } else { b };
    let first = if explore { a.max(b) } else { a.min(b) };
    order[..=first].rotate_right(1);
    order
}

/// In pico-units, by the prompt's length; the last where no price is known.
#[expect(
    clippy::cast_precision_loss,
    reason = "prices need not be compared to the last digit"
)]
fn cost(target: &Target, by: &Selection<'_>) -> f64 {
    let prompt = by.ask.tokens;
    let completion = (prompt / 4).max(LEAST_COMPLETION);
    let price = target.price.as_ref();
    price.map_or(f64::INFINITY, |price| {
        price.foreseen(prompt, completion).picos() as f64
    })
}

fn sorted(members: &[Member], mut key: impl FnMut(&Member) -> f64) -> Order<'_> {
    let mut keyed: SmallVec<[(f64, &Arc<Target>); 4]> = members
        .iter()
        .map(|member| (key(member), &member.target))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    keyed.into_iter().map(|(_, target)| target).collect()
}
