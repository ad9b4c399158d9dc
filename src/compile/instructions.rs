//! Which instruction sets a compiled kernel may use: what rustc says that it has enabled by the flags of the call.

use std::path::Path;

use crate::cache::layout::Cache;
use crate::compile::recipe::Recipe;
use crate::digest::{Digest, stamp};
use crate::freshness::features::{are_known, enabled, present};
use crate::freshness::machine::native_cpu;
use crate::rustc::toolchain::{Identity, Toolchain};

/// The instruction sets that the recorded call could use; `None` where that is not known. rustc is asked once for each
/// set of flags.
pub fn usable(toolchain: &Toolchain, rustc: &Identity, cache: &Cache, recipe: &Recipe) -> Option<Vec<String>> {
    if !are_known() {
        return None;
    }
    let flags = decisive(recipe.arguments());
    let name = Digest::default().with(rustc.version.as_bytes()).with(format!("{:?}", stamp(&rustc.rustc)).as_bytes());
    let name = name.with(flags.join("\x1f").as_bytes()).with(native_cpu().as_bytes()).hex();
    let name = format!("cpu-{}", &name[..16]);
    if let Some(known) = cache.kept("toolchains", &name) {
        return Some(known);
    }
    let told = told(toolchain, recipe.rustc(), &flags)?;
    let mut found = enabled(&told);
    // What is not stable yet is used by LLVM and not told by rustc.
    if flags.iter().any(|flag| flag.ends_with("target-cpu=native")) {
        found.extend(present().map(str::to_owned));
    }
    found.sort_unstable();
    found.dedup();
    cache.keep("toolchains", &name, &found);
    Some(found)
}

fn told(toolchain: &Toolchain, rustc: &Path, flags: &[String]) -> Option<String> {
    let output = toolchain.compiler(rustc, toolchain.folder()).args(["--print", "cfg"]).args(flags).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The flags that decide about instruction sets, each in one word.
fn decisive(arguments: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut last = "";
    for argument in arguments {
        let code = argument.strip_prefix("-C").filter(|rest| !rest.is_empty());
        let code = code.or_else(|| argument.strip_prefix("--codegen="));
        let code = code.or_else(|| matches!(last, "-C" | "--codegen").then_some(argument.as_str()));
        if let Some(code) =
            code.filter(|code| ["target-cpu=", "target-feature="].iter().any(|name| code.starts_with(name)))
        {
            found.push(format!("-C{code}"));
        }
        if last == "--target" {
            found.push(format!("--target={argument}"));
        }
        last = argument;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_about_the_cpu_are_found_in_every_form() {
        let given = ["-C", "target-cpu=native", "-Copt-level=3", "-Ctarget-feature=+aes", "--target", "x", "-C", "lto"];
        let given: Vec<String> = given.iter().map(|argument| (*argument).to_owned()).collect();
        assert_eq!(decisive(&given), ["-Ctarget-cpu=native", "-Ctarget-feature=+aes", "--target=x"]);
    }
}
