//! How many bytes each process sends and receives, per network interface, exactly.
