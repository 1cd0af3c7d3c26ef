//! Lists that are one run already: a look at all neighbours, and turning around what falls.

use crate::pool::work::context::Context;
use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicBool};

/// One thread looks at so many items, or turns them around. A list that is no run is mostly known to be none within the first.
const PIECE: usize = 1 << 15;
/// So many pairs are compared before the look ends at one that is out of order.
const AT_ONCE: usize = 32;

/// Whether `list` is sorted after a look at it: it was, or it fell strictly and is now turned around. On another list the
/// look ends after a few items.
pub(super) fn is_sorted_already<T: Send>(
    cx: &mut Context,
    list: &mut [T],
    compare: &(impl Fn(&T, &T) -> Ordering + Sync),
) -> bool {
    if is_run(cx, list, &|a, b| compare(a, b).is_le()) {
        return true;
    }
    let falls = is_run(cx, list, &|a, b| compare(a, b).is_gt());
    if falls {
        let (left, right) = list.split_at_mut(list.len() / 2);
        let middle = right.len() - left.len();
        swap_mirrored(cx, left, &mut right[middle..]);
    }
    falls
}

/// Whether all neighbours are `in_order`. One thread looks at the first piece, then all at the rest.
fn is_run<T: Send>(cx: &mut Context, list: &mut [T], in_order: &(impl Fn(&T, &T) -> bool + Sync)) -> bool {
    let first = list.len().min(PIECE);
    look(&list[..first], in_order)
        && (first == list.len()
            || is_run_in_halves(cx, &mut list[first - 1..], in_order, &AtomicBool::new(false)))
}

/// One thread's look at all neighbours. It decides once for some pairs, so that comparing numbers becomes vector code.
fn look<T>(list: &[T], in_order: &impl Fn(&T, &T) -> bool) -> bool {
    let pairs = list.len().saturating_sub(1);
    let (firsts, seconds) = (&list[..pairs], &list[list.len() - pairs..]);
    firsts.chunks(AT_ONCE).zip(seconds.chunks(AT_ONCE)).all(|(firsts, seconds)| {
        firsts.iter().zip(seconds).fold(true, |all, (first, second)| all & in_order(first, second))
    })
}

/// The slice is mutable so that items which must not be shared can go to another thread.
fn is_run_in_halves<T: Send>(
    cx: &mut Context,
    list: &mut [T],
    in_order: &(impl Fn(&T, &T) -> bool + Sync),
    broken: &AtomicBool,
) -> bool {
    // Ordering: Relaxed, it only saves work.
    if broken.load(atomic::Ordering::Relaxed) {
        return false;
    }
    let middle = list.len() / 2;
    let is_run = if list.len() <= PIECE {
        look(list, in_order)
    } else {
        let (left, right) = list.split_at_mut(middle);
        let both = cx.join(
            |cx| is_run_in_halves(cx, left, in_order, broken),
            |cx| is_run_in_halves(cx, right, in_order, broken),
        );
        both == (true, true) && in_order(&list[middle - 1], &list[middle])
    };
    if !is_run {
        broken.store(true, atomic::Ordering::Relaxed);
    }
    is_run
}

/// Swaps the first item of `left` with the last of `right`, and so on; both are of the same length.
fn swap_mirrored<T: Send>(cx: &mut Context, left: &mut [T], right: &mut [T]) {
    if left.len() <= PIECE {
        return left.iter_mut().zip(right.iter_mut().rev()).for_each(|(a, b)| std::mem::swap(a, b));
    }
    let middle = left.len() / 2;
    let (outer_left, inner_left) = left.split_at_mut(middle);
    let (inner_right, outer_right) = right.split_at_mut(right.len() - middle);
    cx.join(|cx| swap_mirrored(cx, outer_left, outer_right), |cx| swap_mirrored(cx, inner_left, inner_right));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::threads::Pool;

    fn sort_runs(list: &mut [usize]) -> bool {
        let pool = Pool::new(3).expect("three threads");
        pool.run(|cx| is_sorted_already(cx, list, &usize::cmp))
    }

    #[test]
    fn runs_are_found_at_any_length_and_falling_ones_are_turned_around() {
        for len in [0, 1, 2, PIECE - 1, PIECE, PIECE + 1, 4 * PIECE + 7, 9 * PIECE] {
            let sorted: Vec<usize> = (0..len).collect();
            let mut rising = sorted.clone();
            assert!(sort_runs(&mut rising));
            assert_eq!(rising, sorted);
            let mut falling: Vec<usize> = (0..len).rev().collect();
            assert!(sort_runs(&mut falling));
            assert_eq!(falling, sorted);
            assert!(sort_runs(&mut vec![7; len]), "all equal is sorted");
        }
    }

    #[test]
    fn a_list_that_falls_with_equal_items_is_not_turned_around() {
        let mut list: Vec<usize> = (0..3 * PIECE).rev().map(|n| n / 2).collect();
        let expected = list.clone();
        assert!(!sort_runs(&mut list), "equal items would change places");
        assert_eq!(list, expected);
    }

    #[test]
    fn one_pair_out_of_order_is_found_wherever_it_is() {
        let len = 5 * PIECE + 3;
        // The borders of pieces, of halves, and both ends.
        let borders = (1..len).filter(|place| place % PIECE <= 1 || place + 2 > len || *place == len / 2);
        for place in
            borders.chain([PIECE + 2 * PIECE, PIECE - 1 + (len - PIECE) / 2, PIECE + (len - PIECE) / 2])
        {
            let mut list: Vec<usize> = (0..len).collect();
            list.swap(place - 1, place);
            let expected = list.clone();
            assert!(!sort_runs(&mut list), "{place}");
            assert_eq!(list, expected);
            let mut falling: Vec<usize> = expected.iter().rev().copied().collect();
            let expected = falling.clone();
            assert!(!sort_runs(&mut falling), "{place} from the end");
            assert_eq!(falling, expected);
        }
    }
}
