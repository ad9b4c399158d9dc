//! A recorded compiler call. Cargo's own call for a kernel is written down while it runs, and repeated for the next
//! edit, and for other kernels with the same dependencies, without starting cargo.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::config::environment::variables;
use crate::digest::Digest;
use crate::freshness::inputs::Input;

/// The script that stands between cargo and rustc. It tells the kernel's code the kernel's own folder in
/// `CARGO_MANIFEST_DIR`, where cargo would name the folder of the generated manifest. Where another program is to stand
/// in rustc's place for the kernel, it starts that; and it writes a call down where one is recorded. Then it gives rustc
/// the output folder that later calls will have, because incremental data serves only calls with the same one.
pub const RECORDER: &str = r#"#!/bin/sh
if [ -n "$CARGO_PRIMARY_PACKAGE" ]; then
    if [ -n "$RSIMPORT_KERNEL_DIR" ]; then
        CARGO_MANIFEST_DIR=$RSIMPORT_KERNEL_DIR
        export CARGO_MANIFEST_DIR
    fi
    if [ -n "$RSIMPORT_RECORD" ] && [ "$CARGO_CRATE_NAME" != build_script_build ]; then
        printf '%s\0' "$@" > "$RSIMPORT_RECORD/arguments"
        env -0 > "$RSIMPORT_RECORD/environment" 2>/dev/null
        pwd > "$RSIMPORT_RECORD/folder"
        left=$#
        while [ "$left" -gt 0 ]; do
            if [ "$1" = --out-dir ]; then
                folder=$2
                set -- "$@" "$1" "$RSIMPORT_OUTPUT"
                shift 2
                left=$((left - 2))
            else
                set -- "$@" "$1"
                shift
                left=$((left - 1))
            fi
        done
        "$@" || exit
        times > "$RSIMPORT_RECORD/times"
        cp "$RSIMPORT_OUTPUT"/* "$folder"
        exit
    fi
    if [ -n "$RSIMPORT_BOOTSTRAP" ]; then
        RUSTC_BOOTSTRAP=1
        export RUSTC_BOOTSTRAP
    fi
    if [ -n "$RSIMPORT_DRIVER" ]; then
        exec "$RSIMPORT_DRIVER" "$@"
    fi
fi
exec "$@"
"#;

/// Variables that belong to one run of cargo or of the shell.
const FLEETING: [&str; 7] =
    ["CARGO_CRATE_NAME", "CARGO_MAKEFLAGS", "OLDPWD", "PWD", "RUST_RECURSION_COUNT", "SHLVL", "_"];

/// A compiler call with holes for what differs from kernel to kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The cache in which it was recorded.
    cache: PathBuf,
    rustc: PathBuf,
    folder: PathBuf,
    /// Arguments without crate name, source, output folder and the flags of one build.
    arguments: Vec<String>,
    /// What cargo added to the environment.
    environment: Vec<(String, String)>,
    /// The compiled dependencies, with size and modification time.
    libraries: Vec<(PathBuf, u64, u128)>,
    /// What cargo would have to look at: files of path dependencies and of build scripts, manifests, the lock file.
    pub inputs: Vec<Input>,
    /// What cargo said about manifests and its configuration, and would say again.
    pub text: String,
}

/// What a recorded call was given that the next call will be given anew.
pub struct Recorded<'a> {
    /// The cache for which it was recorded.
    pub cache: &'a Path,
    /// The folder that the recorder wrote to.
    pub record: &'a Path,
    /// The crate root.
    pub root: &'a Path,
    /// The flags behind cargo's `--`.
    pub own_flags: &'a [String],
    /// The variables that were set for cargo.
    pub own_environment: &'a [(String, String)],
}

/// What fills the holes.
pub struct Call<'a> {
    /// The crate's name.
    pub crate_name: &'a str,
    /// The crate root.
    pub root: &'a Path,
    /// The folder that `env!("CARGO_MANIFEST_DIR")` names; `None` keeps the recorded one.
    pub kernel_folder: Option<&'a Path>,
    /// Where the library and the dep-info go.
    pub output: &'a Path,
    /// Flags of this build.
    pub own_flags: &'a [String],
}

impl Recipe {
    /// Reads what the recorder wrote; `None` where it was not called or wrote something unusable.
    pub fn read(recorded: &Recorded<'_>) -> Option<Recipe> {
        let list = |name: &str| -> Option<Vec<String>> {
            let bytes = std::fs::read(recorded.record.join(name)).ok()?;
            let mut parts: Vec<String> = bytes
                .split(|&byte| byte == 0)
                .map(|part| String::from_utf8(part.to_vec()).ok())
                .collect::<Option<_>>()?;
            parts.pop().filter(String::is_empty).map(|_| parts)
        };
        let folder = std::fs::read_to_string(recorded.record.join("folder")).ok()?;
        let folder = PathBuf::from(folder.strip_suffix('\n')?);
        let mut call = list("arguments")?.into_iter();
        let rustc = PathBuf::from(call.next()?);
        let arguments = without_holes(call.collect(), &folder, recorded)?;
        let known: HashMap<String, String> = variables()
            .into_iter()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .chain(recorded.own_environment.iter().cloned())
            .collect();
        let environment = list("environment")?;
        // An `env` that does not know `-0` writes nothing.
        environment.iter().find(|pair| pair.starts_with("CARGO_CRATE_NAME="))?;
        let environment = environment
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, value)| known.get(*name).map(String::as_str) != Some(value) && !FLEETING.contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let libraries = arguments
            .iter()
            .filter_map(|argument| argument.split_once('=').map(|(_, path)| PathBuf::from(path)))
            .filter(|path| path.is_absolute() && path.is_file())
            .filter_map(stamped)
            .collect();
        let (inputs, text) = (Vec::new(), String::new());
        Some(Recipe { cache: recorded.cache.into(), rustc, folder, arguments, environment, libraries, inputs, text })
    }

    /// The processor time of the recorded call, in seconds.
    pub fn seconds(record: &Path) -> Option<f64> {
        let said = std::fs::read_to_string(record.join("times")).ok()?;
        // The second line is about what the shell has started: `0m1.25s 0m0.10s`.
        let parsed = |time: &str| {
            let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
            Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
        };
        said.lines().nth(1)?.split_whitespace().map(parsed).sum()
    }

    /// Is everything that the call needs still what it was? A cache that was copied says where it was copied from.
    pub fn holds(&self, cache: &Path) -> bool {
        self.cache == cache
            && self.libraries.iter().all(|library| stamped(library.0.clone()).as_ref() == Some(library))
            && self.inputs.iter().filter(|input| !is_whose(input)).all(|input| input.holds(Path::new("/")))
    }

    /// The arguments that all calls have.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The compiler.
    pub fn rustc(&self) -> &Path {
        &self.rustc
    }

    /// The folder in which the compiler runs, which its messages are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names what any crate is compiled with that is linked with kernels of this recipe.
    pub fn digest(&self) -> String {
        let parts = serde_json::to_vec(&(&self.rustc, &self.arguments, &self.libraries)).unwrap_or_default();
        Digest::of(&parts)
    }

    /// Fills a command that compiles a library for kernels to be linked with, about which the compiler says no more than
    /// that it does not compile.
    pub fn fill_library(&self, command: &mut Command, call: &Call<'_>) {
        let of_library = |argument: &String| match argument.as_str() {
            "cdylib" => "rlib".to_owned(),
            _ if argument.starts_with("--emit=") => "--emit=link".to_owned(),
            _ => argument.clone(),
        };
        self.fill_other(command, call, of_library);
    }

    /// Fills a command that compiles an object file for one kernel to be linked with, hardly optimised.
    pub fn fill_object(&self, command: &mut Command, call: &Call<'_>, object: &Path) {
        let of_object = |argument: &String| match argument.as_str() {
            "cdylib" => "rlib".to_owned(),
            _ if argument.starts_with("--emit=") => format!("--emit=obj={}", object.display()),
            _ => argument.clone(),
        };
        self.fill_other(command, call, of_object);
        command.args(["-Copt-level=0", "-Cdebug-assertions=off", "-Coverflow-checks=off"]);
    }

    fn fill_other(&self, command: &mut Command, call: &Call<'_>, changed: impl Fn(&String) -> String) {
        let arguments = self.arguments.iter().map(changed);
        command.arg("--crate-name").arg(call.crate_name).args(arguments).arg("--cap-lints=allow");
        command.arg(call.root).arg("--out-dir").arg(call.output).args(call.own_flags);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Fills a command that starts the compiler.
    pub fn fill(&self, command: &mut Command, call: &Call<'_>) {
        command.arg("--crate-name").arg(call.crate_name).args(&self.arguments);
        command.arg(call.root).arg("--out-dir").arg(call.output).args(call.own_flags);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("CARGO_CRATE_NAME", call.crate_name);
        if let Some(folder) = call.kernel_folder {
            command.env("CARGO_MANIFEST_DIR", folder);
        }
    }
}

/// Does it say in which folder the kernel lies? A recorded call serves kernels in other folders too.
fn is_whose(input: &Input) -> bool {
    matches!(input, Input::OwnFolder { .. })
}

/// The arguments without those that are given anew; `None` where the crate root is not among them.
fn without_holes(arguments: Vec<String>, folder: &Path, recorded: &Recorded<'_>) -> Option<Vec<String>> {
    let mut kept = Vec::new();
    let mut rooted = false;
    let mut rest = arguments.into_iter().peekable();
    while let Some(argument) = rest.next() {
        let valued = argument == "--crate-name" || argument == "--out-dir";
        let named = argument == "-C" && rest.peek().is_some_and(|value| value.starts_with("extra-filename="));
        if valued || named {
            rest.next();
        } else if !rooted && !argument.starts_with('-') && folder.join(&argument) == recorded.root {
            rooted = true;
        } else if !recorded.own_flags.contains(&argument) {
            kept.push(argument);
        }
    }
    rooted.then_some(kept)
}

fn stamped(path: PathBuf) -> Option<(PathBuf, u64, u128)> {
    let metadata = std::fs::metadata(&path).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some((path, metadata.len(), modified))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(folder: &Path) -> Option<Recipe> {
        let library = folder.join("libpyo3.rlib");
        std::fs::write(&library, "x").unwrap();
        let library = format!("pyo3={}", library.display());
        let arguments = [
            "/bin/rustc",
            "--crate-name",
            "a",
            "--edition=2024",
            "/k/a.rs",
            "-C",
            "opt-level=3",
            "-C",
            "extra-filename=-1",
            "--out-dir",
            "/t",
            "--extern",
            &library,
            "-Lown",
        ];
        std::fs::write(folder.join("arguments"), arguments.join("\0") + "\0").unwrap();
        std::fs::write(
            folder.join("environment"),
            "CARGO_CRATE_NAME=a\0CARGO_PKG_NAME=rsimport-kernel\0CARGO_MAKEFLAGS=-j\0OURS=1\0",
        )
        .unwrap();
        std::fs::write(folder.join("folder"), "/w\n").unwrap();
        Recipe::read(&Recorded {
            cache: folder,
            record: folder,
            root: Path::new("/k/a.rs"),
            own_flags: &["-Lown".to_owned()],
            own_environment: &[("OURS".into(), "1".into())],
        })
    }

    #[test]
    fn a_recorded_call_keeps_only_what_all_kernels_share() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recorded(folder.path()).unwrap();
        assert_eq!(recipe.arguments[..4], ["--edition=2024", "-C", "opt-level=3", "--extern"]);
        assert_eq!(recipe.arguments.len(), 5);
        assert_eq!(recipe.environment, [("CARGO_PKG_NAME".to_owned(), "rsimport-kernel".to_owned())]);
        assert!(recipe.holds(folder.path()));
    }

    #[test]
    fn the_time_of_a_call_is_what_the_shell_says_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let check = |said: &str, seconds: Option<f64>| {
            std::fs::write(folder.path().join("times"), said).unwrap();
            assert_eq!(Recipe::seconds(folder.path()), seconds, "{said}");
        };
        check("0m0.00s 0m0.01s\n1m2.50s 0m0.25s\n", Some(62.75));
        check("0m0.000s 0m0.010s\n0m2.500s 0m0.250s\n", Some(2.75));
        check("0m0.00s 0m0.01s\n", None);
        check("0m0.00s 0m0.01s\n1 2\n", None);
    }

    #[test]
    fn a_recompiled_dependency_ends_a_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recorded(folder.path()).unwrap();
        std::fs::write(folder.path().join("libpyo3.rlib"), "another").unwrap();
        assert!(!recipe.holds(folder.path()));
    }

    #[test]
    fn an_incomplete_record_is_none() {
        let folder = tempfile::tempdir().unwrap();
        recorded(folder.path()).unwrap();
        std::fs::write(folder.path().join("arguments"), "/bin/rustc\0--crate-na").unwrap();
        assert_eq!(
            Recipe::read(&Recorded {
                cache: folder.path(),
                record: folder.path(),
                root: Path::new("/k/a.rs"),
                own_flags: &[],
                own_environment: &[]
            }),
            None
        );
    }
}
