//! A database of two networks, made here by the format's description (`MaxMind` DB 2.0), and files
//! that are none.

use std::fs;

use proptest::prelude::*;

use super::*;

/// A control byte and what follows it: lengths below 29 stand in the byte itself, others less 29 in
/// the next.
fn field(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    let mut field = vec![kind << 5 | length.min(29)];
    field.extend(length.checked_sub(29));
    field.extend(bytes);
    field
}

fn text(text: &str) -> Vec<u8> {
    field(2, text.as_bytes())
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut map = vec![7 << 5 | u8::try_from(pairs.len()).unwrap()];
    for (key, value) in pairs {
        map.extend(text(key));
        map.extend(value);
    }
    map
}

/// 10/8 → `data[0]`, 128/1 → `data[1]`, the rest is not there. IPv4, 24 bits a record.
fn database(data: [&[u8]; 2]) -> Vec<u8> {
    const NODES: usize = 8;
    let nothing = NODES;
    let at = [NODES + 16, NODES + 16 + data[0].len()];
    let mut file = Vec::new();
    for bit in 0..NODES {
        let set = 10 >> (7 - bit) & 1;
        let mut node = [nothing, if bit == 0 { at[1] } else { nothing }];
        node[set] = if bit + 1 == NODES { at[0] } else { bit + 1 };
        for record in node {
            file.extend(&u32::try_from(record).unwrap().to_be_bytes()[1..]);
        }
    }
    file.extend([0; 16]);
    file.extend(data.concat());
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", field(5, &[2])),
        ("binary_format_minor_version", field(5, &[])),
        ("build_epoch", vec![1, 2, 1]), // uint64 of one byte
        ("database_type", text("Test")),
        ("description", map(&[])),
        ("ip_version", field(5, &[4])),
        ("languages", vec![0, 4]), // empty array
        ("node_count", field(6, &[u8::try_from(NODES).unwrap()])),
        ("record_size", field(5, &[24])),
    ]));
    file
}

fn origin(bytes: &[u8], address: &str) -> Option<Origin> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, bytes).unwrap();
    let database = OriginDatabase::open(file.path()).unwrap();
    assert_eq!(database.kind(), "Test");
    database.lookup(address.parse().unwrap())
}

#[test]
fn countries_and_networks() {
    let country = map(&[("country", map(&[("iso_code", text("NZ"))]))]);
    let network = map(&[
        ("autonomous_system_number", field(6, &[0xfc, 0x00])),
        ("autonomous_system_organization", text("Example Net")),
    ]);
    let bytes = database([&country, &network]);
    let found = origin(&bytes, "10.1.2.3").unwrap();
    assert_eq!((found.country.as_deref(), found.asn), (Some("NZ"), None));
    let found = origin(&bytes, "::ffff:192.0.2.1").unwrap();
    assert_eq!(found.asn, Some(64_512));
    assert_eq!(found.organization.as_deref(), Some("Example Net"));
    assert_eq!(found.country, None);
    assert_eq!(origin(&bytes, "11.0.0.1"), None);
    assert_eq!(origin(&bytes, "2001:db8::1"), None);
    let registered = map(&[("registered_country", map(&[("iso_code", text("FR"))]))]);
    let bytes = database([&registered, &map(&[("city", map(&[]))])]);
    assert_eq!(
        origin(&bytes, "10.0.0.1").unwrap().country.as_deref(),
        Some("FR")
    );
    assert_eq!(origin(&bytes, "128.0.0.1"), None, "nothing that we show");
}

#[test]
fn an_error_names_the_file() {
    for path in ["/nowhere/x.mmdb", "/etc/passwd"] {
        let error = OriginDatabase::open(path).err().unwrap();
        assert!(error.to_string().contains(path), "{error}");
    }
}

proptest! {
    #[test]
    fn a_broken_database_does_no_harm(at: prop::sample::Index, value: u8, cut: prop::sample::Index) {
        let country = map(&[("country", map(&[("iso_code", text("NZ"))]))]);
        let mut bytes = database([&country, &country]);
        let index = at.index(bytes.len());
        bytes[index] = value;
        bytes.truncate(bytes.len() - cut.index(9));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, &bytes).unwrap();
        if let Ok(database) = OriginDatabase::open(file.path()) {
            let _ = database.lookup("10.1.2.3".parse().unwrap());
            let _ = database.lookup("::1".parse().unwrap());
        }
    }
}
