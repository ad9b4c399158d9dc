//! PyO3's macros, expanded by the engine for the compilers that it has started. So a first build need not compile syn and
//! PyO3's own macros before PyO3: what stands in the place of `pyo3-macros` has no dependencies, and asks here.

pub mod stand_in;
// Elsewhere than on Linux nobody is there whom compilers could ask.
#[cfg(target_os = "linux")]
mod tokens;
#[cfg(target_os = "linux")]
mod expand;
pub mod server;
