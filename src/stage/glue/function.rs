//! A function or method for Python, as far as the glue has to know it.

use std::collections::BTreeSet;
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Meta, Pat, PathArguments, ReceiverKind, ReturnType, Signature,
    Type,
};

use crate::stage::glue::SLOTS;
use crate::stage::glue::attributes::{OF_FUNCTIONS, are_known, documentation, is_one_of};
use crate::stage::glue::names::named_by;

/// Attributes with which a method says what it is for Python.
const OF_METHODS: [&str; 5] = ["classmethod", "getter", "new", "setter", "staticmethod"];
/// What may be around an own class in what a function returns.
const AROUND: [&str; 3] = ["Option", "PyResult", "Result"];
/// A lifetime for what a method borrows of its object.
const OBJECT: &str = "'__rsimport_object";

/// Where a function stands.
pub struct Place<'a, 'b> {
    /// The kernel's text.
    pub text: &'a str,
    /// The names of its classes, which stand for their numbers.
    pub classes: &'b [String],
    /// The class that it is a method of.
    pub class: Option<usize>,
}

/// A function for Python.
pub struct Function<'a> {
    /// Its name.
    pub name: String,
    /// The class that it is a method of.
    pub class: Option<usize>,
    /// Does it take its object, and may it change it?
    receiver: Option<bool>,
    /// Its documentation, and its attributes of PyO3's.
    attributes: String,
    arguments: Vec<Argument<'a>>,
    generics: &'a str,
    output: Output,
    /// Where its attributes of PyO3's stand.
    pub blanks: Vec<Range<usize>>,
    /// The attribute that it has by a name that the kernel has imported.
    pub imported: Option<&'static str>,
    /// The names with which the types of its signature begin.
    pub needed: BTreeSet<String>,
}

struct Argument<'a> {
    name: String,
    /// Its type as it is written.
    written: &'a str,
    /// Its type with the user's own classes as parameters.
    typed: String,
    /// Is it an object of an own class, and may that be changed?
    own: Option<bool>,
}

/// What it returns.
#[derive(Default)]
struct Output {
    written: String,
    /// With the user's own classes as parameters.
    typed: String,
    /// The same class of the glue's.
    ours: String,
    /// The class that it makes an object of, and whether something is around that.
    makes: Option<(usize, bool)>,
}

impl<'a> Function<'a> {
    /// Reads a function; `None` where something about it is not known.
    pub fn of(place: &Place<'a, '_>, attributes: &[Attribute], signature: &Signature) -> Option<Function<'a>> {
        let is_plain = signature.constness.is_none()
            && signature.asyncness.is_none()
            && matches!(signature.safety, syn::Safety::Default)
            && signature.abi.is_none()
            && signature.variadic.is_none()
            && signature.generics.where_clause.is_none()
            && signature
                .generics
                .params
                .iter()
                .all(|of| matches!(of, GenericParam::Lifetime(of) if of.attrs.is_empty() && of.bounds.is_empty()));
        let mut function = Function {
            name: signature.ident.to_string(),
            class: place.class,
            receiver: None,
            attributes: String::new(),
            arguments: Vec::new(),
            generics: match (&signature.generics.lt_token, &signature.generics.gt_token) {
                (Some(from), Some(to)) => &place.text[from.span.byte_range().start..to.span.byte_range().end],
                _ => "",
            },
            output: Output::default(),
            blanks: Vec::new(),
            imported: None,
            needed: BTreeSet::new(),
        };
        for argument in &signature.inputs {
            function.take(place, argument)?;
        }
        if let ReturnType::Type(_, output) = &signature.output {
            function.output = Output::of(place, output, &mut function.needed)?;
        }
        attributes.iter().try_for_each(|attribute| function.add(place.text, attribute))?;
        is_plain.then_some(function)
    }

    fn take(&mut self, place: &Place<'a, '_>, argument: &FnArg) -> Option<()> {
        match argument {
            FnArg::Receiver(receiver) => match &receiver.kind {
                ReceiverKind::Reference(_, None, mutability) if receiver.attrs.is_empty() && place.class.is_some() => {
                    self.receiver = Some(mutability.is_some());
                }
                _ => return None,
            },
            FnArg::Typed(typed) => {
                let Pat::Ident(name) = &*typed.pat else { return None };
                let is_plain = name.attrs.is_empty() && name.by_ref.is_none() && name.subpat.is_none();
                let written = &place.text[typed.ty.span().byte_range()];
                let own = match &*typed.ty {
                    Type::Reference(to) => place.own(&to.elem).map(|class| (class, to)),
                    _ => None,
                };
                let (typed_as, own) = match own {
                    Some((class, to)) => {
                        let parameter = replaced(place.text, typed.ty.span(), to.elem.span(), &parameter(class));
                        (parameter, Some(to.mutability.is_some()))
                    }
                    None => {
                        named_by(&typed.ty, &mut self.needed)?;
                        (written.to_owned(), None)
                    }
                };
                let is_plain = is_plain && typed.attrs.is_empty();
                let name = name.ident.to_string();
                self.arguments.push(Argument { name: is_plain.then_some(name)?, written, typed: typed_as, own });
            }
        }
        Some(())
    }

    /// Takes an attribute; `None` for one that may say anything.
    fn add(&mut self, text: &str, attribute: &Attribute) -> Option<()> {
        if let Some(said) = documentation(attribute) {
            self.attributes.push_str(&format!("#[doc = {said:?}] "));
            return Some(());
        }
        if is_one_of(attribute, &OF_FUNCTIONS) {
            return Some(());
        }
        let options = match &attribute.meta {
            Meta::Path(_) => "",
            Meta::List(list) => &text[list.delimiter.span().join().byte_range()],
            _ => return None,
        };
        let are_known = match &attribute.meta {
            Meta::List(list) => are_known(list.tokens.clone()),
            _ => true,
        };
        // `getter(name)`
        let is_name = options.trim_matches(['(', ')']).chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        let (path, is_method) = (attribute.path(), self.class.is_some());
        let is_alone = path.get_ident().is_some();
        let name = path.segments.last()?.ident.to_string();
        let name = match name.as_str() {
            "pyfunction" if are_known && !is_method => "::pyo3::pyfunction",
            "pyo3" if are_known && is_alone => "pyo3",
            name if is_method && is_alone && (options.is_empty() || is_name) => {
                OF_METHODS.into_iter().find(|known| *known == name)?
            }
            _ => return None,
        };
        if is_alone && name == "::pyo3::pyfunction" {
            self.imported = Some("pyfunction");
        }
        self.attributes.push_str(&format!("#[{name}{options}] "));
        self.blanks.push(whole(attribute));
        Some(())
    }

    /// The function that PyO3 sees.
    pub fn in_glue(&self, number: usize) -> String {
        let Function { name, receiver, attributes, arguments, generics, output, .. } = self;
        let typed = arguments.iter().map(|argument| format!("{}: {}, ", argument.name, argument.written));
        let values = arguments.iter().map(|argument| match argument.own {
            Some(is_changed) => format!("{}, ", value_of(&argument.name, is_changed)),
            None => format!("{}, ", argument.name),
        });
        let object = receiver.map(|is_changed| (if is_changed { "&mut self, " } else { "&self, " }).to_owned());
        let typed: String = object.into_iter().chain(typed).collect();
        let value = receiver.map(|is_changed| format!("{}, ", value_of("self", is_changed)));
        let values: String = value.into_iter().chain(values).collect();
        let written = &output.written;
        format!("{attributes}fn {name}{generics}({typed}) {written} {{ {SLOTS}::get_{number}()({values}) }}\n")
    }

    /// The type of the user's function, where he has no classes.
    pub fn pointer(&self) -> String {
        self.types().0
    }

    /// The type of the user's function, with his classes as parameters, and that of what is called in its place.
    fn types(&self) -> (String, String) {
        let Function { receiver, arguments, generics, output, class, .. } = self;
        let mut bound = generics.trim_start_matches('<').trim_end_matches('>').to_owned();
        let object = receiver.map(|is_changed| {
            bound = if bound.is_empty() { OBJECT.to_owned() } else { format!("{OBJECT}, {bound}") };
            let changed = if is_changed { "mut " } else { "" };
            format!("&{OBJECT} {changed}{}, ", parameter(class.unwrap_or_default()))
        });
        let types: String =
            object.into_iter().chain(arguments.iter().map(|argument| format!("{}, ", argument.typed))).collect();
        let bound = if bound.is_empty() { bound } else { format!("for<{bound}> ") };
        let of = |output: &str| {
            let output = if receiver.is_some() { borrowed(output) } else { output.to_owned() };
            format!("{bound}fn({types}) {output}")
        };
        (of(&output.typed), of(&output.ours))
    }

    /// Its slot, and what fills that from the user's half.
    pub fn slot(&self, here: &str, number: usize, classes: &[String]) -> (String, String) {
        let Function { name, class, receiver, arguments, output, .. } = self;
        let (typed, ours) = self.types();
        let path = class.map_or_else(|| format!("super::{name}"), |class| format!("super::{}::{name}", classes[class]));
        let takes_own = receiver.is_some() || arguments.iter().any(|argument| argument.own.is_some());
        let (of, made_of) =
            (if takes_own || output.makes.is_some() { "<T>" } else { "" }, if takes_own { "<T>" } else { "" });
        let bound = if of.is_empty() { "" } else { "<T: Classes>" };
        let kept = if takes_own { "<Opaque>" } else { "" };
        let (mut slot, mut put) =
            (format!("static SLOT_{number}: Slot = empty(); pub type F{number}{of} = {typed};\n"), path.clone());
        let (mut form, mut takes) = ("F", format!("f: F{number}{of}"));
        if let Some((made, is_around)) = output.makes {
            let count = arguments.len() + usize::from(receiver.is_some());
            let values: String = (0..count).map(|at| format!("a{at}, ")).collect();
            let of_user = format!("{here}::of_{made}::<Text>");
            let made = if is_around {
                format!("{path}({values}).map({of_user})")
            } else {
                format!("{of_user}({path}({values}))")
            };
            slot.push_str(&format!("pub type M{number}{made_of} = {ours};\n"));
            (form, takes, put) =
                ("M", format!("_: F{number}{of}, f: M{number}{made_of}"), format!("{path}, |{values}| {made}"));
        }
        // SAFETY: (of the text that is written) a slot holds null, or what was a function of this type, but for the classes
        // that it borrows; a reference to any of them is one to `()` for who calls it.
        slot.push_str(&format!(
            "pub fn put_{number}{bound}({takes}) {{ SLOT_{number}.store(f as *mut (), Relaxed) }}\n\
             #[inline(always)] pub fn get_{number}() -> {form}{number}{kept} {{ \
             unsafe {{ ::std::mem::transmute::<*mut (), ::std::option::Option<{form}{number}{kept}>>(SLOT_{number}.load(Relaxed)) }}\
             .expect(\"the loader has filled it\") }}\n"
        ));
        let turbofish = if of.is_empty() { "" } else { "::<Text>" };
        let mut puts = format!("{here}::put_{number}{turbofish}({put}); ");
        if let Some(imported) = self.imported {
            puts.push_str(&format!("use super::{imported} as _imported_{number}; "));
        }
        (slot, puts)
    }
}

impl Place<'_, '_> {
    /// The number of an own class that a type is.
    fn own(&self, of: &Type) -> Option<usize> {
        let Type::Path(path) = of else { return None };
        let name = path.path.get_ident().filter(|_| path.qself.is_none())?;
        if name == "Self" {
            return self.class;
        }
        self.classes.iter().position(|class| name == class)
    }
}

impl Output {
    fn of(place: &Place<'_, '_>, output: &Type, needed: &mut BTreeSet<String>) -> Option<Output> {
        let written = place.text[output.span().byte_range()].to_owned();
        let with = |own: &Type, class: usize, is_around: bool| Output {
            written: format!("-> {written}"),
            typed: format!("-> {}", replaced(place.text, output.span(), own.span(), &parameter(class))),
            ours: format!("-> {}", replaced(place.text, output.span(), own.span(), &place.classes[class])),
            makes: Some((class, is_around)),
        };
        if let Some(class) = place.own(output) {
            return Some(with(output, class, false));
        }
        if let Type::Path(path) = output
            && let Some(segment) = path.path.segments.first().filter(|_| path.path.segments.len() == 1)
            && let PathArguments::AngleBracketed(of) = &segment.arguments
            && let Some(GenericArgument::Type(own)) = of.args.first()
            && let Some(class) = place.own(own)
        {
            let is_known = AROUND.iter().any(|known| segment.ident == known);
            needed.insert(segment.ident.to_string());
            for argument in of.args.iter().skip(1) {
                let GenericArgument::Type(of) = argument else { return None };
                named_by(of, needed)?;
            }
            return is_known.then(|| with(own, class, true));
        }
        named_by(output, needed)?;
        let typed = format!("-> {written}");
        Some(Output { written: typed.clone(), ours: typed.clone(), typed, makes: None })
    }
}

/// Where an attribute stands.
pub fn whole(attribute: &Attribute) -> Range<usize> {
    attribute.pound_token.span.byte_range().start..attribute.bracket_token.span.close().byte_range().end
}

/// What a class of the user's is called where it is a parameter.
fn parameter(class: usize) -> String {
    format!("<T as Classes>::C{class}")
}

/// The user's object in one of the glue's.
pub fn value_of(name: &str, is_changed: bool) -> String {
    format!("{name}.{}()", if is_changed { "__rsimport_value_mut" } else { "__rsimport_value" })
}

/// The text of something, with another text in the place of a part of it.
fn replaced(text: &str, whole: Span, part: Span, new: &str) -> String {
    let (whole, part) = (whole.byte_range(), part.byte_range());
    format!("{}{new}{}", &text[whole.start..part.start], &text[part.end..whole.end])
}

/// A type in which what is borrowed without a name is borrowed of the object.
fn borrowed(output: &str) -> String {
    let mut out = String::new();
    for (at, letter) in output.char_indices() {
        out.push(letter);
        let rest = &output[at + letter.len_utf8()..];
        if letter == '&' && !rest.trim_start().starts_with('\'') {
            out.push_str(&format!("{OBJECT} "));
        }
        if letter == '\''
            && rest.starts_with('_')
            && !rest[1..].starts_with(|of: char| of.is_alphanumeric() || of == '_')
        {
            out.push_str(&OBJECT[1..]);
        }
    }
    // `'_` became `'` and the rest of the name, before the `_` that was there.
    out.replace(&format!("{OBJECT}_"), OBJECT)
}
