//! What `rsimport new` writes, embedded so that it is there wherever the engine is.

/// A template: its name, and for each file the name and the text. `NAME` stands for the module's name in both.
pub type Template = (&'static str, &'static [(&'static str, &'static str)]);

/// All templates, the simplest first.
pub const TEMPLATES: [Template; 4] = [
    (
        "function",
        &[
            ("NAME.rs", include_str!("../../templates/function.rs")),
            ("test_NAME.py", include_str!("../../templates/function_test.py")),
        ],
    ),
    (
        "class",
        &[
            ("NAME.rs", include_str!("../../templates/class.rs")),
            ("test_NAME.py", include_str!("../../templates/class_test.py")),
        ],
    ),
    (
        "numpy",
        &[
            ("NAME.rs", include_str!("../../templates/numpy.rs")),
            ("test_NAME.py", include_str!("../../templates/numpy_test.py")),
        ],
    ),
    (
        "native",
        &[
            ("NAME.rs", include_str!("../../templates/native.rs")),
            ("test_NAME.py", include_str!("../../templates/native_test.py")),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_a_marked_kernel_with_a_test() {
        for (name, files) in TEMPLATES {
            assert!(files[0].1.starts_with("// rsimport\n"), "{name}");
            assert!(files[1].1.contains("NAME"), "{name}");
        }
    }
}
