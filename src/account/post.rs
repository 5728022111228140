//! Links by mail, by which a password is set: asked for, sent in the background, used once.

use super::letter::{self, Language, Link, Occasion};
use super::{Accounts, USERNAME_CHARS, folded, secret};
use crate::config::Settings;
use crate::error::{Error, Kind, Result};
use crate::mail::Mailer;
use crate::store::AccountRow;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a link may be used (s).
const LIFE_SECONDS: i64 = 30 * 60;
/// So many links an account gets within an hour: whoever asks on and on fills nobody's mailbox.
const HOURLY_MAX: i64 = 3;
/// So many letters wait to be sent; beyond it whoever asks is told to come again.
const WAITING_MAX: usize = 1_000;
/// So many accounts with one address are written to.
const SHARED_MAX: i64 = 10;
/// Before each attempt: to send a letter, and to read for whom it is.
const ATTEMPTS: &[Duration] = &[Duration::ZERO, Duration::from_secs(2), Duration::from_secs(20)];
/// What somebody types who forgot the password is no longer (characters): an e-mail address has 254.
const NAME_CHARS_MAX: usize = 254;

/// A letter to be written.
pub(super) enum Errand {
    /// To whoever has this user name, or this e-mail address.
    Forgotten {
        name: String,
        language: Language,
    },
    Invited {
        account: String,
        language: Language,
    },
}

/// What sends letters.
pub(super) struct Post {
    mailer: Mailer,
    /// This server's address without `/fhir`: what links begin with. Never from a request.
    root: String,
    pub(super) errands: mpsc::Sender<Errand>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Errand>>,
    /// Held while a link is counted and made: two at once would not see each other.
    turn: tokio::sync::Mutex<()>,
}

impl Post {
    /// `None`: the settings lack what it needs.
    pub(super) fn open(settings: &Settings) -> Result<Option<Post>> {
        let Some(mail) = &settings.mail else { return Ok(None) };
        let mailer = Mailer::new(mail)?;
        let Some(base_url) = &settings.base_url else { return Ok(None) };
        let (errands, waiting) = mpsc::channel(WAITING_MAX);
        let root = root_of(base_url.as_str()).to_owned();
        let (waiting, turn) = (tokio::sync::Mutex::new(waiting), tokio::sync::Mutex::default());
        Ok(Some(Post { mailer, root, errands, waiting, turn }))
    }
}

/// What stands before `/fhir` in the address of the FHIR endpoint; all of it where a proxy calls that otherwise.
fn root_of(base_url: &str) -> &str {
    let root = ["/fhir/R4", "/fhir"].into_iter().find_map(|suffix| base_url.strip_suffix(suffix));
    root.unwrap_or(base_url)
}

/// The setting without which no link can be sent; `None`: all are there.
pub(super) fn missing_setting(settings: &Settings) -> Option<&'static str> {
    match (&settings.mail, &settings.base_url) {
        (None, _) => Some("BRASA_SMTP_URL"),
        (_, None) => Some("BRASA_BASE_URL"),
        _ => None,
    }
}

fn invalid_link() -> Error {
    Error::invalid("This link is not valid, or no longer: it works once and for 30 minutes. Ask for another one.")
        .at("token")
}

impl Accounts {
    pub(super) fn post(&self) -> Result<&Post> {
        let missing = self.missing_for_mail.unwrap_or("BRASA_SMTP_URL");
        let message = format!(
            "This server sends no mail, since {missing} is not set. Ask an administrator to set it, or for a password."
        );
        self.post.as_ref().ok_or_else(|| Error::new(Kind::NotConfigured, message))
    }

    /// Has a link sent to whoever has this user name or e-mail address, if somebody has. Nothing is looked up before the
    /// answer, so neither it nor its time tells.
    pub fn forgot_password(&self, name: &str, language: Language) -> Result<()> {
        let post = self.post()?;
        let name = name.trim();
        let count = name.chars().count();
        if count < *USERNAME_CHARS.start() || count > NAME_CHARS_MAX {
            return Err(Error::invalid("This is neither a user name nor an e-mail address.").at("username"));
        }
        let errand = Errand::Forgotten { name: name.to_owned(), language };
        let full = |_| Error::busy(60).caused_by("too many letters wait to be sent");
        post.errands.try_send(errand).map_err(full)
    }

    /// Sets a password by the token of a link. All sessions of the account end, and its other links.
    pub async fn reset_password(&self, token: &str, new: &str) -> Result<()> {
        let hash = secret::hash(token.as_bytes());
        // Before the password is worked on, which costs more.
        if !self.tables.has_reset(&hash).await? {
            return Err(invalid_link());
        }
        let password = self.check_password(new).await.map_err(|error| error.at("new_password"))?;
        let owner = self.tables.use_reset(&hash, &password).await?.ok_or_else(invalid_link)?;
        self.live.forget();
        // Whoever reads the mail is the owner: guesses of others are no reason to wait.
        self.tables.forget_failures(&secret::hash(owner.username.as_bytes())).await
    }

    /// One step of the background: waits for a letter to be written, and writes it. Without mail it waits for ever.
    pub async fn post_step(&self) -> Result<()> {
        let Some(post) = &self.post else { return std::future::pending().await };
        let errand = post.waiting.lock().await.recv().await;
        let Some(errand) = errand else { return std::future::pending().await };
        let mut done = Ok(());
        for wait in ATTEMPTS {
            tokio::time::sleep(*wait).await;
            done = self.run_errand(post, &errand).await;
            if done.is_ok() {
                break;
            }
        }
        done
    }

    /// Fails when the database does; what the mail server does not take is dealt with here.
    async fn run_errand(&self, post: &Post, errand: &Errand) -> Result<()> {
        match errand {
            Errand::Forgotten { name, language } => {
                for account in self.named(name).await? {
                    self.send_link(post, &account, Occasion::Forgotten, *language).await?;
                }
                Ok(())
            }
            Errand::Invited { account, language } => match self.tables.by_id(account).await? {
                Some(account) => self.send_link(post, &account, Occasion::Invited, *language).await,
                None => Ok(()),
            },
        }
    }

    async fn named(&self, name: &str) -> Result<Vec<AccountRow>> {
        match self.tables.by_username(&folded(name)).await? {
            Some(account) => Ok(vec![account]),
            None => self.tables.by_email(name, SHARED_MAX).await,
        }
    }

    async fn send_link(&self, post: &Post, account: &AccountRow, occasion: Occasion, language: Language) -> Result<()> {
        let Some(to) = &account.email else { return Ok(()) };
        let token = URL_SAFE_NO_PAD.encode(secret::random()?);
        let hash = secret::hash(token.as_bytes());
        let turn = post.turn.lock().await;
        let is_made = self.tables.add_reset(&hash, &account.id, LIFE_SECONDS, HOURLY_MAX).await?;
        drop(turn);
        if !is_made {
            return Ok(());
        }
        let root = &post.root;
        let link = Link {
            to,
            username: &account.username,
            root,
            address: &format!("{root}/auth/password/reset?token={token}"),
            again: &format!("{root}/auth/password/forgot"),
            minutes: LIFE_SECONDS / 60,
        };
        let letter = letter::letter(occasion, language, &link);
        for wait in ATTEMPTS {
            tokio::time::sleep(*wait).await;
            let Err(unsent) = post.mailer.send(&letter).await else { return Ok(()) };
            tracing::warn!(cause = unsent.cause, will_try_again = unsent.is_passing, "a letter could not be sent");
            if !unsent.is_passing {
                break;
            }
        }
        self.tables.withdraw_reset(&hash).await
    }
}

#[cfg(test)]
mod tests {
    use super::root_of;

    #[test]
    fn a_link_begins_with_what_stands_before_the_fhir_endpoint() {
        for (base_url, root) in [
            ("https://a.example/fhir", "https://a.example"),
            ("https://a.example/fhir/R4", "https://a.example"),
            ("https://a.example/brasa/fhir", "https://a.example/brasa"),
            ("https://fhir.example", "https://fhir.example"),
        ] {
            assert_eq!(root_of(base_url), root);
        }
    }
}
