//! From which address a request comes.

use crate::config::Network;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that asks, as bounds count it: of IPv6 the network of 64 bits, of which one subscriber has all.
pub fn address(request: &HttpRequest, proxies: &[Network]) -> IpAddr {
    counted(believed(request, proxies))
}

/// The address that asks.
pub fn believed(request: &HttpRequest, proxies: &[Network]) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let lines = request.headers().get_all(X_FORWARDED_FOR).filter_map(|line| line.to_str().ok());
    let told: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    client(peer, &told, proxies)
}

/// Each proxy adds the address that it was asked from. So it is read from its end, as long as who says it is believed:
/// what stands before that anybody may have written.
fn client(peer: IpAddr, told: &[&str], proxies: &[Network]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.has(address));
    let mut client = peer;
    for word in told.iter().rev() {
        let Some(next) = read(word.trim()).filter(|_| is_proxy(client)) else { break };
        client = next;
    }
    client
}

/// Some proxies add the port.
fn read(word: &str) -> Option<IpAddr> {
    let with_port = || word.parse::<SocketAddr>().ok().map(|address| address.ip());
    word.trim_start_matches('[').trim_end_matches(']').parse().ok().or_else(with_port)
}

fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_an_address_is_believed_of_proxies_alone() {
        let of = |peer: &str, told: &[&str]| {
            let proxies = ["10.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap());
            client(peer.parse().unwrap(), told, &proxies).to_string()
        };
        assert_eq!(of("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "a stranger's word");
        assert_eq!(of("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            of("10.0.0.1", &["192.0.2.1", " 198.51.100.1"]),
            "198.51.100.1",
            "what the client wrote is in front"
        );
        assert_eq!(of("10.0.0.1", &["198.51.100.1", "10.2.3.4"]), "198.51.100.1", "two proxies");
        assert_eq!(of("::1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(of("::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(of("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_subscribers_addresses_count_as_one() {
        let of = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
    }
}
