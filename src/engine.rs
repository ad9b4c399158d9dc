//! The pipeline: source, configuration, fingerprint, lookup; and after a miss plan, build, verification, publication.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::abi::{Python, check_tag, native_cpu};
use crate::above::Above;
use crate::cache::{Cache, Staging, now};
use crate::cargo::{Built, variables};
use crate::cargo_config::CargoConfig;
use crate::compile::{Task, compile};
use crate::config::{Config, Given, declared_settings};
use crate::digest::Digest;
use crate::environment::Environment;
use crate::error::{Error, Kind, Result};
use crate::exports::mentioned;
use crate::fingerprint::Fingerprint;
use crate::inputs::Input;
use crate::lock::Lock;
use crate::process::Watch;
use crate::recent::CLOCK_LAG;
use crate::source::Source;
use crate::store::{self, Entry, Hit};
use crate::tier::Tier;
use crate::verify::verify;

/// So many builds of a kernel are kept in any case; older ones go once they have not been used for [`FORGOTTEN`].
const KEPT: usize = 32;
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often a kernel is compiled again because it was edited meanwhile.
const ATTEMPTS: usize = 5;
/// A background build is given so long before another one is started for the same text.
const PATIENCE: Duration = Duration::from_secs(600);

/// Which kernel, for which Python, with which settings.
#[derive(Debug, Clone)]
pub struct Request {
    /// The kernel file or the crate's folder.
    pub path: PathBuf,
    /// The last component of the module's name.
    pub module: String,
    /// The suffix of extension modules of the Python that asks.
    pub abi: String,
    /// The settings that the call gives.
    pub given: Given,
}

/// A library that can be imported.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The library, at a path that no other build has.
    pub path: PathBuf,
    /// The crate root in the user's folder.
    pub source: PathBuf,
    /// The key under which it was found or published.
    pub fingerprint: String,
    /// Names what it was made from, and is the same for all tiers of that.
    pub content: String,
    /// Was it built just now?
    pub built: bool,
    /// Is it to be optimised in the background?
    pub provisional: bool,
    /// The last component of the module's name.
    pub module: String,
    /// Cargo's profile.
    pub profile: String,
    /// How much it was optimised.
    pub tier: Tier,
    /// The other files that decide whether it is fresh.
    pub inputs: Vec<PathBuf>,
    /// May it export functions to native callers? Its metadata say which.
    pub exporting: bool,
}

/// What is remembered of a kernel's last build, for saying why the next one is needed.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    fingerprint: Fingerprint,
    inputs: Vec<Input>,
    /// Seconds since 1970.
    built: f64,
    /// The entries that were published for this kernel, the oldest first.
    published: Vec<PathBuf>,
}

/// Everything that is known of a kernel before anything is built.
struct Known {
    source: Source,
    config: Config,
    cargo: CargoConfig,
    cache: Cache,
    fingerprint: Fingerprint,
    /// The tiers in which it may be had, the best first.
    tiers: &'static [Tier],
}

impl Known {
    /// The file name of the library.
    fn library(&self) -> String {
        format!("{}{}", self.source.module, self.fingerprint.value("Python ABI"))
    }
}

impl Artifact {
    /// Why it was built; empty where its metadata are gone.
    pub fn reason(&self) -> String {
        store::entry_of(&self.path).map(|entry| entry.reason).unwrap_or_default()
    }
}

/// What a lookup came to.
#[derive(Default)]
struct Lookup {
    hit: Option<Artifact>,
    damaged: bool,
}

/// Finds out what every look-up needs and what stays the same for all of them. Several libraries ask the CPU for what it
/// can do when they are first used, and every such question takes microseconds in a virtual machine.
pub fn prepare() {
    native_cpu();
    declared_settings();
    Environment::now();
    Digest::of(&[]);
}

/// The warm path: finds the artifact of a kernel. Starts no process, takes no lock, needs no toolchain.
pub fn lookup(request: &Request, watch: &mut dyn Watch) -> Result<Option<Artifact>> {
    let known = know(request)?;
    if known.config.settings.force_rebuild {
        return Ok(None);
    }
    Ok(found(&known, known.tiers, watch).hit)
}

/// Is it this process that should have the optimised build of a kernel made in the background? Only where the kernel is
/// to be optimised at all and nobody else has been told so lately.
pub fn claim(request: &Request, watch: &mut dyn Watch) -> Result<bool> {
    let known = know(request)?;
    let rest = known.tiers.contains(&Tier::Fast) && known.config.settings.tier == "auto";
    if !rest || found(&known, &[Tier::Optimized], watch).hit.is_some() {
        return Ok(false);
    }
    let name = format!("{}/claimed", place(&known.source, Tier::Optimized));
    let key = known.fingerprint.key();
    let claimed: Option<(String, f64)> = known.cache.kept("work", &name);
    let at = now().as_secs_f64();
    if claimed.is_some_and(|(of, since)| of == key && (0.0..PATIENCE.as_secs_f64()).contains(&(at - since))) {
        return Ok(false);
    }
    known.cache.keep("work", &name, &(key, at));
    Ok(true)
}

/// Finds the artifact of a kernel, or builds it.
pub fn build(request: &Request, python: &Python, watch: &mut dyn Watch) -> Result<Artifact> {
    let first = know(request)?;
    first.cache.prepare()?;
    let tier = wanted(&first);
    let identity = place(&first.source, tier);
    let settings = &first.config.settings;
    let lock = Lock::acquire(&first.cache.lock(&identity), &first.source.name(), settings.lock_timeout, watch)?;
    let started = Instant::now();
    let mut uncertain: Option<Vec<Input>> = None;
    for _ in 0..ATTEMPTS {
        let known = know(request)?;
        let last = last(&known);
        let mut reason = None;
        if !known.config.settings.force_rebuild {
            let found = found(&known, known.tiers, watch);
            if let Some(artifact) = found.hit {
                return Ok(artifact);
            }
            reason = found.damaged.then(|| "the cached artifact was damaged".to_owned());
        }
        if tier == Tier::Optimized {
            // What was built fast is optimised for the reason for which it was built.
            reason = reason.or(self::found(&known, &[Tier::Fast], watch).hit.map(|fast| fast.reason()));
        }
        let reason = reason.unwrap_or_else(|| self::reason(&known, last.as_ref()));
        let before = last.map(|last| confirmed(&last.inputs, &known.source.base)).unwrap_or_default();
        let began = SystemTime::now() - CLOCK_LAG;
        let staging = known.cache.staging()?;
        let task = Task {
            source: &known.source,
            config: &known.config,
            cargo: &known.cargo,
            python,
            cache: &known.cache,
            work: &known.cache.work(&identity),
            tier,
            variant: &known.fingerprint.variant(),
            staging: &staging,
            locked: lock.is_held(),
        };
        let outcome = compile(&task, watch);
        let unchanged = known.source.reread().is_ok_and(|now| {
            now.text == known.source.text
                && now.manifest.map(|m| m.text) == known.source.manifest.as_ref().map(|m| m.text.clone())
        });
        if !unchanged && !matches!(&outcome, Err(error) if error.kind == Kind::Interrupted) {
            continue;
        }
        let built = outcome?;
        let base = &known.source.base;
        let inputs = inputs(&built, &known.source);
        // A file that was written during the build may have been read before or after. One more build tells, unless
        // its content is known to be the one from before.
        let doubtful = inputs.iter().any(|input| !before.contains(input) && input.touched_since(base, began));
        if doubtful && uncertain.as_ref() != Some(&inputs) {
            uncertain = Some(inputs);
            continue;
        }
        return publish(&known, tier, &staging, built, inputs, reason, started);
    }
    Err(Error::config(format!("{} was changed again and again while it was compiled", first.source.path.display()))
        .hint("import it once the file is no longer written to")
        .kernel(&first.source.path))
}

fn know(request: &Request) -> Result<Known> {
    check_tag(&request.abi)?;
    let source = Source::open(&request.path, &request.module)?;
    let environment = Environment::now();
    let above = Above::of(&source.base);
    let config = Config::of(&source, &request.given, &environment, &above)?;
    let cargo = CargoConfig::of(&above);
    let cache = Cache::open(&config.settings)?;
    let fingerprint = Fingerprint::of(&source, &config, &request.abi, &cargo, &environment);
    let tiers = Tier::of(&source, &config, &cargo, fingerprint.value("cargo environment"));
    Ok(Known { source, config, cargo, cache, fingerprint, tiers })
}

fn found(known: &Known, tiers: &[Tier], watch: &mut dyn Watch) -> Lookup {
    let mut lookup = Lookup::default();
    for tier in tiers {
        let key = known.fingerprint.key_of(*tier);
        let found = store::find(&known.cache, &key, &known.library(), &known.source.base);
        found.damaged.iter().for_each(|text| watch.warning(text));
        lookup.damaged |= !found.damaged.is_empty();
        if let Some(hit) = found.hit {
            lookup.hit = Some(artifact(known, *tier, key, hit, false));
            break;
        }
    }
    lookup
}

fn artifact(known: &Known, tier: Tier, fingerprint: String, hit: Hit, built: bool) -> Artifact {
    let Known { source, config, .. } = known;
    let mut content = if tier == Tier::Fast { known.fingerprint.key() } else { fingerprint.clone() };
    if !hit.inputs.is_empty() {
        let further = serde_json::to_string(&hit.inputs).unwrap_or_default();
        content = Digest::default().with(content.as_bytes()).with(further.as_bytes()).hex();
    }
    Artifact {
        path: hit.library,
        exporting: mentioned(&source.text) || !hit.inputs.is_empty(),
        source: source.path.clone(),
        fingerprint,
        content,
        built,
        provisional: tier == Tier::Fast && config.settings.tier == "auto",
        module: source.module.clone(),
        profile: config.settings.profile.clone(),
        tier,
        inputs: hit.inputs.iter().filter_map(|input| input.path(&source.base)).collect(),
    }
}

/// The tier of a new build. The first one of a kernel is optimised at once: it has no incremental data to gain from, and
/// whoever only uses the kernel need not know of tiers.
fn wanted(known: &Known) -> Tier {
    match known.tiers {
        [Tier::Optimized, Tier::Fast] if known.config.settings.tier == "fast" || last(known).is_some() => Tier::Fast,
        tiers => tiers[0],
    }
}

/// Names a kernel whatever its content is, by its path and its module's name. What is optimised in the background does
/// not meet what is compiled meanwhile.
fn place(source: &Source, tier: Tier) -> String {
    let digest = Digest::default().with(source.path.as_os_str().as_encoded_bytes()).with(source.module.as_bytes());
    let suffix = if tier == Tier::Optimized { "-optimized" } else { "" };
    format!("{}{suffix}", digest.hex())
}

/// What is remembered of the last build, of whatever tier.
fn last(known: &Known) -> Option<Last> {
    let kept = |tier| known.cache.kept::<Last>("work", &format!("{}/last", place(&known.source, tier)));
    [Tier::Fast, Tier::Optimized].into_iter().filter_map(kept).max_by(|a, b| a.built.total_cmp(&b.built))
}

/// The inputs that have not changed since they were written down.
fn confirmed(inputs: &[Input], base: &Path) -> Vec<Input> {
    inputs.iter().filter(|input| input.holds(base)).cloned().collect()
}

/// Why a build is needed, in words.
fn reason(known: &Known, last: Option<&Last>) -> String {
    if known.config.settings.force_rebuild {
        return "forced".to_owned();
    }
    let Some(last) = last else { return "first build".to_owned() };
    let mut changes = known.fingerprint.difference(&last.fingerprint, &known.source.name());
    let base = &known.source.base;
    changes
        .extend(last.inputs.iter().filter(|input| !input.holds(base)).map(|input| format!("{} changed", input.name())));
    if changes.is_empty() { "the cached artifact is gone".to_owned() } else { changes.join(", ") }
}

/// The inputs of a build besides the source: what rustc has read, and what cargo has.
fn inputs(built: &Built, source: &Source) -> Vec<Input> {
    let mut inputs = built.foreign.clone();
    for file in built.files.iter().filter(|file| **file != source.path) {
        let input = Input::file(file, &source.base);
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    inputs.extend(variables(&built.variables));
    if built.variables.iter().any(|(name, _)| name == "CARGO_MANIFEST_DIR") {
        inputs.push(Input::Place { path: source.base.clone() });
    }
    inputs
}

fn publish(
    known: &Known,
    tier: Tier,
    staging: &Staging,
    built: Built,
    inputs: Vec<Input>,
    reason: String,
    started: Instant,
) -> Result<Artifact> {
    let Known { source, config, cache, fingerprint, .. } = known;
    let exports = verify(&built.library, source, built.exports)?;
    let (key, place) = (fingerprint.key_of(tier), place(source, tier));
    let entry = Entry {
        module: source.module.clone(),
        source: source.path.clone(),
        library: known.library(),
        abi: fingerprint.value("Python ABI").to_owned(),
        profile: config.settings.profile.clone(),
        tier,
        inputs: inputs.clone(),
        reason,
        seconds: started.elapsed().as_secs_f64(),
        exports,
        warnings: built.diagnostics.into_iter().filter(|diagnostic| diagnostic.level == "warning").collect(),
        checksum: (0, String::new()),
        stamp: None,
        runtime: built.runtime,
        created: now().as_secs_f64(),
    };
    let (entry, path) = store::publish(cache, &key, staging, &built.library, entry)?;
    let published = remembered(cache, &place, &path);
    let last = Last { fingerprint: fingerprint.clone(), inputs, built: entry.created, published };
    cache.keep("work", &format!("{place}/last"), &last);
    let hit = Hit { library: path, inputs: entry.inputs };
    Ok(artifact(known, tier, key, hit, true))
}

/// The published entries of a kernel with a new one, after removing those that nobody will come back to.
fn remembered(cache: &Cache, place: &str, library: &Path) -> Vec<PathBuf> {
    let last: Option<Last> = cache.kept("work", &format!("{place}/last"));
    let mut published = last.map(|last| last.published).unwrap_or_default();
    published.extend(library.parent().map(Path::to_path_buf));
    let old = published.len().saturating_sub(KEPT);
    let kept = |(at, folder): &(usize, PathBuf)| {
        let forgotten = *at < old && store::is_unused(folder, FORGOTTEN);
        folder.exists() && !(forgotten && store::drop_entry(cache, folder).is_ok())
    };
    published.into_iter().enumerate().filter(kept).map(|(_, folder)| folder).collect()
}
