//! The order of the targets that share one place: a draw by weight, again and again.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::snapshot::{Place, Target};

/// Every member of `place`: the first drawn by weight, the next by weight among the rest. A member
/// without weight is drawn only when nothing else is left: it gets no traffic but is a fallback.
pub(super) fn order<'a>(
    place: &'a Place,
    rng: &mut fastrand::Rng,
) -> SmallVec<[&'a Arc<Target>; 4]> {
    let mut left: SmallVec<[_; 4]> = place.members.iter().collect();
    let mut order = SmallVec::new();
    while !left.is_empty() {
        let total: u64 = left.iter().map(|member| u64::from(member.weight)).sum();
        let mut drawn = if total == 0 || left.len() == 1 {
            0
        } else {
            rng.u64(..total)
        };
        let at = left
            .iter()
            .position(|member| {
                let weight = u64::from(member.weight);
                let hit = drawn < weight || total == 0;
                drawn = drawn.saturating_sub(weight);
                hit
            })
            .unwrap_or_default();
        order.push(&left.remove(at).target);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::schedule::tests::target;
    use super::*;
    use crate::snapshot::{Member, Select};

    fn place(weights: &[u32]) -> Place {
        let member = |(i, &weight)| Member {
            target: target(&format!("p/{i}"), None),
            weight,
        };
        Place {
            members: weights.iter().enumerate().map(member).collect(),
            select: Select::Weighted,
        }
    }

    #[test]
    fn weights_are_kept_and_nobody_is_lost() {
        let place = place(&[95, 5, 0]);
        let mut rng = fastrand::Rng::with_seed(3);
        let mut firsts = [0_u32; 3];
        for _ in 0..10_000 {
            let order = order(&place, &mut rng);
            assert_eq!(order.len(), 3);
            let first = place
                .members
                .iter()
                .position(|member| Arc::ptr_eq(&member.target, order[0]));
            firsts[first.unwrap()] += 1;
        }
        assert!((9_400..9_600).contains(&firsts[0]), "{firsts:?}");
        assert_eq!(firsts[2], 0);
    }
}
