//! Lines in the run's log: at most 4 KiB a line, 100 lines and 64 KiB a run; the host cuts what is over.
//!
//! ```
//! use hoopoe_sdk::log;
//!
//! log::info("asked for the menu");
//! log::warn(format_args!("{} unknown words", 3));
//! ```
//!
//! Without Wasm the lines go to the test harness, see [`testing::Run::logs`](crate::testing::Run::logs).

use std::fmt::Display;

pub use crate::bindings::hoopoe::flow::host::Level;

/// For whoever searches for a mistake in the flow.
pub fn debug(message: impl Display) {
    write(Level::Debug, message.to_string());
}

/// What the flow did.
pub fn info(message: impl Display) {
    write(Level::Info, message.to_string());
}

/// Something is odd, and the flow went on.
pub fn warn(message: impl Display) {
    write(Level::Warn, message.to_string());
}

/// Something went wrong.
pub fn error(message: impl Display) {
    write(Level::Error, message.to_string());
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: String) {
    crate::bindings::hoopoe::flow::host::log(level, &message);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: String) {
    native::LINES.with_borrow_mut(|lines| lines.push((level, message)));
}

pub(crate) mod native {
    //! Where lines go without a host.

    use std::cell::RefCell;

    use super::Level;

    thread_local! {
        pub(super) static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    }

    /// The lines that this thread wrote since the last call.
    pub(crate) fn take() -> Vec<(Level, String)> {
        LINES.take()
    }
}
