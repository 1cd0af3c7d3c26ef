//! The one word that says which state a shared breaker is in.

/// State, openings since it was last closed, and the number of the period.
///
/// Each change of state is one compare-and-swap of this word, and each begins a period with a number of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Word(pub(super) u32);

/// The states, as the word has them; the until of [`State::Open`](crate::breaker::State::Open) is elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Code {
    Closed = 0,
    Open = 1,
    HalfOpen = 2,
    ForcedOpen = 3,
    ForcedClosed = 4,
    Disabled = 5,
}

/// Bits of a period's number.
pub(super) const PERIOD_BITS: u32 = 22;
/// The most openings that are told apart.
pub(super) const MAX_OPENINGS: u32 = 127;

const PERIOD_SHIFT: u32 = 32 - PERIOD_BITS;
const OPENINGS_SHIFT: u32 = 3;

impl Word {
    /// Closed, in the first period.
    pub(super) const START: Self = Self(0);

    /// Closed in `period`: as there are no openings then, the whole word is known.
    #[inline(always)]
    pub(super) const fn closed(period: u32) -> Self {
        Self(period << PERIOD_SHIFT | Code::Closed as u32)
    }

    #[inline(always)]
    pub(super) const fn period(self) -> u32 {
        self.0 >> PERIOD_SHIFT
    }

    pub(super) const fn openings(self) -> u32 {
        self.0 >> OPENINGS_SHIFT & MAX_OPENINGS
    }

    #[inline(always)]
    pub(super) const fn code(self) -> Code {
        match self.0 & ((1 << OPENINGS_SHIFT) - 1) {
            0 => Code::Closed,
            1 => Code::Open,
            2 => Code::HalfOpen,
            3 => Code::ForcedOpen,
            4 => Code::ForcedClosed,
            _ => Code::Disabled,
        }
    }

    /// The word of the next period, in state `code`.
    pub(super) const fn next(self, code: Code) -> Self {
        let openings = match code {
            Code::Open if self.openings() < MAX_OPENINGS => self.openings() + 1,
            Code::Open | Code::HalfOpen => self.openings(),
            _ => 0,
        };
        // The oldest number follows the youngest one: what is above the word's bits falls off.
        Self((self.period() + 1) << PERIOD_SHIFT | openings << OPENINGS_SHIFT | code as u32)
    }
}
