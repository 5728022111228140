//! Addresses of others: web pages that may ask, and proxies that are believed.

use std::fmt;
use std::net::IpAddr;

/// A range of addresses, such as `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// Bits that are the same for all of it.
    prefix: u32,
}

impl Network {
    pub fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Network { address, prefix })
    }

    pub fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(32 - self.prefix).unwrap_or_default() == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(128 - self.prefix).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

/// Which web pages may use this server from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Every page; not in production.
    Any,
    /// Those of these origins.
    Listed(Vec<Origin>),
}

impl Origins {
    pub fn parse(text: &str) -> Option<Origins> {
        match text.trim() {
            "*" => Some(Origins::Any),
            text => list(text, Origin::parse).map(Origins::Listed),
        }
    }
}

/// Scheme, host and port, as a browser writes them. <https://www.rfc-editor.org/rfc/rfc6454#section-6.2>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub fn parse(text: &str) -> Option<Origin> {
        let place = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (place, None),
        };
        let is_default = matches!((text.starts_with("https"), port), (true, Some("443")) | (false, Some("80")));
        let port_is_sound = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let host_is_sound = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            // A browser writes it in lower case: another one would never be met.
            None => {
                !host.is_empty()
                    && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
            }
        };
        (host_is_sound && port_is_sound && !is_default).then(|| Origin(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Things with commas or spaces between them, one at least.
pub(super) fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(parse).collect::<Option<Vec<T>>>().filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let has = |network: &str, address: &str| Network::parse(network).unwrap().has(address.parse().unwrap());
        assert!(has("10.0.0.0/8", "10.255.1.2") && !has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("10.1.2.3", "10.1.2.3") && !has("10.1.2.3", "10.1.2.4"));
        assert!(has("0.0.0.0/0", "203.0.113.9") && !has("0.0.0.0/0", "::1"));
        assert!(has("fd00::/8", "fd12::1") && !has("fd00::/8", "fe80::1"));
        assert!(has("10.0.0.0/8", "::ffff:10.0.0.1"), "IPv4 in the clothes of IPv6");
        for text in ["", "10.0.0.0/33", "10.0.0/8", "proxy", "::/129", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn origins_are_exact() {
        let read = |text| Origins::parse(text);
        assert_eq!(read("*"), Some(Origins::Any));
        let Some(Origins::Listed(two)) = read("https://app.example.org, http://localhost:5173") else { panic!("two") };
        assert_eq!(
            two.iter().map(Origin::as_str).collect::<Vec<_>>(),
            ["https://app.example.org", "http://localhost:5173"]
        );
        for text in [
            "",
            "app.example.org",
            "https://app.example.org/",
            "https://App.example.org",
            "https://*.example.org",
            "https://app.example.org:443",
            "null",
            "https://a, *",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
