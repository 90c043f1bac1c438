//! The extension module `netprocmon._netprocmon`: what Python needs of the Rust library, converted
//! and nothing more. The package beside it (`python/netprocmon`) is what people import; it has the
//! names, the documentation and all that is Python's own business (iteration, asyncio, threads).
//!
//! - [`engine`]: a running monitor, which several Python threads may use; [`ticker`]: a pace
//! - [`snapshot`]: an immutable snapshot, converted only where it is looked at
//! - [`records`]: Rust's rows as the package's dataclasses; [`arrow`]: as columns
//! - [`sockets`], [`doctor`]: what needs no monitor; [`errors`]: Rust's errors as the package's
//!
//! Whatever may block or take long runs without the interpreter's lock. No lock of ours is held
//! while Python code runs, but for the engine's in [`engine::Engine::spawn`], which says why.
#![forbid(unsafe_code)]

use pyo3::prelude::*;

mod arrow;
mod doctor;
mod engine;
mod errors;
mod records;
mod snapshot;
mod sockets;
mod ticker;

/// The private half of the package `netprocmon`.
#[pymodule(name = "_netprocmon")]
mod extension {
    use std::ffi::OsString;

    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::doctor::doctor;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::snapshot::RawSnapshot;
    #[pymodule_export]
    use crate::sockets::{connections, interfaces, pid_of_port, ports, ports_of_pid};
    #[pymodule_export]
    use crate::ticker::Ticker;

    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// Runs the command with these arguments, the program's name first; gives the exit status.
    #[pyfunction]
    fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
        py.detach(|| netprocmon_cli::main(arguments))
    }
}
