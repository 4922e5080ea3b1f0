//! Who gets the free places.

/// A tenant that may have due jobs, and how many of its jobs this worker is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub tenant: i32,
    pub running: usize,
}

/// Places that one tenant may have of a worker's: never the last one, which waits for somebody else, so that slow jobs of one
/// tenant do not hold up another's.
fn most_of_one(places: usize) -> usize {
    places.saturating_sub(1).max(1)
}

/// Deals `free` of `places` out, one at a time, to the tenants in the order given: how many jobs of each to claim.
pub fn deal(free: usize, places: usize, waiting: &[Waiting]) -> Vec<(i32, usize)> {
    let most = most_of_one(places);
    let mut dealt: Vec<(i32, usize)> = waiting.iter().map(|w| (w.tenant, 0)).collect();
    let mut left = free;
    loop {
        let before = left;
        for (w, share) in waiting.iter().zip(&mut dealt) {
            if left > 0 && w.running + share.1 < most {
                share.1 += 1;
                left -= 1;
            }
        }
        if left == 0 || left == before {
            dealt.retain(|(_, share)| *share > 0);
            return dealt;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(all: &[(i32, usize)]) -> Vec<Waiting> {
        all.iter().map(|&(tenant, running)| Waiting { tenant, running }).collect()
    }

    #[test]
    fn places_are_dealt_in_turn() {
        type Case<'a> = (usize, usize, &'a [(i32, usize)], &'a [(i32, usize)]);
        let cases: &[Case<'_>] = &[
            // Nobody waits.
            (4, 4, &[], &[]),
            // One alone leaves a place.
            (4, 4, &[(1, 0)], &[(1, 3)]),
            (2, 4, &[(1, 2)], &[(1, 1)]),
            (1, 4, &[(1, 3)], &[]),
            // Somebody else gets it.
            (1, 4, &[(1, 3), (2, 0)], &[(2, 1)]),
            (4, 4, &[(1, 0), (2, 0)], &[(1, 2), (2, 2)]),
            (4, 4, &[(1, 0), (2, 0), (3, 0)], &[(1, 2), (2, 1), (3, 1)]),
            (2, 4, &[(3, 0), (1, 0), (2, 0)], &[(3, 1), (1, 1)]),
            // A single place is everybody's.
            (1, 1, &[(1, 0)], &[(1, 1)]),
        ];
        for (free, places, all, expected) in cases {
            assert_eq!(
                deal(*free, *places, &waiting(all)),
                *expected,
                "{free} of {places} to {all:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_more_than_there_is(free in 0_usize..20, places in 1_usize..20, running in proptest::collection::vec(0_usize..20, 0..10)) {
            let all: Vec<Waiting> = (0..).zip(&running).map(|(tenant, &running)| Waiting { tenant, running }).collect();
            let dealt = deal(free, places, &all);
            proptest::prop_assert!(dealt.iter().map(|d| d.1).sum::<usize>() <= free);
            for (tenant, share) in dealt {
                proptest::prop_assert!(share > 0 && all[tenant as usize].running + share <= most_of_one(places));
            }
        }
    }
}
