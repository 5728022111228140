//! How mail goes out: by an SMTP server, or into a folder of files while developing.

use super::{Mode, Reader, Secret, SettingError, Settings};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;

pub(super) const SMTP_URL: &str = "BRASA_SMTP_URL";
const FROM: &str = "BRASA_MAIL_FROM";
const FOLDER: &str = "BRASA_MAIL_DIR";
/// Of the letters in a folder, which nobody receives.
const FROM_OF_FILES: &str = "Brasa <brasa@localhost>";

/// Where letters go, and from whom they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// An address such as `Brasa <noreply@example.org>`.
    pub from: String,
    pub way: MailWay,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailWay {
    Smtp(Smtp),
    /// A file for each letter.
    Folder(PathBuf),
}

/// A server that takes mail. <https://www.rfc-editor.org/rfc/rfc8314>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub encryption: SmtpEncryption,
    pub login: Option<(String, Secret)>,
    /// A file with the certificates, in PEM, of the only authorities to be trusted; else the machine's own are.
    pub authorities: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// From the first byte: `smtps://`.
    Implicit,
    /// Before anything is said that matters, or not at all: `smtp://`.
    StartTls,
    /// Only to a server on this machine.
    Off,
}

impl Smtp {
    /// Reads `smtp://` or `smtps://`, `user:password@`, host and port, and `?ca=FILE` or `?tls=off`.
    pub fn parse(text: &str) -> Option<Smtp> {
        let (scheme, rest) = text.split_once("://")?;
        let (implied, port) = match scheme {
            "smtps" => (SmtpEncryption::Implicit, 465),
            "smtp" => (SmtpEncryption::StartTls, 587),
            _ => return None,
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, place) = match place.rsplit_once('@') {
            Some((login, place)) => (Some(read_login(login)?), place),
            None => (None, place),
        };
        let (host, port) = read_place(place.trim_end_matches('/'), port)?;
        let mut smtp = Smtp { host, port, encryption: implied, login, authorities: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("ca", file) => smtp.authorities = Some(PathBuf::from(decoded(file)?)),
                ("tls", "off") if is_loopback(&smtp.host) && implied == SmtpEncryption::StartTls => {
                    smtp.encryption = SmtpEncryption::Off;
                }
                _ => return None,
            }
        }
        Some(smtp)
    }
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

fn read_login(login: &str) -> Option<(String, Secret)> {
    let (user, password) = login.split_once(':')?;
    Some((decoded(user)?, Secret::parse(&decoded(password)?)?))
}

fn read_place(place: &str, port: u16) -> Option<(String, u16)> {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0)?),
        _ => (place, port),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_sound = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)),
    };
    is_sound.then(|| (bare.unwrap_or(host).to_owned(), port))
}

pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Reader<'_> {
    pub(super) fn mail(&self) -> Result<Option<Mail>, SettingError> {
        let smtp = self.optional(SMTP_URL, Smtp::parse)?;
        let folder = self.optional(FOLDER, |text| Some(PathBuf::from(text)))?;
        let is_address = |text: &str| (text.contains('@') && !text.contains(char::is_control)).then(|| text.to_owned());
        let from = self.optional(FROM, is_address)?;
        match (smtp, folder, from) {
            (None, None, _) => Ok(None),
            (None, Some(folder), from) => {
                Ok(Some(Mail { from: from.unwrap_or_else(|| FROM_OF_FILES.to_owned()), way: MailWay::Folder(folder) }))
            }
            (Some(smtp), None, Some(from)) => Ok(Some(Mail { from, way: MailWay::Smtp(smtp) })),
            (Some(_), None, None) => {
                let message = format!("{SMTP_URL} is set and {FROM} is not: a letter needs a sender. Set both.");
                Err(SettingError::new(FROM, message))
            }
            (Some(_), Some(_), _) => {
                let message = format!("{SMTP_URL} and {FOLDER} are both set. Mail goes one way: leave one out.");
                Err(SettingError::new(FOLDER, message))
            }
        }
    }
}

impl Settings {
    pub(super) fn validate_mail(&self) -> Result<(), SettingError> {
        let goes_to_files = self.mail.as_ref().is_some_and(|mail| matches!(mail.way, MailWay::Folder(_)));
        if goes_to_files && self.mode == Mode::Production {
            let message = format!(
                "{FOLDER} is refused in production: whoever reads the folder can set passwords, and nobody receives \
                anything. Set {SMTP_URL} instead."
            );
            return Err(SettingError::new(FOLDER, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_address_says_how_it_is_spoken_to() {
        let read = |text| Smtp::parse(text).expect(text);
        let implicit = read("smtps://ann%40example.org:p%3Aw@mail.example.org");
        assert_eq!((implicit.host.as_str(), implicit.port), ("mail.example.org", 465));
        assert_eq!(implicit.encryption, SmtpEncryption::Implicit);
        let (user, password) = implicit.login.as_ref().expect("a log-in");
        assert_eq!((user.as_str(), password.reveal()), ("ann@example.org", "p:w"));
        assert!(!format!("{implicit:?}").contains("p:w"));
        let plain = read("smtp://[::1]:2525?tls=off");
        assert_eq!((plain.host.as_str(), plain.port, plain.encryption), ("::1", 2525, SmtpEncryption::Off));
        let own = read("smtp://mail:1025/?ca=/etc/ca.pem");
        assert_eq!((own.port, own.encryption, own.login), (1025, SmtpEncryption::StartTls, None));
        assert_eq!(own.authorities, Some(PathBuf::from("/etc/ca.pem")));
    }

    #[test]
    fn what_is_no_servers_address_or_would_send_passwords_in_the_clear_is_refused() {
        for text in [
            "mail.example.org",
            "http://mail",
            "smtp://",
            "smtp://mail:0",
            "smtp://mail:x",
            "smtp://ann@mail",
            "smtp://:x@mail",
            "smtp://mail?tls=off",
            "smtps://localhost?tls=off",
            "smtp://localhost?tls=maybe",
            "smtp://mail?ca=",
            "smtp://a b",
        ] {
            assert_eq!(Smtp::parse(text), None, "{text}");
        }
    }
}
