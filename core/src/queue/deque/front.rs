//! The one word in which the owner and the thieves agree on what may be taken.

/// Positions are counted modulo 2¹⁵; a slot's index is its position modulo the capacity. Under loom they are counted
/// modulo 8, so that a model can see them come around.
const POSITION_BITS: u32 = if cfg!(divvy_loom) { 3 } else { 15 };
pub(super) const POSITION: u32 = (1 << POSITION_BITS) - 1;

/// The largest capacity: half the range of positions, so that full and empty differ. (The models keep to 4.)
pub(super) const MAX: u32 = 1 << 14;

/// What a thief is doing. One at a time.
const THIEF: u32 = 3 << 30;
/// It looks: nothing was taken since it came, so that it may book.
const LOOKING: u32 = 1 << 30;
/// It looks, but the owner has taken something meanwhile: it will not book.
const SPOILED: u32 = 2 << 30;
/// It has booked, and is moving the items out.
const MOVING: u32 = 3 << 30;

/// The head in bits 0 to 14, what was taken back in bits 15 to 29, and in the last two what a thief is doing.
#[derive(Clone, Copy)]
pub(super) struct Front(pub(super) u32);

impl Front {
    pub(super) const fn new(head: u32, taken_back: u32, thief: u32) -> Self {
        Self((head & POSITION) | (taken_back & POSITION) << POSITION_BITS | thief)
    }

    /// The position of the oldest shared item, modulo the range of positions, as are all below.
    pub(super) const fn head(self) -> u32 {
        self.0 & POSITION
    }

    /// The position after the newest shared item, given how many were ever shared.
    pub(super) const fn split(self, shared: u32) -> u32 {
        shared.wrapping_sub(self.0 >> POSITION_BITS) & POSITION
    }

    /// The number of shared items, given how many were ever shared.
    pub(super) const fn len(self, shared: u32) -> u32 {
        self.split(shared).wrapping_sub(self.head()) & POSITION
    }

    pub(super) const fn has_thief(self) -> bool {
        self.0 & THIEF != 0
    }

    pub(super) const fn is_moving(self) -> bool {
        self.0 & THIEF == MOVING
    }

    /// A thief that looks must notice that the owner took something.
    const fn spoiled(self) -> u32 {
        if self.0 & THIEF == LOOKING { SPOILED } else { self.0 & THIEF }
    }

    /// After the owner took back the `count` newest of the shared items.
    pub(super) const fn taken_back(self, count: u32) -> Self {
        Self::new(self.head(), (self.0 >> POSITION_BITS) + count, self.spoiled())
    }

    /// After the owner took the oldest of the shared items.
    pub(super) const fn popped(self) -> Self {
        Self::new(self.head() + 1, self.0 >> POSITION_BITS, self.spoiled())
    }

    /// With nothing shared, and what will be shared next beginning at `position`, given how many were ever shared.
    pub(super) const fn moved_to(self, position: u32, shared: u32) -> Self {
        Self::new(position, shared.wrapping_sub(position), self.spoiled())
    }

    /// After a thief locked out the others.
    pub(super) const fn locked(self) -> Self {
        Self((self.0 & !THIEF) | LOOKING)
    }

    /// After the thief took the `count` oldest.
    pub(super) const fn booked(self, count: u32) -> Self {
        Self::new(self.head() + count, self.0 >> POSITION_BITS, MOVING)
    }

    /// The bits that stay when the thief has gone.
    pub(super) const WITHOUT_THIEF: u32 = !THIEF;
}
