//! O5LOGON from the server's side: the challenge, the key that both sides make of it, and the
//! server's proof. With the verifier of 12c (PBKDF2 and AES-256) or that of 11g (SHA-1 and
//! AES-192). Whose password it is, is not here.

use std::hash::{BuildHasher, Hasher, RandomState};

use aes::{Aes192, Aes256};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use sha1::Sha1;
use sha2::{Digest, Sha512};

const BLOCK: usize = 16;
/// The length of a half of the session's key.
const HALF: usize = 32;
const ROUNDS: u32 = 4096;
const KEY_ROUNDS: u32 = 3;
const SPEEDY: &[u8] = b"AUTH_PBKDF2_SPEEDY_KEY";
const PROOF: &[u8; 16] = b"SERVER_TO_CLIENT";

/// How the password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verifier {
    Of12c,
    Of11g,
}

impl Verifier {
    /// Its number on the wire.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Of12c => 0x4815,
            Self::Of11g => 0x1B25,
        }
    }

    /// The length of the session's key.
    fn key_length(self) -> usize {
        match self {
            Self::Of12c => 32,
            Self::Of11g => 24,
        }
    }
}

/// A logon that has begun.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    verifier: Verifier,
    salt: Vec<u8>,
    key_salt: Vec<u8>,
    server_half: Vec<u8>,
}

/// A logon that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    /// `AUTH_SVR_RESPONSE`.
    pub(super) response: String,
}

impl Challenge {
    pub(super) fn new(verifier: Verifier) -> Self {
        let salt = match verifier {
            Verifier::Of12c => 16,
            Verifier::Of11g => 10,
        };
        Self {
            verifier,
            salt: random(salt),
            key_salt: random(16),
            server_half: random(HALF),
        }
    }

    /// What the client is told, for an account with this password.
    pub(super) fn parameters(&self, password: &str) -> Vec<(&'static str, String, u64)> {
        let hash = self.hash(password);
        let half = encrypt(&hash, &self.server_half);
        let mut parameters = vec![
            ("AUTH_SESSKEY", hex(&half), 0),
            ("AUTH_VFR_DATA", hex(&self.salt), self.verifier.number()),
        ];
        parameters.extend([
            ("AUTH_PBKDF2_CSK_SALT", hex(&self.key_salt), 0),
            ("AUTH_PBKDF2_VGEN_COUNT", ROUNDS.to_string(), 0),
            ("AUTH_PBKDF2_SDER_COUNT", KEY_ROUNDS.to_string(), 0),
        ]);
        parameters.push(("AUTH_GLOBALLY_UNIQUE_DBID\0", hex(&[0x4C; 16]), 0));
        parameters
    }

    /// Whether the client knows the password: its half of the key and the password under that key,
    /// both in hexadecimal.
    pub(super) fn check(&self, password: &str, half: &str, secret: &str) -> Option<Proof> {
        let half = decrypt(&self.hash(password), &unhex(half)?)?;
        let key = self.key(&half)?;
        let secret = decrypt(&key, &unhex(secret)?)?;
        let padding = usize::from(*secret.last()?);
        let end = secret.len().checked_sub(padding)?;
        if secret.get(BLOCK..end)? != password.as_bytes() {
            return None;
        }
        let mut proof = random(BLOCK);
        proof.extend_from_slice(PROOF);
        proof.extend_from_slice(&[16; BLOCK]);
        Some(Proof {
            response: hex(&encrypt(&key, &proof)),
        })
    }

    fn hash(&self, password: &str) -> Vec<u8> {
        match self.verifier {
            Verifier::Of12c => {
                let salt = [&self.salt, SPEEDY].concat();
                let mut key = [0; 64];
                pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), &salt, ROUNDS, &mut key);
                let hash = Sha512::new()
                    .chain_update(key)
                    .chain_update(&self.salt)
                    .finalize();
                hash.iter().take(32).copied().collect()
            }
            Verifier::Of11g => {
                let hash = Sha1::new()
                    .chain_update(password.as_bytes())
                    .chain_update(&self.salt)
                    .finalize();
                hash.iter().copied().chain([0; 4]).collect()
            }
        }
    }

    /// The key of the session, of both halves. A verifier of 11g is older than the way to this key:
    /// servers from 12c on use it for both.
    fn key(&self, client_half: &[u8]) -> Option<Vec<u8>> {
        let length = self.verifier.key_length();
        let halves = [client_half.get(..length)?, self.server_half.get(..length)?].concat();
        let mut key = vec![0; length];
        let halves = hex(&halves);
        pbkdf2::pbkdf2_hmac::<Sha512>(halves.as_bytes(), &self.key_salt, KEY_ROUNDS, &mut key);
        Some(key)
    }
}

fn encrypt(key: &[u8], plain: &[u8]) -> Vec<u8> {
    let iv = [0; BLOCK];
    let mut sealed = vec![0; plain.len()];
    let done = if key.len() == 24 {
        cbc::Encryptor::<Aes192>::new_from_slices(key, &iv)
            .ok()
            .map(|cipher| {
                cipher
                    .encrypt_padded_b2b::<NoPadding>(plain, &mut sealed)
                    .is_ok()
            })
    } else {
        cbc::Encryptor::<Aes256>::new_from_slices(key, &iv)
            .ok()
            .map(|cipher| {
                cipher
                    .encrypt_padded_b2b::<NoPadding>(plain, &mut sealed)
                    .is_ok()
            })
    };
    debug_assert_eq!(done, Some(true));
    sealed
}

fn decrypt(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let iv = [0; BLOCK];
    let mut plain = vec![0; sealed.len()];
    if key.len() == 24 {
        let cipher = cbc::Decryptor::<Aes192>::new_from_slices(key, &iv).ok()?;
        cipher
            .decrypt_padded_b2b::<NoPadding>(sealed, &mut plain)
            .ok()?;
    } else {
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, &iv).ok()?;
        cipher
            .decrypt_padded_b2b::<NoPadding>(sealed, &mut plain)
            .ok()?;
    }
    Some(plain)
}

/// Upper case, as the drivers write it; it is hashed.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| {
        DIGITS
            .get(usize::from(value))
            .map_or('0', |digit| char::from(*digit))
    };
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(2) || text.len() > 1024 {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, _) = text.as_chunks::<2>();
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

/// Good enough for a lab on this machine, whose password opens nothing else.
fn random(count: usize) -> Vec<u8> {
    let words = std::iter::repeat_with(|| RandomState::new().build_hasher().finish().to_be_bytes());
    words.flatten().take(count).collect()
}

/// The client's half of the exchange: half of the key, the password under it, and the key.
#[cfg(test)]
pub(super) fn answer(challenge: &Challenge, password: &str) -> (String, String, Vec<u8>) {
    let half = random(HALF);
    let key = challenge.key(&half).unwrap();
    let mut secret = random(BLOCK);
    secret.extend_from_slice(password.as_bytes());
    let padding = BLOCK - secret.len() % BLOCK;
    secret.resize(secret.len() + padding, u8::try_from(padding).unwrap());
    let half = encrypt(&challenge.hash(password), &half);
    (hex(&half), hex(&encrypt(&key, &secret)), key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_opens_and_the_server_proves_itself() {
        for verifier in [Verifier::Of12c, Verifier::Of11g] {
            let challenge = Challenge::new(verifier);
            let (half, secret, key) = answer(&challenge, "Lab-Connect-1");
            let proof = challenge.check("Lab-Connect-1", &half, &secret).unwrap();
            let plain = decrypt(&key, &unhex(&proof.response).unwrap()).unwrap();
            assert_eq!(&plain[16..32], PROOF);
            assert_eq!(challenge.check("Lab-Connect-2", &half, &secret), None);
            assert_eq!(challenge.check("Lab-Connect-1", "00", &secret), None);
            assert_eq!(challenge.check("Lab-Connect-1", &half, "zz"), None);
            let (half, secret, _) = answer(&challenge, "wrong");
            assert_eq!(challenge.check("Lab-Connect-1", &half, &secret), None);
        }
    }

    #[test]
    fn hexadecimal_is_upper_case() {
        assert_eq!(hex(&[0xAB, 0x0C]), "AB0C");
        assert_eq!(unhex("ab0C"), Some(vec![0xAB, 0x0C]));
        assert_eq!(unhex("abc"), None);
    }
}
