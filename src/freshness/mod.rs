//! When a kernel has to be built again: everything that cargo and rustc look at, and nothing else.
//!
//! cargo keeps one such table at the head of its own `fingerprint/mod.rs`. It compares dates; rsimport compares contents,
//! since a look-up runs without cargo and a checkout brings old dates. Every line below that
//! cargo has too has rows in `pytests/test_freshness_of_cargo.py`, where the same edit is made for cargo and for rsimport and
//! both have to come to the same verdict; the last column says where they differ on purpose.
//!
//! An input is either known before the build, then it is in the **key**; or only the build tells it, then it is in the
//! **entry**, and under one key there is an entry for each state of it. The name of the **set** of compiled dependencies
//! says which machine and compiler they are for; that of the **recipe**, the recorded compiler call, has everything but
//! the kernel's own code.
//!
//! | input                                   | where it comes from                        | key | entry | set | recipe | cargo |
//! |-----------------------------------------|--------------------------------------------|-----|-------|-----|--------|-------|
//! | the kernel's text                       | its file, or a crate's `lib.rs`            | x   |       |     |        | same  |
//! | its manifest                            | its block, or `Cargo.toml` beside it       | x   |       |     | x      | comments count too [^text] |
//! | module name, Python ABI                 | who imports                                | x   |       | x   | x      | has none |
//! | profile, features                       | settings                                   | x   |       |     | x      | same [^incremental] |
//! | fast calls, kept glue                   | settings                                   | x   |       |     |        | have none |
//! | fast macros, and whether they apply     | setting; manifest, configuration           | x   |       | x   | x      | has none |
//! | flags for rustc                         | settings, added to those of the user       | x   |       | x   | x      | same  |
//! | `RUSTFLAGS`, `CARGO_ENCODED_RUSTFLAGS`  | environment; set but empty beats other flags, the stronger one alone, by its words | x | | x | x | same |
//! | `CARGO_BUILD_*`, `CARGO_TARGET_*` ...   | environment                                | x   |       |     | x      | same  |
//! | `CARGO_PROFILE_*`                       | environment, of the profile and what it inherits from | x | |  | x      | same  |
//! | cargo's configuration                   | `.cargo/config`, else `.cargo/config.toml`, with their `include`, in the folders above; `CARGO_HOME` | x | | | x | same |
//! | its profiles, its flags                 | the same, of the profile in use, and unless a variable beats them | x | | | x | same |
//! | where packages come from                | its `paths` and `[patch]`; its `[source]` as far as something is replaced; `index` of `[registries]`, also as `CARGO_REGISTRIES_*_INDEX` | x | | | x | unless nothing asks [^vendored] |
//! | variables of its `[env]`                | configuration, unless the environment has them | x |     |     | x      | all of `[env]` counts [^env] |
//! | `[env]` relative to the file            | the same, with the file's folder           | x   |       |     | x      | same  |
//! | `CARGO_ENV_*`                           | environment, where `[env]` has the same variable | x | |      | x      | all of them count [^env] |
//! | `[unstable]`, `[host]`, `CARGO_UNSTABLE_*`, `RUSTC_BOOTSTRAP` | configuration, environment | x | |  | x      | stable cargo reads none [^unstable] |
//! | the CPU's instruction sets              | cpuid, where `native` is asked for         | x   |       | x   | x      | has none [^cpu] |
//! | rustc                                   | `rustc -vV`; of the one that `PATH`, `RUSTC`, `CARGO_BUILD_RUSTC`, `build.rustc` or rustup names | | | x | x | rebuilds [^rustc] |
//! | the linker                              | configuration and variables, unless for other CPUs; flags | x | |  | x      | same [^linker] |
//! | `RUSTC_WORKSPACE_WRAPPER` and its like  | not started: the recorder has their place  |     |       |     |        | rebuilds |
//! | glibc of this machine                   | the C library                              |     | needs | x   | x      | has none [^glibc] |
//! | `mod` files, `include!`, `include_str!` | rustc's dep-info                           |     | x     |     |        | same [^lines] |
//! | `env!`, `option_env!`                   | rustc's dep-info                           |     | x     |     |        | same  |
//! | the kernel's folder                     | `env!("CARGO_MANIFEST_DIR")`               |     | x     |     |        | same  |
//! | sources of path dependencies            | rustc's dep-info for each                  |     | x     |     | x      | same  |
//! | manifests of path dependencies          | `Cargo.toml`, without what no library sees |     | x     |     | x      | descriptions count [^described] |
//! | what these inherit                      | the `Cargo.toml` of their workspace        |     | x     |     | x      | same  |
//! | build scripts                           | their dep-info, the manifest's `build`     |     | x     |     | x      | same  |
//! | `rerun-if-changed=FILE`                 | what a build script printed                |     | x     |     | x      | a missing file [^missing] |
//! | `rerun-if-changed=FOLDER`               | the same: every file below it              |     | x     |     | x      | same  |
//! | `rerun-if-env-changed`                  | the same, also of crates of a registry     |     | x     |     | x      | same  |
//! | the package of a script that says neither | its files, as cargo lists them           |     | x     |     | x      | ignored files count [^listed] |
//! | which workspace a crate belongs to      | its manifest, those of the folders above   |     | x     |     | x      | same  |
//! | `Cargo.lock`, profiles and patches of a crate's workspace | beside it                |     | x     |     | x      | all of it counts |
//! | tier                                    | the look-up asks for the optimised one first | x |       |     |        | has none |
//!
//! In the key is also which format the engine gives what it builds, which PyO3 it takes where a kernel names none, and
//! which toolchain is asked for by name.
//!
//! Not looked at, by cargo or by rsimport: dates, other files beside the kernel, `[dev-dependencies]`, examples and tests of
//! path dependencies, and cargo's configuration of the network, the terminal,
//! how many compilers run, what starts them and programs, other profiles, and where files go. A variable of these is an
//! input of what asks for it by name. Not by rsimport either: the kernel's path, so that a copy of a project is a hit,
//! where cargo's own builds go, and what somebody writes to `OUT_DIR` after the build script.
//!
//! [^text]: The text of a kernel is one input, and nobody edits only its comments often enough to pay for telling.
//!
//! [^incremental]: Whether there are incremental data is for the engine to decide, and nothing that is compiled differs.
//!
//! [^env]: cargo compiles what asks for a variable by name. A build script may ask for any without telling so, and the
//!     configuration is rarely edited.
//!
//! [^unstable]: Whether cargo is a nightly one is not known before it is started, and build scripts ask for the last of these.
//!
//! [^described]: cargo leaves out dependencies for other systems, and what comes to the same features. It tells
//!     `env!("CARGO_PKG_DESCRIPTION")` apart; to ask for such a word would take another look at what rustc has read, for an
//!     edit that comes with a release.
//!
//! [^vendored]: A folder in the place of a registry counts by its path, and a copy of the project has another one. Neither
//!     looks whether what was vendored is still what it was. A registry may be named by the manifest of any package, so all
//!     that are configured count; how one gets at them (`CARGO_NET_*`, `CARGO_HTTP_*`, tokens) does not.
//!
//! [^lines]: Where the name of a file has several lines, cargo builds every time.
//!
//! [^cpu]: `-Ctarget-cpu=native` enables what the CPU has and schedules for its model. Code that was scheduled for another
//!     model is right and a little slower or faster; code with another instruction set ends in SIGILL. So the instruction
//!     sets are the input, and family, model, stepping and microcode are not: the machines of a cluster share what
//!     their weakest common description allows, and no machine loads what it cannot run.
//!
//! [^rustc]: A kernel that is in the cache loads on a machine without Rust, and `rustup update` does not rebuild everything
//!     that was ever imported. The next edit is compiled by the new rustc, with dependencies of its own.
//!
//! [^linker]: As with cargo, another linker at the same path, or another `cc`, changes nothing that is built. How `cc`
//!     links is asked again as soon as its file is another one.
//!
//! [^glibc]: The newest version of glibc that an artifact's symbols ask for is written down with it, and a machine with an
//!     older glibc builds its own; so artifacts need not be named by it. Build scripts and procedural macros are
//!     programs of the machine that compiled them, so sets of dependencies are.
//!
//! [^missing]: cargo runs a build script again, for ever, while a file is missing that it watches. A look-up would have to
//!     start cargo at every import; so it waits for the file to appear.
//!
//! [^listed]: cargo leaves out what `.gitignore` names and the manifest's `exclude`. They count here, since to find
//!     out would cost every import more than a needless build costs the one after such an edit.
//!
//! `force_rebuild` is the way out where none of this helps: it forgets the recipe, runs cargo, and has all packages compiled
//! again that lie in folders or have build scripts.
//!
//! The modules stand in the order in which they may use one another: each only those above it.

pub mod machine;
pub mod features;
pub mod cargo_config;
pub mod inputs;
pub mod fingerprint;
pub mod packages;
