//! The two small pages behind the links of letters: plain forms, no script, in English and in Spanish.

use crate::account::Language;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}\
    label{display:block;margin:1rem 0 0}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.4rem}\
    button{font:inherit;margin-top:1.5rem;padding:.5rem 1.2rem}[role=alert]{border-left:.3rem solid #b00;padding-left:.7rem}";

/// What the browser may do with a page of these: apply its one style, and send its form to this server.
pub fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// What stands on a page besides its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The password was set.
    Done,
    /// A letter is on its way, if there is such an account.
    OnItsWay,
    InvalidLink,
    /// What is asked of a password.
    Password {
        chars_min: usize,
    },
    NotTheSame,
    Unknown,
    Later,
    NoMail,
}

impl Notice {
    fn is_good(self) -> bool {
        matches!(self, Notice::Done | Notice::OnItsWay)
    }

    fn text(self, language: Language) -> String {
        let (english, spanish) = match self {
            Notice::Done => (
                "The password is set. All sessions have ended; log in with the new one.",
                "La contraseña quedó puesta. Todas las sesiones se cerraron; entre con la nueva.",
            ),
            Notice::OnItsWay => (
                "If there is such an account with an e-mail address, a letter with a link is on its way.",
                "Si existe esa cuenta y tiene correo electrónico, va en camino una carta con un enlace.",
            ),
            Notice::InvalidLink => (
                "This link is not valid, or no longer: it works once and for 30 minutes.",
                "Este enlace no es válido o ya no lo es: sirve una sola vez y durante 30 minutos.",
            ),
            Notice::Password { chars_min } => {
                return match language {
                    Language::English => {
                        format!("A password has at least {chars_min} characters, and no more than a page.")
                    }
                    Language::Spanish => {
                        format!("Una contraseña tiene al menos {chars_min} caracteres, y no más que una página.")
                    }
                };
            }
            Notice::NotTheSame => ("The two passwords differ.", "Las dos contraseñas son distintas."),
            Notice::Unknown => (
                "This is neither a user name nor an e-mail address.",
                "Esto no es un nombre de usuario ni un correo electrónico.",
            ),
            Notice::Later => ("Too often. Try again later.", "Demasiadas veces. Inténtelo más tarde."),
            Notice::NoMail => (
                "This server sends no mail. Ask an administrator for a password.",
                "Este servidor no envía correo. Pida una contraseña a un administrador.",
            ),
        };
        match language {
            Language::English => english.to_owned(),
            Language::Spanish => spanish.to_owned(),
        }
    }
}

/// The page on which a password is chosen. `token` is of the link; without a form where it can lead to nothing.
pub fn choose(language: Language, token: &str, chars_min: usize, notice: Option<Notice>) -> String {
    let (title, new, again, button, other) = match language {
        Language::English => ("Choose a password", "New password", "The same again", "Set it", "Ask for another link"),
        Language::Spanish => {
            ("Elija una contraseña", "Contraseña nueva", "Otra vez la misma", "Guardar", "Pedir otro enlace")
        }
    };
    if notice.is_some_and(Notice::is_good) {
        return page(language, title, notice, "");
    }
    if notice == Some(Notice::InvalidLink) || !is_token(token) {
        let link = format!("<p><a href=\"forgot\">{other}</a></p>");
        return page(language, title, Some(Notice::InvalidLink), &link);
    }
    let field = |name: &str, label: &str| {
        format!(
            "<label>{label}<input type=\"password\" name=\"{name}\" required minlength=\"{chars_min}\" \
            autocomplete=\"new-password\"></label>"
        )
    };
    // Relative, so that it is right whatever path a proxy puts before it; without the link's own query.
    let form = format!(
        "<form method=\"post\" action=\"reset\"><input type=\"hidden\" name=\"token\" value=\"{token}\">{}{}\
        <button>{button}</button></form>",
        field("new_password", new),
        field("new_password_again", again),
    );
    page(language, title, notice, &form)
}

/// The page on which a link is asked for.
pub fn ask(language: Language, notice: Option<Notice>) -> String {
    let (title, name, button) = match language {
        Language::English => ("Forgotten password", "User name or e-mail address", "Send me a link"),
        Language::Spanish => ("Contraseña olvidada", "Nombre de usuario o correo electrónico", "Enviarme un enlace"),
    };
    if notice.is_some_and(Notice::is_good) {
        return page(language, title, notice, "");
    }
    let form = format!(
        "<form method=\"post\" action=\"forgot\"><label>{name}<input name=\"username\" required maxlength=\"254\" \
        autocomplete=\"username\"></label><button>{button}</button></form>"
    );
    page(language, title, notice, &form)
}

/// Nothing else goes into a page from a request.
fn is_token(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn page(language: Language, title: &str, notice: Option<Notice>, content: &str) -> String {
    let code = match language {
        Language::English => "en",
        Language::Spanish => "es",
    };
    let role = |notice: &Notice| if notice.is_good() { "status" } else { "alert" };
    let told = notice.as_ref().map(|notice| format!("<p role=\"{}\">{}</p>", role(notice), notice.text(language)));
    format!(
        "<!DOCTYPE html><html lang=\"{code}\"><head><meta charset=\"utf-8\">\
        <meta name=\"viewport\" content=\"width=device-width\"><title>{title} - Brasa</title><style>{STYLE}</style></head>\
        <body><h1>{title}</h1>{}{content}</body></html>",
        told.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_request_becomes_part_of_a_page_but_a_sound_token() {
        let sound = choose(Language::English, "abc-_9", 8, None);
        assert!(sound.contains("value=\"abc-_9\"") && sound.contains("minlength=\"8\""), "{sound}");
        for token in ["", "\"><script>", "a b", "a'b", &"a".repeat(101)] {
            let page = choose(Language::Spanish, token, 8, None);
            assert!(!page.contains("<form") && page.contains("no es válido"), "{page}");
            assert!(token.is_empty() || !page.contains(token), "{page}");
        }
    }

    #[test]
    fn the_policy_allows_the_style_that_the_page_has_and_nothing_else() {
        let policy = content_security_policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(!ask(Language::English, None).contains("style="));
    }
}
