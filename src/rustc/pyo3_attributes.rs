//! Attributes of PyO3's that stand in the wrong place, are misspelt, or are given what they do not take.

use crate::rustc::symptom::Case;
use crate::similar::similar;

/// Where defaults are written.
pub const SIGNATURE: &str = "defaults stand below #[pyfunction]: #[pyo3(signature = (a, b=1))]";
/// How the functions of a class are written.
pub const FUNCTION: &str = "#[pymethods] above the `impl` exposes its functions, and #[new] marks the constructor, which takes no `self`: fn new(x: f64) -> Self";

/// An attribute that nothing declares.
pub fn attribute(case: &Case<'_>) -> Option<String> {
    let of_items = ["pyfunction", "pyclass", "pymethods", "pymodule"];
    let of_methods = ["new", "staticmethod", "classmethod", "classattr"];
    let of_modules = ["pymodule_export", "pymodule_init"];
    let name = case.found[0];
    if of_items.contains(&name) {
        if let Some(module) = module_around(case) {
            return Some(format!("`use pyo3::prelude::*;` in `mod {module}` makes it known there"));
        }
        return Some("`use pyo3::prelude::*;` at the head of the file makes it known".to_owned());
    }
    if of_methods.contains(&name) {
        return Some(format!("write #[pymethods] above the `impl`: #[{name}] is for what stands in it"));
    }
    if of_modules.contains(&name) {
        return Some(format!("#[{name}] stands in a module: #[pymodule] mod NAME {{ ... }}"));
    }
    if name == "property" {
        return Some(
            "#[getter] above a function makes a property of it, #[setter] above `fn set_NAME` lets it be set"
                .to_owned(),
        );
    }
    if name == "pyo3" {
        return Some("#[pyo3(...)] needs #[pyfunction], #[pyclass], #[pymethods] or #[pymodule] above it".to_owned());
    }
    let known = of_items.into_iter().chain(["pyo3"]).chain(of_methods).chain(of_modules);
    similar(name, known).map(|meant| format!("did you mean #[{meant}]?"))
}

/// The module written out around a line.
fn module_around<'a>(case: &Case<'a>) -> Option<&'a str> {
    let lines: Vec<&str> = case.source.text.lines().collect();
    let at = lines.iter().position(|line| *line == case.line)?;
    let mut open = Vec::new();
    for line in &lines[..at] {
        let name = line.split_once("mod ").and_then(|(_, rest)| rest.split_once('{')).map(|(name, _)| name.trim());
        for letter in line.chars() {
            match letter {
                '{' => open.push(name),
                '}' => drop(open.pop()),
                _ => {}
            }
        }
    }
    open.into_iter().flatten().next_back()
}

/// What an attribute does not take: a slip of the finger, or a default as PyO3 once had them.
pub fn option(case: &Case<'_>) -> Option<String> {
    let (_, listed) = case.text.split_once("expected one of: ")?;
    let known: Vec<&str> = listed.lines().next()?.split('`').skip(1).step_by(2).collect();
    let inside = case.line.split_once('(').map_or("", |(_, rest)| rest);
    let words = inside.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let meant = words.filter(|word| !known.contains(word)).find_map(|word| similar(word, known.iter().copied()));
    let of_function = known.contains(&"pass_module");
    meant.map(|meant| format!("did you mean `{meant}`?")).or_else(|| of_function.then(|| SIGNATURE.to_owned()))
}

/// A function in quotes, as PyO3 once had them, or a name without.
pub fn quoted(case: &Case<'_>) -> Option<String> {
    if case.line.contains("signature") && case.line.contains(": ") {
        return Some("names and defaults alone stand in a signature: #[pyo3(signature = (a, b=1))]; the types stand in the function".to_owned());
    }
    let (_, function) = case.line.split_once("from_py_with")?.1.split_once('"')?;
    let name = function.split('"').next()?;
    Some(format!("a function is named without quotes: from_py_with = {name}"))
}

/// `self` where it cannot be.
pub fn receiver(case: &Case<'_>) -> Option<String> {
    let lines: Vec<&str> = case.source.text.lines().collect();
    let at = lines.iter().position(|line| *line == case.line)?;
    let near = lines[at.saturating_sub(2)..=at].join("\n");
    Some(match near.contains("#[staticmethod]") || near.contains("#[classmethod]") {
        true => "it belongs to the class, and no object is given to it: leave `self` away, or #[staticmethod] or #[classmethod]".to_owned(),
        false => FUNCTION.to_owned(),
    })
}

/// What a constructor returns where the class has a base.
pub fn base_class(case: &Case<'_>) -> Option<String> {
    let class = case.found[0];
    let (before, _) = case.source.text.split_once(&format!("struct {class}"))?;
    let attribute = &before[before.rfind("pyclass")?..];
    let base = attribute.split_once("extends")?.1.trim_start_matches([' ', '=']);
    let base = base.split([',', ')', ' ']).next()?;
    Some(format!(
        "the object of the base class has to be made too: return `PyClassInitializer<Self>`, by \
         `PyClassInitializer::from({base} {{ ... }}).add_subclass({class} {{ ... }})`"
    ))
}
