//! Environment variables that look like a setting's and set nothing.

use std::sync::Mutex;

use crate::config::environment::Environment;
use crate::config::layers::declared_settings;
use crate::observer::Observer;
use crate::similar::similar;

/// What the names of the variables begin with that set a setting.
const PREFIX: &str = "RSIMPORT_";

/// A variable that no setting has, though it begins like those that settings have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelled {
    /// Its name.
    pub name: String,
    /// The variable that was meant, if one is like it.
    pub meant: Option<&'static str>,
}

impl Misspelled {
    /// Looks at the few variables that begin as ours do. Every look-up asks, since a program may set one at any time.
    pub fn of(environment: &Environment) -> Vec<Misspelled> {
        let ours = environment.iter().filter(|(name, text)| name.starts_with(PREFIX) && !text.is_empty());
        let strange = ours.filter(|(name, _)| declared_settings().iter().all(|setting| setting.variable != *name));
        strange.map(|(name, _)| Misspelled { name: name.to_owned(), meant: meant(name) }).collect()
    }

    /// Tells once in a process of those that were meant to be another one. What is like none may be somebody else's, and only
    /// `rsimport doctor` speaks of it.
    pub fn tell(found: &[Misspelled], observer: &mut dyn Observer) {
        found.iter().filter(|one| one.is_news()).for_each(|one| observer.warning(&one.text()));
    }

    /// Has nothing been said of it in this process? From now on something has.
    pub fn is_news(&self) -> bool {
        static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
        // In the child of a fork whoever has it does not exist.
        let Ok(mut told) = TOLD.try_lock() else { return false };
        let news = self.meant.is_some() && !told.contains(&self.name);
        if news {
            told.push(self.name.clone());
        }
        news
    }

    /// What is wrong with it.
    pub fn problem(&self) -> String {
        format!("environment variable {} sets nothing: rsimport has no such setting", self.name)
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self.meant {
            Some(meant) => format!("did you mean {meant}? `rsimport settings` lists all"),
            None => "`rsimport settings` lists all that there are".to_owned(),
        }
    }

    /// Both.
    pub fn text(&self) -> String {
        format!("{}\nhint: {}", self.problem(), self.hint())
    }
}

fn meant(variable: &str) -> Option<&'static str> {
    let name = variable.strip_prefix(PREFIX)?.to_lowercase();
    let found = similar(&name, declared_settings().iter().map(|setting| setting.name))?;
    declared_settings().iter().find(|setting| setting.name == found).map(|setting| setting.variable.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_nearly_a_settings_is_recognised() {
        for (name, expected) in [
            ("RSIMPORT_PROFIL", Some("RSIMPORT_PROFILE")),
            ("RSIMPORT_TARGETCPU", Some("RSIMPORT_TARGET_CPU")),
            ("RSIMPORT_RUST_FLAGS", Some("RSIMPORT_RUSTFLAGS")),
            ("RSIMPORT_CACHE", Some("RSIMPORT_CACHE_DIR")),
            // Those of tests, and of processes that rsimport starts.
            ("RSIMPORT_TEST_CACHE", None),
            ("RSIMPORT_EXPANDER", None),
            ("RSIMPORT_DRIVER", None),
            ("RSIMPORT_OUTPUT", None),
            ("RSIMPORT_RECORD", None),
        ] {
            assert_eq!(meant(name), expected, "{name}");
        }
    }

    #[test]
    fn it_is_news_once() {
        let one = Misspelled { name: "RSIMPORT_TIR".to_owned(), meant: Some("RSIMPORT_TIER") };
        assert!(one.is_news() && !one.is_news());
        assert!(!Misspelled { name: "RSIMPORT_ELSE".to_owned(), meant: None }.is_news());
    }
}
