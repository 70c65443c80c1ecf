//! Small files that a user names: certificates, keys, passwords, settings. They are read whole and
//! within a bound, and nothing of what stands in them is ever quoted.
//!
//! What the content means is the caller's affair. Inputs that are read as they come (lists,
//! messages) are not read here.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::process::effective_user;
use crate::unix::files::{others_may_read, others_may_write, owner};

/// The bound of everything but CA bundles: a chain with its key, or a list of settings, has a few
/// kilobytes.
pub const SMALL: u64 = 1024 * 1024;

/// No path on any system is longer (`PATH_MAX` of Linux).
const LONGEST_PATH: usize = 4096;

/// A file's content, and who else can get at it.
pub struct Content {
    /// Every byte of it.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Who may read and write it.
    pub access: Access,
}

/// Opens `path`. `what` begins the message: the option or the kind of file.
///
/// Errors: [`crate::error::Kind::Usage`], naming the file.
pub fn open(path: &Path, what: &str) -> Result<(File, Access)> {
    if !may_be_path(path) {
        return Err(Error::usage(format!(
            "{what}: {} was given where the path of a file is wanted",
            display_path(path)
        ))
        .hint(
            "write the content to a file that only you can read (chmod 600), and give its path",
        ));
    }
    let file = File::open(path).map_err(|error| unreadable(path, what, &error))?;
    let access = Access::of(
        &file
            .metadata()
            .map_err(|error| unreadable(path, what, &error))?,
    );
    Ok((file, access))
}

/// Reads all of `path`, at most `bound` bytes: a device or a wrong file must not fill memory, nor
/// be read for ever.
///
/// Errors: [`crate::error::Kind::Usage`], naming the file, and the bound where it is too large.
pub fn read(path: &Path, what: &str, bound: u64) -> Result<Content> {
    let (file, access) = open(path, what)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(bound + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, what, &error))?;
    if bytes.len() as u64 > bound {
        return Err(Error::usage(format!(
            "{what}: {} is larger than {} MiB, the most that is read",
            display_path(path),
            bound / SMALL
        ))
        .hint("name the file itself; `netapi config show` says where the path was set"));
    }
    Ok(Content { bytes, access })
}

fn unreadable(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::usage(format!(
        "{what}: cannot read {}: {error}",
        display_path(path)
    ))
    .hint_of_file(error)
}

/// The path for a message. People put a key's content where its path belongs; that is not shown.
pub fn display_path(path: &Path) -> Cow<'_, str> {
    if may_be_path(path) {
        Cow::Owned(path.display().to_string())
    } else {
        Cow::Borrowed("a text that is no path (the content of the file itself?)")
    }
}

/// Whether this can be a path, and not the content of a file.
pub fn may_be_path(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    let one_line = !bytes.iter().any(u8::is_ascii_control);
    let named = path.components().all(|part| part.as_os_str().len() <= 255);
    let pem = bytes.windows(10).any(|window| window == b"-----BEGIN");
    bytes.len() <= LONGEST_PATH && one_line && named && !pem
}

/// Text of a file: UTF-8 with or without a byte order mark, or UTF-16 with one. `what` begins the
/// message, `path` is for it.
///
/// Errors: [`crate::error::Kind::Usage`], naming the file and the line.
pub fn text<'a>(bytes: &'a [u8], path: &Path, what: &str) -> Result<Cow<'a, str>> {
    if let Some(decoded) = utf16(bytes) {
        return decoded.map(Cow::Owned).map_err(|DamagedUtf16| {
            Error::usage(format!(
                "{what}: {} is damaged UTF-16 text",
                display_path(path)
            ))
            .hint("save it as UTF-8")
        });
    }
    std::str::from_utf8(without_mark(bytes))
        .map(Cow::Borrowed)
        .map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or(bytes);
            let line = 1 + memchr::memchr_iter(b'\n', before).count();
            Error::usage(format!(
                "{what}: {}:{line}: is no UTF-8 text",
                display_path(path)
            ))
            .hint("save it as UTF-8")
        })
}

/// The bytes behind a byte order mark of UTF-8.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Whether the bytes begin with a byte order mark of UTF-16, as Windows PowerShell writes one.
pub fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

/// What UTF-16 with a byte order mark says, `Err` where it is damaged; `None` where there is no
/// mark.
pub fn utf16(bytes: &[u8]) -> Option<std::result::Result<String, DamagedUtf16>> {
    let number = match bytes.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let (pairs, rest) = bytes.get(2..)?.as_chunks::<2>();
    let units = pairs.iter().map(|pair| number(*pair));
    let text = char::decode_utf16(units).collect::<std::result::Result<String, _>>();
    let text = text.ok().filter(|_| rest.is_empty());
    Some(text.ok_or(DamagedUtf16))
}

/// Text that begins as UTF-16 and goes on as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedUtf16;

/// Who but us can get at a file. Nobody, for what is no regular file: a pipe (`<(pass show ise)`)
/// has no lasting content to guard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Group or world may read it.
    pub others_read: bool,
    /// Group or world may write it, or it belongs to another user than us and root.
    pub others_write: bool,
}

impl Access {
    fn of(metadata: &Metadata) -> Self {
        if !metadata.is_file() {
            return Self::default();
        }
        let trusted = [effective_user(), 0].contains(&owner(metadata));
        Self {
            others_read: others_may_read(metadata),
            others_write: others_may_write(metadata) || !trusted,
        }
    }

    /// What to tell the user of a file with secrets that others can read.
    pub fn warning(self, path: &Path) -> Option<String> {
        self.others_read.then(|| {
            format!(
                "{} can be read by others than its owner; `chmod 600` it",
                display_path(path)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_files_end_at_the_bound_and_are_named() {
        for path in ["/dev/zero", "/dev/urandom"] {
            let error = read(Path::new(path), "private key", SMALL).err().unwrap();
            assert_eq!(
                error.message(),
                format!("private key: {path} is larger than 1 MiB, the most that is read")
            );
            assert!(error.hint_text().is_some());
        }
    }

    #[test]
    fn a_key_in_the_place_of_a_path_is_not_shown() {
        let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg".repeat(6);
        for text in [
            format!("-----BEGIN PRIVATE KEY----- {body} -----END PRIVATE KEY-----"),
            format!("x\n{body}"),
            body.clone(),
        ] {
            let error = read(Path::new(&text), "private key", SMALL).err().unwrap();
            let said = format!("{} {:?}", error.message(), error.hint_text());
            assert!(!said.contains("MIGH"), "{said}");
            assert!(said.contains("is wanted"), "{said}");
        }
        assert!(may_be_path(Path::new("/home/u/a b/-key.pem")));
    }

    #[test]
    fn marks_are_taken_off_and_utf_16_is_read() {
        let path = Path::new("x.env");
        let decoded = |bytes: &[u8]| text(bytes, path, "--env-file").map(Cow::into_owned);
        assert_eq!(decoded(b"\xef\xbb\xbfA=b").unwrap(), "A=b");
        assert_eq!(decoded(b"\xff\xfeA\0=\0").unwrap(), "A=");
        assert_eq!(decoded(b"\xfe\xff\0A\0=").unwrap(), "A=");
        for damaged in [&b"\xff\xfeA"[..], b"\xff\xfe\0\xd8"] {
            let error = decoded(damaged).unwrap_err();
            assert_eq!(error.message(), "--env-file: x.env is damaged UTF-16 text");
        }
        let error = decoded(b"a\nb\xff").unwrap_err();
        assert_eq!(error.message(), "--env-file: x.env:2: is no UTF-8 text");
    }

    #[test]
    fn others_are_told_from_the_mode() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "x").unwrap();
        for (mode, others_read, others_write) in [
            (0o600, false, false),
            (0o640, true, false),
            (0o604, true, false),
            (0o620, false, true),
            (0o666, true, true),
        ] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let access = read(&path, "file", SMALL).unwrap().access;
            let wanted = Access {
                others_read,
                others_write,
            };
            assert_eq!(access, wanted, "{mode:o}");
        }
    }
}
