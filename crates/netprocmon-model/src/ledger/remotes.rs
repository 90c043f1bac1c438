//! Follows connections: whose they are, what the other end is called, and who is there where that
//! is on this host.
//!
//! Everything is settled when a connection is first followed or when something about it changes; a
//! snapshot asks nobody but a directory that has found something out. Not here: which connections belong together (`pairs`).

use std::sync::Arc;

use super::Ledger;
use super::account::Account;
use super::conversation::Conversation;
use super::pairs::{Change, Ends};
use crate::{ConnectionId, ConnectionReading, NetnsId, Peer, ProcessId};

impl Ledger {
    pub(super) fn follow(&mut self, reading: &ConnectionReading) {
        let id = reading.id;
        let new = || Conversation::new(reading, &*self.directory, &self.interfaces);
        let (conversation, is_new) = self.conversations.get_or_make(id, new);
        let before = (!is_new).then(|| (conversation.owner(), conversation.has_ended()));
        if !is_new {
            conversation.read(reading, &self.interfaces);
        }
        conversation.name_remote(&self.names, &*self.directory);
        let (owner, is_over) = (conversation.owner(), conversation.has_ended());
        let new_ends = before.is_none().then(|| conversation.ends()).flatten();
        let netns = conversation.netns();
        let (owned_by, was_over) = before.unwrap_or((None, false));
        let listed_by = conversation.listed_by();
        if let Some(before) = listed_by.filter(|_| listed_by != owner)
            && let Some(account) = self.accounts.get_mut(&before)
        {
            account.drop_connection(id);
        }
        match owner.and_then(|id| self.accounts.get_mut(&id)) {
            Some(account) if listed_by == owner => account.touch(),
            Some(account) => {
                account.add_connection(id);
                conversation.list_by(owner);
            }
            None => conversation.list_by(None),
        }
        if before.is_none() {
            self.pair(id, netns, new_ends);
        } else if owned_by != owner {
            self.introduce_to_partner(id);
        }
        if is_over && !was_over {
            self.pairs.end(id);
        }
        if is_over {
            self.ended.insert(id);
        }
    }

    /// The directory may have found out names that it was asked for: connections at rest have them
    /// in the next snapshot, too. Nothing is gone through where it has not.
    pub(super) fn ask_directory_again(&mut self) {
        let revision = self.directory.revision();
        if std::mem::replace(&mut self.directory_revision, revision) == revision {
            return;
        }
        for conversation in self.conversations.values_mut() {
            if conversation.name_remote(&self.names, &*self.directory)
                && let Some(owner) = conversation.listed_by()
                && let Some(account) = self.accounts.get_mut(&owner)
            {
                account.touch();
            }
        }
    }

    /// Forgets a connection. Its partner still says who it was.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.pairs.leave(id);
        let owner = self.conversations.remove(id);
        let owner = owner.and_then(|one| one.listed_by());
        if let Some(account) = owner.and_then(|owner| self.accounts.get_mut(&owner)) {
            account.drop_connection(id);
        }
    }

    /// The process has another name: those at the other ends of its connections say so.
    pub(super) fn introduce(&mut self, process: ProcessId) {
        let Some(account) = self.accounts.get(&process) else {
            return;
        };
        let mine: Vec<_> = account.connections().collect();
        for id in mine {
            self.introduce_to_partner(id);
        }
    }

    fn pair(&mut self, id: ConnectionId, netns: NetnsId, ends: Option<Ends>) {
        let Some(ends) = ends else {
            return;
        };
        for Change { of, partner } in self.pairs.join(id, netns, ends) {
            match partner {
                Some(partner) => self.introduce_to(of, partner),
                None => self.set_peer(of, None),
            }
        }
    }

    fn introduce_to_partner(&mut self, id: ConnectionId) {
        if let Some(partner) = self.pairs.partner(id) {
            self.introduce_to(partner, id);
        }
    }

    /// Tells a connection who has its partner; nothing where nobody does (any more).
    fn introduce_to(&mut self, id: ConnectionId, partner: ConnectionId) {
        let owner = self
            .conversations
            .get(partner)
            .and_then(Conversation::owner);
        if let Some(account) = owner.and_then(|owner| self.accounts.get(&owner)) {
            let facts = account.facts();
            let peer = Peer {
                process: facts.id,
                name: Arc::clone(&facts.name),
            };
            self.set_peer(id, Some(peer));
        }
    }

    fn set_peer(&mut self, id: ConnectionId, peer: Option<Peer>) {
        let Some(conversation) = self.conversations.get_mut(id) else {
            return;
        };
        let owner = conversation.owner();
        if conversation.set_peer(peer)
            && let Some(account) = owner.and_then(|owner| self.accounts.get_mut(&owner))
        {
            Account::touch(account);
        }
    }
}

#[cfg(test)]
mod tests;
