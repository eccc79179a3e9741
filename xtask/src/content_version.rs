//! The site's version: a hash over all its files, so that a browser that kept old files never mixes them with
//! new ones.
//!
//! Only `index.html` is told: `?v=<version>` is added to every file of the site that it names. From there on
//! the version is inherited instead of written: `boot.js` reads it from its own URL and adds it to whatever
//! it loads, the page's WebAssembly and worker included, and these do the same. No compiled file has to be
//! edited, every URL stays relative, and the same files work without a version.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fingerprint;

/// How much of the hash is kept, in hexadecimal digits: 48 bits are ample to tell one deployment from the
/// next.
const VERSION_LENGTH: usize = 12;

/// Adds the version to what `index.html` names, and returns it.
pub fn stamp(site: &Path) -> Result<String> {
    let version = version_of(site)?;
    let index = site.join("index.html");
    let html = fs::read_to_string(&index).with_context(|| format!("reading {}", index.display()))?;
    let stamped = stamp_html(&html, &version, |url| site.join(url).is_file());
    fs::write(&index, stamped)?;
    Ok(version)
}

fn version_of(site: &Path) -> Result<String> {
    let mut files = files_below(site)?;
    files.sort();
    let mut pieces = Vec::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        // The name as it stands in a URL, so that the version is the same on every platform.
        let name = file.strip_prefix(site)?.to_string_lossy().replace('\\', "/");
        pieces.push(format!("{name}\n{}\n", content.len()).into_bytes());
        pieces.push(content);
    }
    let mut version = fingerprint::of(pieces);
    version.truncate(VERSION_LENGTH);
    Ok(version)
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// `html` with `?v=<version>` after each `href` and `src` that names a file of the site.
fn stamp_html(html: &str, version: &str, is_file_of_site: impl Fn(&str) -> bool) -> String {
    let mut stamped = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, quote, url, after)) = next_reference(rest) {
        stamped += before;
        stamped += url;
        if is_file_of_site(url) {
            stamped += "?v=";
            stamped += version;
        }
        stamped.push(quote);
        rest = after;
    }
    stamped + rest
}

/// Splits `html` at its first `href` or `src`: what stands before its value, the quote, the value, what
/// follows it.
fn next_reference(html: &str) -> Option<(&str, char, &str, &str)> {
    let attributes = [" href=\"", " src=\"", " href='", " src='"];
    let (start, attribute) = attributes.iter().filter_map(|name| Some((html.find(name)?, name))).min()?;
    let quote = if attribute.ends_with('"') { '"' } else { '\'' };
    let (before, value_on) = html.split_at(start + attribute.len());
    let (url, after) = value_on.split_once(quote)?;
    Some((before, quote, url, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_site_are_stamped_and_nothing_else_is() {
        let html = r##"<link rel="icon" href="./icon.svg"><a href="#top" src=''>x</a><script src='boot.js'></script>
            <a href="https://example.org/boot.js">elsewhere</a> data-href="boot.js" "##;
        let expected = r##"<link rel="icon" href="./icon.svg?v=1"><a href="#top" src=''>x</a><script src='boot.js?v=1'></script>
            <a href="https://example.org/boot.js">elsewhere</a> data-href="boot.js" "##;
        assert_eq!(stamp_html(html, "1", |url| ["./icon.svg", "boot.js"].contains(&url)), expected);
    }
}
