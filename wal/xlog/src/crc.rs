use crc_fast::{CrcAlgorithm, Digest};

use crate::RECORD_HEADER_BYTES;

/// Bytes of the header before `xl_crc`.
const BEFORE_CRC: usize = 20;

/// The CRC-32C of a record: over all that follows its header, then over the header up to the field that holds the
/// result (`ValidXLogRecord`, `access/transam/xlogreader.c`).
pub(crate) fn record_crc(bytes: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(bytes.get(RECORD_HEADER_BYTES..).unwrap_or(&[]));
    digest.update(bytes.get(..BEFORE_CRC).unwrap_or(bytes));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a 32-bit checksum in a 64-bit return value"
    )]
    let crc = digest.finalize() as u32;
    crc
}
