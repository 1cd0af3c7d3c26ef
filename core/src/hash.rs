//! The one hash function of placement and of content keys: XXH3-64.

const P32_1: u64 = 0x9E37_79B1;
const P32_2: u64 = 0x85EB_CA77;
const P32_3: u64 = 0xC2B2_AE3D;
const P64_1: u64 = 0x9E37_79B1_85EB_CA87;
const P64_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P64_3: u64 = 0x1656_67B1_9E37_79F9;
const P64_4: u64 = 0x85EB_CA77_C2B2_AE63;
const P64_5: u64 = 0x27D4_EB2F_1656_67C5;
const MX_1: u64 = 0x1656_6791_9E37_79F9;
const MX_2: u64 = 0x9FB2_1C65_1E98_DF25;

const STRIPE: usize = 64;
const SECRET: usize = 192;
const STRIPES_PER_BLOCK: usize = (SECRET - STRIPE) / 8;
/// Inputs up to this length are hashed inline.
const TINY: usize = 16;
/// Inputs up to this length are hashed in one go, longer ones in stripes.
const SHORT: usize = 240;
const BUFFER: usize = 4 * STRIPE;

/// The secret that the specification prints.
const DEFAULT_SECRET: [u8; SECRET] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, //
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, //
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, //
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, //
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, //
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, //
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, //
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, //
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, //
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, //
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, //
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e, //
];

/// The XXH3-64 of `bytes`, with seed 0.
///
/// One function for everything that decides where work goes or whether it was done before, so that a key lands on
/// the same worker whichever machine asks.
///
/// *When not to use it:* against an adversary who chooses the keys (it is no cryptographic hash, and its seed is no
/// secret), or for fewer than 64 bits of state on a chip without a multiplier.
///
/// # Examples
///
/// ```
/// use divvy::hash::{xxh3_64, xxh3_64_seeded};
///
/// assert_eq!(xxh3_64(b""), 0x2d06_8005_38d3_94c2);
/// assert_ne!(xxh3_64_seeded(b"key", 1), xxh3_64(b"key"));
/// // A constant, where the key is one:
/// const ROUTE: u64 = xxh3_64(b"/health");
/// assert_eq!(ROUTE, xxh3_64(b"/health"));
/// ```
///
/// # Complexity
///
/// *O*(len), no memory beyond the stack. Short keys need one or two 64 × 64 → 128 bit products, which 32-bit chips
/// compute in software.
///
/// # References
///
/// Collet: *xxHash fast digest algorithm*, specification version 0.2.0, section XXH3.
#[inline]
#[must_use]
pub const fn xxh3_64(bytes: &[u8]) -> u64 {
    xxh3_64_seeded(bytes, 0)
}

/// The XXH3-64 of `bytes` under `seed`: another hash function for each seed.
///
/// See [`xxh3_64`].
#[inline]
#[must_use]
pub const fn xxh3_64_seeded(bytes: &[u8], seed: u64) -> u64 {
    // The shortest ones where they are asked for: a call would cost as much as the hash.
    if bytes.len() <= TINY {
        tiny(bytes, seed)
    } else if bytes.len() <= SHORT {
        short(bytes, seed)
    } else {
        long(bytes, seed)
    }
}

/// XXH3-64 of bytes that arrive in pieces.
///
/// *When not to use it:* for keys already in memory; [`xxh3_64`] needs no buffer.
///
/// # Examples
///
/// ```
/// use divvy::hash::{Xxh3, xxh3_64};
///
/// let mut hash = Xxh3::new();
/// hash.update(b"in ");
/// hash.update(b"pieces");
/// assert_eq!(hash.digest(), xxh3_64(b"in pieces"));
/// ```
///
/// # Complexity
///
/// *O*(len) over all updates, *O*(1) per digest; 544 bytes, 536 on 32-bit targets.
#[derive(Clone, Debug)]
pub struct Xxh3 {
    secret: [u8; SECRET],
    acc: [u64; 8],
    /// The newest bytes. Its end keeps those of the round before until they are overwritten: the last stripe may
    /// reach back into them.
    buffer: [u8; BUFFER],
    buffered: usize,
    /// Stripes consumed since the last scramble.
    stripe: usize,
    len: u64,
    seed: u64,
}

impl Default for Xxh3 {
    fn default() -> Self {
        Self::new()
    }
}

impl Xxh3 {
    /// An empty hash with seed 0.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_seed(0)
    }

    /// An empty hash under `seed`.
    #[must_use]
    pub const fn with_seed(seed: u64) -> Self {
        Self {
            secret: derive_secret(seed),
            acc: INITIAL,
            buffer: [0; BUFFER],
            buffered: 0,
            stripe: 0,
            len: 0,
            seed,
        }
    }

    /// Appends `bytes`.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.len = self.len.wrapping_add(bytes.len() as u64);
        while !bytes.is_empty() {
            if self.buffered == BUFFER {
                (self.acc, self.stripe) = self.consume(BUFFER / STRIPE);
                self.buffered = 0;
            }
            let take = bytes.len().min(BUFFER - self.buffered);
            let (now, later) = bytes.split_at(take);
            self.buffer[self.buffered..self.buffered + take].copy_from_slice(now);
            self.buffered += take;
            bytes = later;
        }
    }

    /// The hash of everything appended so far; appending may go on.
    #[must_use]
    pub fn digest(&self) -> u64 {
        if self.len <= SHORT as u64 {
            return xxh3_64_seeded(&self.buffer[..self.len as usize], self.seed);
        }
        let (mut acc, _) = self.consume(self.buffered.saturating_sub(1) / STRIPE);
        let mut last = [0; STRIPE];
        if let Some(old) = STRIPE.checked_sub(self.buffered) {
            last[..old].copy_from_slice(&self.buffer[BUFFER - old..]);
            last[old..].copy_from_slice(&self.buffer[..self.buffered]);
        } else {
            last.copy_from_slice(&self.buffer[self.buffered - STRIPE..self.buffered]);
        }
        acc = accumulate(acc, &last, 0, &self.secret, SECRET - STRIPE - 7);
        merge(acc, &self.secret, self.len)
    }

    /// The accumulators and the stripe count after the first `stripes` stripes of the buffer.
    fn consume(&self, stripes: usize) -> ([u64; 8], usize) {
        let (mut acc, mut stripe) = (self.acc, self.stripe);
        for i in 0..stripes {
            acc = accumulate(acc, &self.buffer, STRIPE * i, &self.secret, 8 * stripe);
            stripe += 1;
            if stripe == STRIPES_PER_BLOCK {
                acc = scramble(acc, &self.secret);
                stripe = 0;
            }
        }
        (acc, stripe)
    }
}

const INITIAL: [u64; 8] = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1];

#[inline]
const fn tiny(input: &[u8], seed: u64) -> u64 {
    let s = &DEFAULT_SECRET;
    let len = input.len();
    if len > 8 {
        let flip_lo = (read64(s, 24) ^ read64(s, 32)).wrapping_add(seed);
        let flip_hi = (read64(s, 40) ^ read64(s, 48)).wrapping_sub(seed);
        let lo = read64(input, 0) ^ flip_lo;
        let hi = read64(input, len - 8) ^ flip_hi;
        avalanche((len as u64).wrapping_add(lo.swap_bytes()).wrapping_add(hi).wrapping_add(fold(lo, hi)))
    } else if len > 3 {
        let seed = seed ^ ((seed as u32).swap_bytes() as u64) << 32;
        let flip = (read64(s, 8) ^ read64(s, 16)).wrapping_sub(seed);
        let word = (read32(input, len - 4) as u64).wrapping_add((read32(input, 0) as u64) << 32);
        let h = word ^ flip;
        let h = (h ^ h.rotate_left(49) ^ h.rotate_left(24)).wrapping_mul(MX_2);
        let h = (h ^ (h >> 35).wrapping_add(len as u64)).wrapping_mul(MX_2);
        h ^ h >> 28
    } else if len > 0 {
        let combined = (input[0] as u32) << 16
            | (input[len / 2] as u32) << 24
            | input[len - 1] as u32
            | (len as u32) << 8;
        let flip = ((read32(s, 0) ^ read32(s, 4)) as u64).wrapping_add(seed);
        avalanche64(combined as u64 ^ flip)
    } else {
        avalanche64(seed ^ read64(s, 56) ^ read64(s, 64))
    }
}

#[inline]
const fn short(input: &[u8], seed: u64) -> u64 {
    let len = input.len();
    match len {
        ..=128 => {
            let mut acc = (len as u64).wrapping_mul(P64_1);
            // Pairs of 16 bytes from both ends, meeting in the middle.
            if len > 96 {
                acc = acc.wrapping_add(both_ends(input, 3, seed));
            }
            if len > 64 {
                acc = acc.wrapping_add(both_ends(input, 2, seed));
            }
            if len > 32 {
                acc = acc.wrapping_add(both_ends(input, 1, seed));
            }
            avalanche(acc.wrapping_add(both_ends(input, 0, seed)))
        }
        _ => {
            let mut acc = (len as u64).wrapping_mul(P64_1);
            let mut i = 0;
            while i < 8 {
                acc = acc.wrapping_add(mix16(input, 16 * i, 16 * i, seed));
                i += 1;
            }
            acc = avalanche(acc);
            while i < len / 16 {
                acc = acc.wrapping_add(mix16(input, 16 * i, 16 * (i - 8) + 3, seed));
                i += 1;
            }
            avalanche(acc.wrapping_add(mix16(input, len - 16, 136 - 17, seed)))
        }
    }
}

const fn long(bytes: &[u8], seed: u64) -> u64 {
    let secret = derive_secret(seed);
    let mut acc = INITIAL;
    // The last stripe is always the last 64 bytes of the input, so at least one byte is kept back for it.
    let mut at = 0;
    let mut stripe = 0;
    while bytes.len() - at > STRIPE {
        acc = accumulate(acc, bytes, at, &secret, 8 * stripe);
        at += STRIPE;
        stripe += 1;
        if stripe == STRIPES_PER_BLOCK {
            acc = scramble(acc, &secret);
            stripe = 0;
        }
    }
    acc = accumulate(acc, bytes, bytes.len() - STRIPE, &secret, SECRET - STRIPE - 7);
    merge(acc, &secret, bytes.len() as u64)
}

const fn derive_secret(seed: u64) -> [u8; SECRET] {
    let mut secret = DEFAULT_SECRET;
    if seed == 0 {
        return secret;
    }
    let mut at = 0;
    while at < SECRET {
        let low = read64(&DEFAULT_SECRET, at).wrapping_add(seed).to_le_bytes();
        let high = read64(&DEFAULT_SECRET, at + 8).wrapping_sub(seed).to_le_bytes();
        let mut i = 0;
        while i < 8 {
            secret[at + i] = low[i];
            secret[at + 8 + i] = high[i];
            i += 1;
        }
        at += 16;
    }
    secret
}

/// Takes in the 64 bytes of `input` from `at` on, keyed by those of `secret` from `key` on.
const fn accumulate(mut acc: [u64; 8], input: &[u8], at: usize, secret: &[u8], key: usize) -> [u64; 8] {
    // Fixed lengths let the compiler drop the checks inside the loop and use vectors.
    let (stripe, secret) = (stripe(input, at), stripe(secret, key));
    let (mut values, mut keyed) = ([0; 8], [0; 8]);
    let mut i = 0;
    while i < 8 {
        values[i ^ 1] = read64(stripe, 8 * i);
        keyed[i] = read64(stripe, 8 * i) ^ read64(secret, 8 * i);
        i += 1;
    }
    i = 0;
    while i < 8 {
        let product = (keyed[i] & 0xFFFF_FFFF).wrapping_mul(keyed[i] >> 32);
        acc[i] = acc[i].wrapping_add(values[i]).wrapping_add(product);
        i += 1;
    }
    acc
}

const fn stripe(bytes: &[u8], at: usize) -> &[u8; STRIPE] {
    match bytes.split_at(at).1.first_chunk() {
        Some(stripe) => stripe,
        None => &[0; STRIPE],
    }
}

const fn scramble(mut acc: [u64; 8], secret: &[u8]) -> [u64; 8] {
    let mut i = 0;
    while i < 8 {
        let a = acc[i];
        acc[i] = (a ^ a >> 47 ^ read64(secret, SECRET - STRIPE + 8 * i)).wrapping_mul(P32_1);
        i += 1;
    }
    acc
}

const fn merge(acc: [u64; 8], secret: &[u8], len: u64) -> u64 {
    let mut result = len.wrapping_mul(P64_1);
    let mut i = 0;
    while i < 4 {
        let low = acc[2 * i] ^ read64(secret, 11 + 16 * i);
        let high = acc[2 * i + 1] ^ read64(secret, 11 + 16 * i + 8);
        result = result.wrapping_add(fold(low, high));
        i += 1;
    }
    avalanche(result)
}

/// The `pair`-th 16 bytes from the start and from the end. Inlined, so that the words of the secret are constants.
#[inline(always)]
const fn both_ends(input: &[u8], pair: usize, seed: u64) -> u64 {
    let first = mix16(input, 16 * pair, 32 * pair, seed);
    first.wrapping_add(mix16(input, input.len() - 16 * (pair + 1), 32 * pair + 16, seed))
}

#[inline(always)]
const fn mix16(input: &[u8], at: usize, key: usize, seed: u64) -> u64 {
    let low = read64(input, at) ^ read64(&DEFAULT_SECRET, key).wrapping_add(seed);
    let high = read64(input, at + 8) ^ read64(&DEFAULT_SECRET, key + 8).wrapping_sub(seed);
    fold(low, high)
}

const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

const fn avalanche(h: u64) -> u64 {
    let h = (h ^ h >> 37).wrapping_mul(MX_1);
    h ^ h >> 32
}

const fn avalanche64(h: u64) -> u64 {
    let h = (h ^ h >> 33).wrapping_mul(P64_2);
    let h = (h ^ h >> 29).wrapping_mul(P64_3);
    h ^ h >> 32
}

const fn read32(bytes: &[u8], at: usize) -> u32 {
    match bytes.split_at(at).1.first_chunk() {
        Some(chunk) => u32::from_le_bytes(*chunk),
        None => 0,
    }
}

const fn read64(bytes: &[u8], at: usize) -> u64 {
    match bytes.split_at(at).1.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const BLOCK: usize = STRIPE * STRIPES_PER_BLOCK;

    /// The bytes that xxHash's own sanity check hashes.
    fn sanity(len: usize) -> Vec<u8> {
        let mut word = P32_1;
        (0..len)
            .map(|_| {
                let byte = (word >> 56) as u8;
                word = word.wrapping_mul(0x9E37_79B1_85EB_CA8D);
                byte
            })
            .collect()
    }

    /// Rows of `XSUM_XXH3_testdata` in xxHash's `tests/sanity_test_vectors.h`: length, seed, hash.
    const PUBLISHED: [(usize, u64, u64); 13] = [
        (0, 0, 0x2D06_8005_38D3_94C2),
        (1, 0, 0xC44B_DFF4_074E_ECDB),
        (6, 0, 0x27B5_6A84_CD2D_7325),
        (12, 0, 0xA713_DAF0_DFBB_77E7),
        (24, 0, 0xA3FE_70BF_9D35_10EB),
        (48, 0, 0x397D_A259_ECBA_1F11),
        (80, 0, 0xBCDE_FBBB_2C47_C90A),
        (195, 0, 0xCD94_217E_E362_EC3A),
        (403, 0, 0xCDEB_804D_65C6_DEA4),
        (512, 0, 0x617E_4959_9013_CB6B),
        (2048, 0, 0xDD59_E2C3_A5F0_38E0),
        (2240, 0, 0x6E73_A905_39CF_2948),
        (2367, 0, 0xCB37_AEB9_E5D3_61ED),
    ];

    #[test]
    fn matches_the_published_vectors() {
        for (len, seed, expected) in PUBLISHED {
            assert_eq!(xxh3_64_seeded(&sanity(len), seed), expected, "length {len}");
        }
    }

    #[test]
    fn matches_the_reference_at_every_length_up_to_three_blocks() {
        let bytes = sanity(3 * BLOCK + 1);
        for len in 0..=bytes.len() {
            for seed in [0, 1, 0x9E37_79B1_85EB_CA8D, u64::MAX] {
                let expected = xxhash_rust::xxh3::xxh3_64_with_seed(&bytes[..len], seed);
                assert_eq!(xxh3_64_seeded(&bytes[..len], seed), expected, "length {len}, seed {seed:#x}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_hash_like_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..8),
            seed: u64,
        ) {
            let mut hash = Xxh3::with_seed(seed);
            let mut whole = Vec::new();
            for piece in &pieces {
                hash.update(piece);
                whole.extend_from_slice(piece);
                prop_assert_eq!(hash.digest(), xxh3_64_seeded(&whole, seed));
            }
        }
    }

    #[test]
    fn pieces_hash_like_the_whole_around_every_boundary() {
        let bytes = sanity(2 * BLOCK + BUFFER);
        for len in 0..=bytes.len() {
            let mut hash = Xxh3::new();
            let (first, rest) = bytes[..len].split_at(len / 3);
            hash.update(first);
            hash.update(rest);
            assert_eq!(hash.digest(), xxh3_64(&bytes[..len]), "length {len}");
        }
    }
}
