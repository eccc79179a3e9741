//! Where things stand in this checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder that holds `Cargo.toml`, `src/` and `xtask/`.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands inside the checkout")
}

/// Where the finished static site is put.
pub fn dist() -> PathBuf {
    root().join("dist")
}

/// Everything that can be deleted and made again. `CARGO_TARGET_DIR` is not heeded: what this crate keeps
/// there must not be shared between checkouts.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The browser's tests and their Node packages.
pub fn browser_tests() -> PathBuf {
    root().join("tests").join("browser")
}

/// The version of `package` that `Cargo.lock` names.
pub fn locked_version(package: &str) -> Result<String> {
    let path = root().join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    version_in(&lock, package)
        .with_context(|| format!("Cargo.lock names no version of {package}; is it still a dependency?"))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_lock_file_by_whole_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"0.1.0\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "wasm"), None);
    }
}
