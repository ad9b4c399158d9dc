//! The fingerprint of a kernel: named inputs, hashed for the lookup and compared for the explanation.
//!
//! The table at the head of this folder says what is in it, and what deliberately is not.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::config::environment::Environment;
use crate::config::layers::Config;
use crate::config::tier::Tier;
use crate::digest::Digest;
use crate::freshness::cargo_config::{CargoConfig, Profiles, relevant};
use crate::freshness::machine::native_cpu;
use crate::kernel::crates::PYO3;
use crate::kernel::source::Source;

/// Raised whenever an artifact of an older engine must not be used any more.
const FORMAT: &str = "9";

/// The inputs of a build that are known before it, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(Vec<(Cow<'static, str>, String)>);

impl Fingerprint {
    /// Enumerates the inputs of a kernel.
    pub fn of(
        source: &Source,
        config: &Config,
        abi: &str,
        cargo: &CargoConfig,
        environment: &Environment,
    ) -> Fingerprint {
        let settings = &config.settings;
        let profiles = Profiles::of(&config.profile.of_cargo, &config.manifest.table, cargo);
        let variables = relevant(environment, &profiles);
        let asked = |text: &str| text.contains("target-cpu=native");
        // Whoever asks for it by flags of his own gets code for this machine too.
        // A variable, even an empty one, beats the flags of cargo's configuration.
        let is_beaten = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"].iter().any(|name| environment.get(name).is_some());
        let by_config = cargo.is_native() && !is_beaten;
        let by_flags = settings.rustflags.iter().any(|flag| asked(flag)) || asked(&variables) || by_config;
        let cpu = match settings.target_cpu.as_str() {
            "native" => native_cpu().to_owned(),
            named if by_flags => format!("{named} {}", native_cpu()),
            named => named.to_owned(),
        };
        let manifest =
            source.manifest.as_ref().map_or_else(String::new, |manifest| Digest::of(manifest.text.as_bytes()));
        let mut profile = settings.profile.clone();
        if config.profile.names_paths {
            profile = format!("{profile} in {}", source.base.display());
        }
        let inputs = [
            ("rsimport", format!("{FORMAT} {PYO3}")),
            ("module name", source.module.clone()),
            ("source", Digest::of(source.text.as_bytes())),
            ("Cargo.toml", manifest),
            ("Python ABI", abi.to_owned()),
            ("profile", profile),
            ("CPU", cpu),
            ("rustflags", settings.rustflags.join(" ")),
            ("features", settings.features.join(" ")),
            ("toolchain", settings.toolchain.clone()),
            ("fast calls", settings.fast_calls.to_string()),
            ("fast macros", settings.fast_macros.to_string()),
            ("kept glue", settings.reuse_glue.to_string()),
            ("cargo environment", variables),
            ("cargo configuration", cargo.digest(&profiles, is_beaten)),
        ];
        Fingerprint(inputs.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect())
    }

    /// The key of all inputs.
    pub fn key(&self) -> String {
        let parts = self.0.iter().flat_map(|(name, value)| [name.as_ref(), value]);
        parts.fold(Digest::default(), |digest, part: &str| digest.with(part.as_bytes())).hex()
    }

    /// The key under which the artifacts of a tier are found.
    pub fn key_of(&self, tier: Tier) -> String {
        key_of(self.key(), tier)
    }

    /// The key under which the artifacts of a tier are found that say for themselves which CPUs they are for.
    pub fn portable_key_of(&self, tier: Tier) -> String {
        let any = |(name, value): &(Cow<'static, str>, String)| {
            (name.clone(), if name == "CPU" { "any".to_owned() } else { value.clone() })
        };
        Fingerprint(self.0.iter().map(any).collect()).key_of(tier)
    }

    /// The key of everything but the source: what tells one variant of a kernel from another.
    pub fn variant(&self) -> String {
        let parts = self.0.iter().filter(|(name, _)| name != "source").flat_map(|(name, value)| [name.as_ref(), value]);
        parts.fold(Digest::default(), |digest, part: &str| digest.with(part.as_bytes())).hex()
    }

    /// All inputs by name.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    /// The value of an input.
    pub fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Says in words what differs from an older fingerprint of the same kernel; empty where nothing does.
    pub fn difference(&self, older: &Fingerprint, source_name: &str) -> Vec<String> {
        let differs = self.0.iter().filter(|(name, value)| older.value(name) != value);
        differs
            .map(|(name, value)| match (name.as_ref(), older.value(name)) {
                ("source", _) => format!("{source_name} changed"),
                ("profile" | "toolchain", old) => {
                    format!("{name} changed from {} to {}", shown(old), shown(value))
                }
                _ => format!("{name} changed"),
            })
            .collect()
    }
}

/// The key under which the artifacts of a tier are found, from the key of all inputs.
pub fn key_of(key: String, tier: Tier) -> String {
    match tier {
        Tier::Fast => Digest::default().with(key.as_bytes()).with(tier.name().as_bytes()).hex(),
        Tier::Optimized | Tier::Profile => key,
    }
}

fn shown(value: &str) -> &str {
    let value = value.trim_start_matches('.');
    if value.is_empty() { "the default" } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(source: &str, profile: &str) -> Fingerprint {
        Fingerprint(vec![("source".into(), source.into()), ("profile".into(), profile.into())])
    }

    #[test]
    fn the_key_and_the_explanation_come_from_the_same_inputs() {
        let check = |old: Fingerprint, new: Fingerprint, difference: &[&str]| {
            assert_eq!(new.difference(&old, "k.rs"), difference);
            assert_eq!(new.key() == old.key(), difference.is_empty());
        };
        check(fingerprint("a", "release"), fingerprint("a", "release"), &[]);
        check(fingerprint("a", "release"), fingerprint("b", "release"), &["k.rs changed"]);
        check(
            fingerprint("a", "release"),
            fingerprint("b", "dev"),
            &["k.rs changed", "profile changed from release to dev"],
        );
        assert_eq!(fingerprint("a", "dev").variant(), fingerprint("b", "dev").variant());
        assert_ne!(fingerprint("a", "dev").variant(), fingerprint("a", "release").variant());
    }
}
