//! The two ways to optimise a kernel: soon, or thoroughly.
//!
//! Incremental compilation in many pieces makes an edit fast and costs run time where a hot function calls one in another
//! piece; one piece makes the fastest code. Neither is had with the other, so the first build of a kernel is the thorough
//! one, an edit is compiled fast, and the thorough build of it follows in the background. Only where what has to be
//! compiled for an edit is little, as in a short kernel of functions, whose glue is kept, is it thorough at once.

use serde::{Deserialize, Serialize};

use crate::config::layers::Config;
use crate::kernel::source::Source;

/// What is said of a build by the flags that optimise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Incremental and in many pieces, which are not optimised across each other.
    Fast,
    /// In one piece.
    Optimized,
    /// As the user's profile says, in which nothing is changed.
    Profile,
}

/// The settings that decide how a kernel is cut into pieces: where the user has given one, it is respected.
const DECISIVE: [&str; 3] = ["codegen-units", "incremental", "lto"];

impl Tier {
    /// The tiers in which a kernel may be had, the best first; `environment` is what cargo reads of it, and `has_profile`
    /// says whether its configuration changes a profile.
    pub fn of(source: &Source, config: &Config, has_profile: bool, environment: &str) -> &'static [Tier] {
        if !is_ours(source, config, environment) || has_profile {
            return &[Tier::Profile];
        }
        match config.settings.tier.as_str() {
            // What is measured has to be the code that will be used.
            _ if config.profile.names_paths => &[Tier::Optimized],
            "optimized" => &[Tier::Optimized],
            _ => &[Tier::Optimized, Tier::Fast],
        }
    }

    /// Its name, as Python sees it.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Fast => "fast",
            Tier::Optimized => "optimized",
            Tier::Profile => "profile",
        }
    }

    /// The flags for the rustc that compiles the kernel itself. What is in pieces is not to be put together again: rustc
    /// does that by size, and an edit that makes one piece longer would change what it puts together elsewhere.
    pub fn flags(self, in_pieces: bool) -> &'static [&'static str] {
        match self {
            Tier::Fast if in_pieces => &["-Ccodegen-units=256", "-Clto=off"],
            Tier::Fast => &["-Ccodegen-units=16", "-Clto=off"],
            Tier::Optimized => &["-Ccodegen-units=1"],
            Tier::Profile => &[],
        }
    }

    /// Is a long kernel given to rustc in pieces?
    pub fn is_in_pieces(self) -> bool {
        self == Tier::Fast
    }

    /// Do incremental data make the next build of this kind faster?
    pub fn is_incremental(self) -> bool {
        self != Tier::Optimized
    }
}

/// Is it left to rsimport how the kernel is optimised?
fn is_ours(source: &Source, config: &Config, environment: &str) -> bool {
    let profiles = config.manifest.table.get("profile").and_then(toml::Value::as_table);
    let in_profile = |profile: &toml::Value| DECISIVE.iter().any(|name| profile.get(name).is_some());
    let in_flags = |flag: &String| DECISIVE.iter().any(|name| flag.contains(name));
    let environment = environment.to_lowercase().replace('_', "-");
    source.manifest.is_none()
        && config.settings.profile != "dev"
        && !profiles.is_some_and(|profiles| profiles.values().any(in_profile))
        && !config.settings.rustflags.iter().any(in_flags)
        && !DECISIVE.iter().any(|name| environment.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ancestors::Ancestors;
    use crate::config::environment::Environment;

    #[test]
    fn what_the_user_says_about_optimisation_is_left_alone() {
        let check = |block: &str, setting: (&str, toml::Value), tiers: &[Tier]| {
            let text = format!("//! ```cargo\n//! {block}\n//! ```\n");
            let source = Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text, manifest: None };
            let config = Config::of(
                &source,
                &vec![(setting.0.into(), setting.1)],
                &Environment::default(),
                &Ancestors::default(),
            )
            .unwrap();
            assert_eq!(Tier::of(&source, &config, false, ""), tiers, "{block}");
        };
        let auto = || ("tier", "auto".into());
        check("", auto(), &[Tier::Optimized, Tier::Fast]);
        check("", ("tier", "fast".into()), &[Tier::Optimized, Tier::Fast]);
        check("", ("tier", "optimized".into()), &[Tier::Optimized]);
        check("", ("profile", "dev".into()), &[Tier::Profile]);
        check("", ("rustflags", vec!["-Clto=fat"].into()), &[Tier::Profile]);
        check("", ("profile", "profiling".into()), &[Tier::Optimized]);
        check("profile.release.opt-level = 2", auto(), &[Tier::Optimized, Tier::Fast]);
        check("profile.release.lto = 'fat'", auto(), &[Tier::Profile]);
        check("profile.release.codegen-units = 2", auto(), &[Tier::Profile]);
    }
}
