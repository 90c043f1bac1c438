//! Which rows of a kernel table are in use.
//!
//! The kernel side takes rows in order, and then those that this side has given back. It marks a
//! row as in use last of all, so this side finds new rows by looking at the ones it knows to be
//! free: no event, no system call, and nothing is missed however late it looks.

/// The free rows below the kernel's high-water mark.
#[derive(Debug, Default)]
pub(crate) struct FreeRows {
    /// Rows from here on were never used.
    high_water: u32,
    /// Rows below it that nobody is known to use.
    free: Vec<u32>,
}

impl FreeRows {
    /// Row 0 is not handed out by the kernel side.
    pub(crate) fn new() -> Self {
        Self {
            high_water: 1,
            free: Vec::new(),
        }
    }

    /// Calls `found` for each row that has come into use since the last call.
    pub(crate) fn take_used(
        &mut self,
        next: u32,
        in_use: impl Fn(u32) -> bool,
        mut found: impl FnMut(u32),
    ) {
        if next > self.high_water {
            self.free.extend(self.high_water..next);
            self.high_water = next;
        }
        self.free.retain(|&row| {
            let used = in_use(row);
            if used {
                found(row);
            }
            !used
        });
    }

    /// A row has been given back.
    pub(crate) fn give_back(&mut self, row: u32) {
        self.free.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(free: &mut FreeRows, next: u32, marked: &[u32]) -> Vec<u32> {
        let mut found = Vec::new();
        free.take_used(next, |row| marked.contains(&row), |row| found.push(row));
        found
    }

    #[test]
    fn rows_are_found_once_late_and_again_after_they_were_given_back() {
        let mut free = FreeRows::new();
        assert_eq!(used(&mut free, 4, &[1, 3]), [1, 3]);
        assert_eq!(used(&mut free, 4, &[1, 2, 3]), [2]);
        assert_eq!(used(&mut free, 4, &[1, 2, 3]), [0_u32; 0]);
        free.give_back(1);
        assert_eq!(used(&mut free, 4, &[2, 3]), [0_u32; 0]);
        assert_eq!(used(&mut free, 4, &[1, 2, 3]), [1]);
    }
}
