//! A profile, a feature or a CPU that somebody asked for and that does not exist, from what cargo and rustc say of it.

use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::similar::similar;

/// The profiles that there always are.
const PROFILES: [&str; 5] = ["release", "dev", "profiling", "test", "bench"];
/// CPUs that are asked for by hand. rustc lists all of them.
const CPUS: [&str; 16] = [
    "native",
    "generic",
    "x86-64",
    "x86-64-v2",
    "x86-64-v3",
    "x86-64-v4",
    "haswell",
    "broadwell",
    "skylake",
    "skylake-avx512",
    "icelake-server",
    "sapphirerapids",
    "znver2",
    "znver3",
    "znver4",
    "apple-m1",
];

/// What is wrong, and a hint.
pub fn unknown(source: &Source, manifest: &Manifest, text: &str) -> Option<(String, String)> {
    let name = |before: &str, after: &str| Some(text.split_once(before)?.1.split_once(after)?.0);
    let did_you_mean = |meant: Option<&str>| meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    if let Some(profile) = name("profile `", "` is not defined") {
        let defined = keys(source, manifest, "profile");
        let meant = similar(profile, PROFILES.into_iter().chain(defined.iter().map(String::as_str)));
        let hint = "a profile of one's own is defined in the manifest";
        return Some((
            format!("there is no profile `{profile}`"),
            format!("{}{hint}: [profile.{profile}] with inherits = \"release\"", did_you_mean(meant)),
        ));
    }
    if let Some(feature) = name("does not contain this feature: ", "\n") {
        let defined = keys(source, manifest, "features");
        let meant = similar(feature, defined.iter().map(String::as_str));
        let listed = match &*defined.join(", ") {
            "" => "the kernel's manifest has no [features]".to_owned(),
            names => format!("the kernel has: {names}"),
        };
        return Some((format!("this kernel has no feature `{feature}`"), did_you_mean(meant) + &listed));
    }
    let line = text.lines().find(|line| line.contains("' is not a recognized processor for this target"))?;
    let cpu = line.split_once('\'')?.1.split_once('\'')?.0;
    Some((
        format!("rustc knows no CPU `{cpu}` for this machine"),
        format!("{}`rustc --print target-cpus` lists all", did_you_mean(similar(cpu, CPUS))),
    ))
}

/// The names below a table of the manifest.
fn keys(source: &Source, manifest: &Manifest, table: &str) -> Vec<String> {
    let own = source.manifest.as_ref().and_then(|manifest| manifest.text.parse::<toml::Table>().ok());
    let names = own.as_ref().unwrap_or(&manifest.table).get(table).and_then(toml::Value::as_table);
    names.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_told_with_what_was_meant() {
        let text =
            "//! ```cargo\n//! [features]\n//! quick = []\n//! [profile.careful]\n//! inherits = 'dev'\n//! ```\n";
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: text.into(), manifest: None };
        let manifest = Manifest::of_kernel(&source.path, text).unwrap();
        for (said, message, hint) in [
            (
                "error: profile `relase` is not defined",
                "there is no profile `relase`",
                "did you mean `release`? a profile",
            ),
            (
                "error: profile `carful` is not defined",
                "there is no profile `carful`",
                "did you mean `careful`? a profile",
            ),
            ("error: profile `mine` is not defined", "there is no profile `mine`", "a profile of one's own"),
            (
                "error: the package 'x' does not contain this feature: quik\n",
                "this kernel has no feature `quik`",
                "did you mean `quick`? the kernel has: quick",
            ),
            (
                "'nativ' is not a recognized processor for this target (ignoring processor)\nerror: could not compile `x`",
                "rustc knows no CPU `nativ` for this machine",
                "did you mean `native`? `rustc",
            ),
        ] {
            let found = unknown(&source, &manifest, said).unwrap();
            assert_eq!(found.0, message);
            assert!(found.1.starts_with(hint), "{}", found.1);
        }
        assert_eq!(unknown(&source, &manifest, "error: could not compile `x`"), None);
    }
}
