//! Sending letters: over SMTP, or into a folder while developing. <https://www.rfc-editor.org/rfc/rfc5321>

use crate::config::{Mail, MailWay, Smtp, SmtpEncryption};
use crate::error::{Error, Result};
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::path::PathBuf;
use std::time::Duration;

/// How long the server may take for one command.
const TIMEOUT: Duration = Duration::from_secs(30);
/// RFC 5321 lets a path have no more (bytes).
const ADDRESS_BYTES_MAX: usize = 254;

/// A letter, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One address.
    pub to: String,
    pub subject: String,
    pub body: String,
}

/// The way out.
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Folder(PathBuf),
}

/// Why a letter did not go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Whether it may go out later.
    pub is_passing: bool,
    /// For the log. What the server said is left out: it may name whom the letter is for.
    pub cause: String,
}

impl Mailer {
    /// Reads what the settings say; no server is asked yet.
    ///
    /// # Errors
    /// A sender that is no address, or a file of authorities that cannot be read.
    pub fn new(settings: &Mail) -> Result<Mailer> {
        let from = settings.from.parse::<Mailbox>();
        let from =
            from.map_err(|_| Error::invalid("BRASA_MAIL_FROM is no address such as Brasa <noreply@example.org>."))?;
        let way = match &settings.way {
            MailWay::Folder(folder) => Way::Folder(folder.clone()),
            MailWay::Smtp(smtp) => Way::Smtp(Box::new(transport(smtp)?)),
        };
        Ok(Mailer { from, way })
    }

    pub async fn send(&self, letter: &Letter) -> std::result::Result<(), Unsent> {
        let broken = |fault: &dyn std::fmt::Display| Unsent { is_passing: false, cause: fault.to_string() };
        let to = letter.to.parse::<Address>().map_err(|_| broken(&"the account's address is none"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.as_str())
            .message_id(None)
            // RFC 3834: so that no machine answers.
            .raw_header(header::HeaderValue::new(
                header::HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(header::ContentType::TEXT_PLAIN)
            .body(letter.body.clone())
            .map_err(|fault| broken(&fault))?;
        match &self.way {
            Way::Smtp(transport) => transport.send(message).await.map(drop).map_err(|fault| unsent(&fault)),
            Way::Folder(folder) => write(folder, &message.formatted()).await.map_err(|fault| broken(&fault)),
        }
    }
}

fn transport(smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.clone())
        .port(smtp.port)
        .timeout(Some(TIMEOUT))
        .tls(encryption(smtp)?);
    if let Some((user, password)) = &smtp.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    Ok(builder.build())
}

fn encryption(smtp: &Smtp) -> Result<Tls> {
    if smtp.encryption == SmtpEncryption::Off {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(smtp.host.clone());
    if let Some(file) = &smtp.authorities {
        let refused = |cause: &dyn std::fmt::Display| {
            let message =
                format!("The file {} of BRASA_SMTP_URL cannot be read as certificates (PEM).", file.display());
            Error::invalid(message).caused_by(cause)
        };
        let pem = std::fs::read(file).map_err(|fault| refused(&fault))?;
        let own = Certificate::from_pem(&pem).map_err(|fault| refused(&fault))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(own);
    }
    let parameters = parameters.build().map_err(Error::internal)?;
    Ok(match smtp.encryption {
        SmtpEncryption::Implicit => Tls::Wrapper(parameters),
        SmtpEncryption::StartTls | SmtpEncryption::Off => Tls::Required(parameters),
    })
}

fn unsent(fault: &lettre::transport::smtp::Error) -> Unsent {
    let cause = match fault.status() {
        Some(code) => format!("the server answered {code}"),
        None if fault.is_tls() => {
            "the connection could not be encrypted, or the server's certificate is not trusted".to_owned()
        }
        None if fault.is_timeout() => "the server did not answer in time".to_owned(),
        None if fault.is_client() => "the server does not offer what the letter or the log-in needs".to_owned(),
        None => "the server could not be reached, or broke off".to_owned(),
    };
    Unsent { is_passing: !fault.is_permanent() && !fault.is_client(), cause }
}

/// Under a name that sorts by time; whole or not at all.
async fn write(folder: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let name = format!("{}-{:08x}", chrono::Utc::now().format("%Y%m%dT%H%M%S%6f"), rand::random::<u32>());
    let unfinished = folder.join(format!(".{name}"));
    tokio::fs::write(&unfinished, bytes).await?;
    tokio::fs::rename(&unfinished, folder.join(format!("{name}.eml"))).await
}

/// The address as it is stored, if it is one.
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let is_sound = text.len() <= ADDRESS_BYTES_MAX && text.parse::<Address>().is_ok();
    is_sound.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_brings_no_header_along() {
        assert_eq!(address(" ana@example.org ").as_deref(), Some("ana@example.org"));
        for text in ["", "ana", "ana@", "@example.org", "Ana <ana@example.org>", "a@b.c\r\nBcc: x@y.z", "a@b.c, x@y.z"]
        {
            assert_eq!(address(text), None, "{text}");
        }
        assert_eq!(address(&format!("{}@example.org", "a".repeat(300))), None);
    }

    #[tokio::test]
    async fn a_letter_into_a_folder_is_one_whole_file() {
        let folder = std::env::temp_dir().join(format!("brasa-mail-{}", std::process::id()));
        let settings = Mail { from: "Brasa <brasa@localhost>".to_owned(), way: MailWay::Folder(folder.clone()) };
        let mailer = Mailer::new(&settings).unwrap();
        let letter =
            Letter { to: "ana@example.org".into(), subject: "Contraseña".into(), body: "https://x/y\n".into() };
        mailer.send(&letter).await.unwrap();
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        let text = std::fs::read_to_string(&files[0]).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(files.len(), 1);
        assert!(files[0].extension().is_some_and(|word| word == "eml"));
        assert!(text.contains("To: ana@example.org") && text.contains("https://x/y"), "{text}");
        let odd = Letter { to: "nobody".into(), ..letter };
        assert!(!mailer.send(&odd).await.unwrap_err().is_passing);
    }
}
