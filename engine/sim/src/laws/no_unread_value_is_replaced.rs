//! A guarded statement replaces no local value that capture had not read when the verdict on its row was taken: such a
//! value would be gone until the re-check at the marker brings it back. Asked of the server at each replacement.

use crate::world::World;

pub(super) fn check(world: &mut World, node: usize) -> Result<(), String> {
    let n = &mut world.nodes[node];
    for replaced in std::mem::take(&mut n.server.guarded) {
        let (read, written) = (replaced.decided_at, replaced.by_application);
        if written.is_some_and(|written| read < written) {
            let (me, table, row) = (n.origin, replaced.table.name(), replaced.row);
            return Err(format!(
                "{me} replaced {table} {row:?}, written at {written:?}, by a verdict of {read}"
            ));
        }
    }
    Ok(())
}
