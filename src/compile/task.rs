//! What is to be compiled, for whom, and where to.

use std::path::Path;

use crate::cache::layout::Cache;
use crate::cache::staging::Staging;
use crate::compile::plan::Plan;
use crate::compile::scratch::Scratch;
use crate::config::abi::Python;
use crate::config::layers::Config;
use crate::config::tier::Tier;
use crate::freshness::cargo_config::CargoConfig;
use crate::kernel::source::Source;
use crate::stage::glue::CRATE;
use crate::stage::view::View;

/// A kernel that is to be compiled.
pub struct Task<'a> {
    /// The kernel.
    pub source: &'a Source,
    /// Its settings and manifest.
    pub config: &'a Config,
    /// What cargo is configured to do.
    pub cargo: &'a CargoConfig,
    /// The CPU that it is for, as the key names it.
    pub cpu: &'a str,
    /// The Python that it is for.
    pub python: &'a Python,
    /// The cache.
    pub cache: &'a Cache,
    /// The kernel's folder in the cache.
    pub work: &'a Path,
    /// How much it is optimised.
    pub tier: Tier,
    /// Will it do for now if only the user's own text is optimised?
    pub is_provisional: bool,
    /// Names the variant of the kernel (profile, flags, ABI): each has incremental data of its own.
    pub variant: &'a str,
    /// Where the library goes.
    pub staging: &'a Staging,
    /// Is the kernel's folder locked? Where the file system has no locks it is not.
    pub locked: bool,
}

impl Task<'_> {
    /// The flags for the rustc of one half of the kernel, with the other in a library. What is compiled `at_once` is so
    /// little that it is optimised in one piece.
    pub fn half_flags(&self, plan: &Plan, view: &View, scratch: &Scratch, glue: &Path, at_once: bool) -> Vec<String> {
        let half = format!("--extern={}={}", CRATE, glue.display());
        match at_once {
            true => self.flags(Tier::Optimized, plan, view).chain([half]).collect(),
            false => self.own_flags(plan, view, scratch).into_iter().chain([half]).collect(),
        }
    }

    /// The flags for the rustc of the user's half, of which only the linker knows the other.
    pub fn apart_flags(&self, plan: &Plan, view: &View) -> Vec<String> {
        self.flags(Tier::Optimized, plan, view).collect()
    }

    /// The flags for the kernel's own rustc.
    pub fn own_flags(&self, plan: &Plan, view: &View, scratch: &Scratch) -> Vec<String> {
        let form = if view.in_pieces { "-pieces" } else { "" };
        let half = if view.glue.is_some() { "-half" } else { "" };
        let incremental = scratch.incremental(&format!("{}{half}{form}", &self.variant[..12]));
        let incremental = incremental.map(|folder| format!("-Cincremental={}", folder.display()));
        incremental.into_iter().chain(self.flags(self.tier, plan, view)).collect()
    }

    fn flags(&self, tier: Tier, plan: &Plan, view: &View) -> impl Iterator<Item = String> {
        let profile = &self.config.profile;
        let flags = tier.flags(view.in_pieces).iter().chain(plan.link_flags).chain(profile.flags.iter());
        let flags: Vec<String> = flags.map(|flag| (*flag).to_owned()).collect();
        flags.into_iter().chain(view.remap_flags(profile.names_paths))
    }
}
