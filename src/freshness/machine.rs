//! What differs from machine to machine: the instruction sets of the CPU, and the C library.

use std::sync::OnceLock;

/// What `target-cpu=native` means on this machine, as a text that is the same for machines that run the same code.
pub fn native_cpu() -> &'static str {
    static CPU: OnceLock<String> = OnceLock::new();
    CPU.get_or_init(|| format!("{} {}", std::env::consts::ARCH, instruction_sets()))
}

/// The words of cpuid in which LLVM looks for instruction sets when it compiles for the CPU at hand, without the bits that
/// say something else: the number of the core, the hypervisor, mitigations that come and go with microcode.
#[cfg(target_arch = "x86_64")]
fn instruction_sets() -> String {
    let words = words();
    let masked = words.iter().zip(MASKS).map(|(word, (_, mask))| format!("{:x}", word & mask));
    masked.collect::<Vec<_>>().join(" ")
}

/// The words that are looked at, and in each the bits that count: leaf 1, leaf 7, the first extended one, the
/// extensions of XSAVE, key locker, AVX10, and what the operating system keeps when it switches tasks.
#[cfg(target_arch = "x86_64")]
const MASKS: [(&str, u32); 13] = [
    // sse3 pclmulqdq ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt aes xsave avx f16c rdrand
    ("1 ecx", 0x76d8_3203),
    // x87 cx8 cmov mmx fxsr sse sse2
    ("1 edx", 0x0780_8101),
    // fsgsbase bmi1 avx2 bmi2 erms invpcid rtm avx512* rdseed adx clflushopt clwb sha
    ("7 ebx", 0xfdaf_0f29),
    // avx512* waitpkg gfni vaes vpclmulqdq rdpid kl cldemote movdiri movdir64b enqcmd
    ("7 ecx", 0x3ac0_5f62),
    // fsrm uintr vp2intersect serialize tsxldtrk amx avx512fp16
    ("7 edx", 0x0381_4130),
    // sha512 sm3 sm4 raoint avxvnni avx512bf16 cmpccxadd amx hreset avxifma movrs
    ("7.1 eax", 0x80e0_00bf),
    // vnniint neconvert amx prefetchi usermsr avx10 apx
    ("7.1 edx", 0x0028_c530),
    // lahf lzcnt sse4a prefetchw xop lwp fma4 tbm mwaitx
    ("80000001 ecx", 0x2021_8961),
    // 64 bits
    ("80000001 edx", 0x2000_0000),
    // xsaveopt xsavec xsaves
    ("d.1 eax", 0x0000_000b),
    // aeskle widekl
    ("19 ebx", 0x0000_0005),
    ("24 ebx", 0x0007_00ff),
    // sse avx avx512 amx apx
    ("xcr0", 0x000e_00e6),
];

#[cfg(target_arch = "x86_64")]
fn words() -> [u32; 13] {
    use std::arch::x86_64::{__cpuid_count, _xgetbv, CpuidResult};
    #[target_feature(enable = "xsave")]
    fn enabled() -> u32 {
        #[allow(unused_unsafe, unsafe_code)]
        // SAFETY: the register 0 is there wherever the instruction is.
        unsafe {
            _xgetbv(0) as u32
        }
    }
    let leaf = |leaf: u32, part: u32| -> CpuidResult {
        #[allow(unused_unsafe, unsafe_code)]
        // SAFETY: every x86-64 CPU has the cpuid instruction.
        unsafe {
            __cpuid_count(leaf, part)
        }
    };
    let nothing = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    // A leaf that is not there answers with the data of another one.
    let newest = leaf(0, 0).eax;
    let known = |number: u32, part: u32, wanted: bool| match wanted && number <= newest {
        true => leaf(number, part),
        false => nothing,
    };
    let one = leaf(1, 0);
    let (seven, extended) = (known(7, 0, true), leaf(0x8000_0001, 0));
    let seven_one = known(7, 1, seven.eax >= 1);
    let saving = known(0xd, 1, one.ecx & 1 << 26 != 0);
    let locker = known(0x19, 0, seven.ecx & 1 << 23 != 0);
    let ten = known(0x24, 0, seven_one.edx & 1 << 19 != 0);
    #[allow(unsafe_code)]
    // SAFETY: this bit says that the operating system has enabled XSAVE, and with it the instruction that is used.
    let kept = if one.ecx & 1 << 27 != 0 { unsafe { enabled() } } else { 0 };
    [
        one.ecx,
        one.edx,
        seven.ebx,
        seven.ecx,
        seven.edx,
        seven_one.eax,
        seven_one.edx,
        extended.ecx,
        extended.edx,
        saving.eax,
        locker.ebx,
        ten.ebx,
        kept,
    ]
}

/// On other CPUs LLVM takes the instruction sets from the model too, so implementer and part count, and the revision does
/// not. Linux shows them in one file for all of these.
#[cfg(not(target_arch = "x86_64"))]
fn instruction_sets() -> String {
    const TELLING: [&str; 12] = [
        "CPU architecture",
        "CPU implementer",
        "CPU part",
        "Features",
        "cpu",
        "features",
        "isa",
        "mmu",
        "model name",
        "processor 0",
        "uarch",
        "CPU Family",
    ];
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = |line: &&str| TELLING.contains(&line.split(':').next().unwrap_or_default().trim());
    // The cores of one machine may differ, and each kind of them is said once.
    let lines: std::collections::BTreeSet<&str> = text.lines().filter(name).collect();
    lines.into_iter().collect::<Vec<_>>().join("\n") + &detected()
}

#[cfg(target_arch = "aarch64")]
fn detected() -> String {
    macro_rules! list {
        ($($name:tt)+) => { [$(($name, std::arch::is_aarch64_feature_detected!($name))),+] };
    }
    let all = list!(
        "neon" "aes" "sha2" "sha3" "sm4" "crc" "lse" "lse2" "rdm" "fp16" "fhm" "dotprod" "i8mm" "bf16" "sve" "sve2"
        "sve2-aes" "sve2-bitperm" "sve2-sha3" "sve2-sm4" "f32mm" "f64mm" "fcma" "jsconv" "frintts" "flagm" "rcpc"
        "rcpc2" "dpb" "dpb2" "paca" "pacg" "bti" "mte" "dit" "sb" "ssbs" "rand" "tme"
    );
    all.iter().filter(|(_, has)| *has).map(|(name, _)| format!(" {name}")).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected() -> String {
    String::new()
}

/// A version of glibc, such as 2.36.
pub type Glibc = (u32, u32);

/// The glibc of this process; `None` where the C library is another one.
pub fn glibc() -> Option<Glibc> {
    static VERSION: OnceLock<Option<Glibc>> = OnceLock::new();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code)]
    // SAFETY: the C library returns a text of its own that is never changed.
    let ask = || unsafe { parsed(std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()).to_str().ok()?) };
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let ask = || None;
    *VERSION.get_or_init(ask)
}

/// The version in a text such as `2.36`, or `GLIBC_2.36` without its beginning.
pub fn parsed(text: &str) -> Option<Glibc> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?))
}

/// Can this process load what needs that glibc? Where it has another C library, its loader has to know.
pub fn has_glibc(needed: Glibc) -> bool {
    glibc().is_none_or(|here| here >= needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parsed("2.36"), Some((2, 36)));
        assert_eq!(parsed("2.2.5"), Some((2, 2)));
        assert_eq!(parsed("PRIVATE"), None);
        assert!(has_glibc((2, 2)) || glibc().is_none());
        assert!(!has_glibc((99, 0)) || glibc().is_none());
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn what_the_standard_library_detects_is_in_the_words() {
        let words = words();
        let has = |name: &str, bit: u32| {
            let at = MASKS.iter().position(|(known, _)| *known == name).unwrap();
            assert!(MASKS[at].1 & 1 << bit != 0, "{name} {bit} is masked out");
            words[at] & 1 << bit != 0
        };
        macro_rules! check {
            ($($name:tt $word:tt $bit:literal)+) => {
                $(if std::arch::is_x86_feature_detected!($name) { assert!(has($word, $bit), $name); })+
            };
        }
        check!(
            "sse3" "1 ecx" 0 "pclmulqdq" "1 ecx" 1 "ssse3" "1 ecx" 9 "fma" "1 ecx" 12 "cmpxchg16b" "1 ecx" 13
            "sse4.1" "1 ecx" 19 "sse4.2" "1 ecx" 20 "movbe" "1 ecx" 22 "popcnt" "1 ecx" 23 "aes" "1 ecx" 25
            "xsave" "1 ecx" 26 "avx" "1 ecx" 28 "f16c" "1 ecx" 29 "rdrand" "1 ecx" 30
            "fxsr" "1 edx" 24 "sse" "1 edx" 25 "sse2" "1 edx" 26
            "bmi1" "7 ebx" 3 "avx2" "7 ebx" 5 "bmi2" "7 ebx" 8 "ermsb" "7 ebx" 9 "rtm" "7 ebx" 11 "avx512f" "7 ebx" 16
            "avx512dq" "7 ebx" 17 "rdseed" "7 ebx" 18 "adx" "7 ebx" 19 "avx512ifma" "7 ebx" 21 "avx512cd" "7 ebx" 28
            "sha" "7 ebx" 29 "avx512bw" "7 ebx" 30 "avx512vl" "7 ebx" 31
            "avx512vbmi" "7 ecx" 1 "avx512vbmi2" "7 ecx" 6 "gfni" "7 ecx" 8 "vaes" "7 ecx" 9 "vpclmulqdq" "7 ecx" 10
            "avx512vnni" "7 ecx" 11 "avx512bitalg" "7 ecx" 12 "avx512vpopcntdq" "7 ecx" 14 "kl" "7 ecx" 23
            "avx512vp2intersect" "7 edx" 8 "avx512fp16" "7 edx" 23
            "sha512" "7.1 eax" 0 "sm3" "7.1 eax" 1 "sm4" "7.1 eax" 2 "avxvnni" "7.1 eax" 4 "avx512bf16" "7.1 eax" 5
            "avxifma" "7.1 eax" 23 "avxvnniint8" "7.1 edx" 4 "avxneconvert" "7.1 edx" 5 "avxvnniint16" "7.1 edx" 10
            "lzcnt" "80000001 ecx" 5 "sse4a" "80000001 ecx" 6 "tbm" "80000001 ecx" 21
            "xsaveopt" "d.1 eax" 0 "xsavec" "d.1 eax" 1 "xsaves" "d.1 eax" 3 "widekl" "19 ebx" 2
        );
    }
}
