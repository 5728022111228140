//! Accounts: who logs in how, which sessions and keys they have, and what of that becomes a grant.
//!
//! Whatever decides about rights is read from the account, never from a token, and is at most some seconds old.

mod authenticate;
mod demo;
mod issuer;
mod key;
mod letter;
mod live;
pub mod oauth;
mod post;
mod secret;
mod session;
mod signing;
mod user;

pub use authenticate::{Caller, Standing, standing_of};
pub use demo::{DEMO_PATIENT, DEMO_PRACTITIONER};
pub use key::{MadeKey, NewKey};
pub use letter::Language;
pub use session::Tokens;
pub use signing::{KeyLine, Signer, all_keys, list_keys, rotate_keys};
pub use user::{NewUser, UserChange};

use crate::auth;
use crate::auth::password::Passwords;
use crate::config::{Mode, Settings};
use crate::error::{Error, Result};
pub use crate::store::{AccountRow, ClientRow, KeyRow, SessionRow};
use crate::store::{AccountTables, Store};
use live::Live;
use post::Post;
use signing::Ring;
use unicode_normalization::UnicodeNormalization;

/// The issuer of tokens when no base address is configured: in development, where links follow the request's host.
const ISSUER_WITHOUT_ADDRESS: &str = "urn:brasa";
/// A user name is so long (characters).
const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 2..=100;

/// The accounts of a server that was started with `BRASA_AUTH=on`.
pub struct Accounts {
    tables: AccountTables,
    passwords: Passwords,
    ring: Ring,
    live: Live,
    /// Who makes the tokens, and for whom they are: this server's FHIR endpoint.
    issuer: String,
    /// `None`: only tokens of this server are taken.
    outside: Option<issuer::Issuer>,
    token_seconds: i64,
    refresh_seconds: i64,
    registration: bool,
    password_chars_min: usize,
    /// `None`: no mail is sent, for want of `missing_for_mail`.
    post: Option<Post>,
    missing_for_mail: Option<&'static str>,
}

impl Accounts {
    /// Reads the keys, or makes the first one, and the first administrator if the settings name one and there is none.
    /// `progress` gets a sentence for the operator when nobody can log in.
    pub async fn open(store: &Store, settings: &Settings, progress: impl Fn(&str)) -> Result<Accounts> {
        let tables = store.accounts(&auth::of_server())?;
        let ring = Ring::open(&tables).await?;
        let seconds = |life: std::time::Duration| i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let issuer = settings.base_url.as_ref().map_or(ISSUER_WITHOUT_ADDRESS, |url| url.as_str());
        let accounts = Accounts {
            tables,
            passwords: Passwords::new(std::thread::available_parallelism().map_or(1, usize::from)),
            ring,
            live: Live::default(),
            issuer: issuer.to_owned(),
            outside: settings.outside_issuer.as_ref().map(issuer::Issuer::new).transpose()?,
            token_seconds: seconds(settings.token_life),
            refresh_seconds: seconds(settings.refresh_life),
            registration: settings.registration,
            password_chars_min: settings.mode.password_chars_min(),
            post: Post::open(settings)?,
            missing_for_mail: post::missing_setting(settings),
        };
        if let (Some(missing), Mode::Production) = (accounts.missing_for_mail, settings.mode) {
            progress(&format!(
                "No mail is sent, so forgotten passwords are set by administrators: {missing} is not set."
            ));
        }
        match settings.mode {
            Mode::Production => accounts.refuse_demo_accounts().await?,
            Mode::Demo => accounts.make_demo_accounts().await?,
            Mode::Development => {}
        }
        accounts.make_first_admin(settings, &progress).await?;
        // The first time, the password of nobody takes twice as long; nobody is to measure that.
        accounts.passwords.verify(String::new(), None).await?;
        Ok(accounts)
    }

    async fn make_first_admin(&self, settings: &Settings, progress: impl Fn(&str)) -> Result<()> {
        if self.tables.has_admin().await? {
            return Ok(());
        }
        let Some(first) = &settings.first_admin else {
            progress(
                "There is no administrator yet, so nobody can make accounts. Start once with BRASA_ADMIN_USERNAME and \
                BRASA_ADMIN_PASSWORD set; that makes the first one.",
            );
            return Ok(());
        };
        let username = self.check_username(&first.username).map_err(|error| error.at("BRASA_ADMIN_USERNAME"))?;
        let hash = self.passwords.hash(first.password.reveal().to_owned()).await?;
        self.tables.add_first_admin(&secret::id()?, &username, &hash).await?;
        if !self.tables.has_admin().await? {
            let message =
                "BRASA_ADMIN_USERNAME names an account that is there and is no administrator. Take another name.";
            return Err(Error::invalid(message));
        }
        progress("The first administrator's account is made. BRASA_ADMIN_PASSWORD is not needed any more.");
        Ok(())
    }

    /// One step of background care: takes up keys that another server made, and removes what is too old to matter.
    pub async fn step(&self) -> Result<()> {
        self.ring.read(&self.tables).await?;
        self.tables.tidy().await
    }

    /// The public halves of the keys that sign tokens.
    pub fn jwks(&self) -> serde_json::Value {
        self.ring.keys().jwks()
    }

    /// The name as it is stored.
    fn check_username(&self, username: &str) -> Result<String> {
        let folded = folded(username);
        let is_sound = USERNAME_CHARS.contains(&folded.chars().count())
            && !folded.chars().any(|c| c.is_control() || c.is_whitespace());
        if is_sound {
            return Ok(folded);
        }
        let (min, max) = (USERNAME_CHARS.start(), USERNAME_CHARS.end());
        let message = format!("A user name has {min} to {max} characters and no spaces.");
        Err(Error::invalid(message).at("username"))
    }

    /// How long a new password must be (characters).
    pub fn password_chars_min(&self) -> usize {
        self.password_chars_min
    }

    /// The hash of a new password.
    async fn check_password(&self, password: &str) -> Result<String> {
        let min = self.password_chars_min;
        if password.chars().count() < min {
            return Err(Error::invalid(format!("A password has at least {min} characters.")).at("password"));
        }
        self.passwords.hash(password.to_owned()).await.map_err(|error| error.at("password"))
    }
}

/// Two ways of typing one name are one name.
fn folded(username: &str) -> String {
    username.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn two_ways_of_typing_a_name_are_one_name() {
        for text in ["PÉREZ", "Pe\u{301}rez", "pérez", "ｐérez"] {
            assert_eq!(folded(text), "pérez");
        }
        assert_eq!(folded(&folded("İstanbul")), folded("İstanbul"));
    }
}
