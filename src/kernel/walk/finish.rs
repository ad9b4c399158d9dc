//! The end of the walk: which way leads from the root to what was found, and what is hidden from Python, and why.

use std::ops::Range;
use std::path::PathBuf;

use crate::kernel::roles::Role;
use crate::kernel::surface::{Hidden, Kind, Shown, Spot, Surface};
use crate::kernel::walk::{Offered, Walk, plain_text};

impl Walk {
    pub(super) fn finished(mut self) -> Surface {
        self.surface.preludes = self.uses.preludes();
        self.find_ways();
        self.one_of_each_name();
        for (role, name, at, place) in &self.mentioned {
            let is_inside =
                |(file, range, _): &&(PathBuf, Range<usize>, Option<String>)| *file == place.file && range.contains(at);
            let settled = self.settled.iter().find(is_inside);
            let is_in = |(range, _, spot): &(Range<usize>, String, Spot)| spot.file == place.file && range.contains(at);
            let call = match settled {
                // What a macro has in its definition is missed where a call of it could not be expanded.
                Some((.., None)) => None,
                Some((.., Some(defined))) => {
                    self.unknown.iter().find(|unknown| &unknown.1 == defined || is_in(unknown))
                }
                None => self.unknown.iter().find(|unknown| is_in(unknown)),
            };
            if self.met.contains(&(place.file.clone(), *at)) || settled.is_some() && call.is_none() {
                continue;
            }
            if *role == Role::Module {
                self.surface.has_unknown_module = true;
                continue;
            }
            // A class may be made for no more than a function's own use.
            let is_own = *role == Role::Class && call.is_none();
            if is_own || name.as_ref().is_some_and(|name| self.wrapped.contains(name)) {
                continue;
            }
            let attribute = format!("#[{}]", role.attribute());
            let what = name.as_ref().map_or_else(|| format!("a {attribute}"), |name| format!("{attribute} `{name}`"));
            let own = "a #[pymodule] of your own can name it".to_owned();
            let (why, help, place) = match call {
                Some((_, name, spot)) => (format!("`{name}!` makes it, and what that makes is not known"), own, spot),
                None => {
                    ("it stands inside of another item".to_owned(), "move it to the root of the file".to_owned(), place)
                }
            };
            self.surface.hidden.push(Hidden { what, why, help, place: place.clone() });
        }
        self.surface
    }

    /// Finds the path from the root to whatever has a role.
    fn find_ways(&mut self) {
        for Offered { mut shown, module, closed } in std::mem::take(&mut self.offered) {
            if shown.kind == Kind::Class {
                let is_forgotten =
                    |(of, class, ..): &&(Vec<String>, String, String, Spot)| *of == module && *class == shown.path;
                if let Some((_, class, name, place)) = self.forgotten.iter().find(is_forgotten) {
                    let (what, why) = (format!("method `{class}.{name}`"), "its `impl` has no #[pymethods]".to_owned());
                    let help = format!("write #[pymethods] above `impl {class}`");
                    self.surface.hidden.push(Hidden { what, why, help, place: place.clone() });
                }
                let of_it = self.methods.iter().filter(|(of, class, _)| *of == module && *class == shown.path);
                shown.methods = of_it.flat_map(|(.., methods)| methods.clone()).collect();
                let has = |attribute: &str| {
                    shown
                        .methods
                        .iter()
                        .any(|method| method.attributes.iter().any(|own| own.path().is_ident(attribute)))
                };
                if shown.methods.iter().any(|method| method.name == "__init__") && !has("new") {
                    let what = format!("a constructor of `{}`", shown.name);
                    let why = "`__init__` makes no object, and there is no #[new]".to_owned();
                    let help = "write #[new] above a function that returns `Self`, in place of `__init__`".to_owned();
                    self.surface.hidden.push(Hidden { what, why, help, place: shown.place.clone() });
                }
            }
            let name = plain_text(&shown.path).to_owned();
            let own = || module.iter().cloned().chain([name.clone()]).collect::<Vec<_>>();
            let way = self.uses.way_to(&module, &name, closed.is_some()).filter(|_| !module.is_empty());
            match (way, closed) {
                (None, Some((why, help))) => {
                    let is_wrapped = shown.kind == Kind::Function && self.wrapped.contains(&name);
                    let is_test = shown.conditions.iter().any(|condition| words(condition).any(|word| word == "test"));
                    if !is_wrapped && !is_test {
                        let what = format!("{} `{name}`", shown.kind.attribute());
                        self.surface.hidden.push(Hidden { what, why, help, place: shown.place });
                    }
                }
                (way, _) => {
                    let mut way = way.unwrap_or_else(own);
                    way.pop();
                    shown.path = way.iter().map(|part| format!("{part}::")).collect::<String>() + &shown.path;
                    self.surface.shown.push(shown);
                }
            }
        }
    }

    /// Leaves the first of what would have the same name in Python, the root's own before that of modules.
    fn one_of_each_name(&mut self) {
        let mut shown: Vec<Shown> = std::mem::take(&mut self.surface.shown);
        shown.sort_by_key(|shown| shown.path.contains("::"));
        for new in shown {
            let is_same = |old: &&Shown| {
                old.name == new.name && old.path != new.path && old.conditions.is_empty() && new.conditions.is_empty()
            };
            match self.surface.shown.iter().find(is_same) {
                None => self.surface.shown.push(new),
                Some(old) => self.surface.hidden.push(Hidden {
                    what: format!("{} `{}`", new.kind.attribute(), new.path),
                    why: format!("`{}` has the same name in Python", old.path),
                    help: format!(
                        "give it another one: #[pyo3(name = \"{}\")]",
                        new.path.replace("::", "_").replace("r#", "")
                    ),
                    place: new.place,
                }),
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}
