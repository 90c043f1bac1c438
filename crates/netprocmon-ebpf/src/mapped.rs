//! An array map of the kernel, mapped: reading a counter is a load, not a system call.
//!
//! The kernel hands out rows in order, and it charges every mapped page to us at once, so the map
//! is mapped piece by piece, as far as rows are in use: a large table that is hardly used costs
//! hardly any resident memory.
//!
//! This is the only file that turns kernel memory into references. It relies on the layouts in
//! [`crate::abi`] being made of atomics wherever the kernel writes while we look.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Rows in a piece: a multiple of the page size whatever the row's size (a multiple of 8).
const PIECE_ROWS: u32 = 8192;

/// A `BPF_F_MMAPABLE` array of `T`, mapped for reading and writing as far as it is in use.
pub(crate) struct Mapped<T> {
    map: OwnedFd,
    rows: u32,
    pieces: Vec<Piece>,
    holds: PhantomData<T>,
}

struct Piece {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping of shared memory that belongs to nobody else; see `Mapped`.
unsafe impl Send for Piece {}
// SAFETY: all concurrent access goes through atomics.
unsafe impl Sync for Piece {}

impl<T> Mapped<T> {
    /// An array map of `rows` rows behind `map`, of which none is mapped yet.
    ///
    /// # Safety
    ///
    /// The map has at least `rows` elements of exactly `size_of::<T>()` bytes (a multiple of 8),
    /// any bytes are a valid `T`, and whatever the kernel writes while `T` is shared is an atomic.
    pub(crate) unsafe fn new(map: BorrowedFd<'_>, rows: u32) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let map = map.try_clone_to_owned()?;
        Ok(Self {
            map,
            rows,
            pieces: Vec::new(),
            holds: PhantomData,
        })
    }

    /// Number of rows of the table.
    pub(crate) fn len(&self) -> u32 {
        self.rows
    }

    /// Makes the rows below `end` readable, as far as the table goes.
    pub(crate) fn map_to(&mut self, end: u32) -> io::Result<()> {
        let end = end.min(self.rows);
        while self.mapped_rows() < end {
            let first = self.mapped_rows();
            let rows = PIECE_ROWS.min(self.rows - first);
            let bytes = rows as usize * size_of::<T>();
            let bytes = bytes.next_multiple_of(rustix::param::page_size());
            let offset = u64::from(first) * size_of::<T>() as u64;
            let both = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
            let start = unsafe {
                mmap(
                    std::ptr::null_mut(),
                    bytes,
                    both,
                    MapFlags::SHARED,
                    &self.map,
                    offset,
                )
            }?;
            let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
            self.pieces.push(Piece { start, bytes });
        }
        Ok(())
    }

    /// The row at `index`, where it is mapped.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let piece = self.pieces.get((index / PIECE_ROWS) as usize)?;
        let row = (index % PIECE_ROWS) as usize;
        // SAFETY: a row of the table lies within its piece, which lives as long as `self`; see
        // `new` for what it holds.
        (index < self.rows).then(|| unsafe { piece.start.cast::<T>().add(row).as_ref() })
    }

    fn mapped_rows(&self) -> u32 {
        let pieces = u32::try_from(self.pieces.len()).unwrap_or(u32::MAX);
        pieces.saturating_mul(PIECE_ROWS).min(self.rows)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length, and no reference outlives the table. It can only
        // fail for a bad address, and there is nobody to tell.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

    use super::*;

    #[test]
    fn it_maps_as_far_as_it_is_told_and_not_beyond_the_table() {
        let memory = memfd_create("table", MemfdFlags::CLOEXEC).unwrap();
        let rows = PIECE_ROWS * 2 + 100;
        ftruncate(&memory, u64::from(rows).next_multiple_of(4096) * 8).unwrap();
        // SAFETY: the file is large enough, and nobody else writes to it.
        let mut table = unsafe { Mapped::<AtomicU64>::new(memory.as_fd(), rows) }.unwrap();
        assert!(table.get(0).is_none());
        table.map_to(1).unwrap();
        assert!(table.get(PIECE_ROWS - 1).is_some() && table.get(PIECE_ROWS).is_none());
        table.map_to(u32::MAX).unwrap();
        table.get(rows - 1).unwrap().store(7, Relaxed);
        assert!(table.get(rows).is_none());
        let mut bytes = [0; 8];
        rustix::io::pread(&memory, &mut bytes, u64::from(rows - 1) * 8).unwrap();
        assert_eq!(u64::from_ne_bytes(bytes), 7);
    }
}
