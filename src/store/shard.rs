//! Which node owns a compartment's shard: Citus's hash of the distribution column, and where the shards are placed.

/// PostgreSQL's hash of a `text COLLATE "C"` value, which is what Citus distributes by (`hash_bytes` in
/// `src/common/hashfn.c`: Bob Jenkins' lookup3 with PostgreSQL's seed).
pub fn hash(value: &str) -> i32 {
    let bytes = value.as_bytes();
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let seed = 0x9e37_79b9_u32.wrapping_add(length).wrapping_add(3_923_095);
    let (mut a, mut b, mut c) = (seed, seed, seed);
    let mut blocks = bytes.chunks_exact(12);
    for block in blocks.by_ref() {
        a = a.wrapping_add(word(block, 0));
        b = b.wrapping_add(word(block, 4));
        c = c.wrapping_add(word(block, 8));
        (a, b, c) = mix(a, b, c);
    }
    let tail = blocks.remainder();
    a = a.wrapping_add(word(tail, 0));
    b = b.wrapping_add(word(tail, 4));
    // The lowest byte of `c` is reserved for the length.
    c = c.wrapping_add(word(tail, 8) << 8);
    finish(a, b, c).cast_signed()
}

/// Up to four bytes from `at`, little end first; what is missing counts as zero.
fn word(bytes: &[u8], at: usize) -> u32 {
    let part = bytes.get(at..).unwrap_or_default();
    part.iter().take(4).rev().fold(0, |word, &byte| (word << 8) | u32::from(byte))
}

fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    a = a.wrapping_sub(c) ^ c.rotate_left(4);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(6);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(8);
    b = b.wrapping_add(a);
    a = a.wrapping_sub(c) ^ c.rotate_left(16);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(19);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(4);
    b = b.wrapping_add(a);
    (a, b, c)
}

fn finish(mut a: u32, mut b: u32, mut c: u32) -> u32 {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// One shard of the colocation group: the hashes it holds and the node that owns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    pub id: i64,
    pub hash_min: i32,
    pub hash_max: i32,
    /// Index into the nodes of the placement.
    pub node: usize,
}

/// The shards in the order of their hashes, without gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardMap {
    shards: Vec<Shard>,
}

impl ShardMap {
    pub fn new(mut shards: Vec<Shard>) -> Self {
        shards.sort_by_key(|shard| shard.hash_min);
        ShardMap { shards }
    }

    /// The shard that holds a value of the distribution column.
    pub fn shard_of(&self, value: &str) -> Option<&Shard> {
        let hash = hash(value);
        let after = self.shards.partition_point(|shard| shard.hash_min <= hash);
        self.shards.get(after.checked_sub(1)?).filter(|shard| hash <= shard.hash_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read from PostgreSQL 15: `SELECT hashtext(v COLLATE "C")`.
    #[test]
    fn the_hash_is_the_one_of_postgresql() {
        for (value, expected) in HASHES {
            assert_eq!(hash(value), *expected, "{value}");
        }
    }

    const HASHES: &[(&str, i32)] = &[
        ("", -1477818771),
        ("a", 1075015857),
        ("ab", 1718550461),
        ("abc", -785388649),
        ("abcd", -393934804),
        ("abcdefg", 501636814),
        ("abcdefgh", -1960928205),
        ("abcdefghijk", -1483803693),
        ("abcdefghijkl", -1586087212),
        ("abcdefghijklm", 405849808),
        ("d205h3qewkcb1efn", -1729774330),
        ("Practitioner/d205h3qewkcb1efn", -1738664233),
        ("Pérez", 2038163508),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1796770626),
    ];

    #[test]
    fn a_value_belongs_to_the_shard_whose_range_holds_its_hash() {
        let half = |id, hash_min, hash_max, node| Shard { id, hash_min, hash_max, node };
        let map = ShardMap::new(vec![half(2, 0, i32::MAX, 1), half(1, i32::MIN, -1, 0)]);
        for value in ["a", "b", "Practitioner/x", ""] {
            let expected = if hash(value) < 0 { 1 } else { 2 };
            assert_eq!(map.shard_of(value).unwrap().id, expected);
        }
        assert_eq!(ShardMap::default().shard_of("a"), None);
    }
}
