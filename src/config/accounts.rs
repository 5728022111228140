//! What the settings of accounts must be to start: strict in production, safe everywhere.

use super::{Auth, Mode, Origins, Reader, Secret, SettingError, Settings, Switch};

const USERNAME: &str = "BRASA_ADMIN_USERNAME";
pub(super) const PASSWORD: &str = "BRASA_ADMIN_PASSWORD";

/// Passwords that whoever guesses tries first; a longer one that begins with one of them is no better.
const KNOWN: &[&str] =
    &["admin", "brasa", "changeme", "letmein", "my-password", "password", "qwerty", "secret", "123456", "welcome"];
/// A password of fewer different characters than this is a pattern.
const DIFFERENT_MIN: usize = 5;

/// The account that the first start makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstAdmin {
    pub username: String,
    pub password: Secret,
}

impl Mode {
    /// How many requests a second one account, key or address may send where nothing else is set; 0: no bound.
    pub fn requests_per_second_max(self) -> u32 {
        match self {
            // One programmer's tools and tests share an address and send what they can.
            Mode::Development => 0,
            Mode::Demo | Mode::Production => 50,
        }
    }

    /// How long a password must be (characters).
    pub fn password_chars_min(self) -> usize {
        match self {
            Mode::Production => 12,
            Mode::Development | Mode::Demo => 8,
        }
    }
}

impl Reader<'_> {
    /// Where nobody says who they are, there is little to record.
    pub(super) fn audit(&self) -> Result<bool, SettingError> {
        let chosen = self.optional("BRASA_AUDIT", Switch::parse)?;
        let auth = self.text("BRASA_AUTH", Auth::parse)?;
        Ok(chosen.map_or(auth == Auth::On, |chosen| chosen == Switch::On))
    }

    pub(super) fn first_admin(&self) -> Result<Option<FirstAdmin>, SettingError> {
        let username = self.optional(USERNAME, |text| Some(text.to_owned()))?;
        let password = self.optional(PASSWORD, Secret::parse)?;
        let lonely = |there: &str, missing: &str| {
            Err(SettingError::new(missing, format!("{there} is set and {missing} is not. Set both, or neither.")))
        };
        match (username, password) {
            (None, None) => Ok(None),
            (Some(username), Some(password)) => Ok(Some(FirstAdmin { username, password })),
            (Some(_), None) => lonely(USERNAME, PASSWORD),
            (None, Some(_)) => lonely(PASSWORD, USERNAME),
        }
    }
}

impl Settings {
    pub(super) fn validate_accounts(&self) -> Result<(), SettingError> {
        if self.mode == Mode::Production && self.cors_origins == Some(Origins::Any) {
            let message = "BRASA_CORS_ORIGINS=* is refused in production: each page in the world could use a token that \
                somebody typed into it. List the origins of your own pages, such as https://app.example.org.";
            return Err(SettingError::new("BRASA_CORS_ORIGINS", message.to_owned()));
        }
        self.validate_outside_issuer()?;
        match self.auth {
            Auth::Off => self.validate_without_accounts()?,
            Auth::On if self.mode == Mode::Production => {
                self.validate_base_url()?;
                self.validate_audit()?;
            }
            Auth::On => {}
        }
        match &self.first_admin {
            Some(admin) => self.validate_admin(admin),
            None => Ok(()),
        }
    }

    fn validate_audit(&self) -> Result<(), SettingError> {
        if self.audit {
            return Ok(());
        }
        let message =
            "BRASA_AUDIT=off is refused in production: every access to a record leaves a trace. Leave it out.";
        Err(SettingError::new("BRASA_AUDIT", message.to_owned()))
    }

    fn validate_without_accounts(&self) -> Result<(), SettingError> {
        const WHY: &str =
            "is refused with BRASA_AUTH=off: whoever reaches the server may read and change every record.";
        if self.mode != Mode::Development {
            let mode = self.mode.word();
            return Err(SettingError::new("BRASA_MODE", format!("BRASA_MODE={mode} {WHY} Set BRASA_AUTH=on.")));
        }
        if self.listen.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        let (listen, port) = (self.listen, self.listen.port());
        let message = format!(
            "BRASA_LISTEN={listen} {WHY} Set BRASA_AUTH=on, or listen on a loopback address such as 127.0.0.1:{port}."
        );
        Err(SettingError::new("BRASA_LISTEN", message))
    }

    /// Tokens are for one address, and nobody else must read them on their way to it.
    fn validate_base_url(&self) -> Result<(), SettingError> {
        let fault = match &self.base_url {
            Some(url) if url.is_https() => return Ok(()),
            Some(url) => format!("BRASA_BASE_URL={url} is refused in production: passwords and tokens would go over the network as they are."),
            None => "BRASA_BASE_URL is needed in production: without it, links and tokens would follow whatever host a request names.".to_owned(),
        };
        let how = "Set it to the address that clients use, such as https://fhir.example.org/fhir.";
        Err(SettingError::new("BRASA_BASE_URL", format!("{fault} {how}")))
    }

    fn validate_admin(&self, admin: &FirstAdmin) -> Result<(), SettingError> {
        let min = self.mode.password_chars_min();
        let password = admin.password.reveal();
        let fault = if password.chars().count() < min {
            format!("has fewer than {min} characters")
        } else if self.mode == Mode::Production && is_guessed(password, &admin.username) {
            "is one that is guessed early: it holds the user name or a word that everybody tries, or few different characters".to_owned()
        } else {
            return Ok(());
        };
        Err(SettingError::new(PASSWORD, format!("{PASSWORD} (its value is not shown) {fault}. Take a longer one.")))
    }
}

fn is_guessed(password: &str, username: &str) -> bool {
    let (password, username) = (password.to_lowercase(), username.to_lowercase());
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    different.len() < DIFFERENT_MIN
        || password.contains(&username)
        || KNOWN.iter().any(|known| password.starts_with(known))
}
