//! The browser that a person uses: what it keeps as a cookie, and what a form of this server's own carries to match.

use crate::account::secret;
use crate::error::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Of a cookie's value (bytes, before they are written).
const VALUE_BYTES: usize = 32;

/// A browser, by a value that nobody else knows.
pub struct Browser {
    value: String,
}

impl Browser {
    pub fn fresh() -> Result<Browser> {
        Ok(Browser { value: URL_SAFE_NO_PAD.encode(secret::random()?) })
    }

    /// One that was here before.
    pub fn read(cookie: &str) -> Option<Browser> {
        let is_ours = URL_SAFE_NO_PAD.decode(cookie).is_ok_and(|bytes| bytes.len() == VALUE_BYTES);
        is_ours.then(|| Browser { value: cookie.to_owned() })
    }

    pub fn cookie(&self) -> &str {
        &self.value
    }

    /// What the forms that this browser gets carry: another page cannot know it.
    pub fn mark(&self) -> String {
        self.hashed("form")
    }

    pub fn has_mark(&self, mark: &str) -> bool {
        secret::are_equal(self.mark().as_bytes(), mark.as_bytes())
    }

    /// What a person's ticket is bound to.
    pub fn binding(&self) -> String {
        self.hashed("ticket")
    }

    fn hashed(&self, purpose: &str) -> String {
        URL_SAFE_NO_PAD.encode(secret::hash(format!("{purpose} {}", self.value).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_browser_and_one_purpose() {
        let (one, other) = (Browser::fresh().unwrap(), Browser::fresh().unwrap());
        let again = Browser::read(one.cookie()).unwrap();
        assert!(again.has_mark(&one.mark()) && !other.has_mark(&one.mark()));
        assert!(!one.has_mark(&one.binding()) && !one.has_mark(one.cookie()) && !one.has_mark(""));
        for text in ["", "x", "../..", &"A".repeat(44)] {
            assert!(Browser::read(text).is_none(), "{text}");
        }
    }
}
