//! A unix socket that is never wider than 0660, replaces only a dead one, and goes when its server goes.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The owner and its group may ask.
const MODE: u32 = 0o660;

/// The name of a bound socket; dropping it removes the file, unless another server's is there by now.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity) {
            _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds `path`.
///
/// The socket is made in a directory that nobody else can enter, given its mode there, and only then linked to its
/// name: at no moment can more connect than may. Linking fails where a file already is, so none is overwritten.
///
/// # Errors
/// [`ErrorKind::AddrInUse`] when a live server listens there, [`ErrorKind::AlreadyExists`] when the file is no
/// socket, and whatever the file system says.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let workshop = Workshop::beside(path)?;
    clear_the_way(path, &workshop)?;
    let made = workshop.0.join("s");
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, Permissions::from_mode(MODE))?;
    let identity = identity(&fs::symlink_metadata(&made)?);
    fs::hard_link(&made, path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => io::Error::new(ErrorKind::AddrInUse, "another server has just bound it"),
        _ => error,
    })?;
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

/// Takes away the socket of a server that is gone; leaves everything else where it is.
fn clear_the_way(path: &Path, workshop: &Workshop) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) => must_be_dead(path, &found)?,
    }
    // Between that look and now another server may have bound the name: move first, look again, and put back.
    let aside = workshop.0.join("old");
    fs::rename(path, &aside)?;
    must_be_dead(&aside, &fs::symlink_metadata(&aside)?).inspect_err(|_| _ = fs::hard_link(&aside, path))
}

/// Whether this is a socket on which nobody listens.
fn must_be_dead(path: &Path, found: &Metadata) -> io::Result<()> {
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            ErrorKind::AlreadyExists,
            "there is a file that is not a socket; it was left alone",
        ));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another server listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
    }
}

/// What makes two names the same file.
fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// A directory of our own on the same file system, removed with what is in it.
struct Workshop(PathBuf);

impl Workshop {
    fn beside(path: &Path) -> io::Result<Self> {
        let name = format!(".credence-{:08x}", uuid::Uuid::now_v7().as_u128() & 0xffff_ffff);
        let directory = path.with_file_name(name);
        DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        for name in ["s", "old"] {
            _ = fs::remove_file(self.0.join(name));
        }
        _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.sock");
        (directory, path)
    }

    fn names(directory: &tempfile::TempDir) -> Vec<String> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_bound_socket_is_0660_and_the_only_thing_left_behind() {
        let (directory, path) = place();
        let bound = bind(&path).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(names(&directory), ["c.sock"]);
        UnixStream::connect(&path).unwrap();
        drop(bound);
        assert_eq!(names(&directory), [""; 0]);
    }

    #[test]
    fn the_socket_of_a_dead_server_is_replaced() {
        let (directory, path) = place();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _bound = bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        assert_eq!(names(&directory), ["c.sock"]);
    }

    #[test]
    fn the_socket_of_a_live_server_is_not_taken_over() {
        let (directory, path) = place();
        let _live = UnixListener::bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        assert_eq!(names(&directory), ["c.sock"]);
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let (directory, path) = place();
        fs::write(&path, "precious").unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let link = directory.path().join("link.sock");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(bind(&link).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_server_that_ends_leaves_its_successors_socket() {
        let (_directory, path) = place();
        let first = bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _second = bind(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
    }
}
