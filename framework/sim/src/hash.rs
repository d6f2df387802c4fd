//! A fast keyed hash: 256 bits from two multiply-fold lanes. Strong against accidents, not against an attacker.

use tertulia_core::rng::mix;

const K: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8cb9_2ba7_2f3d_8dd7, 0xaef1_7502_108e_f2d9];

/// The two halves of a 128-bit product, folded.
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

fn word(bytes: &[u8]) -> u64 {
    let mut buffer = [0u8; 8];
    let n = bytes.len().min(8);
    buffer[..n].copy_from_slice(&bytes[..n]);
    u64::from_le_bytes(buffer)
}

/// 256 bits that depend on every bit of `key` and `bytes`.
pub(crate) fn wide(key: u64, bytes: &[u8]) -> [u64; 4] {
    let (mut a, mut b) = (mix(key ^ K[0]), mix(key.wrapping_add(K[1])));
    let (k0, k1) = (a | 1, b | 1);
    for chunk in bytes.chunks(16) {
        let (low, high) = (word(chunk), word(chunk.get(8..).unwrap_or_default()));
        a = fold(a ^ low ^ K[2], high ^ k0).wrapping_add(low);
        b = fold(b ^ high ^ K[3], low ^ k1).wrapping_add(high);
    }
    let length = bytes.len() as u64;
    let (x, y) = (mix(a ^ length), mix(b.wrapping_add(length)));
    [
        mix(x ^ y.rotate_left(29)),
        mix(y.wrapping_add(x ^ K[0])),
        mix(x.wrapping_mul(3) ^ y ^ K[1]),
        mix(x ^ !y),
    ]
}

/// 32 bytes from four words.
pub(crate) fn bytes32(words: [u64; 4]) -> [u8; 32] {
    let mut out = [0u8; 32];
    for (slot, w) in out.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&w.to_le_bytes());
    }
    out
}

/// 64 bits of [`wide`].
pub(crate) fn narrow(key: u64, bytes: &[u8]) -> u64 {
    wide(key, bytes)[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_and_the_length_count() {
        let base = wide(7, &[0; 40]);
        assert_ne!(base, wide(8, &[0; 40]));
        assert_ne!(base, wide(7, &[0; 41]));
        for i in 0..40 * 8 {
            let mut bytes = [0u8; 40];
            bytes[i / 8] = 1 << (i % 8);
            let other = wide(7, &bytes);
            assert!(base.iter().zip(other).all(|(a, b)| *a != b), "bit {i}");
        }
    }
}
