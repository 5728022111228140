//! The OpenID Connect provider outside whose access tokens are taken.

use super::{Auth, Mode, Reader, SettingError, Settings};
use std::collections::BTreeMap;

const ISSUER: &str = "BRASA_OIDC_ISSUER";
const AUDIENCE: &str = "BRASA_OIDC_AUDIENCE";
const ROLES: &[&str] = &["admin", "practitioner", "patient", "auditor"];

/// Who it is, and where in its tokens the role and the links stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideIssuer {
    /// As its tokens and its discovery document write it.
    pub address: String,
    /// What its tokens call this server.
    pub audience: String,
    pub role_claim: String,
    pub patient_claim: String,
    pub practitioner_claim: String,
    /// Its word for each role; words that are missing are the roles' own.
    pub roles: BTreeMap<String, String>,
}

impl Reader<'_> {
    pub(super) fn outside_issuer(&self) -> Result<Option<OutsideIssuer>, SettingError> {
        let claim = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let role_claim = self.text("BRASA_OIDC_ROLE_CLAIM", claim)?;
        let patient_claim = self.text("BRASA_OIDC_PATIENT_CLAIM", claim)?;
        let practitioner_claim = self.text("BRASA_OIDC_PRACTITIONER_CLAIM", claim)?;
        let roles = self.optional("BRASA_OIDC_ROLES", words)?.unwrap_or_default();
        let audience = self.optional(AUDIENCE, claim)?;
        let Some(address) = self.optional(ISSUER, address)? else {
            return match audience {
                Some(_) => Err(SettingError::new(ISSUER, format!("{AUDIENCE} is set and {ISSUER} is not. Set both."))),
                None => Ok(None),
            };
        };
        let Some(audience) = audience else {
            let message = format!(
                "{ISSUER} is set and {AUDIENCE} is not: say what the provider's access tokens for this server have as \
                 their audience, so that those for others open nothing here."
            );
            return Err(SettingError::new(AUDIENCE, message));
        };
        Ok(Some(OutsideIssuer { address, audience, role_claim, patient_claim, practitioner_claim, roles }))
    }
}

impl Settings {
    pub(super) fn validate_outside_issuer(&self) -> Result<(), SettingError> {
        let Some(issuer) = &self.outside_issuer else { return Ok(()) };
        if self.auth == Auth::Off {
            let message = format!("{ISSUER} is of no use with BRASA_AUTH=off. Set BRASA_AUTH=on.");
            return Err(SettingError::new(ISSUER, message));
        }
        let is_plain = issuer.address.starts_with("http://");
        if is_plain && (self.mode != Mode::Development || !is_loopback(&issuer.address)) {
            let message = format!(
                "{ISSUER}={} is refused: whoever is on the way could give out keys of their own. Use https; http works in \
                 development on a loopback address only.",
                issuer.address
            );
            return Err(SettingError::new(ISSUER, message));
        }
        Ok(())
    }
}

fn address(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_sound = !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', '@', ' ']);
    is_sound.then(|| text.to_owned())
}

fn is_loopback(address: &str) -> bool {
    let host = address.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

/// `clinician=practitioner,patients=patient`.
fn words(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |pair: &str| {
        let (word, role) = pair.trim().split_once('=')?;
        let is_sound = !word.is_empty() && ROLES.contains(&role);
        is_sound.then(|| (word.to_owned(), role.to_owned()))
    };
    text.split(',').map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_roles_are_pairs_of_known_roles() {
        let read = words("clinician=practitioner, patients=patient").unwrap();
        assert_eq!(read.get("clinician").map(String::as_str), Some("practitioner"));
        for bad in ["", "clinician", "clinician=nurse", "=admin", "a=admin,,b=patient"] {
            assert_eq!(words(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_issuer_is_an_address_without_query() {
        for good in ["https://login.example.org", "https://login.example.org/realms/h", "http://127.0.0.1:8080/x"] {
            assert_eq!(address(good).as_deref(), Some(good));
        }
        for bad in ["login.example.org", "https://", "https:///x", "ftp://x", "https://x?y", "https://u@x"] {
            assert_eq!(address(bad), None, "{bad}");
        }
        assert!(
            is_loopback("http://127.0.0.1:3000/o") && is_loopback("http://[::1]:1") && is_loopback("http://localhost")
        );
        assert!(!is_loopback("http://127.0.0.1.example.org") && !is_loopback("http://10.0.0.1:3000"));
    }
}
