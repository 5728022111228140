//! Hashes that stand for parameters and values in the index. They are stored: a change makes every index stale.

use sha2::{Digest, Sha256};

/// The first 64 bits of SHA-256 over the parts, each with its length before it. Nobody can make a value that is mistaken
/// for a given other one with less than about 2⁶⁴ tries; by chance, two of a billion values meet once in forty databases.
pub fn hash64(parts: &[&str]) -> i64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let mut first = [0_u8; 8];
    for (to, from) in first.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    i64::from_le_bytes(first)
}

/// 32 bits, for what only narrows a set that a [`hash64`] has found.
pub fn hash32(parts: &[&str]) -> i32 {
    let hash = hash64(parts).to_le_bytes();
    let [a, b, c, d, ..] = hash;
    i32::from_le_bytes([a, b, c, d])
}

/// The hash by which a resource is referred to: of `Type/id`. In SQL it is the column `resource.self`.
pub fn self_hash(resource_type: &str, id: &str) -> i64 {
    hash64(&["self", resource_type, id])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_hashes_never_change() {
        assert_eq!(hash64(&["a", "b"]), -7988377611015918897);
        assert_eq!(self_hash("Patient", "1"), -4921062635045548327);
    }

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(hash64(&["ab", ""]), hash64(&["a", "b"]));
    }
}
