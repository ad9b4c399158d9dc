//! Linking without the C compiler's driver.
//!
//! rustc calls `cc`, which calls `collect2`, which calls a wrapper, which calls LLVM's linker. For a small
//! kernel these are a tenth of the time. Where the last of them is the one that comes with rustc, it is called at once,
//! with the folders and start files that `cc` would give it.

use std::path::{Path, PathBuf};

use crate::digest::{Digest, stamp};
use crate::rustc::group::output;
use crate::rustc::toolchain::{Identity, Toolchain, find_linker};

/// The version of rustc since which it links with its own `rust-lld` on this host.
const HOST: (&str, semver::Version) = ("x86_64-unknown-linux-gnu", semver::Version::new(1, 90, 0));
/// Arguments that mean something to `cc` only or choose a linker: then everything is left as it is.
const DECISIVE: [&str; 6] = ["link-arg", "linker", "link-self-contained", "native=", "prefer-dynamic", "crt-static"];

/// Where the flags for a compiler are kept, if it links with its own linker through `cc`.
pub fn name(rustc: &Identity) -> Option<String> {
    let field = |name: &str| rustc.version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let version = semver::Version::parse(field("release")?).ok()?;
    let known = cfg!(target_os = "linux") && field("host")? == HOST.0 && version >= HOST.1;
    let cc = find_linker().filter(|_| known && lld(&rustc.rustc).is_some())?;
    let digest = Digest::default().with(rustc.version.as_bytes()).with(rustc.rustc.as_os_str().as_encoded_bytes());
    // Another compiler at the same place has other start files.
    let cc = format!("{} {:?}", cc.display(), stamp(&cc));
    Some(format!("link-{}", &digest.with(cc.as_bytes()).hex()[..16]))
}

/// The flags that make rustc call its linker itself, as `cc` would have it called; empty where `cc` does not tell.
pub fn flags(toolchain: &Toolchain, rustc: &Identity, folder: &Path) -> Vec<String> {
    let (Some(lld), Some(cc)) = (lld(&rustc.rustc), find_linker()) else { return Vec::new() };
    // With -### the driver prints what it would call, and calls nothing.
    let mut command = toolchain.compiler(&cc, folder);
    command.args(["-###", "-shared", "-xc", "/dev/null"]);
    let told = output(command).map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    let Some(given) = told.lines().map(linked_by_cc).rfind(|given| !given.is_empty()) else { return Vec::new() };
    // Merging the tails of strings, as rustc asks for in a release build, takes longer than the rest of linking gains.
    let own = [format!("-Clinker={}", lld.display()), "-Clinker-flavor=ld.lld".into(), "-Clink-arg=-O0".into()];
    own.into_iter().chain(given.into_iter().map(|argument| format!("-Clink-arg={argument}"))).collect()
}

/// The linker that these flags make rustc call.
pub fn program(flags: &[String]) -> Option<&Path> {
    flags.iter().find_map(|flag| flag.strip_prefix("-Clinker=")).map(Path::new)
}

/// Does this line of rustc's say that the library is there? What it does then is to give back its memory, which takes some
/// milliseconds.
pub fn has_linked(line: &str) -> bool {
    line.starts_with("{\"$message_type\":\"artifact\",") && line.ends_with("\"emit\":\"link\"}")
}

/// May these arguments of rustc be linked so?
pub fn fits(arguments: &[String]) -> bool {
    let decides = |argument: &String| DECISIVE.iter().any(|word| argument.contains(word)) || argument.starts_with("-l");
    !arguments.iter().any(decides)
}

fn lld(rustc: &Path) -> Option<PathBuf> {
    let lld = rustc.parent()?.parent()?.join("lib/rustlib").join(HOST.0).join("bin/rust-lld");
    Some(lld).filter(|lld| lld.is_file())
}

/// The library folders and start files in the call of a linker. A shared library needs both kinds of start files.
fn linked_by_cc(call: &str) -> Vec<String> {
    let is_start = |argument: &String| argument.ends_with(".o") && argument.contains("/crt");
    let arguments = shlex::split(call).unwrap_or_default();
    let starts = arguments.iter().filter(|argument| is_start(argument)).count();
    let is_wanted = |argument: &String| argument.starts_with("-L/") || is_start(argument);
    if starts < 2 { Vec::new() } else { arguments.into_iter().filter(is_wanted).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_start_files_are_taken_from_the_call() {
        let check = |call: &str, expected: &[&str]| assert_eq!(linked_by_cc(call), expected);
        check(
            r#" /usr/lib/collect2 -shared "-o" a.out /usr/lib/crti.o /gcc/crtbeginS.o -L/gcc "-L/usr/lib" /tmp/x.o -lgcc /gcc/crtendS.o"#,
            &["/usr/lib/crti.o", "/gcc/crtbeginS.o", "-L/gcc", "-L/usr/lib", "/gcc/crtendS.o"],
        );
        check("/usr/bin/ld -shared -L/usr/lib x.o", &[]);
        check("COLLECT_GCC_OPTIONS='-shared", &[]);
    }

    #[test]
    fn whoever_chooses_a_linker_or_its_arguments_keeps_them() {
        let check = |arguments: &[&str], fit: bool| {
            assert_eq!(fits(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>()), fit, "{arguments:?}");
        };
        check(&["-C", "opt-level=3", "-L", "dependency=/t"], true);
        check(&["-C", "linker=clang"], false);
        check(&["-C", "panic=abort"], true);
        check(&["-Clink-arg=-Wl,-rpath,/x"], false);
        check(&["-L", "native=/x", "-l", "static=z"], false);
    }
}
