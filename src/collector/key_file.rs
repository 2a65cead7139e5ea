//! The signing key's file: made at the first start, readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::wire::SigningKey;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("cannot keep the signing key in `{}`: check the folder's owner and free space", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// The file holds no key.
    #[error(
        "`{}` is not a signing key of 32 bytes: restore it, or remove it and give every sidecar the new public key",
        .path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system has no random numbers for a signing key")]
    Randomness,
}

/// Opens the signing key of a data folder; makes one where there is none.
///
/// # Errors
/// When the file cannot be read, written, or is no key. It is never replaced: sidecars trust it.
pub fn open_signing_key(data: &Path) -> Result<SigningKey, KeyFileError> {
    let path = data.join("signing.key");
    let file = |why| KeyFileError::File { path: path.clone(), why };
    let seed = match read(&path) {
        Ok(seed) => seed,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let mut seed = Zeroizing::new([0; 32]);
            aws_lc_rs::rand::fill(&mut *seed).map_err(|_| KeyFileError::Randomness)?;
            write(data, &path, &seed).map_err(file)?;
            seed
        }
        Err(why) if why.kind() == io::ErrorKind::InvalidData => {
            return Err(KeyFileError::Malformed { path });
        }
        Err(why) => return Err(file(why)),
    };
    SigningKey::from_seed(&seed).map_err(|_| KeyFileError::Malformed { path })
}

fn read(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(33));
    File::open(path)?.take(33).read_to_end(&mut bytes)?;
    let seed = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Zeroizing::new(seed))
}

/// Whole or not at all: a new file, synced, then given its name, and the name synced too. A crash leaves at most
/// a file with another name, which the next start writes again.
fn write(data: &Path, path: &Path, seed: &[u8; 32]) -> io::Result<()> {
    let unfinished = data.join("signing.key.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(seed)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let first = *open_signing_key(dir.path()).unwrap().public();
        assert_eq!(*open_signing_key(dir.path()).unwrap().public(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(dir.path().join("signing.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(dir.path().join("signing.key"), b"short").unwrap();
        let refused = open_signing_key(dir.path()).unwrap_err();
        assert!(matches!(refused, KeyFileError::Malformed { .. }));
        let nowhere = open_signing_key(&dir.path().join("none")).unwrap_err();
        assert!(nowhere.to_string().contains("check the folder"));
    }
}
