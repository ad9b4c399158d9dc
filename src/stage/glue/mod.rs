//! A kernel in two crates: PyO3's glue, which is kept, and the text that its user edits.
//!
//! Nine tenths of what rustc does for such a kernel it does for the glue, which depends on names, signatures and
//! documentation alone. Here that becomes a crate of its own: each function is there once more with the signature that
//! the user has written, and calls what a slot leads to. In the user's text the attributes of PyO3 are blank, so that
//! everything keeps its line and its column, and below it one call of a macro of the glue's fills the slots when the
//! library is loaded. A slot takes nothing but a pointer to a function of its signature, so rustc sees to it that both
//! halves mean the same types.
//!
//! What the glue is to say has to be known without asking rustc: functions in the root, whose signatures name what the
//! language, PyO3 and declared crates have, and whose defaults are written out. With anything else a kernel is compiled
//! in one piece.

pub mod attributes;
pub mod names;
pub mod function;
pub mod class;
pub mod apart;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use syn::{Item, ItemFn, ItemStruct};

use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::kernel::surface::{Kind, Shown, Surface};
use crate::kernel::syntax;
use crate::kernel::walk::surface;
use crate::stage::glue::apart::{MODULE, tables};
use crate::stage::glue::attributes::{OF_FILES, is_one_of};
use crate::stage::glue::class::{Class, block_of, is_clone};
use crate::stage::glue::function::{Function, Place};
use crate::stage::glue::names::Names;
use crate::stage::pymodule;

/// The crate that the glue is.
pub const CRATE: &str = "__rsimport_glue";

/// The module in it that holds the slots, and the one below the user's text that fills them.
const SLOTS: &str = "__rsimport_text";
/// The macro that makes the latter.
const FILL: &str = "__rsimport_fill";

/// Words with which a text may see that it is compiled in two halves, or that what is added to it is not the user's.
const TOLD: [&str; 5] = ["__rsimport", "forbid", "_PYO3_DEF", "unsafe_code", "wrap_pyfunction"];
/// A kernel in two halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    /// The crate root: the user's text, with the attributes of PyO3 left out.
    pub text: String,
    /// What stands below it.
    pub below: String,
    /// The text of the other crate.
    pub glue: Glue,
}

/// The half that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glue {
    /// Its text.
    pub text: String,
    /// Are there classes in it? Their objects are reached by a detour, and their methods are not put into PyO3's.
    pub has_classes: bool,
    /// Is it compiled apart from the user's half, of which only the linker knows?
    pub is_apart: bool,
}

/// What halves are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Making {
    /// Are there to be functions for fast calls?
    pub fast: bool,
    /// Are both compiled at the same time? Classes are not.
    pub apart: bool,
}

/// The halves of a kernel; nothing where it is not known to be the same in two crates.
pub fn halves(source: &Source, text: &str, file: &syn::File, manifest: &Manifest, making: Making) -> Option<Halves> {
    let Making { fast, apart } = making;
    let is_told = TOLD.iter().any(|word| text.contains(word)) || text.starts_with('\u{feff}') || file.shebang.is_some();
    // The glue speaks to the PyO3 that comes with rsimport, to the loader of one platform, and by paths of newer editions.
    let is_ours = cfg!(target_os = "linux") && source.manifest.is_none() && !manifest.names_pyo3();
    let is_ours = is_ours && manifest.edition_or_usual() != "2015";
    if is_told || !is_ours || !file.attrs.iter().all(|attribute| is_one_of(attribute, &OF_FILES)) {
        return None;
    }
    let surface = surface(source, text, file);
    let Parts { functions, classes, order } = Parts::of(text, file, &surface)?;
    if apart && (!classes.is_empty() || !source.module.is_ascii()) {
        return None;
    }
    let names = Names::of(file, manifest)?;
    let needed = functions.iter().map(|function| &function.needed).chain(classes.iter().map(|class| &class.needed));
    let needed: BTreeSet<String> = needed.flatten().cloned().collect();
    let documentation = pymodule::documentation(&file.attrs, manifest);
    let mut glue = format!("#![allow(warnings)]\n#![doc = {documentation:?}]\nuse ::pyo3::prelude::*;\n");
    let uses = names.uses(&needed)?;
    glue.push_str(&uses);
    // What the user's half may do with objects decides about fast calls, of which the word tells.
    glue.push_str(if surface.keeps_objects { "// Py\n" } else { "" });
    let (slots, below, module) = if apart {
        let (slots, below) = tables(&functions, &uses, &source.module);
        (slots, below, MODULE.to_owned())
    } else {
        (slots(&functions, &classes), format!("::{CRATE}::{FILL}! {{}}\n"), source.module.clone())
    };
    glue.push_str(&slots);
    let of = |class: Option<usize>, name: Option<usize>| {
        let numbered = functions.iter().enumerate();
        let those =
            numbered.filter(|(number, function)| function.class == class && name.is_none_or(|name| name == *number));
        those.map(|(number, function)| function.in_glue(number)).collect::<String>()
    };
    for item in order {
        glue.push_str(&match item {
            Part::Function(number) => of(None, Some(number)),
            Part::Class(number) => classes[number].in_glue(&of(Some(number), None)),
        });
    }
    let module = Source { text: glue.clone(), module, ..source.clone() };
    let parsed = syntax::parse(&glue);
    let generated = pymodule::generated(&module, &glue, parsed.as_ref(), &Manifest::default(), fast).ok()?;
    glue.push_str(&generated.text?);
    let blanks = functions.iter().flat_map(|function| function.blanks.iter().cloned());
    let blanks = blanks.chain(classes.iter().flat_map(|class| class.blanks.iter().cloned()));
    let prelude = pymodule::prelude(&surface.preludes, &file.attrs, "pyo3");
    let below = format!("{prelude}{below}");
    let glue = Glue { text: glue, has_classes: !classes.is_empty(), is_apart: apart };
    Some(Halves { text: blanked(text, blanks.collect()), below, glue })
}

/// What a kernel shows, where that is functions and classes alone.
struct Parts<'a> {
    functions: Vec<Function<'a>>,
    classes: Vec<Class<'a>>,
    /// In the order in which the module has them.
    order: Vec<Part>,
}

/// The number of a function or of a class.
enum Part {
    Function(usize),
    Class(usize),
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, file: &'a syn::File, surface: &Surface) -> Option<Parts<'a>> {
        let Surface { modules, shown, hidden, is_open, has_unknown_module, .. } = surface;
        if !modules.is_empty() || !hidden.is_empty() || shown.is_empty() || *is_open || *has_unknown_module {
            return None;
        }
        let (mut fns, mut structs): (HashMap<_, &ItemFn>, HashMap<_, &ItemStruct>) = Default::default();
        let place = |name: &syn::Ident| (name.span().start().line, name.span().start().column + 1);
        for item in &file.items {
            match item {
                Item::Fn(item) => drop(fns.insert(place(&item.sig.ident), item)),
                Item::Struct(item) => drop(structs.insert(place(&item.ident), item)),
                _ => {}
            }
        }
        let names = shown.iter().filter(|shown| shown.kind == Kind::Class).map(|shown| shown.path.clone());
        let names: Vec<String> = names.collect();
        let mut parts = Parts { functions: Vec::new(), classes: Vec::new(), order: Vec::new() };
        for Shown { kind, path, conditions, place, .. } in shown {
            let at = (place.line, place.column);
            // What a macro has made has the place of its call.
            match kind {
                _ if !conditions.is_empty() => return None,
                Kind::Function => {
                    let item = fns.get(&at).filter(|item| item.sig.ident == path)?;
                    let place = Place { text, classes: &names, class: None };
                    parts.order.push(Part::Function(parts.functions.len()));
                    parts.functions.push(Function::of(&place, &item.attrs, &item.sig)?);
                }
                Kind::Class => {
                    let item = structs.get(&at).filter(|item| item.ident == path)?;
                    parts.order.push(Part::Class(parts.classes.len()));
                    parts.classes.push(Class::of(text, parts.classes.len(), item)?);
                }
                _ => return None,
            }
        }
        let mut seen = BTreeSet::new();
        for (block, name) in file.items.iter().filter_map(block_of) {
            let number =
                names.iter().position(|class| Some(class) == name.as_ref()).filter(|number| seen.insert(*number))?;
            let place = Place { text, classes: &names, class: Some(number) };
            parts.functions.extend(parts.classes[number].methods(&place, block)?);
        }
        (parts.classes.is_empty() || !file.items.iter().any(is_clone)).then_some(parts)
    }
}

/// The module with a slot for each function, and the macro that fills them from the other crate. A slot is filled before
/// the library is known to anybody: the loader calls what stands in that section.
fn slots(functions: &[Function<'_>], classes: &[Class<'_>]) -> String {
    let (mut slots, mut puts) = (String::new(), String::new());
    let here = ["$crate", SLOTS].join("::");
    for class in classes {
        let (of_class, put) = class.slots(&here);
        slots.push_str(&of_class);
        puts.push_str(&put);
    }
    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    for (number, function) in functions.iter().enumerate() {
        let (slot, put) = function.slot(&here, number, &names);
        slots.push_str(&slot);
        puts.push_str(&put);
    }
    let of_classes = |what: &dyn Fn(usize) -> String| (0..classes.len()).map(what).collect::<String>();
    let (mut text, mut own) = (String::new(), String::new());
    if !classes.is_empty() {
        text = format!(
            "pub trait Classes {{ {} }} pub struct Opaque; impl Classes for Opaque {{ {} }}\n",
            of_classes(&|at| format!("type C{at}: ::std::marker::Send + ::std::marker::Sync + 'static; ")),
            of_classes(&|at| format!("type C{at} = (); "))
        );
        let types = of_classes(&|at| format!("type C{at} = super::{}; ", names[at]));
        own = format!("#[allow(dead_code)] struct Text; impl {here}::Classes for Text {{ {types} }} ");
    }
    format!(
        "#[doc(hidden)] pub mod {SLOTS} {{ use super::*; use ::std::sync::atomic::{{AtomicPtr, Ordering::Relaxed}};\n\
         type Slot = AtomicPtr<()>; const fn empty() -> Slot {{ AtomicPtr::new(::std::ptr::null_mut()) }}\n{text}{slots}}}\n\
         #[doc(hidden)] #[macro_export] macro_rules! {FILL} {{ () => {{ mod {SLOTS} {{ {own}\
         extern \"C\" fn fill() {{ {puts}}} \
         #[used] #[unsafe(link_section = \".init_array\")] static FILL: extern \"C\" fn() = fill; }} }} }}\n"
    )
}

/// Writes a space over each letter of some ranges.
fn blanked(text: &str, ranges: Vec<Range<usize>>) -> String {
    let is_in = |at: usize| ranges.iter().any(|range| range.contains(&at));
    let blank = |(at, letter): (usize, char)| if !letter.is_ascii_control() && is_in(at) { ' ' } else { letter };
    text.char_indices().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halved(text: &str) -> Option<Halves> {
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: text.into(), manifest: None };
        let manifest = Manifest::of_kernel(&source.path, text).unwrap();
        halves(&source, text, &syn::parse_file(text).unwrap(), &manifest, Making { fast: true, apart: false })
    }

    /// What of a function with this signature stands in the glue, without what PyO3 is told of it.
    fn check(text: &str, expected: Option<&str>) {
        let made = halved(text);
        let shown = made.as_ref().map(|made| {
            syn::parse_file(&made.glue.text).unwrap();
            syn::parse_file(&format!("{}\n{}", made.text, made.below)).unwrap();
            assert_eq!(made.text.chars().count(), text.chars().count());
            let glue = made.glue.text.split("use ::pyo3::prelude::*;\n").nth(1).unwrap();
            let uses = glue.split("#[doc(hidden)]").next().unwrap();
            let function = glue.rsplit_once("static FILL: extern \"C\" fn() = fill; } } }\n").unwrap().1;
            format!("{uses}{}", function.split(" { __rsimport_text::get").next().unwrap())
        });
        assert_eq!(shown.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_function_is_in_the_glue_with_all_that_pyo3_looks_at() {
        check("#[pyfunction] fn f(n: u8) {}", Some("#[::pyo3::pyfunction] fn f(n: u8, ) "));
        check(
            "/// Text.\n#[pyo3::pyfunction(name = \"g\")] #[inline] pub fn f(mut n: u8) -> PyResult<()> { Ok(()) }",
            Some("#[doc = \" Text.\"] #[::pyo3::pyfunction(name = \"g\")] fn f(n: u8, ) -> PyResult<()>"),
        );
        check(
            "#[pyfunction] #[pyo3(signature = (a, *, b = -1, **c))] fn f<'py>(a: &str, b: i8, c: Option<Bound<'py, PyAny>>) {}",
            Some(
                "#[::pyo3::pyfunction] #[pyo3(signature = (a, *, b = -1, **c))] \
                 fn f<'py>(a: &str, b: i8, c: Option<Bound<'py, PyAny>>, ) ",
            ),
        );
        check(
            "use pyo3::types::{PyDict, PyList as L};\n#[pyfunction] fn f(l: &Bound<'_, L>, d: ::std::vec::Vec<[u8; 3]>) {}",
            Some(
                "use ::pyo3::types::PyList as L;\n\
                 #[::pyo3::pyfunction] fn f(l: &Bound<'_, L>, d: ::std::vec::Vec<[u8; 3]>, ) ",
            ),
        );
    }

    #[test]
    fn halves_that_are_compiled_apart_have_the_same_types_and_no_classes() {
        let apart = |text: &str| {
            let (path, base) = ("/k/a.rs".into(), "/k".into());
            let source = Source { path, base, module: "a".into(), text: text.into(), manifest: None };
            let manifest = Manifest::of_kernel(&source.path, text).unwrap();
            halves(&source, text, &syn::parse_file(text).unwrap(), &manifest, Making { fast: true, apart: true })
        };
        let text =
            "use pyo3::types::PyList as L;\n#[pyfunction] fn f<'py>(l: &Bound<'py, L>) -> PyResult<u8> { Ok(1) }\n";
        let made = apart(text).unwrap();
        let user = format!("{}\n{}", made.text, made.below);
        for half in [&made.glue.text, &user] {
            syn::parse_file(half).unwrap();
            assert!(half.contains("pub type F0 = for<'py> fn(&Bound<'py, L>, ) -> PyResult<u8>;"), "{half}");
            assert!(half.contains("use ::pyo3::types::PyList as L;"), "{half}");
        }
        assert!(made.glue.is_apart && user.contains("\"PyInit_a\"") && !user.contains(CRATE));
        assert_eq!(apart("#[pyclass] struct C;"), None);
    }

    #[test]
    fn only_what_a_function_is_called_by_is_in_the_glue() {
        let glue = |text: &str| halved(text).unwrap().glue.text;
        let text = "//! Doc.\nuse std::fmt;\nconst N: u8 = 1;\n#[pyfunction]\nfn f(n: u8) -> u8 { n + N }\n";
        for (old, new) in [("n + N", "n + 2 * N"), ("= 1", "= 2"), ("std::fmt", "std::io"), ("N: u8", "\nN: u8")] {
            assert_eq!(glue(text), glue(&text.replace(old, new)), "{new}");
        }
        for (old, new) in [("Doc", "Text"), ("n: u8)", "m: u8)"), ("-> u8", "-> u16"), ("fn f", "/// F\nfn f")] {
            assert_ne!(glue(text), glue(&text.replace(old, new)), "{new}");
        }
    }

    #[test]
    fn what_only_the_compiler_knows_stays_in_one_piece() {
        for text in [
            "#[pyfunction] async fn f() {}",
            "#[pyfunction] fn f(x: impl Into<u8>) {}",
            "#[pyfunction] fn f<T>(x: T) {}",
            "#[pyfunction] fn f<'a: 'b, 'b>(x: &'a str, y: &'b str) {}",
            "#[pyfunction] fn f(#[pyo3(from_py_with = g)] x: u8) {}",
            "#[pyfunction] fn f((x, y): (u8, u8)) {}",
            "#[pyfunction] #[pyo3(signature = (n = LIMIT))] fn f(n: u8) {}",
            "#[pyfunction(signature = (n = f64::NAN))] fn f(n: f64) {}",
            "#[pyfunction] #[pyo3(warn(message = \"old\"))] fn f(n: u8) {}",
            "#[pyfunction] #[track_caller] fn f(n: u8) {}",
            "#[cfg(unix)] #[pyfunction] fn f(n: u8) {}",
            "#[pyfunction] #[cfg_attr(unix, cold)] fn f(n: u8) {}",
            "#[pyfunction] #[doc = include_str!(\"f.md\")] fn f(n: u8) {}",
            "struct S; #[pyfunction] fn f(n: S) {}",
            "struct Vec<T>(T); #[pyfunction] fn f(n: Vec<u8>) {}",
            "type R = PyResult<u8>; #[pyfunction] fn f() -> R { Ok(1) }",
            "mod m { pub struct S; } use m::S; #[pyfunction] fn f(n: S) {}",
            "mod m { pub struct S; } use m::*; #[pyfunction] fn f(n: S) {}",
            "use unknown::S; #[pyfunction] fn f(n: S) {}",
            "#[cfg(unix)] use std::ffi::CString; #[pyfunction] fn f(n: CString) {}",
            "extern crate alloc; #[pyfunction] fn f(n: u8) {}",
            "#[pyfunction] fn f(n: Missing) {}",
            "#[pyfunction] fn f(n: [u8; N]) {}",
            "#[pyfunction] fn f(n: <u8 as T>::S) {}",
            "#[pymodule] mod a { #[pymodule_export] use super::f; } #[pyfunction] fn f() {}",
            "mod m { #[pyfunction] pub fn f() {} }",
            "macro_rules! m { ($n:ident) => { #[pyfunction] fn $n() {} } } m!(f);",
            "unknown!(); #[pyfunction] fn f() {}",
            "#![feature(x)] #[pyfunction] fn f() {}",
            "#![forbid(unsafe_code)] #[pyfunction] fn f() {}",
            "use pyo3::pyfunction as export; #[export] fn f() {}",
            "//! ```cargo\n//! [dependencies]\n//! pyo3 = '0.26'\n//! ```\n#[pyfunction] fn f() {}",
        ] {
            assert_eq!(halved(text), None, "{text}");
        }
    }

    #[test]
    fn a_class_is_in_the_glue_unless_something_about_it_is_only_known_to_the_compiler() {
        let known = |text: &str| {
            let made = halved(text);
            let glue = made.as_ref().map(|made| syn::parse_file(&made.glue.text).unwrap());
            assert_eq!(glue.is_some(), made.is_some_and(|made| made.glue.has_classes));
            glue.is_some()
        };
        for (class, method) in [
            ("#[pyclass] struct C;", ""),
            ("#[pyclass(name = \"D\", frozen, get_all)] pub struct C { /** Doc. */ a: u8, r#b: Vec<f64> }", "&self"),
            ("#[pyclass] struct C { #[pyo3(get, set, name = \"z\")] a: u8, b: Own } struct Own;", "&mut self, by: &C"),
            ("#[pyclass(skip_from_py_object)] #[derive(Clone)] struct C(Own); struct Own;", "&self, by: &Self) -> (u8"),
        ] {
            assert!(known(&format!("{class} #[pymethods] impl C {{ fn f({method}) {{}} }}")), "{class} {method}");
        }
        for text in [
            "#[pyclass] enum C { A }",
            "#[pyclass] #[derive(Clone)] struct C;",
            "#[pyclass] struct C; impl Clone for C { fn clone(&self) -> C { C } }",
            "#[pyclass(extends = PyDict)] struct C;",
            "#[pyclass(unsendable)] struct C;",
            "#[pyclass(eq)] #[derive(PartialEq)] struct C;",
            "#[pyclass] #[repr(packed)] struct C { #[pyo3(get)] a: u64 }",
            "#[pyclass] struct C { #[pyo3(set)] a: u64 }",
            "#[pyclass] struct C { #[pyo3(get)] a: Py<PyAny> }",
            "#[pyclass] struct C { #[pyo3(get)] a: Own } struct Own;",
            "#[pyclass] struct C; #[pymethods] impl C { #[classattr] const A: u8 = 1; }",
            "#[pyclass] struct C; #[pymethods] impl C { fn f(slf: PyRef<'_, Self>) {} }",
            "#[pyclass] struct C; #[pymethods] impl C { fn f(&self, by: Option<&C>) {} }",
            "#[pyclass] struct C; #[pymethods] impl C { fn f(&self) -> Vec<C> { vec![] } }",
            "#[pyclass] struct C; #[pymethods] impl C { fn f() -> PyResult<Option<Self>> { Ok(None) } }",
            "#[pyclass] struct C; #[pymethods] impl C { #[pyo3(name = N)] fn f() {} }",
            "#[pyclass] struct C; #[pymethods] impl C { made!(); }",
            "#[pyclass] struct C; #[pymethods] impl C {} #[pymethods] impl C {}",
            "#[pyclass] struct C; mod m { #[pyclass] pub struct D; }",
            "#[pyclass] struct C; #[pyfunction] fn f(c: C) {}",
        ] {
            assert!(!known(text), "{text}");
        }
    }

    #[test]
    fn attributes_go_and_every_place_stays() {
        let text = "#[pyfunction(\n  name = \"gü\")]\n/// Text.\nfn f() { panic!() }\n";
        assert_eq!(halved(text).unwrap().text, "             \n               \n/// Text.\nfn f() { panic!() }\n");
    }
}
