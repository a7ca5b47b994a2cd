use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::Error;

/// Bundles of authorities are the largest: a quarter of a megabyte. A device file must not fill the memory.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads a file that a keyword names.
pub(crate) fn read(keyword: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    read_if(keyword, path, |_| Ok(()))
}

/// Reads a file that holds a secret: nobody but its owner may read it, except that the group may read root's files
/// (the rule of libpq and of PostgreSQL itself for private keys).
pub(crate) fn read_private(keyword: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    read_if(keyword, path, |metadata| {
        let mode = metadata.mode() & 0o777;
        let others_max = if metadata.uid() == 0 { 0o040 } else { 0 };
        if metadata.is_file() && mode & 0o077 & !others_max != 0 {
            return Err(Error::FileExposed {
                keyword,
                path: path.to_owned(),
                mode,
            });
        }
        Ok(())
    })
}

fn read_if(
    keyword: &'static str,
    path: &Path,
    check: impl FnOnce(&std::fs::Metadata) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File {
        keyword,
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    check(&file.metadata().map_err(failed)?)?;
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}
