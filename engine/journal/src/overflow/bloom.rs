use synapse_engine_identity::RowId;

/// With six probes, about one in a hundred rows that are not there passes.
const BITS_PER_ROW: usize = 10;
const PROBES: u64 = 6;

/// Which rows may be in a run: no false negatives.
#[derive(Debug)]
pub(super) struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    /// Empty, and of a size for `rows` rows.
    pub(super) fn for_rows(rows: usize) -> Self {
        let words = rows.saturating_mul(BITS_PER_ROW).div_ceil(64).max(1);
        Bloom { words: vec![0; words] }
    }

    pub(super) fn insert(&mut self, row: RowId) {
        for bit in self.bits(row) {
            self.words[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Whether the row may be there.
    pub(super) fn may_hold(&self, row: RowId) -> bool {
        self.bits(row).all(|bit| self.words[bit / 64] & (1 << (bit % 64)) != 0)
    }

    /// In memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }

    fn bits(&self, row: RowId) -> impl Iterator<Item = usize> + use<> {
        let fingerprint = fingerprint(row);
        let bits = u128::try_from(self.words.len() * 64).expect("a usize fits");
        // Double hashing, after Kirsch and Mitzenmacher: "Less Hashing, Same Performance".
        let step = mixed(fingerprint) | 1;
        (0..PROBES).map(move |probe| {
            let hash = u128::from(fingerprint.wrapping_add(probe.wrapping_mul(step)));
            usize::try_from((hash * bits) >> 64).expect("it is below the number of bits")
        })
    }
}

/// 64 evenly spread bits of a row: its key is a hash already, but that of a table of tests may not be.
fn fingerprint(row: RowId) -> u64 {
    let key = u128::from_le_bytes(row.key.0);
    let low = u64::try_from(key & u128::from(u64::MAX)).expect("it is masked");
    let high = u64::try_from(key >> 64).expect("it is shifted");
    mixed(low ^ high.rotate_left(32) ^ (u64::from(row.table.0) << 17))
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
