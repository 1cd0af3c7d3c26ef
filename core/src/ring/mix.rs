//! One more 64-bit hash out of two.

const MULTIPLIER: u64 = 0x9FB2_1C65_1E98_DF25;

/// A hash of the pair, each of its bits depending on each bit of `a ^ b`: both halves are good.
///
/// Where `a` and `b` come from hashing, the pair is as good as its exclusive or, and two 64-bit products are enough.
/// The steps are those of XXH3 for short input (rrmxmx, Pelle Evensen).
#[inline]
pub(super) const fn mix(a: u64, b: u64) -> u64 {
    let x = weigh(half(a), half(b));
    x ^ x >> 28
}

/// One side of [`weigh`], for whoever needs it for many others.
#[inline]
pub(super) const fn half(x: u64) -> u64 {
    x ^ x.rotate_left(49) ^ x.rotate_left(24)
}

/// As [`mix`] of what the halves are of, one to one as well, without its last step: the upper bits are good.
#[inline]
pub(super) const fn weigh(a: u64, b: u64) -> u64 {
    // Halves are linear: that of an exclusive or is the exclusive or of the halves.
    let x = (a ^ b).wrapping_mul(MULTIPLIER);
    (x ^ x >> 35).wrapping_mul(MULTIPLIER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Xoshiro256PlusPlus};

    #[test]
    fn every_bit_of_the_input_flips_every_bit_of_the_output_half_of_the_time() {
        let mut rng = Xoshiro256PlusPlus::seed(1);
        for bit in 0..64 {
            let mut flips = [0u32; 64];
            for number in 0..4_000u64 {
                // Half of the inputs random, half of them small numbers beside one key.
                let (a, b) = if number % 2 == 0 { (rng.next_u64(), rng.next_u64()) } else { (7, number) };
                let difference = mix(a, b) ^ mix(a, b ^ 1 << bit);
                for (out, flips) in flips.iter_mut().enumerate() {
                    *flips += (difference >> out & 1) as u32;
                }
            }
            // Binomial(4000, 1/2): mean 2000, standard deviation 31.6; six of those either way.
            assert!(flips.iter().all(|flips| (1_810..=2_190).contains(flips)), "bit {bit}: {flips:?}");
        }
    }
}
