//! Where the addresses of log-in and consent are, seen from the FHIR endpoint.

/// The FHIR endpoint and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    base: String,
    root: String,
}

impl Addresses {
    /// `base`: the FHIR endpoint as clients see it, such as `https://example.org/fhir`. What stands beside it is under what comes
    /// before `/fhir`; an endpoint that is called otherwise has it at its host.
    pub fn of(base: &str) -> Addresses {
        let above = base.strip_suffix("/R4").unwrap_or(base).strip_suffix("/fhir");
        let root = above.unwrap_or_else(|| origin(base));
        Addresses { base: base.to_owned(), root: root.to_owned() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Something beside the FHIR endpoint: `auth/token`.
    pub fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }

    /// Where assertions of clients are for.
    pub fn token(&self) -> String {
        self.at("auth/token")
    }

    /// Whether a client that names this audience means this server: its endpoint, with or without `/R4`.
    pub fn is_audience(&self, audience: &str) -> bool {
        let bare = |text: &str| {
            let text = text.trim_end_matches('/');
            text.strip_suffix("/R4").unwrap_or(text).to_owned()
        };
        bare(audience) == bare(&self.base)
    }
}

/// Scheme, host and port of an address.
pub fn origin(address: &str) -> &str {
    let path = address.split_once("://").and_then(|(_, rest)| rest.find('/'));
    let scheme = address.find("://").map_or(0, |at| at + "://".len());
    path.and_then(|length| address.get(..scheme + length)).unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_the_endpoint_is_found_from_it() {
        for (base, token) in [
            ("https://example.org/fhir", "https://example.org/auth/token"),
            ("https://example.org/fhir/R4", "https://example.org/auth/token"),
            ("https://example.org/hospital/fhir", "https://example.org/hospital/auth/token"),
            ("http://127.0.0.1:8000/fhir", "http://127.0.0.1:8000/auth/token"),
            ("https://fhir.example.org", "https://fhir.example.org/auth/token"),
            ("https://fhir.example.org/r4/x", "https://fhir.example.org/auth/token"),
        ] {
            assert_eq!(Addresses::of(base).token(), token, "{base}");
        }
    }

    #[test]
    fn only_this_server_is_the_audience() {
        let here = Addresses::of("https://example.org/fhir");
        for audience in ["https://example.org/fhir", "https://example.org/fhir/", "https://example.org/fhir/R4"] {
            assert!(here.is_audience(audience), "{audience}");
        }
        for audience in
            ["", "https://example.org", "https://example.org/fhirx", "http://example.org/fhir", "https://other/fhir"]
        {
            assert!(!here.is_audience(audience), "{audience}");
        }
    }
}
