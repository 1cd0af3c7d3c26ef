//! What is to be placed.

use crate::hash::xxh3_64;

/// What a policy may know of the work that it places. Everything is optional.
///
/// # Examples
///
/// ```
/// use divvy::balance::Request;
///
/// let request = Request::new().key(b"user:17").zone(2).avoid(&[4]);
/// assert!(request.avoids(4) && !request.avoids(5));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request<'a> {
    key: Option<u64>,
    zone: Option<u16>,
    avoid: &'a [u32],
    /// Avoided as well: turned down for now by the balancer.
    thinned: &'a [u32],
    features: &'a [u32],
}

impl<'a> Request<'a> {
    /// Work of which nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self { key: None, zone: None, avoid: &[], thinned: &[], features: &[] }
    }

    /// Work that belongs to `key`: the policies that look at keys keep it together.
    #[must_use]
    pub const fn key(self, key: &[u8]) -> Self {
        self.key_hash(xxh3_64(key))
    }

    /// As [`key`](Self::key), for a key whose XXH3-64 is `hash`.
    #[must_use]
    pub const fn key_hash(mut self, hash: u64) -> Self {
        self.key = Some(hash);
        self
    }

    /// Work that comes from `zone`.
    #[must_use]
    pub const fn zone(mut self, zone: u16) -> Self {
        self.zone = Some(zone);
        self
    }

    /// Work that the members in these slots shall not get: a retry names those that it was tried on.
    #[must_use]
    pub const fn avoid(mut self, slots: &'a [u32]) -> Self {
        self.avoid = slots;
        self
    }

    /// Work with these features (sizes, counts, one-hot classes), from which a learning policy estimates its run time.
    #[must_use]
    pub const fn features(mut self, features: &'a [u32]) -> Self {
        self.features = features;
        self
    }

    /// Work that the members in these slots shall not get either.
    pub(super) const fn thin(mut self, slots: &'a [u32]) -> Self {
        self.thinned = slots;
        self
    }

    /// The hash of the key, if there is one.
    #[must_use]
    pub const fn hash(&self) -> Option<u64> {
        self.key
    }

    /// The zone that it comes from, if it says so.
    #[must_use]
    pub const fn from_zone(&self) -> Option<u16> {
        self.zone
    }

    /// The slots that the caller named; [`avoids`](Self::avoids) knows more.
    #[must_use]
    pub const fn avoided(&self) -> &'a [u32] {
        self.avoid
    }

    /// Every slot that [`avoids`](Self::avoids) knows; one may come twice.
    pub(super) fn all_avoided(&self) -> impl Iterator<Item = u32> + 'a {
        self.avoid.iter().chain(self.thinned).copied()
    }

    /// Its features.
    #[must_use]
    pub const fn feature_values(&self) -> &'a [u32] {
        self.features
    }

    /// Whether the member in `slot` shall not get it.
    #[inline]
    #[must_use]
    pub fn avoids(&self, slot: u32) -> bool {
        self.avoids_any() && self.names(slot)
    }

    /// Whether it avoids anybody.
    #[inline]
    pub(super) const fn avoids_any(&self) -> bool {
        self.avoid.len() | self.thinned.len() != 0
    }

    /// How many slots it avoids, if none is named twice.
    pub(super) const fn avoided_len(&self) -> usize {
        self.avoid.len() + self.thinned.len()
    }

    #[cold]
    fn names(&self, slot: u32) -> bool {
        self.avoid.contains(&slot) || self.thinned.contains(&slot)
    }
}
