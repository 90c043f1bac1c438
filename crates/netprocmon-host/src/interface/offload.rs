//! Which segmentation work a device takes on, as `ethtool -k` shows it.
//!
//! Read with the `SIOCETHTOOL` ioctl (`<linux/ethtool.h>`), which needs no privilege for these
//! questions. Cheap, but a few calls a device: callers ask when a device appears and now and then
//! after that, not at each sample.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::HostError;

/// What a device does with segmentation buffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a feature a field, as `ethtool -k` lists them
pub struct Offloads {
    /// `tx-tcp-segmentation`: it takes IPv4 TCP buffers whole.
    pub tso4: bool,
    /// `tx-tcp6-segmentation`: it takes IPv6 TCP buffers whole.
    pub tso6: bool,
    /// Any TCP segmentation feature at all, ECN and ID-mangling variants too.
    pub any_tso: bool,
    /// `tx-udp-segmentation`: it takes UDP buffers whole.
    pub udp: bool,
    /// `rx-gro`: received packets may be merged (on a veth: it uses NAPI).
    pub gro: bool,
    /// `rx-gro-list` or `rx-udp-gro-forwarding`.
    pub gro_forward: bool,
    /// `rx-gro-hw` or `rx-lro`: the device may hand packets over merged already.
    pub hardware_gro: bool,
    /// The driver's name (`ethtool -i`); `None` where there is none.
    pub driver: Option<Arc<str>>,
}

const SIOCETHTOOL: u16 = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x3;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETH_SS_FEATURES: u32 = 4;
/// `ETH_GSTRING_LEN`.
const NAME: usize = 32;
/// The names of the feature bits: one table for all devices of a kernel.
static NAMES: OnceLock<Vec<String>> = OnceLock::new();
/// More feature bits than any kernel has (64 in 6.x, 73 in 7.x): a bound for what we allocate.
const MOST_FEATURES: usize = 1024;

/// The offloads of the interface of this name in the calling thread's namespace.
///
/// Errors: [`io::ErrorKind::InvalidInput`] for a name that no interface can have, `ENODEV` for one
/// that none has.
pub fn offloads(name: &str) -> io::Result<Offloads> {
    let device = Device::open(name)?;
    let fail = |error| io::Error::from(HostError::new("read the offload features of", name, error));
    let names = if let Some(names) = NAMES.get() {
        names
    } else {
        let names = device.feature_names().map_err(fail)?;
        NAMES.get_or_init(|| names)
    };
    let active = device.active_features(names.len()).map_err(fail)?;
    let mut offloads = from_features(names, &active);
    offloads.driver = device.driver();
    Ok(offloads)
}

/// `active` has a bit for each name, in the same order.
fn from_features(names: &[String], active: &[u32]) -> Offloads {
    let is_active = |bit: usize| {
        active
            .get(bit / 32)
            .is_some_and(|word| word >> (bit % 32) & 1 == 1)
    };
    let bits: HashMap<&str, usize> = names
        .iter()
        .enumerate()
        .map(|(bit, name)| (name.as_str(), bit))
        .collect();
    let on = |name: &str| bits.get(name).is_some_and(|bit| is_active(*bit));
    let (tso4, tso6) = (on("tx-tcp-segmentation"), on("tx-tcp6-segmentation"));
    Offloads {
        tso4,
        tso6,
        // NETIF_F_ALL_TSO
        any_tso: tso4
            || tso6
            || on("tx-tcp-ecn-segmentation")
            || on("tx-tcp-mangleid-segmentation"),
        udp: on("tx-udp-segmentation"),
        gro: on("rx-gro"),
        gro_forward: on("rx-gro-list") || on("rx-udp-gro-forwarding"),
        hardware_gro: on("rx-gro-hw") || on("rx-lro"),
        driver: None,
    }
}

/// One interface to be asked.
struct Device {
    socket: OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Device {
    fn open(name: &str) -> io::Result<Self> {
        let mut buffer = [0; libc::IFNAMSIZ];
        if name.is_empty() || name.len() >= buffer.len() || name.contains('\0') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (to, from) in buffer.iter_mut().zip(name.bytes()) {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        let flags = SocketFlags::CLOEXEC;
        // Any socket of the namespace will do; IPv4 may be compiled out, UNIX is not.
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        Ok(Self {
            socket,
            name: buffer,
        })
    }

    /// Asks one question. `words` begins with the command, and is long enough for the answer that
    /// its own length fields announce.
    fn ask(&self, words: &mut [u32]) -> io::Result<()> {
        let mut request = libc::ifreq {
            ifr_name: self.name,
            ifr_ifru: libc::__c_anonymous_ifr_ifru {
                ifru_data: words.as_mut_ptr().cast(),
            },
        };
        // SAFETY: the request points to `words`, which each caller made as long as the structure
        // of its command with the number of elements that it announces; the kernel writes no
        // further. Both live until the call returns.
        let result = unsafe {
            libc::ioctl(
                self.socket.as_raw_fd(),
                SIOCETHTOOL.into(),
                &raw mut request,
            )
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// `struct ethtool_sset_info`, then `struct ethtool_gstrings`.
    fn feature_names(&self) -> io::Result<Vec<String>> {
        // cmd, reserved, sset_mask (u64), data[1]
        let mask = (1_u64 << ETH_SS_FEATURES).to_ne_bytes();
        let word = |at| crate::netlink::u32_at(&mask, at).unwrap_or_default();
        let mut info = [ETHTOOL_GSSET_INFO, 0, word(0), word(4), 0];
        self.ask(&mut info)?;
        let count = (info[4] as usize).min(MOST_FEATURES);
        // cmd, string_set, len, data[len][32]
        let mut strings = vec![0_u32; 3 + count * NAME / 4];
        strings[0] = ETHTOOL_GSTRINGS;
        strings[1] = ETH_SS_FEATURES;
        strings[2] = u32::try_from(count).map_err(io::Error::other)?;
        self.ask(&mut strings)?;
        let bytes: Vec<u8> = strings
            .iter()
            .skip(3)
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        Ok(bytes.chunks_exact(NAME).map(crate::netlink::text).collect())
    }

    /// `struct ethtool_gfeatures`: blocks of available, requested, active, never changed.
    fn active_features(&self, count: usize) -> io::Result<Vec<u32>> {
        let blocks = count.div_ceil(32);
        let mut words = vec![0_u32; 2 + blocks * 4];
        words[0] = ETHTOOL_GFEATURES;
        words[1] = u32::try_from(blocks).map_err(io::Error::other)?;
        self.ask(&mut words)?;
        Ok(words.iter().skip(2).skip(2).step_by(4).copied().collect())
    }

    /// `struct ethtool_drvinfo`: cmd, driver[32], and 160 bytes more.
    fn driver(&self) -> Option<Arc<str>> {
        let mut words = [0_u32; 49];
        words[0] = ETHTOOL_GDRVINFO;
        self.ask(&mut words).ok()?;
        let bytes: Vec<u8> = words
            .iter()
            .skip(1)
            .take(NAME / 4)
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        let name = crate::netlink::text(&bytes);
        (!name.is_empty()).then(|| name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_found_by_name_across_words() {
        let mut names: Vec<String> = (0..40).map(|bit| format!("bit-{bit}")).collect();
        names[3] = "tx-tcp-segmentation".into();
        names[35] = "rx-gro".into();
        names[36] = "tx-tcp6-segmentation".into();
        let offloads = from_features(&names, &[1 << 3, 1 << 3]);
        assert!(offloads.tso4 && offloads.any_tso && offloads.gro);
        assert!(!offloads.tso6 && !offloads.udp);
        assert_eq!(from_features(&names, &[]), Offloads::default());
    }

    #[test]
    fn loopback_takes_everything_whole() {
        let offloads = offloads("lo").unwrap();
        assert!(
            offloads.tso4 && offloads.tso6 && offloads.udp,
            "{offloads:?}"
        );
    }

    #[test]
    fn a_name_that_no_interface_can_have() {
        for name in ["", "0123456789abcdef", "a\0b"] {
            assert_eq!(
                offloads(name).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
        assert!(offloads("no such one").is_err());
    }
}
