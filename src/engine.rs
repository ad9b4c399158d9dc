//! The pipeline: source, configuration, fingerprint, lookup; and after a miss plan, build, verification, publication.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::cache::entries::{self, Hit};
use crate::cache::entry::{Entry, parsed_entry, text_of};
use crate::cache::layout::{Cache, now};
use crate::cache::lock::Lock;
use crate::cache::staging::Staging;
use crate::compile::build::{compile, prepare as prepare_edit};
use crate::compile::glibc::needed;
use crate::compile::job::Built;
use crate::compile::lockfile;
use crate::compile::task::Task;
use crate::compile::verify::verify;
use crate::config::abi::{Python, check_tag};
use crate::config::ancestors::{Ancestors, Ignored};
use crate::config::environment::Environment;
use crate::config::layers::{Config, Overrides, declared_settings};
use crate::config::misspelled::Misspelled;
use crate::config::tier::Tier;
use crate::digest::CLOCK_LAG;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::freshness::cargo_config::{CargoConfig, Profiles};
use crate::freshness::fingerprint::Fingerprint;
use crate::freshness::inputs::Input;
use crate::freshness::machine::{glibc, native_cpu};
use crate::freshness::packages;
use crate::history::{Last, identity, remember};
use crate::kernel::exports::mentioned;
use crate::kernel::source::Source;
use crate::observer::Observer;
use crate::rustc::diagnostics::is_users;

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
    pub given: Overrides,
    /// Is it only to be prepared for the next edit? Then an optimised build does not pass for the fast one.
    pub ahead: bool,
}

/// A library that can be imported.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The library, at a path that no other build has.
    pub path: PathBuf,
    /// The crate root in the user's folder.
    pub source: PathBuf,
    /// The key under which it was found or published.
    pub key: String,
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
    /// The text of its metadata, which outlives the entry in the cache.
    pub metadata: Vec<u8>,
}

/// Everything that is resolved of a kernel before anything is built.
pub struct Resolved {
    /// The kernel.
    pub source: Source,
    /// Its settings and manifest.
    pub config: Config,
    /// What cargo is configured to do.
    pub cargo: CargoConfig,
    /// Where it is built.
    pub cache: Cache,
    /// All that decides about it and is known before.
    pub fingerprint: Fingerprint,
    /// The tiers in which it may be had, the best first.
    pub tiers: &'static [Tier],
    /// What stands in folders above it and decides nothing.
    pub ignored: Vec<Ignored>,
    /// Variables that were meant to decide something.
    pub misspelled: Vec<Misspelled>,
}

impl Resolved {
    /// Tells of what decides nothing and looks as if it did, once in a process.
    pub(crate) fn tell_of_the_ignored(&self, observer: &mut dyn Observer) {
        Ignored::tell(&self.ignored, observer);
        Misspelled::tell(&self.misspelled, observer);
    }

    /// The lock file that cargo has made for the kernel, or the one from which new kernels start.
    pub(crate) fn lock(&self) -> String {
        let of = |tier| self.cache.work(&identity(&self.source, tier)).join("package/Cargo.lock");
        let own = [Tier::Optimized, Tier::Fast].map(of);
        let texts = own.into_iter().chain([self.cache.layout().join("Cargo.lock")]);
        let mut texts = texts.filter_map(|path| std::fs::read_to_string(path).ok());
        texts
            .find(|text| lockfile::is_whole(text))
            .map_or_else(|| lockfile::SHIPPED.to_owned(), |text| lockfile::plain(&text))
    }

    /// The file name of the library.
    fn library(&self) -> String {
        format!("{}{}", self.source.module, self.fingerprint.value("Python ABI"))
    }
}

impl Artifact {
    /// Why it was built; empty where its metadata are gone.
    pub fn reason(&self) -> String {
        parsed_entry(&self.metadata).map(|entry| entry.reason).unwrap_or_default()
    }
}

/// What a lookup came to.
#[derive(Default)]
pub(crate) struct Lookup {
    pub(crate) hit: Option<Artifact>,
    /// Why something was found that could not be taken; empty where nothing was.
    pub(crate) refused: String,
}

/// Finds out what every look-up needs and what stays the same for all of them. Several libraries ask the CPU for what it
/// can do when they are first used, and every such question takes microseconds in a virtual machine.
pub fn prepare() {
    native_cpu();
    glibc();
    declared_settings();
    Environment::now();
    Digest::of(&[]);
}

/// The key of a kernel as it is now.
pub fn key(request: &Request) -> Result<String> {
    Ok(resolve(request)?.fingerprint.key())
}

/// The warm path: finds the artifact of a kernel. Starts no process, takes no lock, needs no toolchain.
pub fn lookup(request: &Request, observer: &mut dyn Observer) -> Result<Option<Artifact>> {
    let resolved = resolve(request)?;
    resolved.tell_of_the_ignored(observer);
    if resolved.config.settings.force_rebuild {
        return Ok(None);
    }
    Ok(found(&resolved, resolved.tiers, observer)?.hit)
}

/// Is it this process that should have the optimised build of a kernel made in the background? Only where the kernel is
/// to be optimised at all and nobody else has been told so lately.
pub fn claim(request: &Request, observer: &mut dyn Observer) -> Result<bool> {
    let resolved = resolve(request)?;
    let rest = resolved.tiers.contains(&Tier::Fast) && resolved.config.settings.tier == "auto";
    if !rest || found(&resolved, &[Tier::Optimized], observer)?.hit.is_some() {
        return Ok(false);
    }
    let name = claim_of(&resolved.source);
    let key = resolved.fingerprint.key();
    let claimed: Option<(String, f64)> = resolved.cache.kept("work", &name);
    let at = now().as_secs_f64();
    if claimed.is_some_and(|(of, since)| of == key && (0.0..PATIENCE.as_secs_f64()).contains(&(at - since))) {
        return Ok(false);
    }
    resolved.cache.keep("work", &name, &(key, at));
    Ok(true)
}

/// Finds the artifact of a kernel, or builds it.
pub fn build(request: &Request, python: &Python, observer: &mut dyn Observer) -> Result<Artifact> {
    let first = resolve(request)?;
    first.tell_of_the_ignored(observer);
    first.cache.prepare()?;
    let tier = wanted(&first);
    let identity = identity(&first.source, tier);
    let settings = &first.config.settings;
    let lock = Lock::acquire(&first.cache.lock(&identity), &first.source.name(), settings.lock_timeout, observer)?;
    let started = Instant::now();
    let mut uncertain: Option<Vec<Input>> = None;
    for _ in 0..ATTEMPTS {
        let resolved = resolve(request)?;
        let last = Last::of(&resolved.source, &resolved.cache, &resolved.fingerprint);
        let mut reason = None;
        if !resolved.config.settings.force_rebuild && !request.ahead {
            let found = found(&resolved, resolved.tiers, observer)?;
            if let Some(artifact) = found.hit {
                return Ok(artifact);
            }
            reason = Some(found.refused).filter(|refused| !refused.is_empty());
        }
        if tier == Tier::Optimized {
            // What was built fast is optimised for the reason for which it was built.
            reason = reason.or(self::found(&resolved, &[Tier::Fast], observer)?.hit.map(|fast| fast.reason()));
        }
        let reason = match request.ahead {
            true => "prepared for an edit".to_owned(),
            false => reason.unwrap_or_else(|| self::reason(&resolved, last.as_ref())),
        };
        let before = last.map(|last| last.confirmed(&resolved.source.base)).unwrap_or_default();
        let began = SystemTime::now() - CLOCK_LAG;
        let staging = resolved.cache.staging()?;
        let task = Task {
            source: &resolved.source,
            config: &resolved.config,
            cargo: &resolved.cargo,
            cpu: resolved.fingerprint.value("CPU"),
            python,
            cache: &resolved.cache,
            work: &resolved.cache.work(&identity),
            tier,
            is_provisional: tier == Tier::Optimized
                && resolved.tiers.contains(&Tier::Fast)
                && resolved.config.settings.tier == "auto",
            variant: &resolved.fingerprint.variant(),
            staging: &staging,
            locked: lock.is_held(),
        };
        if request.ahead
            && prepare_edit(&task, observer)?
            && let Some(artifact) = found(&resolved, resolved.tiers, observer)?.hit
        {
            return Ok(artifact);
        }
        let outcome = compile(&task, observer);
        let unchanged = resolved.source.reread().is_ok_and(|now| {
            now.text == resolved.source.text
                && now.manifest.map(|m| m.text) == resolved.source.manifest.as_ref().map(|m| m.text.clone())
        });
        let interrupted = outcome.as_ref().is_err_and(|error| error.kind == Kind::Interrupted);
        if interrupted && tier == Tier::Optimized {
            resolved.cache.forget("work", &claim_of(&resolved.source));
        }
        if !unchanged && !interrupted {
            continue;
        }
        let built = outcome?;
        let base = &resolved.source.base;
        let (source, cache) = (&resolved.source, resolved.cache.layout());
        let known = packages::all(&built.foreign, &built.files, &built.variables, source, &cache);
        let inputs = packages::left_to_the_environment(known, &resolved.cargo);
        // A file that was written during the build may have been read before or after. One more build tells, unless
        // its content is known to be the one from before.
        let doubtful = inputs.iter().any(|input| !before.contains(input) && input.touched_since(base, began));
        if doubtful && uncertain.as_ref() != Some(&inputs) {
            uncertain = Some(inputs);
            continue;
        }
        return publish(&resolved, tier, &staging, built, inputs, reason, started);
    }
    Err(Error::config(format!("{} was changed again and again while it was compiled", first.source.path.display()))
        .hint("import it once the file is no longer written to")
        .kernel(&first.source.path))
}

/// Where it stands who has the optimised build of a kernel made.
fn claim_of(source: &Source) -> String {
    format!("{}/claimed", identity(source, Tier::Optimized))
}

/// Reads a kernel and everything that is configured for it.
pub fn resolve(request: &Request) -> Result<Resolved> {
    check_tag(&request.abi)?;
    let source = Source::open(&request.path, &request.module)?;
    let environment = Environment::now();
    let ancestors = Ancestors::of(&source.base, Some(&source.path));
    let config = Config::of(&source, &request.given, &environment, &ancestors)?;
    let cargo = CargoConfig::of(&ancestors);
    let cache = Cache::open(&config.settings)?;
    let fingerprint = Fingerprint::of(&source, &config, &request.abi, &cargo, &environment);
    let profiles = Profiles::of(&config.profile.of_cargo, &config.manifest.table, &cargo);
    let tiers = Tier::of(&source, &config, cargo.has_profile(&profiles), fingerprint.value("cargo environment"));
    let (ignored, misspelled) = (ancestors.ignored, Misspelled::of(&environment));
    Ok(Resolved { source, config, cargo, cache, fingerprint, tiers, ignored, misspelled })
}

/// Looks for an artifact in these tiers, the first of which is the best.
pub(crate) fn found(resolved: &Resolved, tiers: &[Tier], observer: &mut dyn Observer) -> Result<Lookup> {
    let mut lookup = Lookup::default();
    for tier in tiers {
        let key = resolved.fingerprint.key_of(*tier);
        let found = entries::find(&resolved.cache, &key, &resolved.library(), &resolved.source.base)?;
        found.damaged.iter().for_each(|text| observer.warning(text));
        if !found.damaged.is_empty() {
            lookup.refused = "the cached artifact was damaged".to_owned();
        } else if let Some((major, minor)) = found.needs {
            lookup.refused =
                format!("the cached artifact needs glibc {major}.{minor}, which this machine does not have");
        }
        if let Some(hit) = found.hit {
            lookup.hit = Some(artifact(resolved, *tier, key, hit, false));
            break;
        }
    }
    if lookup.hit.is_none() && !resolved.config.settings.shared_caches.is_empty() {
        lookup.hit = shared(resolved, tiers, observer);
    }
    Ok(lookup)
}

/// Looks in the caches of others. What they have for other CPUs is taken where it runs on this one.
fn shared(resolved: &Resolved, tiers: &[Tier], observer: &mut dyn Observer) -> Option<Artifact> {
    let (caches, refused) = Cache::shared(&resolved.config.settings.shared_caches);
    refused.iter().for_each(|error| observer.warning(&error.message));
    for tier in tiers {
        for key in [resolved.fingerprint.key_of(*tier), resolved.fingerprint.portable_key_of(*tier)] {
            for cache in &caches {
                let found = entries::find(cache, &key, &resolved.library(), &resolved.source.base).ok();
                if let Some(hit) = found.and_then(|found| found.hit) {
                    return Some(artifact(resolved, *tier, key, hit, false));
                }
            }
        }
    }
    None
}

fn artifact(resolved: &Resolved, tier: Tier, key: String, hit: Hit, built: bool) -> Artifact {
    let Resolved { source, config, .. } = resolved;
    let mut content = if tier == Tier::Fast { resolved.fingerprint.key() } else { key.clone() };
    if !hit.inputs.is_empty() {
        let contents: Vec<Input> = hit.inputs.iter().map(Input::content).collect();
        let further = serde_json::to_string(&contents).unwrap_or_default();
        content = Digest::default().with(content.as_bytes()).with(further.as_bytes()).hex();
    }
    Artifact {
        path: hit.library,
        exporting: mentioned(&source.text) || !hit.inputs.is_empty(),
        source: source.path.clone(),
        key,
        content,
        built,
        provisional: tier == Tier::Fast && config.settings.tier == "auto",
        module: source.module.clone(),
        profile: config.settings.profile.clone(),
        tier,
        inputs: hit.inputs.iter().flat_map(|input| input.paths(&source.base)).collect(),
        metadata: hit.metadata,
    }
}

/// The tier of a new build. The first one of a kernel is optimised at once: it has no incremental data to gain from, and
/// whoever only uses the kernel need not know of tiers.
fn wanted(resolved: &Resolved) -> Tier {
    match resolved.tiers {
        [Tier::Optimized, Tier::Fast]
            if resolved.config.settings.tier == "fast"
                || Last::of(&resolved.source, &resolved.cache, &resolved.fingerprint).is_some() =>
        {
            Tier::Fast
        }
        tiers => tiers[0],
    }
}

/// Why a build is needed, in words.
fn reason(resolved: &Resolved, last: Option<&Last>) -> String {
    match last {
        _ if resolved.config.settings.force_rebuild => "forced".to_owned(),
        None => "first build".to_owned(),
        Some(last) => last.changes(&resolved.source, &resolved.fingerprint),
    }
}

fn publish(
    resolved: &Resolved,
    tier: Tier,
    staging: &Staging,
    built: Built,
    inputs: Vec<Input>,
    reason: String,
    started: Instant,
) -> Result<Artifact> {
    let Resolved { source, config, cache, fingerprint, .. } = resolved;
    // An edit may have been compiled better than had to be.
    let (worked, tier) = (tier, built.tier);
    let exports = verify(&built.library, source, built.exports)?;
    let warned = built.diagnostics.into_iter().filter(|diagnostic| diagnostic.level == "warning");
    let key = fingerprint.key_of(tier);
    let entry = Entry {
        module: source.module.clone(),
        source: source.path.clone(),
        library: resolved.library(),
        abi: fingerprint.value("Python ABI").to_owned(),
        profile: config.settings.profile.clone(),
        tier,
        inputs: inputs.clone(),
        reason,
        seconds: started.elapsed().as_secs_f64(),
        exports,
        warnings: built.notes.into_iter().chain(warned).filter(|found| is_users(source, found)).collect(),
        glibc: needed(&built.library),
        cpu: built.cpu,
        foreign: false,
        checksum: (0, String::new()),
        stamp: None,
        created: now().as_secs_f64(),
    };
    let (entry, path) = entries::publish(cache, &key, staging, &built.library, entry)?;
    remember(cache, &identity(source, worked), &path, fingerprint.clone(), inputs, entry.created);
    let hit = Hit { metadata: text_of(&entry), library: path, inputs: entry.inputs };
    Ok(artifact(resolved, tier, key, hit, true))
}
