//! The proof that who exchanges a code is who asked for it. <https://www.rfc-editor.org/rfc/rfc7636>

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A verifier has so many characters.
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// Whether this can be the S256 of a verifier.
pub fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether the challenge was made of this verifier. Nothing but S256 is known here.
pub fn is_met(challenge: &str, verifier: &str) -> bool {
    let is_sound = VERIFIER_CHARS.contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    is_sound && verify_slices_are_equal(made.as_bytes(), challenge.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_met_and_nothing_else() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && is_met(challenge, verifier));
        assert!(!is_met(verifier, verifier), "plain");
        assert!(!is_met(challenge, &verifier.to_lowercase()));
        let short = URL_SAFE_NO_PAD.encode(Sha256::digest("short"));
        assert!(!is_met(&short, "short"));
        for text in ["", "x", verifier.get(1..).unwrap()] {
            assert!(!is_challenge(text), "{text}");
        }
    }
}
