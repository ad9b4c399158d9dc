//! What of a kernel is meant for Python.

use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;

use syn::{Attribute, Signature};

/// What of a kernel is meant for Python.
#[derive(Default)]
pub struct Surface {
    /// Its `#[pymodule]`s, and functions `PyInit_NAME` that were written by hand.
    pub modules: Vec<Module>,
    /// What a generated module can show, in the order of the text, the root's own first.
    pub shown: Vec<Shown>,
    /// What it cannot show.
    pub hidden: Vec<Hidden>,
    /// The conditions of each import of PyO3's prelude into the root.
    pub preludes: Vec<Vec<String>>,
    /// May there be more, which only the compiler knows?
    pub is_open: bool,
    /// Is there a `#[pymodule]` which only the compiler knows?
    pub has_unknown_module: bool,
    /// May it keep Python's objects beyond a call?
    pub keeps_objects: bool,
}

/// A Python module that the kernel declares itself.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its name in Python.
    pub name: String,
    /// Where it stands.
    pub place: Spot,
    /// Is it a function `PyInit_NAME`, without PyO3?
    pub is_raw: bool,
}

/// A place in the user's files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spot {
    /// The file.
    pub file: PathBuf,
    /// 1-based.
    pub line: usize,
    /// 1-based.
    pub column: usize,
}

/// What is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `#[pyfunction]`
    Function,
    /// A `#[pyclass]`
    Class,
    /// What `create_exception!` makes.
    Exception,
    /// A `#[pymodule]` that is only a submodule.
    Submodule,
}

/// Something that a generated module shows.
#[derive(Clone)]
pub struct Shown {
    /// What it is.
    pub kind: Kind,
    /// Its path from the root, as `inner::f`.
    pub path: String,
    /// Its name in Python.
    pub name: String,
    /// The `cfg` predicates under which it is there.
    pub conditions: Vec<String>,
    /// Of a function, its attributes and signature.
    pub function: Option<Box<(Vec<Attribute>, Signature)>>,
    /// Of a class, its methods.
    pub methods: Vec<Method>,
    /// The types that its module calls otherwise than the language does.
    pub types: Rc<HashSet<String>>,
    /// Where it stands.
    pub place: Spot,
}

/// A method, or what else a class has that is written as one.
#[derive(Clone)]
pub struct Method {
    /// Its name in Python.
    pub name: String,
    /// The `cfg` predicates under which its class has it.
    pub conditions: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// Its signature.
    pub signature: Signature,
}

/// Something that no generated module can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// What it is, as `#[pyfunction] area`.
    pub what: String,
    /// Why it cannot be shown.
    pub why: String,
    /// The way out.
    pub help: String,
    /// Where it stands.
    pub place: Spot,
}

impl Kind {
    /// How it is written.
    pub fn attribute(self) -> &'static str {
        match self {
            Kind::Function => "#[pyfunction]",
            Kind::Class => "#[pyclass]",
            Kind::Exception => "create_exception!",
            Kind::Submodule => "#[pymodule]",
        }
    }
}
