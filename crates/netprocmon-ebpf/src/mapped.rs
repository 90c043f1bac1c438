//! An array map of the kernel, mapped: reading a counter is a load, not a system call.
//!
//! This is the only file that turns kernel memory into references. It relies on the layouts in
//! [`crate::abi`] being made of atomics wherever the kernel writes while we look.

use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A `BPF_F_MMAPABLE` array of `T`, mapped for reading and writing.
pub(crate) struct Mapped<T> {
    start: NonNull<T>,
    entries: u32,
    bytes: usize,
    owns: PhantomData<T>,
}

// SAFETY: it is an owned mapping of shared memory; all concurrent access goes through atomics.
unsafe impl<T: Send> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Mapped<T> {}

impl<T> Mapped<T> {
    /// Maps `entries` elements of the array map behind `fd`.
    ///
    /// # Safety
    ///
    /// The map has at least `entries` elements of exactly `size_of::<T>()` bytes (a multiple of 8),
    /// any bytes are a valid `T`, and whatever the kernel writes while `T` is shared is an atomic.
    pub(crate) unsafe fn new(fd: BorrowedFd<'_>, entries: u32) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let page = rustix::param::page_size();
        let bytes = (entries as usize * size_of::<T>()).next_multiple_of(page);
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let at = unsafe { mmap(std::ptr::null_mut(), bytes, both, MapFlags::SHARED, fd, 0) }?;
        let start = NonNull::new(at.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            start,
            entries,
            bytes,
            owns: PhantomData,
        })
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> u32 {
        self.entries
    }

    /// The element at `index`, where there is one.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        // SAFETY: within the mapping, which lives as long as `self`; see `new` for the contents.
        (index < self.entries).then(|| unsafe { self.start.add(index as usize).as_ref() })
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length, and no reference outlives `self`. It can only
        // fail for a bad address, and there is nobody to tell.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
