//! The logon: both sides prove that they know the password, which itself travels encrypted by a key
//! that neither sends (O5LOGON), inside TLS.
//!
//! 12c verifiers (PBKDF2 with SHA-512, AES-256) and 11g verifiers (SHA-1, AES-192) are known. The
//! server's proof is checked: a server that cannot show it is not the one that has the account.

use aes::{Aes192, Aes256};
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use md5::{Digest, Md5};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::greeting::Client;
use super::reader::{Fault, Read};
use super::writer::Writer;

/// Rounds of PBKDF2 that a server may ask for: Oracle's own number is 4,096.
const MOST_ROUNDS: u32 = 100_000;

const VERIFIER_12C: u32 = 0x4815;
const VERIFIERS_11G: [u32; 2] = [0xb152, 0x1b25];

const FIRST: u8 = 118;
const SECOND: u8 = 115;

const MODE_LOGON: u64 = 0x01;
const MODE_WITH_PASSWORD: u64 = 0x100;

/// What a server sends at logon: names with values, and a number of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(pub(super) Vec<(String, String, u32)>);

impl Parameters {
    fn find(&self, name: &str) -> Option<&(String, String, u32)> {
        self.0.iter().find(|(key, _, _)| key == name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(_, value, _)| value.as_str())
    }

    fn bytes(&self, name: &'static str) -> Read<Vec<u8>> {
        let text = self.text(name).unwrap_or_default();
        unhex(text)
            .filter(|bytes| !bytes.is_empty())
            .ok_or(Fault::Malformed(
                "a value that the logon needs is missing or no hexadecimal number",
            ))
    }

    fn rounds(&self, name: &str) -> Read<u32> {
        let rounds = self.text(name).and_then(|text| text.trim().parse().ok());
        rounds
            .filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))
            .ok_or(Fault::Malformed("the number of rounds at logon"))
    }
}

/// What chance gives to a logon.
pub(super) struct Randoms {
    pub(super) half: [u8; 48],
    pub(super) password_salt: [u8; 16],
    pub(super) speedy_salt: [u8; 16],
}

/// Who logs on and what is said of this client.
pub(super) struct Identity<'i> {
    pub(super) user: &'i str,
    pub(super) password: &'i [u8],
    pub(super) client: &'i Client,
    pub(super) process: u32,
    pub(super) connect_data: &'i str,
}

/// The key that both sides came to.
pub(super) struct SessionKey(Zeroizing<Vec<u8>>);

/// The message that begins a logon.
pub(super) fn first_message(identity: &Identity<'_>, sequence: u8) -> Vec<u8> {
    let pairs = [
        ("AUTH_TERMINAL", "unknown".to_owned(), 0),
        ("AUTH_PROGRAM_NM", identity.client.program.clone(), 0),
        ("AUTH_MACHINE", identity.client.machine.clone(), 0),
        ("AUTH_PID", identity.process.to_string(), 0),
        ("AUTH_SID", identity.client.user.clone(), 0),
    ];
    message(FIRST, sequence, identity.user, MODE_LOGON, &pairs)
}

/// The number of the verifier, where it is of neither kind that is known.
pub(super) fn unknown_verifier(server: &Parameters) -> Option<u32> {
    let (_, _, number) = server.find("AUTH_VFR_DATA")?;
    (*number != VERIFIER_12C && !VERIFIERS_11G.contains(number)).then_some(*number)
}

/// The message that ends it, by what the server answered to the first, and the key for its proof.
///
/// Faults: what the server sent is not enough, or a verifier of another kind.
pub(super) fn second_message(
    identity: &Identity<'_>,
    sequence: u8,
    server: &Parameters,
    randoms: &Randoms,
) -> Read<(Vec<u8>, SessionKey)> {
    let salt = server.bytes("AUTH_VFR_DATA")?;
    let kind = server
        .find("AUTH_VFR_DATA")
        .map_or(0, |(_, _, flags)| *flags);
    let new = kind == VERIFIER_12C;
    if !new && !VERIFIERS_11G.contains(&kind) {
        return Err(Fault::Malformed(
            "a password verifier that is neither of 11g nor of 12c",
        ));
    }
    let mut stretched = Zeroizing::new([0u8; 64]);
    let hash = if new {
        let rounds = server.rounds("AUTH_PBKDF2_VGEN_COUNT")?;
        let long_salt = [&salt[..], b"AUTH_PBKDF2_SPEEDY_KEY"].concat();
        pbkdf2_hmac::<Sha512>(identity.password, &long_salt, rounds, &mut stretched[..]);
        let hash = Sha512::new()
            .chain_update(&stretched[..])
            .chain_update(&salt);
        Zeroizing::new(hash.finalize().get(..32).unwrap_or_default().to_vec())
    } else {
        let hash = Sha1::new()
            .chain_update(identity.password)
            .chain_update(&salt);
        let mut hash = hash.finalize().to_vec();
        hash.resize(24, 0);
        Zeroizing::new(hash)
    };
    let theirs = Zeroizing::new(decrypt(&hash, &server.bytes("AUTH_SESSKEY")?)?);
    let length = theirs.len();
    let ours = randoms.half.get(..length);
    let ours = ours.filter(|_| length == 32 || length == 48);
    let ours = ours.ok_or(Fault::Malformed("the length of the session's key"))?;
    let shown = hex(&encrypt(&hash, ours)?);
    let shown = shown.get(..length * 2).unwrap_or_default().to_owned();
    let key = session_key(server, &theirs, ours, hash.len())?;
    let mut pairs = vec![("AUTH_SESSKEY", shown, 1)];
    if new {
        let plain = Zeroizing::new([&randoms.speedy_salt[..], &stretched[..]].concat());
        let speedy = encrypt(&key, &plain)?;
        let speedy = speedy.get(..80).unwrap_or_default();
        pairs.push(("AUTH_PBKDF2_SPEEDY_KEY", hex(speedy), 0));
    }
    let plain = Zeroizing::new([&randoms.password_salt[..], identity.password].concat());
    pairs.push(("AUTH_PASSWORD", hex(&encrypt(&key, &plain)?), 0));
    let version = env!("CARGO_PKG_VERSION");
    pairs.extend([
        (
            "SESSION_CLIENT_CHARSET",
            super::capabilities::UTF8.to_string(),
            0,
        ),
        (
            "SESSION_CLIENT_DRIVER_NAME",
            format!("netapi thn : {version}"),
            0,
        ),
        (
            "SESSION_CLIENT_VERSION",
            version_number(version).to_string(),
            0,
        ),
        (
            "AUTH_ALTER_SESSION",
            "ALTER SESSION SET TIME_ZONE='+00:00'\0".to_owned(),
            1,
        ),
        ("AUTH_CONNECT_STRING", identity.connect_data.to_owned(), 0),
    ]);
    let mode = MODE_LOGON | MODE_WITH_PASSWORD;
    let message = message(SECOND, sequence, identity.user, mode, &pairs);
    Ok((message, SessionKey(key)))
}

/// The key of both halves.
fn session_key(
    server: &Parameters,
    theirs: &[u8],
    ours: &[u8],
    length: usize,
) -> Read<Zeroizing<Vec<u8>>> {
    if theirs.len() == 48 {
        let both = theirs.iter().zip(ours).skip(16).take(24);
        let both: Zeroizing<Vec<u8>> = Zeroizing::new(both.map(|(a, b)| a ^ b).collect());
        let (first, second) = both.split_at(16);
        let mut key = [Md5::digest(first), Md5::digest(second)].concat();
        key.truncate(length);
        return Ok(Zeroizing::new(key));
    }
    let salt = server.bytes("AUTH_PBKDF2_CSK_SALT")?;
    let rounds = server.rounds("AUTH_PBKDF2_SDER_COUNT")?;
    let half = |bytes: &[u8]| bytes.get(..length.min(bytes.len())).map(hex);
    let both = [half(ours), half(theirs)].into_iter().flatten();
    let both = Zeroizing::new(both.collect::<String>());
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2_hmac::<Sha512>(both.as_bytes(), &salt, rounds, &mut key);
    Ok(key)
}

/// Whether the server has shown that it knows the password too.
pub(super) fn is_proven(key: &SessionKey, server: &Parameters) -> bool {
    let answer = server.bytes("AUTH_SVR_RESPONSE");
    let plain = answer.and_then(|answer| decrypt(&key.0, &answer));
    plain.is_ok_and(|plain| plain.get(16..32) == Some(b"SERVER_TO_CLIENT"))
}

fn message(
    function: u8,
    sequence: u8,
    user: &str,
    mode: u64,
    pairs: &[(&str, String, u64)],
) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(&[3, function, sequence, 1]);
    writer.length(user.len());
    writer.integer(mode);
    writer.u8(1);
    writer.length(pairs.len());
    writer.raw(&[1, 1]);
    writer.bytes(user.as_bytes());
    for (name, value, flags) in pairs {
        writer.counted_bytes(name.as_bytes());
        writer.counted_bytes(value.as_bytes());
        writer.integer(*flags);
    }
    writer.0
}

/// `26.1.0` as Oracle's drivers number themselves.
fn version_number(version: &str) -> u32 {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = |shift: u32| parts.next().map_or(0, |part: u32| part.min(15) << shift);
    part(24) | part(20) | part(12)
}

fn decrypt(key: &[u8], bytes: &[u8]) -> Read<Vec<u8>> {
    let wrong = Fault::Malformed("something encrypted at logon has no whole blocks");
    let iv = [0; 16];
    if key.len() == 32 {
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, &iv).map_err(|_| wrong)?;
        cipher
            .decrypt_padded_vec::<NoPadding>(bytes)
            .map_err(|_| wrong)
    } else {
        let cipher = cbc::Decryptor::<Aes192>::new_from_slices(key, &iv).map_err(|_| wrong)?;
        cipher
            .decrypt_padded_vec::<NoPadding>(bytes)
            .map_err(|_| wrong)
    }
}

fn encrypt(key: &[u8], bytes: &[u8]) -> Read<Vec<u8>> {
    let wrong = Fault::Malformed("the key at logon");
    let iv = [0; 16];
    if key.len() == 32 {
        let cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, &iv).map_err(|_| wrong)?;
        Ok(cipher.encrypt_padded_vec::<Pkcs7>(bytes))
    } else {
        let cipher = cbc::Encryptor::<Aes192>::new_from_slices(key, &iv).map_err(|_| wrong)?;
        Ok(cipher.encrypt_padded_vec::<Pkcs7>(bytes))
    }
}

/// Upper-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or('0');
    let both = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)]);
    both.collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pairs = digits.chunks_exact(2);
    Some(
        pairs
            .map(|pair| pair.iter().fold(0, |value, digit| value << 4 | digit))
            .collect(),
    )
}
