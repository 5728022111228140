//! Whether the connection to PostgreSQL is encrypted: what `BRASA_DATABASE_URL` says of it, in PostgreSQL's own words.
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>

use super::DatabaseUrl;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;

/// How connections are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// `sslmode=disable`, or nothing is said.
    Off,
    /// `sslmode=prefer`: where the server offers it, whoever that is.
    Preferred,
    /// `sslmode=require`: or not at all. Whose the server's certificate is is not looked at.
    Required,
    /// `sslmode=verify-full`: the certificate is the server's, by an authority in this file or one of the machine's own.
    Verified { root: Option<PathBuf> },
}

impl DatabaseUrl {
    /// The address without what it says of encryption, for the driver, and that.
    ///
    /// # Errors
    /// What is said is not understood, in a sentence for the operator that shows no value.
    pub fn parts(&self) -> Result<(String, Encryption), String> {
        let text = self.reveal();
        let (rest, said) = match text.contains("://") {
            true => of_url(text),
            false => of_pairs(text).ok_or("BRASA_DATABASE_URL has a quote that does not end.")?,
        };
        Ok((rest, encryption(&said)?))
    }
}

const NAMES: [&str; 2] = ["sslmode", "sslrootcert"];

fn encryption(said: &[(String, String)]) -> Result<Encryption, String> {
    let find = |name: &str| said.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let root = find("sslrootcert").filter(|root| *root != "system").map(PathBuf::from);
    let encryption = match find("sslmode") {
        None | Some("disable") => Encryption::Off,
        Some("prefer") => Encryption::Preferred,
        Some("require") => Encryption::Required,
        Some("verify-full") => return Ok(Encryption::Verified { root }),
        Some(_) => {
            return Err(
                "BRASA_DATABASE_URL has an sslmode that is not known here; it is one of disable, prefer, require \
                and verify-full."
                    .to_owned(),
            );
        }
    };
    match find("sslrootcert") {
        None => Ok(encryption),
        // It would look as if the certificate were checked.
        Some(_) => Err("BRASA_DATABASE_URL has an sslrootcert, which only sslmode=verify-full looks at.".to_owned()),
    }
}

/// As the driver reads it: the log-in ends with the first `@`, the parameters begin with the first `?` after it.
fn of_url(text: &str) -> (String, Vec<(String, String)>) {
    let login = text.find('@').unwrap_or(0);
    let after = text.get(login..).unwrap_or_default();
    let Some((place, query)) = after.split_once('?') else { return (text.to_owned(), Vec::new()) };
    let before = text.get(..login).unwrap_or_default();
    let (mut kept, mut said) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=').filter(|(name, _)| NAMES.contains(name)) {
            Some((name, value)) => {
                said.push((name.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned()));
            }
            None => kept.push(pair),
        }
    }
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    (format!("{before}{place}{query}"), said)
}

/// `key = value`, where a value may be quoted. `None`: a quote does not end.
fn of_pairs(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let (mut kept, mut said) = (String::new(), Vec::new());
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else {
            // Not a pair: the driver says so.
            kept.push_str(rest);
            break;
        };
        let after = after.trim_start();
        let (value, length) = value_of(after)?;
        let end = text.len() - after.len() + length;
        let start = text.len() - rest.len();
        let name = name.trim();
        if NAMES.contains(&name) {
            said.push((name.to_owned(), value));
        } else {
            kept.push_str(text.get(start..end)?);
            kept.push(' ');
        }
        rest = text.get(end..)?.trim_start();
    }
    Some((kept.trim_end().to_owned(), said))
}

/// The value that a text begins with, and how long it is as it stands there (bytes).
fn value_of(text: &str) -> Option<(String, usize)> {
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(usize::from(is_quoted)) {
        match c {
            _ if is_escaped => {
                value.push(c);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '\'' if is_quoted => return Some((value, at + 1)),
            c if c.is_whitespace() && !is_quoted => return Some((value, at)),
            c => value.push(c),
        }
    }
    (!is_quoted).then_some((value, text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(String, Encryption), String> {
        DatabaseUrl::parse(text).expect(text).parts()
    }

    #[test]
    fn what_is_said_of_encryption_is_taken_out_and_the_rest_stays_as_it_is() {
        let verified = |root: Option<&str>| Encryption::Verified { root: root.map(PathBuf::from) };
        for (text, rest, encryption) in [
            ("postgres://a:b@db/x", "postgres://a:b@db/x", Encryption::Off),
            ("postgres://a:b@db/x?sslmode=disable", "postgres://a:b@db/x", Encryption::Off),
            (
                "postgres://a:b@db/x?sslmode=require&options=-ca%3Db",
                "postgres://a:b@db/x?options=-ca%3Db",
                Encryption::Required,
            ),
            ("postgres://a:p?w@db/x?a=b@c&sslmode=prefer", "postgres://a:p?w@db/x?a=b@c", Encryption::Preferred),
            (
                "postgres://db/x?sslrootcert=%2Fa%20b.pem&sslmode=verify-full",
                "postgres://db/x",
                verified(Some("/a b.pem")),
            ),
            ("postgres://db/x?sslmode=verify-full&sslrootcert=system", "postgres://db/x", verified(None)),
            ("host=db  sslmode = require user=ann", "host=db user=ann", Encryption::Required),
            (
                r"host=db password='a \' sslmode=disable' sslmode=verify-full sslrootcert='/a b.pem'",
                r"host=db password='a \' sslmode=disable'",
                verified(Some("/a b.pem")),
            ),
            ("host=db password=sslmode=require", "host=db password=sslmode=require", Encryption::Off),
        ] {
            assert_eq!(parts(text).expect(text), (rest.to_owned(), encryption), "{text}");
        }
    }

    #[test]
    fn what_would_be_less_than_it_looks_like_is_refused_without_a_word_of_the_address() {
        for text in [
            "postgres://a:s3cret@db/x?sslmode=verify-ca",
            "postgres://a:s3cret@db/x?sslmode=s3cret",
            "postgres://a:s3cret@db/x?sslmode=require&sslrootcert=/s3cret.pem",
            "postgres://a:s3cret@db/x?sslrootcert=/s3cret.pem",
            "host=db sslmode=allow password=s3cret",
            "host=db password='s3cret",
        ] {
            let refusal = parts(text).expect_err(text);
            assert!(refusal.starts_with("BRASA_DATABASE_URL") && !refusal.contains("s3cret"), "{refusal}");
        }
    }
}
