//! The address that absolute links start with: the configured one, or one made from a checked `Host`.

use super::State;
use crate::error::{Error, Result};
use actix_web::HttpRequest;
use actix_web::http::header::HOST;

/// The base address for a request that came in under `prefix` (`/fhir` or `/fhir/R4`).
///
/// Without a configured address only names of this machine are taken: the server is open to whoever reaches it, and a
/// web page elsewhere must not reach it by pointing a name of its own at the loopback address.
pub fn base(state: &State, request: &HttpRequest, prefix: &str) -> Result<String> {
    if let Some(configured) = &state.base_url {
        return Ok(configured.as_str().to_owned());
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 carries the host in the address instead.
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let host = host.ok_or_else(|| Error::invalid("The request names no host.").at("http.host"))?;
    if !is_own(name_of(host), &state.listen_host) {
        let message = "The request is addressed to a host that this server does not answer for. \
            Use localhost, or set BRASA_BASE_URL to the address that clients use.";
        return Err(Error::invalid(message).at("http.host"));
    }
    Ok(format!("http://{host}{prefix}"))
}

/// The host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_own(name: &str, listen_host: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || name.eq_ignore_ascii_case("localhost") || bare == listen_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered_for() {
        for own in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]", "10.0.0.7:80"] {
            assert!(is_own(name_of(own), "10.0.0.7"), "{own}");
        }
        for other in ["example.org", "localhost.example.org", "10.0.0.8", "", "localhost:8000@evil", "127.0.0.1.evil"] {
            assert!(!is_own(name_of(other), "10.0.0.7"), "{other}");
        }
    }
}
