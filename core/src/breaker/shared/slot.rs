//! A deadline of 64 bits, and the period it belongs to, in words of 32 bits that any number of threads claim.

use super::word::PERIOD_BITS;
use crate::Instant;
use crate::sync::{AtomicU32, Ordering, array_of, const_fn};

/// A place that is claimed with a deadline.
///
/// Who claims it draws it up as a draft, writes the deadline, and then holds it. A draft is nobody's yet: whoever needs the
/// place takes it over at once, so a claimer that stands still, or is gone, is not waited for; it learns of it at its next
/// step. A deadline can be read while the place is held, and never changes or tears while it is.
#[derive(Debug)]
pub(super) struct Slot {
    /// The generation, counted at each draft, and in the two lowest bits whether it is [`FREE`], [`DRAFT`] or [`HELD`].
    owner: AtomicU32,
    /// Each has the last bits of the generation that wrote it on top, and below them its part of period and deadline. Only
    /// who drafted that generation writes them, and only while the draft stands.
    parts: [AtomicU32; PARTS],
}

/// What a look at a slot tells. The word that it stood on is the right to [claim](Slot::claim) it, as long as nobody else
/// does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    Free(u32),
    /// Being drawn up, or changing hands right now.
    Draft(u32),
    Held {
        word: u32,
        period: u32,
        deadline: Instant,
    },
}

const FREE: u32 = 0;
const DRAFT: u32 = 1;
const HELD: u32 = 2;
const PHASE: u32 = 3;

const PARTS: usize = 4;
/// Bits of each part that are payload.
const PAYLOAD: u32 = 22;
const _: () = assert!(PERIOD_BITS + 64 <= PAYLOAD * PARTS as u32);

/// The generation's bits, as they stand on top of each part.
const fn tag(word: u32) -> u32 {
    (word >> 2) << PAYLOAD
}

impl Slot {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { owner: AtomicU32::new(FREE), parts: array_of!(AtomicU32::new(0)) }
        }
    }

    #[inline]
    pub(super) fn look(&self) -> Seen {
        // Ordering: Acquire pairs with the Release with which it was held: the parts are those of this generation or
        // younger.
        let word = self.owner.load(Ordering::Acquire);
        match word & PHASE {
            FREE => Seen::Free(word),
            HELD => self.read(word).unwrap_or(Seen::Draft(word)),
            _ => Seen::Draft(word),
        }
    }

    /// The deadline that `word`'s generation wrote, unless a younger one began to write over it.
    #[inline]
    fn read(&self, word: u32) -> Option<Seen> {
        const LOW: u32 = (1 << PAYLOAD) - 1;
        // Ordering: Relaxed: the tags tell whose they are.
        let [a, b, c, d] = [0, 1, 2, 3].map(|i: usize| self.parts[i].load(Ordering::Relaxed) ^ tag(word));
        if (a | b | c | d) >> PAYLOAD != 0 {
            return None;
        }
        let deadline = u64::from(a) | u64::from(b) << PAYLOAD | u64::from(c & 0xF_FFFF) << (2 * PAYLOAD);
        let period = (c & LOW) >> 20 | d << 2;
        Some(Seen::Held { word, period, deadline: Instant::from_nanos(deadline) })
    }

    /// Takes the slot that was seen with `word`. The generation under which it is held, or `None` if others were
    /// quicker.
    pub(super) fn claim(&self, word: u32, period: u32, deadline: Instant) -> Option<u32> {
        let generation = (word >> 2).wrapping_add(1) << 2 >> 2;
        let draft = generation << 2 | DRAFT;
        // Ordering: AcqRel. Release: who sees the draft, through a part or here, knows that the older ones are void.
        self.owner.compare_exchange(word, draft, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        let nanos = deadline.as_nanos();
        let payloads = [
            nanos as u32,
            (nanos >> PAYLOAD) as u32,
            (nanos >> (2 * PAYLOAD)) as u32 | (period & 3) << 20,
            period >> 2,
        ];
        for (part, payload) in self.parts.iter().zip(payloads) {
            let new = payload & ((1 << PAYLOAD) - 1) | tag(draft);
            loop {
                // Ordering: Acquire. If a younger generation wrote this, the next load sees that its draft replaced ours.
                let old = part.load(Ordering::Acquire);
                // Ordering: Acquire as above.
                if self.owner.load(Ordering::Acquire) != draft {
                    return None;
                }
                // Ordering: Release, for the reason above.
                if part.compare_exchange_weak(old, new, Ordering::Release, Ordering::Relaxed).is_ok() {
                    break;
                }
            }
        }
        // Ordering: Release pairs with the Acquire of `look`.
        self.owner
            .compare_exchange(draft, generation << 2 | HELD, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
            .then_some(generation)
    }

    /// Frees the slot if `generation` still holds it; of several who try, one succeeds.
    pub(super) fn release(&self, generation: u32) -> bool {
        let held = generation << 2 | HELD;
        // Ordering: AcqRel: what the holder did is before what the next one does.
        self.owner.compare_exchange(held, generation << 2 | FREE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// The generation in the word of a [`Seen::Held`].
pub(super) const fn generation(word: u32) -> u32 {
    word >> 2
}
