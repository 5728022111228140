//! Where a browser may be sent back to: addresses that are registered, and compared as they are written.
//! <https://www.rfc-editor.org/rfc/rfc9700#section-2.1>

use super::address::origin;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const BYTES_MAX: usize = 500;

/// An address that can be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// `https://…`, `http://` at this machine's own browser (`127.0.0.1`, `localhost`), or the scheme of an installed program,
    /// which has a dot (RFC 8252). No fragment, no user name, and nothing that could end a header or a policy.
    pub fn parse(text: &str) -> Option<RedirectUri> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\`;,#{}|^".contains(&byte));
        if !is_plain || text.len() > BYTES_MAX {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let host = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?']).next());
        let name = host.map(|host| host.split(':').next().unwrap_or_default());
        let is_sound = match scheme {
            "https" => name.is_some_and(is_host),
            "http" => name.is_some_and(|name| ["127.0.0.1", "localhost"].contains(&name)),
            own => {
                own.contains('.')
                    && own
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
            }
        };
        let has_user = host.is_some_and(|host| host.contains('@'));
        (is_sound && !has_user).then(|| RedirectUri(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a page must allow its forms to lead to, as a Content-Security-Policy writes it.
    pub fn policy_source(&self) -> String {
        match self.0.split_once(':') {
            Some((scheme, _)) if !["http", "https"].contains(&scheme) => format!("{scheme}:"),
            _ => origin(self.0.split('?').next().unwrap_or_default()).to_owned(),
        }
    }

    /// The address with these parameters behind what it has.
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let mark = if self.0.contains('?') { '&' } else { '?' };
        format!("{}{mark}{}", self.0, pairs.join("&"))
    }
}

fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_lead_to_a_program_can_be_registered() {
        for text in [
            "https://app.example.org/callback",
            "https://app.example.org:8443/a?b=c",
            "https://app.example.org",
            "http://127.0.0.1:3000/",
            "http://localhost/x",
            "org.example.app:/callback",
        ] {
            assert!(RedirectUri::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "app.example.org",
            "http://app.example.org/",
            "http://127.0.0.1.example.org/",
            "http://localhost@example.org/",
            "https://user@example.org/",
            "https://example.org/#x",
            "https://example.org/;x",
            "https://example.org/ x",
            "https://example.org/\r\nx",
            "https://*.example.org/",
            "https:///x",
            "https:x",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "//example.org/",
        ] {
            assert!(RedirectUri::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn parameters_are_encoded_and_the_policy_names_the_origin() {
        let plain = RedirectUri::parse("https://app.example.org:8443/a").unwrap();
        assert_eq!(plain.with(&[("state", "a&b=c #é")]), "https://app.example.org:8443/a?state=a%26b%3Dc%20%23%C3%A9");
        assert_eq!(plain.policy_source(), "https://app.example.org:8443");
        let asking = RedirectUri::parse("https://app.example.org?x=/y").unwrap();
        assert_eq!(asking.with(&[("code", "1")]), "https://app.example.org?x=/y&code=1");
        assert_eq!(asking.policy_source(), "https://app.example.org");
        assert_eq!(RedirectUri::parse("org.example.app:/callback").unwrap().policy_source(), "org.example.app:");
    }
}
