//! Passwords: stored as argon2id, worked on away from the threads that answer requests, a few at a time.

use crate::error::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What one password costs: memory in KiB, passes over it, lanes. OWASP's least.
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// What a stored hash may ask for, an imported one included: more than this would let it stop the server.
const MEMORY_KIB_MAX: u32 = 262_144;
const PASSES_MAX: u32 = 16;
const BCRYPT_COST_MAX: u32 = 14;
/// Longer ones are refused when they are set, and wrong when they are tried (bytes).
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// How long a log-in waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// What became of a password that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and stored in a way that is to be replaced now that the password is at hand.
    RightButOld,
}

/// The bounded place where passwords are worked on.
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    /// `at_once`: passwords that are worked on at the same time; each takes 19 MiB and a core.
    pub fn new(at_once: usize) -> Passwords {
        Passwords { turns: Arc::new(Semaphore::new(at_once.max(1))) }
    }

    /// What is stored for a password.
    pub async fn hash(&self, password: String) -> Result<String> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(Error::invalid(format!("A password has at most {PASSWORD_BYTES_MAX} bytes.")));
        }
        self.away(move || hash(&password)).await?
    }

    /// Tries a password. `stored`: what is stored for the account; `None`: there is no such account, which takes as long
    /// to find out as that the password is wrong.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verdict> {
        self.away(move || match stored {
            Some(stored) => verify(&password, &stored),
            None => {
                verify(&password, nobody());
                Verdict::Wrong
            }
        })
        .await
    }

    async fn away<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let turn =
            turn.map_err(|_| Error::busy(1).caused_by("too many passwords at once"))?.map_err(Error::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_| Error::internal("a password could not be worked on"))
    }
}

fn argon() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String> {
    Ok(argon()?.hash_password(password.as_bytes()).map_err(Error::internal)?.to_string())
}

/// A hash of no account.
fn nobody() -> &'static str {
    static NOBODY: OnceLock<String> = OnceLock::new();
    NOBODY.get_or_init(|| hash("").unwrap_or_default())
}

fn verify(password: &str, stored: &str) -> Verdict {
    if password.len() > PASSWORD_BYTES_MAX {
        return Verdict::Wrong;
    }
    if stored.starts_with("$2") {
        return verify_bcrypt(password, stored);
    }
    let Ok(parsed) = PasswordHash::new(stored) else { return Verdict::Wrong };
    let Ok(params) = Params::try_from(&parsed) else { return Verdict::Wrong };
    if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX {
        return Verdict::Wrong;
    }
    if Argon2::default().verify_password(password.as_bytes(), &parsed).is_err() {
        return Verdict::Wrong;
    }
    let is_ours = stored.starts_with("$argon2id$") && params.m_cost() >= MEMORY_KIB && params.t_cost() >= PASSES;
    if is_ours { Verdict::Right } else { Verdict::RightButOld }
}

/// Of an account that was brought along from another system.
fn verify_bcrypt(password: &str, stored: &str) -> Verdict {
    let cost = stored.split('$').nth(2).and_then(|cost| cost.parse::<u32>().ok());
    if cost.is_none_or(|cost| cost > BCRYPT_COST_MAX) {
        return Verdict::Wrong;
    }
    match bcrypt::verify(password, stored) {
        Ok(true) => Verdict::RightButOld,
        Ok(false) | Err(_) => Verdict::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_only_for_its_own_hash_and_two_hashes_of_it_differ() {
        let passwords = Passwords::new(2);
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, passwords.hash("correct horse".into()).await.unwrap());
        for (password, verdict) in [
            ("correct horse", Verdict::Right),
            ("correct horse ", Verdict::Wrong),
            ("Correct horse", Verdict::Wrong),
            ("", Verdict::Wrong),
        ] {
            assert_eq!(passwords.verify(password.into(), Some(stored.clone())).await.unwrap(), verdict, "{password}");
        }
        assert_eq!(passwords.verify("".into(), None).await.unwrap(), Verdict::Wrong, "of nobody nothing is right");
    }

    #[tokio::test]
    async fn what_another_system_stored_is_right_once_more_and_then_replaced() {
        let passwords = Passwords::new(1);
        // "U*U" of the reference implementation's own tests.
        let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert_eq!(passwords.verify("U*U".into(), Some(bcrypt.into())).await.unwrap(), Verdict::RightButOld);
        assert_eq!(passwords.verify("U*V".into(), Some(bcrypt.into())).await.unwrap(), Verdict::Wrong);
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let weak = weak.hash_password(b"x").unwrap().to_string();
        assert_eq!(passwords.verify("x".into(), Some(weak)).await.unwrap(), Verdict::RightButOld);
    }

    #[tokio::test]
    async fn a_hash_that_is_damaged_or_asks_for_too_much_is_met_by_nothing() {
        let passwords = Passwords::new(1);
        for stored in [
            "",
            "plain",
            "$2a$",
            "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
            "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        ] {
            for password in ["", "plain", "x"] {
                let verdict = passwords.verify(password.into(), Some(stored.into())).await.unwrap();
                assert_eq!(verdict, Verdict::Wrong, "{stored}");
            }
        }
        assert!(passwords.hash("x".repeat(PASSWORD_BYTES_MAX + 1)).await.is_err());
    }
}
