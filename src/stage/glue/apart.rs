//! The halves of a new kernel, which are compiled at the same time: neither knows the other, and the linker puts them
//! together.
//!
//! The user's half has a table of his functions. It is what Python calls first, and tells the glue where the table is before
//! it hands the call on. Both halves write the types of the table with the same names of other crates, where no name of the
//! user's is seen; so rustc, which compares them with his functions in one half, does it for both.

use crate::stage::glue::SLOTS;
use crate::stage::glue::function::Function;

/// What the glue's module is called where Python would call it. Its name is told by Python all the same.
pub const MODULE: &str = "__rsimport_half";
/// What the linker knows the place of the table by; no other library does.
const TABLE: &str = "__rsimport_table";

/// The table as the glue has it, and what stands below the user's text; `uses` brings the types' names.
pub fn tables(functions: &[Function<'_>], uses: &str, module: &str) -> (String, String) {
    let of_each = |what: &dyn Fn(usize, &Function<'_>) -> String| {
        functions.iter().enumerate().map(|(number, function)| what(number, function)).collect::<String>()
    };
    let types = of_each(&|number, function| format!("pub type F{number} = {};\n", function.pointer()));
    let fields = of_each(&|number, _| format!("f{number}: F{number}, "));
    let table = format!("{types}#[repr(C)] pub struct Table {{ {fields}}}\n");
    // SAFETY: (of the text that is written) the user's half has stored the place of a table, which is never freed, before it
    // makes the module.
    let gets = of_each(&|number, _| {
        format!(
            "#[inline(always)] pub fn get_{number}() -> F{number} {{ unsafe {{ (*TABLE.load(Relaxed)).f{number} }} }}\n"
        )
    });
    let glue = format!(
        "#[doc(hidden)] pub mod {SLOTS} {{ use super::*; use ::std::sync::atomic::{{AtomicPtr, Ordering::Relaxed}};\n{table}\
         #[unsafe(export_name = \"{TABLE}\")] pub static TABLE: AtomicPtr<Table> = AtomicPtr::new(::std::ptr::null_mut());\n\
         {gets}}}\n"
    );
    let own = of_each(&|number, function| format!("f{number}: super::{}, ", function.name));
    let imported = of_each(&|number, function| {
        let import = |name| format!("use super::{name} as _imported_{number}; ");
        function.imported.map_or_else(String::new, import)
    });
    let below = format!(
        "#[allow(unsafe_code, unused, unused_qualifications, redundant_imports, nonstandard_style, unreachable_pub, missing_docs, \
         trivial_casts, trivial_numeric_casts, clippy::all, clippy::pedantic)] mod {SLOTS} {{ {imported}\n\
         use ::pyo3::prelude::*;\n{uses}{table}static OWN: Table = Table {{ {own}}};\n\
         unsafe extern \"C\" {{ #[link_name = {TABLE:?}] static TABLE: ::std::sync::atomic::AtomicPtr<()>; \
         fn PyInit_{MODULE}() -> *mut ::pyo3::ffi::PyObject; }}\n\
         #[unsafe(export_name = \"PyInit_{module}\")] extern \"C\" fn init() -> *mut ::pyo3::ffi::PyObject {{ unsafe {{ \
         TABLE.store((&raw const OWN).cast_mut().cast(), ::std::sync::atomic::Ordering::Relaxed); PyInit_{MODULE}() }} }} }}\n"
    );
    (glue, below)
}
