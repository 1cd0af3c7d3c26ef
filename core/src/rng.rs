//! Chance as the caller tells it.

/// A source of random bits, given to every call that needs chance.
///
/// One method is required. Nothing in the core keeps a generator, so its state stays copyable and a run can be
/// replayed from a seed.
///
/// *When not to use it:* for secrets. Nothing here asks a generator to be unpredictable.
///
/// # Examples
///
/// ```
/// use divvy::rng::{Rng, Xoshiro256PlusPlus};
///
/// let mut rng = Xoshiro256PlusPlus::seed(7);
/// let die = 1 + rng.below(6);
/// assert!((1..=6).contains(&die));
/// // There is nothing below zero; the answer is zero rather than a panic:
/// assert_eq!(rng.below(0), 0);
/// ```
pub trait Rng {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// A number below `n`, each with the same probability; 0 if `n` is 0.
    ///
    /// Uses 32 × 32 → 64 bit multiplication, which a 32-bit chip has in hardware. Consumes one draw, and with
    /// probability below `n / 2³²` another.
    fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let mut product = (self.next_u64() >> 32) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = (self.next_u64() >> 32) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// A number below `n`, each with the same probability; 0 if `n` is 0.
    ///
    /// For ranges that [`Rng::below`] cannot hold; uses a 128-bit product, which 32-bit chips compute in software.
    fn below_u64(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// Puts `items` into a random order, each order with the same probability (Fisher and Yates).
    ///
    /// Slices longer than `u32::MAX` keep their tail in place.
    fn shuffle<T>(&mut self, items: &mut [T])
    where
        Self: Sized,
    {
        let len = u32::try_from(items.len()).unwrap_or(u32::MAX);
        for i in (1..len).rev() {
            items.swap(i as usize, self.below(i + 1) as usize);
        }
    }
}

impl<R: Rng + ?Sized> Rng for &mut R {
    fn next_u64(&mut self) -> u64 {
        (**self).next_u64()
    }
}

/// SplitMix64: one word of state, one multiply-xorshift chain per draw.
///
/// The generator for seeding others and for short sequences; [`Xoshiro256PlusPlus`] is the one to draw many from.
///
/// # Examples
///
/// ```
/// use divvy::rng::{Rng, SplitMix64};
///
/// assert_eq!(SplitMix64::seed(1234567).next_u64(), 6457827717110365317);
/// ```
///
/// # Complexity
///
/// *O*(1) per draw; 8 bytes; period 2⁶⁴.
///
/// # References
///
/// Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, OOPSLA 2014; the constants of Vigna's
/// public-domain `splitmix64.c`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator whose whole sequence follows from `seed`.
    pub const fn seed(seed: u64) -> Self {
        Self(seed)
    }

    const fn step(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Rng for SplitMix64 {
    fn next_u64(&mut self) -> u64 {
        self.step()
    }
}

/// xoshiro256++: the generator the scenarios, simulations and examples draw from.
///
/// # Examples
///
/// ```
/// use divvy::rng::{Rng, Xoshiro256PlusPlus};
///
/// // The same seed, the same sequence, on every target:
/// let (mut a, mut b) = (Xoshiro256PlusPlus::seed(1), Xoshiro256PlusPlus::seed(1));
/// assert_eq!(a.next_u64(), b.next_u64());
/// ```
///
/// # Complexity
///
/// *O*(1) per draw; 32 bytes; period 2²⁵⁶ − 1.
///
/// # References
///
/// Blackman, Vigna: *Scrambled linear pseudorandom number generators*, ACM TOMS 47(4), 2021; seeded through
/// [`SplitMix64`] as its authors advise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Xoshiro256PlusPlus([u64; 4]);

impl Xoshiro256PlusPlus {
    /// A generator whose whole sequence follows from `seed`.
    pub const fn seed(seed: u64) -> Self {
        let mut words = SplitMix64::seed(seed);
        Self([words.step(), words.step(), words.step(), words.step()])
    }
}

impl Rng for Xoshiro256PlusPlus {
    fn next_u64(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
}

/// A generator of `rand_core` 0.10 as a divvy [`Rng`].
///
/// # Examples
///
/// ```
/// use divvy::rng::{FromRandCore, Rng};
/// # struct Counter(u64);
/// # impl rand_core::TryRng for Counter {
/// #     type Error = core::convert::Infallible;
/// #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { self.try_next_u64().map(|n| n as u32) }
/// #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { self.0 += 1; Ok(self.0) }
/// #     fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> { Ok(()) }
/// # }
/// let mut rng = FromRandCore(Counter(0));
/// assert_eq!(rng.next_u64(), 1);
/// ```
#[cfg(feature = "rand_core-0_10")]
#[derive(Clone, Debug)]
pub struct FromRandCore<R>(pub R);

#[cfg(feature = "rand_core-0_10")]
impl<R: rand_core::Rng> Rng for FromRandCore<R> {
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What xoshiro256++ gives from the state 1, 2, 3, 4 (the vector that `rand_xoshiro` publishes).
    #[test]
    fn xoshiro_matches_the_published_sequence() {
        let mut rng = Xoshiro256PlusPlus([1, 2, 3, 4]);
        for expected in [
            41943041,
            58720359,
            3588806011781223,
            3591011842654386,
            9228616714210784205,
            9973669472204895162,
            14011001112246962877,
            12406186145184390807,
            15849039046786891736,
            10450023813501588000,
        ] {
            assert_eq!(rng.next_u64(), expected);
        }
    }

    #[test]
    fn splitmix_matches_the_published_sequence() {
        let mut rng = SplitMix64::seed(1234567);
        for expected in [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
            4593380528125082431,
            16408922859458223821,
        ] {
            assert_eq!(rng.next_u64(), expected);
        }
    }

    /// A generator that always answers the same, to reach the rejection branch of `below`.
    struct Script<'a>(&'a [u64]);
    impl Rng for Script<'_> {
        fn next_u64(&mut self) -> u64 {
            let (first, rest) = self.0.split_first().expect("the script ended");
            self.0 = rest;
            *first
        }
    }

    #[test]
    fn below_rejects_the_draws_that_would_be_biased() {
        // 2³² mod 3 = 1: exactly one of 2³² draws (0) must be thrown away.
        assert_eq!(Script(&[0, 1 << 32]).below(3), 0);
        assert_eq!(Script(&[0xFFFF_FFFF << 32]).below(3), 2);
        // 2⁶⁴ mod 3 = 1 as well.
        assert_eq!(Script(&[0, 1]).below_u64(3), 0);
        assert_eq!(Script(&[u64::MAX]).below_u64(3), 2);
    }

    #[test]
    fn below_spreads_evenly() {
        let mut rng = Xoshiro256PlusPlus::seed(42);
        let mut narrow = [0u32; 7];
        let mut wide = [0u32; 7];
        for _ in 0..70_000 {
            narrow[rng.below(7) as usize] += 1;
            wide[rng.below_u64(7) as usize] += 1;
        }
        // Each count is binomial(70000, 1/7): mean 10000, standard deviation 93; five of those either way.
        for count in narrow.into_iter().chain(wide) {
            assert!((9_535..=10_465).contains(&count), "{narrow:?} {wide:?}");
        }
    }

    #[test]
    fn nothing_is_below_zero_or_one() {
        let mut rng = Xoshiro256PlusPlus::seed(0);
        assert_eq!((rng.below(0), rng.below(1), rng.below_u64(0), rng.below_u64(1)), (0, 0, 0, 0));
    }

    #[test]
    fn shuffle_keeps_the_items_and_moves_them() {
        let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
        Xoshiro256PlusPlus::seed(3).shuffle(&mut items);
        assert_ne!(items, [0, 1, 2, 3, 4, 5, 6, 7]);
        items.sort_unstable();
        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
