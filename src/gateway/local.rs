//! Who may reach into the journal: somebody at this machine, by a program of theirs.
//!
//! Prometheus, the controller and whoever else is in the cluster reach the admin port. Events are read and decided about only by
//! those who come by loopback, which `kubectl port-forward` and `kubectl exec` do, and who so have the rights for either. A
//! browser on that machine comes by loopback too, with a page that anybody wrote: a page cannot send these headers without
//! being asked first, which nothing answers, and a name that was pointed at 127.0.0.1 shows in `Host`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header, uri::Authority};

/// A header that no page can send to another origin without being allowed to.
pub const HEADER: HeaderName = HeaderName::from_static("x-engage-operator");
/// What it says.
pub const HEADER_VALUE: &str = "deliveries";

/// Sent by browsers, or by proxies that stand between.
const NEVER: [&str; 5] = ["origin", "sec-fetch-site", "forwarded", "x-forwarded-for", "x-forwarded-proto"];

/// Why a request is refused, if it is.
pub fn refused(peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Not all of 127.0.0.0/8: a service mesh's sidecar delivers what comes from elsewhere from 127.0.0.6.
    let is_local = |ip: IpAddr| ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST;
    if !peer.is_some_and(|peer| is_local(peer.ip().to_canonical())) {
        return Some("only from this machine: use `kubectl port-forward` or `kubectl exec`".into());
    }
    let host = text(header::HOST).parse::<Authority>();
    if !host.is_ok_and(|host| matches!(host.host(), "127.0.0.1" | "localhost" | "[::1]")) {
        return Some("the host has to be called 127.0.0.1, localhost or [::1]".into());
    }
    if let Some(name) = NEVER.iter().find(|name| headers.contains_key(**name)) {
        return Some(format!("not from a browser, nor through a proxy: there is a header {name}"));
    }
    if text(HEADER) != HEADER_VALUE {
        return Some(format!("the header {HEADER}: {HEADER_VALUE} is missing"));
    }
    let content_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !content_type.eq_ignore_ascii_case("application/json") {
        return Some("the content type has to be application/json".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(changes: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let usual =
            [("host", "127.0.0.1:9090"), ("x-engage-operator", "deliveries"), ("content-type", "application/json")];
        for (name, value) in usual.iter().chain(changes) {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1)
    }

    #[test]
    fn a_program_on_this_machine_may() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(refused(Some(peer(address)), &headers(&[])), None, "{address}");
        }
        for host in ["localhost", "localhost:19090", "[::1]:9090", "127.0.0.1"] {
            assert_eq!(refused(Some(peer("127.0.0.1")), &headers(&[("host", host)])), None, "{host}");
        }
    }

    #[test]
    fn whoever_comes_from_elsewhere_may_not() {
        for address in ["10.0.0.7", "127.0.0.6", "::ffff:10.0.0.7", "fd00::1", "0.0.0.0"] {
            assert!(refused(Some(peer(address)), &headers(&[])).is_some(), "{address}");
        }
        assert!(refused(None, &headers(&[])).is_some());
    }

    #[test]
    fn a_page_in_a_browser_may_not() {
        for change in [
            ("host", "attacker.example"),
            ("host", "127.0.0.1.attacker.example:9090"),
            ("host", ""),
            ("origin", "http://127.0.0.1:9090"),
            ("origin", "null"),
            ("sec-fetch-site", "same-origin"),
            ("x-forwarded-for", "10.0.0.7"),
            ("x-engage-operator", "yes"),
            ("content-type", "text/plain"),
            ("content-type", "application/x-www-form-urlencoded"),
        ] {
            assert!(refused(Some(peer("127.0.0.1")), &headers(&[change])).is_some(), "{change:?}");
        }
        let mut bare = headers(&[]);
        bare.remove("x-engage-operator");
        assert!(refused(Some(peer("127.0.0.1")), &bare).is_some());
    }
}
