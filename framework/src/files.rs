//! Small files of people and of this program, read with care: what stands under a name may be a device or a pipe,
//! which never ends or never begins.

use std::fs::{self, File, Metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Refuses anything but a file.
pub(crate) fn regular(meta: &Metadata) -> Result<()> {
    if meta.is_dir() {
        Err(Error::new(ErrorKind::IsADirectory, "this is a folder, not a file"))
    } else if meta.is_file() {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::InvalidInput, "this is no regular file"))
    }
}

/// Reads a file, or a link to one, of at most `most` bytes.
///
/// # Errors
/// When it is no file, is longer, or cannot be read.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe waits for somebody at its other end.
    regular(&fs::metadata(path)?)?;
    let mut bytes = Vec::new();
    // Files in /proc say that they are empty, and others may grow: only the bytes that come are counted.
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("a file of more than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
pub(crate) mod tests {
    use super::*;

    /// Makes a pipe with nobody at its other end: opening it waits for ever.
    pub(crate) fn pipe(path: &Path) {
        assert!(std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|s| s.success()));
    }

    #[test]
    fn devices_pipes_and_long_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let says = |path: &Path| read(path, 9).unwrap_err().to_string();
        assert_eq!(says(Path::new("/dev/zero")), "this is no regular file");
        assert_eq!(says(folder.path()), "this is a folder, not a file");
        pipe(&at("pipe"));
        assert_eq!(says(&at("pipe")), "this is no regular file");
        fs::write(at("long"), [0; 10]).unwrap();
        assert_eq!(says(&at("long")), "a file of more than 9 bytes");
        fs::write(at("good"), [7; 9]).unwrap();
        std::os::unix::fs::symlink(at("good"), at("link")).unwrap();
        assert_eq!(read(&at("link"), 9).unwrap(), [7; 9]);
    }
}
