//! Clusters whose clocks can be set, node by node: server and daemon run beneath libfaketime, which tests' prerequisites
//! install.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::cluster::{Cluster, Programs, Server};

/// Where Debian and Ubuntu have the library.
const LIBRARIES: &str = "/usr/lib";

impl Cluster {
    /// A cluster of nodes with these servers, all ready, whose clocks are right until [`Cluster::set_clock`].
    pub(crate) async fn with_clocks(servers: &[Server]) -> Cluster {
        let library = library().expect("libfaketime is installed; run .ci/prerequisites test");
        Cluster::start_with(servers, |dir| {
            let of_node = |(i, server): (usize, &Server)| {
                let name = format!("n{}", i + 1);
                (name.clone(), faked_server(dir, &library, &name, server.bin()))
            };
            let servers = servers.iter().enumerate().map(of_node).collect();
            let synapsed = faked_synapsed(dir, &library);
            Programs { servers, synapsed }
        })
        .await
    }

    /// Sets the clock of a node's server and daemon, in seconds ahead of this machine's; negative is behind.
    pub(crate) fn set_clock(&self, node: &str, seconds: i32) {
        write(&clock(self.dir(), node), &format!("{seconds:+}\n"), 0o644);
    }
}

/// The file with a node's clock.
fn clock(dir: &Path, node: &str) -> PathBuf {
    dir.join("clocks").join(node)
}

fn library() -> Option<PathBuf> {
    let machines = fs::read_dir(LIBRARIES).ok()?.filter_map(Result::ok);
    machines
        .map(|machine| machine.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file())
}

/// What is set for programs with the clock of `node`, as a shell has it. Timers are left alone: they do not jump when a
/// clock is set.
fn environment(library: &Path, clock: &str) -> String {
    format!(
        "export LD_PRELOAD='{}' FAKETIME_TIMESTAMP_FILE={clock} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
         NO_FAKE_STAT=1 FAKETIME_DISABLE_SHM=1\n",
        library.display()
    )
}

/// A directory of programs that run those of `bin` by the clock of `node`.
fn faked_server(dir: &Path, library: &Path, node: &str, bin: PathBuf) -> PathBuf {
    let file = clock(dir, node);
    write(&file, "+0\n", 0o644);
    let faked = dir.join("servers").join(node);
    let libraries = bin
        .parent()
        .map(|root| root.join("lib"))
        .filter(|_| !bin.starts_with("/usr"));
    let libraries = libraries.map_or(String::new(), |lib| {
        format!("export LD_LIBRARY_PATH='{}'\n", lib.display())
    });
    for (program, faketime) in [
        ("initdb", String::new()),
        ("postgres", environment(library, &format!("'{}'", file.display()))),
    ] {
        let real = bin.join(program);
        let script = format!("#!/bin/sh\n{libraries}{faketime}exec '{}' \"$@\"\n", real.display());
        write(&faked.join(program), &script, 0o755);
    }
    faked
}

/// A daemon that runs by the clock of the node whose configuration it is given, which lies in a directory of its name.
fn faked_synapsed(dir: &Path, library: &Path) -> PathBuf {
    let of_node = format!(
        "'{}'/\"$(basename \"$(dirname \"$2\")\")\"",
        dir.join("clocks").display()
    );
    let script = format!(
        "#!/bin/sh\n{}exec '{}' \"$@\"\n",
        environment(library, &of_node),
        env!("CARGO_BIN_EXE_synapsed")
    );
    let faked = dir.join("synapsed");
    write(&faked, &script, 0o755);
    faked
}

/// Writes a file that any user may read, in directories that any user may enter, at once.
fn write(path: &Path, text: &str, mode: u32) {
    let parent = path.parent().expect("a file is in a directory");
    fs::create_dir_all(parent).unwrap();
    fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(&new, path).unwrap();
}
