//! The letters that accounts get, in English and in Spanish.

use crate::mail::Letter;

/// The languages that people are written to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Spanish,
}

impl Language {
    /// What a header `Accept-Language` likes best of the two; without a word about them English.
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4>
    pub fn accepted(header: Option<&str>) -> Language {
        let mut best = (0.0, Language::English);
        for range in header.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let language = match name.split('-').next() {
                Some("es") => Language::Spanish,
                Some("en") => Language::English,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
            if let Some(weight) = weight.filter(|weight| *weight > best.0) {
                best = (weight, language);
            }
        }
        best.1
    }
}

/// Why somebody gets a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Forgotten,
    Invited,
}

/// What a letter says.
pub struct Link<'a> {
    pub to: &'a str,
    pub username: &'a str,
    /// The server, as people know it.
    pub root: &'a str,
    /// Where the password is set.
    pub address: &'a str,
    /// Where another link is asked for.
    pub again: &'a str,
    pub minutes: i64,
}

/// Whoever is invited may read either language, so the letter has both, the one that was asked for first.
pub fn letter(occasion: Occasion, language: Language, link: &Link<'_>) -> Letter {
    let (english, spanish) = (english(occasion, link), spanish(occasion, link));
    let (first, second) = match language {
        Language::English => (english, spanish),
        Language::Spanish => (spanish, english),
    };
    Letter { to: link.to.to_owned(), subject: first.0, body: format!("{}\n\n-- \n\n{}\n", first.1, second.1) }
}

fn english(occasion: Occasion, link: &Link<'_>) -> (String, String) {
    let Link { username, root, address, again, minutes, .. } = link;
    match occasion {
        Occasion::Forgotten => (
            "A new password".to_owned(),
            format!(
                "Somebody asked for a new password for the account {username} at {root}.\n\nTo choose one, open this \
                link within {minutes} minutes. It works once and ends all sessions of the account:\n\n{address}\n\nIf \
                it was not you, do nothing: the password stays as it is."
            ),
        ),
        Occasion::Invited => (
            "Your account".to_owned(),
            format!(
                "There is an account for you at {root}. Your user name is {username}.\n\nTo choose a password, open \
                this link within {minutes} minutes. It works once:\n\n{address}\n\nLater, ask for another one at \
                {again}"
            ),
        ),
    }
}

fn spanish(occasion: Occasion, link: &Link<'_>) -> (String, String) {
    let Link { username, root, address, again, minutes, .. } = link;
    match occasion {
        Occasion::Forgotten => (
            "Una contraseña nueva".to_owned(),
            format!(
                "Alguien pidió una contraseña nueva para la cuenta {username} en {root}.\n\nPara elegirla, abra este \
                enlace antes de {minutes} minutos. Sirve una sola vez y cierra todas las sesiones de la \
                cuenta:\n\n{address}\n\nSi no fue usted, no haga nada: la contraseña queda como está."
            ),
        ),
        Occasion::Invited => (
            "Su cuenta".to_owned(),
            format!(
                "Hay una cuenta para usted en {root}. Su nombre de usuario es {username}.\n\nPara elegir una \
                contraseña, abra este enlace antes de {minutes} minutos. Sirve una sola vez:\n\n{address}\n\nDespués, \
                pida otro en {again}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_is_liked_best_of_the_two() {
        let of = |header| Language::accepted(Some(header));
        assert_eq!(Language::accepted(None), Language::English);
        for header in ["es", "es-CL,es;q=0.9,en;q=0.8", "fr, ES-mx;q=0.3", "en;q=0.2, es;q=0.4", "de,es;q=0.1"] {
            assert_eq!(of(header), Language::Spanish, "{header}");
        }
        for header in ["", "en-GB,es;q=0.9", "fr", "*", "es;q=0", "es;q=much"] {
            assert_eq!(of(header), Language::English, "{header}");
        }
    }

    #[test]
    fn a_letter_has_both_languages_and_the_link_in_each() {
        let link = Link {
            to: "ana@example.org",
            username: "ana",
            root: "https://x",
            address: "https://x/auth/password/reset?token=t",
            again: "https://x/auth/password/forgot",
            minutes: 30,
        };
        for occasion in [Occasion::Forgotten, Occasion::Invited] {
            let letter = letter(occasion, Language::Spanish, &link);
            assert_eq!(letter.body.matches(link.address).count(), 2, "{}", letter.body);
            assert!(letter.subject.contains('ñ') || letter.subject == "Su cuenta");
        }
    }
}
