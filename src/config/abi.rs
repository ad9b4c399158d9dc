//! The Python that a kernel is built for, and how platforms name and link its library.

use crate::error::{Error, Result};

/// The running interpreter, as its sysconfig describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// `CPython`, `PyPy` or `GraalPy`.
    pub implementation: String,
    /// `3.11`
    pub version: String,
    /// Is libpython a shared library?
    pub shared: bool,
    /// The library to link on platforms where an extension has to be linked to Python.
    pub lib_name: Option<String>,
    /// The folder of that library.
    pub lib_dir: Option<String>,
    /// The width of a pointer in bits.
    pub pointer_width: u32,
    /// `Py_DEBUG`, `Py_GIL_DISABLED` ..., joined by commas.
    pub build_flags: String,
    /// macOS framework builds: where the framework lies.
    pub python_framework_prefix: Option<String>,
}

impl Python {
    /// Does it call a function of the module's name for a module? Since 3.15 that is another one.
    pub fn calls_init(&self) -> bool {
        let minor = self.version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
        minor.is_some_and(|minor| minor < 15)
    }

    /// The file that `PYO3_CONFIG_FILE` names. With it PyO3's build script starts no interpreter, and the same Python
    /// in another virtual environment gives the same text, so that the compiled dependencies are shared.
    pub fn pyo3_config(&self) -> String {
        let mut text = format!(
            "implementation={}\nversion={}\nshared={}\npointer_width={}\nbuild_flags={}\n",
            self.implementation, self.version, self.shared, self.pointer_width, self.build_flags
        );
        // Versions of PyO3 that do not know PYO3_BUILD_EXTENSION_MODULE would link libpython into the kernel.
        text.push_str(&format!("suppress_build_script_link_lines={}\n", !cfg!(windows)));
        let optional = [
            ("lib_name", &self.lib_name),
            ("lib_dir", &self.lib_dir),
            ("python_framework_prefix", &self.python_framework_prefix),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                text.push_str(&format!("{key}={value}\n"));
            }
        }
        text
    }
}

/// The operating systems whose loaders differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux and the other ELF systems.
    Elf,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl Platform {
    /// The platform that this engine was built for.
    pub const HERE: Platform = if cfg!(windows) {
        Platform::Windows
    } else if cfg!(target_os = "macos") {
        Platform::MacOs
    } else {
        Platform::Elf
    };

    /// What rustc calls the library of a crate.
    pub fn library_name(self, crate_name: &str) -> String {
        match self {
            Platform::Elf => format!("lib{crate_name}.so"),
            Platform::MacOs => format!("lib{crate_name}.dylib"),
            Platform::Windows => format!("{crate_name}.dll"),
        }
    }

    /// Flags for linking the kernel itself. An extension finds Python's symbols in the process that loads it: ELF
    /// linkers leave them open anyway, Apple's has to be told, and on Windows PyO3 links the import library.
    pub fn link_flags(self) -> &'static [&'static str] {
        match self {
            Platform::MacOs => &["-Clink-arg=-undefined", "-Clink-arg=dynamic_lookup"],
            Platform::Elf | Platform::Windows => &[],
        }
    }
}

/// Checks that an ABI tag (the suffix of extension modules, `.cpython-311-x86_64-linux-gnu.so`) can be a part of a file's name.
pub fn check_tag(tag: &str) -> Result<()> {
    let plain = tag.starts_with('.') && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if plain { Ok(()) } else { Err(Error::config(format!("{tag:?} is not the suffix of an extension module"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_names_and_flags() {
        let check = |platform: Platform, name: &str, flags: usize| {
            assert_eq!(platform.library_name("k"), name);
            assert_eq!(platform.link_flags().len(), flags);
        };
        check(Platform::Elf, "libk.so", 0);
        check(Platform::MacOs, "libk.dylib", 2);
        check(Platform::Windows, "k.dll", 0);
    }

    #[test]
    fn a_tag_is_a_file_suffix() {
        for (tag, good) in [
            (".cpython-311-x86_64-linux-gnu.so", true),
            (".cpython-314t-darwin.so", true),
            (".cp313-win_amd64.pyd", true),
            ("so", false),
            ("./../x.so", false),
            ("", false),
        ] {
            assert_eq!(check_tag(tag).is_ok(), good, "{tag}");
        }
    }

    #[test]
    fn the_pyo3_configuration_names_only_what_is_known() {
        let python = Python {
            implementation: "CPython".into(),
            version: "3.13".into(),
            shared: false,
            lib_name: None,
            lib_dir: Some("/lib".into()),
            pointer_width: 64,
            build_flags: "Py_GIL_DISABLED".into(),
            python_framework_prefix: None,
        };
        let text = python.pyo3_config();
        assert!(text.contains("version=3.13\n") && text.contains("build_flags=Py_GIL_DISABLED\n"));
        assert!(text.contains("lib_dir=/lib\n") && !text.contains("lib_name"));
    }
}
