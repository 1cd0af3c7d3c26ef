//! The unstable sort: a quicksort whose partitions run in parallel too.

use super::run::is_sorted_already;
use super::{SERIAL, leaf};
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use std::cmp::Ordering;
use std::mem;

/// A leaf is about this share of what a thread has to do, so that who is done early finds something to steal.
const LEAVES_PER_THREAD: usize = 8;
/// Parts of this length and more are partitioned by several threads.
const SHARED_PARTITION: usize = 1 << 17;
/// Who partitions or swaps with others does so in pieces of this length at least.
const PIECE: usize = 1 << 15;
/// How many items are looked at for a pivot.
const SAMPLE: usize = 31;

pub(super) fn sort<T: Send + Sync>(
    pool: &Pool,
    list: &mut [T],
    compare: &(impl Fn(&T, &T) -> Ordering + Sync),
) {
    let threads = pool.threads();
    if list.len() <= SERIAL || threads == 1 {
        return list.sort_unstable_by(compare);
    }
    pool.run(|cx| {
        // The leaves would find this in parts only.
        if is_sorted_already(cx, list, compare) {
            return;
        }
        // A list that is nearly sorted is cut into equal parts, and each takes about as long: so one for each thread does,
        // with some allowance for the cut.
        let leaf = match leaf::looks_nearly_sorted(list, compare) {
            true => list.len() / threads + list.len() / (4 * threads),
            false => list.len() / (threads * LEAVES_PER_THREAD),
        };
        let quick = Quick { compare, leaf: leaf.max(SERIAL / 2) };
        let depth = 2 * list.len().ilog2();
        quick.sort(cx, list, None, depth);
    });
}

struct Quick<'a, C> {
    compare: &'a C,
    leaf: usize,
}

impl<C> Quick<'_, C> {
    /// Sorts `list`, of which nothing is below `floor`.
    fn sort<T: Send + Sync>(&self, cx: &mut Context, mut list: &mut [T], floor: Option<&T>, mut depth: u32)
    where
        C: Fn(&T, &T) -> Ordering + Sync,
    {
        loop {
            // No progress: the leaves' sort has a bound of its own.
            if list.len() <= self.leaf || depth == 0 {
                return leaf::sort(list, self.compare);
            }
            depth -= 1;
            let pivot = self.choose_pivot(list);
            list.swap(0, pivot);
            let Some((pivot, rest)) = list.split_first_mut() else { return };
            let pivot: &T = pivot;
            // The pivot is as low as can be: what equals it goes left, and is in its place.
            if floor.is_some_and(|floor| (self.compare)(floor, pivot).is_ge()) {
                let equal = partition(cx, rest, &|item| (self.compare)(item, pivot).is_le());
                list = &mut mem::take(&mut list)[1 + equal..];
                continue;
            }
            let below = partition(cx, rest, &|item| (self.compare)(item, pivot).is_lt());
            list.swap(0, below);
            let (left, right) = list.split_at_mut(below);
            let Some((pivot, right)) = right.split_first_mut() else { return };
            let pivot: &T = pivot;
            cx.join(|cx| self.sort(cx, left, floor, depth), |cx| self.sort(cx, right, Some(pivot), depth));
            return;
        }
    }

    /// The index of the median of a sample that is spread evenly.
    fn choose_pivot<T>(&self, list: &[T]) -> usize
    where
        C: Fn(&T, &T) -> Ordering,
    {
        let step = list.len() / SAMPLE;
        let mut sample: [usize; SAMPLE] = std::array::from_fn(|index| index * step + step / 2);
        let (_, median, _) =
            sample.select_nth_unstable_by(SAMPLE / 2, |a, b| (self.compare)(&list[*a], &list[*b]));
        *median
    }
}

/// Moves the items that `goes_left` before all others, and says how many they are.
fn partition<T: Send>(cx: &mut Context, list: &mut [T], goes_left: &(impl Fn(&T) -> bool + Sync)) -> usize {
    if list.len() < SHARED_PARTITION || cx.threads() == 1 {
        return partition_alone(list, goes_left);
    }
    // Each thread partitions pieces of its own; then the left parts that lie right of the border change places with
    // the right parts that lie left of it.
    let pieces = (list.len() / PIECE).min(2 * cx.threads());
    let piece = list.len().div_ceil(pieces);
    let mut pieces: Vec<(&mut [T], usize)> = list.chunks_mut(piece).map(|piece| (piece, 0)).collect();
    for_all(cx, &mut pieces, &|(piece, left)| *left = partition_alone(piece, goes_left));
    let border = pieces.iter().map(|(_, left)| left).sum();
    let bounds: Vec<(usize, usize)> = pieces.iter().map(|(piece, left)| (piece.len(), *left)).collect();
    let mut swaps = misplaced(list, border, &bounds);
    for_all(cx, &mut swaps, &|(left, right)| left.swap_with_slice(right));
    border
}

/// The pieces left of the border that belong right of it, each with one of the same length right of it that belongs left.
/// A piece of the list is so long, and of it so many items belong left, which are its first.
fn misplaced<'a, T>(
    list: &'a mut [T],
    border: usize,
    bounds: &[(usize, usize)],
) -> Vec<(&'a mut [T], &'a mut [T])> {
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    let (mut before, mut after) = list.split_at_mut(border);
    let mut start = 0;
    for (len, left) in bounds {
        let end = start + len;
        // The part of this piece before the border, and the one after it.
        let (near, far);
        (near, before) =
            mem::take(&mut before).split_at_mut(end.min(border).saturating_sub(start.min(border)));
        (far, after) = mem::take(&mut after).split_at_mut(end.max(border) - start.max(border));
        if let Some(surplus) = left.checked_sub(near.len()) {
            rights.push(&mut far[..surplus]);
        } else {
            lefts.push(&mut near[*left..]);
        }
        start = end;
    }
    pair_up(lefts, rights)
}

/// Cuts both lists of slices, which hold equally many items in all, into pairs of equal length.
fn pair_up<'a, T>(lefts: Vec<&'a mut [T]>, rights: Vec<&'a mut [T]>) -> Vec<(&'a mut [T], &'a mut [T])> {
    let (mut lefts, mut rights) = (lefts.into_iter(), rights.into_iter());
    let (mut left, mut right): (&mut [T], &mut [T]) = (&mut [], &mut []);
    let mut pairs = Vec::new();
    loop {
        if left.is_empty() {
            let Some(next) = lefts.next() else { return pairs };
            left = next;
        }
        if right.is_empty() {
            let Some(next) = rights.next() else { return pairs };
            right = next;
        }
        let len = left.len().min(right.len()).min(PIECE);
        let (a, b);
        (a, left) = mem::take(&mut left).split_at_mut(len);
        (b, right) = mem::take(&mut right).split_at_mut(len);
        pairs.push((a, b));
    }
}

fn partition_alone<T>(list: &mut [T], goes_left: &impl Fn(&T) -> bool) -> usize {
    let mut left = 0;
    // Without a branch that depends on the items.
    for index in 0..list.len() {
        let goes_left = goes_left(&list[index]);
        list.swap(left, index);
        left += usize::from(goes_left);
    }
    left
}

/// Calls `f` with each of `all`, on several threads.
fn for_all<T: Send>(cx: &mut Context, all: &mut [T], f: &(impl Fn(&mut T) + Sync)) {
    match all {
        [] => {}
        [one] => f(one),
        _ => {
            let (left, right) = all.split_at_mut(all.len() / 2);
            cx.join(|cx| for_all(cx, left, f), |cx| for_all(cx, right, f));
        }
    }
}
