//! The questions that wait for their answers.

use std::collections::{HashMap, VecDeque};

use super::{Ends, answer};

/// The oldest are forgotten beyond this: nobody waits that long.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Questions {
    /// What was asked, by whom, under which number.
    open: HashMap<(Ends, u16), String>,
    order: VecDeque<(Ends, u16)>,
}

impl Questions {
    /// A datagram went out.
    pub(super) fn ask(&mut self, ends: Ends, bytes: &[u8]) {
        let Some((id, false, name)) = answer::question(bytes) else {
            return;
        };
        if self.open.insert((ends, id), name).is_none() {
            self.order.push_back((ends, id));
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.open.remove(&oldest);
            }
        }
    }

    /// Whether a datagram that came in answers one of them. It stays open: a second answer to the
    /// same question, such as the other server's, is as good.
    pub(super) fn were_asked(&self, ends: Ends, bytes: &[u8]) -> bool {
        match answer::question(bytes) {
            Some((id, true, name)) => self.open.get(&(ends, id)) == Some(&name),
            _ => false,
        }
    }
}
