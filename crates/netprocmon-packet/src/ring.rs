//! The capture ring: memory that the kernel writes packets into and we read them from, without a
//! system call or a copy of ours (`TPACKET_V3`, `Documentation/networking/packet_mmap.rst`).
//!
//! The kernel hands over a block when it is full or a millisecond old. That is how late the reader
//! may learn of a packet; what is in a hurry comes by the doorbell. Minimum kernel 3.2, with the
//! virtio-net header 4.6: without it segmentation buffers count as one packet, and that is said.
//!
//! What finds no free block is dropped and counted by the kernel, never silently.

mod block;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::SocketType;

use crate::filter;
use crate::socket::PacketSocket;

pub(crate) use block::Frame;
#[cfg(feature = "fuzzing")]
pub(crate) use block::frames;

/// A block closes with the first packet that has no room, or after this time, in milliseconds.
const BLOCK_TIMEOUT: u32 = 1;
/// Some 130 packets of headers.
const BLOCK: u32 = 32 * 1024;
/// The kernel checks this and does not use it: records are as long as they are.
const RECORD: u32 = 2048;
/// Where a block's state stands in its head (`struct tpacket_hdr_v1`).
const STATUS: usize = 8;

const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 1;

/// `PACKET_VNET_HDR` and what it puts in front of a packet (`struct virtio_net_hdr`).
const PACKET_VNET_HDR: i32 = 15;

/// A ring on all interfaces of the namespace that it was opened in.
#[derive(Debug)]
pub(crate) struct Ring {
    socket: PacketSocket,
    memory: Memory,
    /// The block that is read next.
    next: u32,
    /// Packets that were read, and that the kernel has written, since it was opened.
    read: u64,
    written: u64,
    dropped: u64,
    /// Whether the kernel says how buffers are segmented.
    pub(crate) tells_segments: bool,
}

impl Ring {
    /// With `blocks` blocks of 32 KiB, in the calling thread's namespace.
    pub(crate) fn open(blocks: u32) -> io::Result<Self> {
        // Only raw ones give the virtio-net header.
        let socket = PacketSocket::open(SocketType::RAW)?;
        socket.filter(&filter::RING)?;
        socket.set(
            libc::SOL_PACKET,
            libc::PACKET_VERSION,
            &libc::tpacket_versions::TPACKET_V3,
        )?;
        let tells_segments = socket
            .set(libc::SOL_PACKET, PACKET_VNET_HDR, &1_i32)
            .is_ok();
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK,
            tp_block_nr: blocks,
            tp_frame_size: RECORD,
            tp_frame_nr: blocks * (BLOCK / RECORD),
            tp_retire_blk_tov: BLOCK_TIMEOUT,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        socket.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let memory = Memory::map(socket.as_fd(), blocks)?;
        socket.listen()?;
        Ok(Self {
            socket,
            memory,
            next: 0,
            read: 0,
            written: 0,
            dropped: 0,
            tells_segments,
        })
    }

    /// Gives every packet of the blocks that the kernel has handed over to `sink`, and the blocks
    /// back. Never blocks; whether there were any.
    pub(crate) fn read(&mut self, mut sink: impl FnMut(&Frame<'_>)) -> bool {
        let mut any = false;
        // Once round at most, so that a flood does not keep the reader here.
        for _ in 0..self.memory.blocks {
            let Some(block) = self.memory.block(self.next) else {
                break;
            };
            any = true;
            for frame in block::frames(block, self.tells_segments) {
                self.read += 1;
                sink(&frame);
            }
            self.memory.give_back(self.next);
            self.next = (self.next + 1) % self.memory.blocks;
        }
        any
    }

    /// Asks the kernel how far it is; whether everything that it has seen by now was read.
    pub(crate) fn ask_kernel(&mut self) -> io::Result<()> {
        let taken = self.socket.take_statistics()?;
        self.dropped += u64::from(taken.dropped);
        self.written += u64::from(taken.packets.saturating_sub(taken.dropped));
        Ok(())
    }

    /// Whether everything was read that the kernel had written when it was last asked.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.read >= self.written
    }

    /// Packets that found no room since the ring was opened, as of when the kernel was last asked.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl AsFd for Ring {
    /// Readable when there is a block to read.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The memory that is shared with the kernel.
#[derive(Debug)]
struct Memory {
    start: NonNull<u8>,
    blocks: u32,
}

// SAFETY: the memory belongs to the process, not to a thread, and only this value refers to it.
unsafe impl Send for Memory {}

impl Memory {
    fn map(socket: BorrowedFd<'_>, blocks: u32) -> io::Result<Self> {
        let length = blocks as usize * BLOCK as usize;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                length,
                protection,
                MapFlags::SHARED,
                socket,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, blocks })
    }

    fn at(&self, block: u32) -> NonNull<u8> {
        let offset = (block % self.blocks) as usize * BLOCK as usize;
        // SAFETY: less than the length of the mapping, since the block is one of it.
        unsafe { self.start.add(offset) }
    }

    fn status(&self, block: u32) -> &AtomicU32 {
        // SAFETY: a block begins at a page and its head is longer than this; the kernel changes the
        // word too, and as a whole.
        unsafe { self.at(block).add(STATUS).cast::<AtomicU32>().as_ref() }
    }

    /// A block that is ours to read; `None` while the kernel writes it.
    fn block(&self, block: u32) -> Option<&[u8]> {
        let status = self.status(block).load(Ordering::Acquire);
        (status & STATUS_USER != 0).then_some(())?;
        // SAFETY: the block is mapped as a whole, and the kernel does not touch it again before it
        // is given back, for which `self` has to be borrowed anew.
        Some(unsafe { std::slice::from_raw_parts(self.at(block).as_ptr(), BLOCK as usize) })
    }

    fn give_back(&mut self, block: u32) {
        self.status(block).store(STATUS_KERNEL, Ordering::Release);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let length = self.blocks as usize * BLOCK as usize;
        // SAFETY: mapped with this length by us, and nobody refers to it any more. It cannot fail
        // for a mapping that exists.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), length) };
    }
}
