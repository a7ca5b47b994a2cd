//! Rows that refer to nothing: one node mends them.

use synapse_engine_identity::RowId;

use super::Kernel;
use crate::registers::Overflow;

impl<O: Overflow> Kernel<O> {
    /// Whether a row is there by a write of this node, as far as it is unstable: also where a version stands that another
    /// node wrote, or that was made of several writes. Each of those who wrote one mends it.
    pub fn wrote(&mut self, row: RowId) -> bool {
        !mutant!(AuthorForgotten) && self.registers.lives_by_me(row)
    }
}
