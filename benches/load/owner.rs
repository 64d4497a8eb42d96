//! Whose port it is. A stray server on the same port (`SO_REUSEPORT` allows it) would take a share of the load and
//! make the measured one look cheap, so before and after each window the port's listeners must be one process's alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::Outcome;

/// An error unless every listening socket on this TCP port is held by `pid` and by nobody else.
pub(crate) fn only(pid: u32, port: u16) -> Outcome {
    let mut listening = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A machine without IPv6 has no second table.
        listening.extend(listeners(&fs::read_to_string(table).unwrap_or_default(), port));
    }
    if listening.is_empty() {
        return Err(format!("nobody listens on port {port}").into());
    }
    let holders = holders()?;
    for inode in &listening {
        let pids = holders.get(inode).cloned().unwrap_or_default();
        if pids != BTreeSet::from([pid]) {
            return Err(
                format!("port {port} is to be process {pid}'s alone, but a listener is held by {pids:?}").into()
            );
        }
    }
    Ok(())
}

/// Inodes of the sockets that listen on `port`, of the text of `/proc/net/tcp`.
pub(crate) fn listeners(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (_, here) = local.rsplit_once(':')?;
        (*state == LISTEN && u16::from_str_radix(here, 16) == Ok(port)).then(|| inode.parse().ok())?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// Which processes hold which sockets, as far as this user may see.
fn holders() -> Outcome<BTreeMap<u64, BTreeSet<u32>>> {
    let mut holders: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for process in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(open) = fs::read_dir(process.path().join("fd")) else { continue };
        for file in open.flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            if let Some(inode) = inode.and_then(|inode| inode.parse().ok()) {
                holders.entry(inode).or_default().insert(pid);
            }
        }
    }
    Ok(holders)
}
