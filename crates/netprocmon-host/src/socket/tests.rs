//! Sockets of this test's own on loopback, found again in the lists.
