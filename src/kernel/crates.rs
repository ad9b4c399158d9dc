//! How a kernel declares the crates that it uses: name, version and features of those that kernels use most.

/// The PyO3 that kernels get which name none: the version that rsimport was tested with.
pub const PYO3: &str = "0.30.1";

/// Package, version, features. The versions are those that this release was tested with, or the newest of their time;
/// what implements PyO3's traits has to fit to PyO3's version.
const KNOWN: [(&str, &str, &[&str]); 75] = [
    ("ahash", "0.8", &[]),
    ("aho-corasick", "1", &[]),
    ("anyhow", "1", &[]),
    ("arrow", "60", &[]),
    ("base64", "0.23", &[]),
    ("bincode", "3", &[]),
    ("bitflags", "2", &[]),
    ("bitvec", "1", &[]),
    ("blake3", "1", &[]),
    ("bytemuck", "1", &[]),
    ("chrono", "0.4", &[]),
    ("crossbeam", "0.8", &[]),
    ("crossbeam-channel", "0.5", &[]),
    ("csv", "1", &[]),
    ("dashmap", "6", &[]),
    ("either", "1", &[]),
    ("env_logger", "0.11", &[]),
    ("fastrand", "2", &[]),
    ("flate2", "1", &[]),
    ("fxhash", "0.2", &[]),
    ("glam", "0.34", &[]),
    ("glob", "0.3", &[]),
    ("half", "2", &[]),
    ("hashbrown", "0.17", &[]),
    ("hex", "0.4", &[]),
    ("image", "0.25", &[]),
    ("indexmap", "2", &[]),
    ("itertools", "0.15", &[]),
    ("itoa", "1", &[]),
    ("lazy_static", "1", &[]),
    ("libc", "0.2", &[]),
    ("log", "0.4", &[]),
    ("md-5", "0.11", &[]),
    ("memchr", "2", &[]),
    ("memmap2", "0.9", &[]),
    ("nalgebra", "0.35", &[]),
    ("ndarray", "0.17", &[]),
    ("num", "0.4", &[]),
    ("num-bigint", "0.5", &[]),
    ("num-complex", "0.4", &[]),
    ("num-integer", "0.1", &[]),
    ("num-rational", "0.4", &[]),
    ("num-traits", "0.2", &[]),
    ("numpy", "0.30", &[]),
    ("once_cell", "1", &[]),
    ("ordered-float", "5", &[]),
    ("parking_lot", "0.12", &[]),
    ("petgraph", "0.8", &[]),
    ("pythonize", "0.30", &[]),
    ("rand", "0.9", &[]),
    ("rand_chacha", "0.9", &[]),
    ("rand_distr", "0.5", &[]),
    ("rand_pcg", "0.9", &[]),
    ("rayon", "1", &[]),
    ("regex", "1", &[]),
    ("reqwest", "0.13", &["blocking"]),
    ("rustc-hash", "2", &[]),
    ("rustfft", "6", &[]),
    ("ryu", "1", &[]),
    ("serde", "1", &["derive"]),
    ("serde_json", "1", &[]),
    ("sha2", "0.11", &[]),
    ("smallvec", "1", &[]),
    ("statrs", "0.19", &[]),
    ("strsim", "0.11", &[]),
    ("tempfile", "3", &[]),
    ("thiserror", "2", &[]),
    ("time", "0.3", &[]),
    ("tinyvec", "1", &["alloc"]),
    ("tokio", "1", &["full"]),
    ("unicode-normalization", "0.1", &[]),
    ("unicode-segmentation", "1", &[]),
    ("url", "2", &[]),
    ("walkdir", "2", &[]),
    ("xxhash-rust", "0.8", &["xxh3"]),
];

/// The dependency that a name in Rust code asks for: what stands left and right of `=` in `[dependencies]`.
pub fn dependency(name: &str, text: &str) -> (String, String) {
    let name = match name {
        "md5" if text.contains("md5::Digest") || text.contains("Md5") => "md-5",
        other => other,
    };
    let Some((package, version, features)) = known(name) else { return (name.to_owned(), "\"*\"".to_owned()) };
    let version = match package {
        // What rand calls its methods tells which one is meant; 0.9 knows the names of both.
        "rand" if text.contains("RngExt") => "0.10",
        _ => version,
    };
    if features.is_empty() {
        return (package.to_owned(), format!("\"{version}\""));
    }
    (package.to_owned(), format!("{{ version = \"{version}\", features = {features:?} }}"))
}

/// The version of a well-known crate.
pub fn version(name: &str) -> Option<&'static str> {
    known(name).map(|(_, version, _)| version)
}

/// Names of packages, for finding the one that was meant.
pub fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, ..)| *name)
}

fn known(name: &str) -> Option<(&'static str, &'static str, &'static [&'static str])> {
    let same = |(known, ..): &&(&str, &str, &[&str])| known.replace('-', "_") == name.replace('-', "_");
    KNOWN.iter().find(same).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_code_asks_for_a_package() {
        let check = |name: &str, text: &str, line: &str| {
            let (package, value) = dependency(name, text);
            assert_eq!(format!("{package} = {value}"), line);
        };
        check("num_complex", "", "num-complex = \"0.4\"");
        check("serde", "", "serde = { version = \"1\", features = [\"derive\"] }");
        check("rand", "rand::rng()", "rand = \"0.9\"");
        check("rand", "use rand::RngExt;", "rand = \"0.10\"");
        check("nobody_knows", "", "nobody_knows = \"*\"");
    }

    #[test]
    fn every_known_dependency_is_toml() {
        for name in names() {
            let (package, value) = dependency(name, "");
            assert!(format!("{package} = {value}").parse::<toml::Table>().is_ok(), "{name}");
        }
    }
}
