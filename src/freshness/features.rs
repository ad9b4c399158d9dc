//! Instruction sets by the names that rustc gives them: what a library may need, and what this CPU has.

use std::sync::OnceLock;

macro_rules! detected {
    ($macro:ident: $($name:tt)+) => { [$(($name, std::arch::$macro!($name))),+] };
}

/// Every instruction set that can be looked for at run time, and whether it is there.
#[cfg(target_arch = "x86_64")]
fn all() -> Vec<(&'static str, bool)> {
    detected!(is_x86_feature_detected:
        "sse" "sse2" "sse3" "ssse3" "sse4.1" "sse4.2" "sse4a" "avx" "avx2" "fma" "f16c" "bmi1" "bmi2" "lzcnt" "popcnt"
        "tbm" "movbe" "adx" "aes" "pclmulqdq" "sha" "rdrand" "rdseed" "fxsr" "xsave" "xsavec" "xsaveopt" "xsaves"
        "cmpxchg16b" "rtm" "gfni" "vaes" "vpclmulqdq" "kl" "widekl" "sha512" "sm3" "sm4" "avx512f" "avx512cd" "avx512bw"
        "avx512dq" "avx512vl" "avx512ifma" "avx512vbmi" "avx512vbmi2" "avx512vnni" "avx512bitalg" "avx512vpopcntdq"
        "avx512vp2intersect" "avx512bf16" "avx512fp16" "avxifma" "avxneconvert" "avxvnni" "avxvnniint8" "avxvnniint16"
    )
    .to_vec()
}

/// Every instruction set that can be looked for at run time, and whether it is there.
#[cfg(target_arch = "aarch64")]
fn all() -> Vec<(&'static str, bool)> {
    detected!(is_aarch64_feature_detected:
        "neon" "aes" "sha2" "sha3" "sm4" "crc" "lse" "lse2" "rdm" "fp16" "fhm" "dotprod" "i8mm" "bf16" "sve" "sve2"
        "sve2-aes" "sve2-bitperm" "sve2-sha3" "sve2-sm4" "f32mm" "f64mm" "fcma" "jsconv" "frintts" "flagm" "rcpc"
        "rcpc2" "dpb" "dpb2" "paca" "pacg" "bti" "mte" "dit" "sb" "ssbs" "rand" "tme"
    )
    .to_vec()
}

/// Of other CPUs nothing is known by name.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn all() -> Vec<(&'static str, bool)> {
    Vec::new()
}

fn kept() -> &'static [(&'static str, bool)] {
    static ALL: OnceLock<Vec<(&'static str, bool)>> = OnceLock::new();
    ALL.get_or_init(all)
}

/// Are instruction sets of this kind of CPU known by name?
pub fn are_known() -> bool {
    !kept().is_empty()
}

/// What this CPU has.
pub fn present() -> impl Iterator<Item = &'static str> {
    kept().iter().filter(|(_, there)| *there).map(|(name, _)| *name)
}

/// What rustc says that it may use: the lines of `--print cfg` that name what can be looked for.
pub fn enabled(cfg: &str) -> Vec<String> {
    let named = cfg.lines().filter_map(|line| line.strip_prefix("target_feature=\"")?.strip_suffix('"'));
    named.filter(|name| kept().iter().any(|(known, _)| known == name)).map(str::to_owned).collect()
}

/// What of this is not there.
pub fn missing(needed: &[String]) -> Vec<&str> {
    let there = |name: &&String| kept().iter().any(|(known, there)| *there && known == name);
    needed.iter().filter(|name| !there(name)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustc_names_is_compared_with_what_is_there() {
        let here: Vec<String> = present().map(str::to_owned).collect();
        assert_eq!(missing(&here), Vec::<&str>::new());
        assert_eq!(missing(&["made-up".to_owned()]), ["made-up"]);
        let cfg = here.iter().map(|name| format!("target_feature=\"{name}\"\n")).collect::<String>();
        assert_eq!(enabled(&format!("unix\n{cfg}target_feature=\"made-up\"\n")), here);
    }
}
