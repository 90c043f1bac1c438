//! Against this host's own interfaces.

use super::*;

#[test]
fn loopback_is_there_with_its_address() {
    let lo = by_name("lo").unwrap().unwrap();
    assert!(lo.loopback);
    assert_eq!(lo.link_type, 772);
    assert_eq!(lo.kind, None);
    if lo.up {
        assert!(lo.addresses.contains(&"127.0.0.1".parse().unwrap()));
    }
    assert_eq!(by_name("no such one").unwrap(), None);
}
