//! `config init`: a commented config file to fill in.

use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::unix::files::{create_private, make_private_directory};

/// Every key once, commented out, so that the file as written sets nothing.
pub(crate) const TEMPLATE: &str = r#"# netapi's settings. Flags and environment variables win over this file; `netapi config show` tells what counts.
# Paths: `~` is the home directory; relative ones are taken from this file's directory.
# Secrets never stand here: name a file that holds one in its first line, or a command that prints it.

# The profile to use without --profile or NETAPI_PROFILE:
# default_profile = "production"

# [profiles.production]

# MnT
# mnt_host = "ise-mnt.example.com"
# mnt_port = 443
# mnt_user = "monitor"
# mnt_password_file = "~/.config/netapi/mnt-password"
# mnt_password_command = ["pass", "show", "ise"]   # instead of the file; `password_command` is the same key

# pxGrid
# pxgrid_hosts = ["ise-px1.example.com", "ise-px2.example.com"]
# pxgrid_port = 8910
# client_name = "netapi"   # without it, the certificate's CN
# cert = "client.pem"
# key = "client.key"
# key_password_file = "client.key.password"
# key_password_command = ["pass", "show", "ise-key"]
# client_password_file = "account.password"
# client_password_command = ["pass", "show", "ise-account"]

# dc_host = "ise-mnt1.example.com"
# dc_port = 2484
# dc_service = "cpm10"
# dc_user = "dataconnect"
# dc_password_file = "dataconnect.password"
# dc_password_command = ["pass", "show", "dataconnect"]

# Connection
# cacert = "ise-ca.pem"
# pin_sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"   # checked in place of the chain
# verify_hostname = true
# insecure = false
# resolve = ["ise-mnt.example.com:443:10.0.0.1"]
# proxy = "http://proxy.example.com:3128"   # or https://, socks5://, socks5h://; without a password
# no_proxy = ["ise-mnt.example.com", ".lab.example", "10.0.0.0/8"]   # hosts that go without it
# proxy_credentials_file = "proxy-credentials"   # USER:PASSWORD
# proxy_credentials_command = ["pass", "show", "proxy"]
# proxy_cacert = "proxy-ca.pem"   # for an https:// proxy whose CA this system does not know
# connect_timeout = "10s"
# timeout = "60s"
# read_only = false
"#;

/// Writes the template to `path`: the file with mode 0600, missing directories with 0700. An
/// existing file is never touched.
pub fn init(path: &Path) -> Result<()> {
    let cannot = |error: &std::io::Error| {
        let text = format!("cannot write {}: {error}", path.display());
        Error::new(Kind::Failed, text)
    };
    if let Some(directory) = path.parent() {
        make_private_directory(directory).map_err(|error| cannot(&error))?;
    }
    let mut file = create_private(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::usage(format!("{} exists already", path.display()))
            .hint("edit it, or name another file with `--config FILE`"),
        _ => cannot(&error),
    })?;
    file.write_all(TEMPLATE.as_bytes())
        .map_err(|error| cannot(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn writes_once_and_privately() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/config.toml");
        init(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), TEMPLATE);
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(init(&path).unwrap_err().kind(), Kind::Usage);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_file_in_the_directorys_place_is_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = init(&file.join("config.toml")).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
    }
}
