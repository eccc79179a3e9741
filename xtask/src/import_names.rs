//! Short names for the functions that the WebAssembly imports from the JavaScript made for it.
//!
//! wasm-bindgen tells them apart by hashes in their names. These stand in both files, are called by nobody
//! else, and compress badly: without them the page is a download smaller by 7 KB.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Of a module's sections, the one that holds its imports.
const IMPORTS: u8 = 2;
/// What stands before a module's first section: that it is one, and of which version.
const PREAMBLE: usize = 8;

/// Renames in both files what the one imports from the other.
pub fn shorten(wasm: &Path, javascript: &Path) -> Result<()> {
    let module = fs::read(wasm).with_context(|| format!("reading {}", wasm.display()))?;
    let mut script =
        fs::read_to_string(javascript).with_context(|| format!("reading {}", javascript.display()))?;
    let module =
        renamed(&module, &mut script).with_context(|| format!("renaming what {} imports", wasm.display()))?;
    fs::write(wasm, module)?;
    fs::write(javascript, script)?;
    Ok(())
}

fn renamed(module: &[u8], script: &mut String) -> Result<Vec<u8>> {
    let mut reader = Reader { bytes: module };
    let mut result = reader.take(PREAMBLE)?.to_vec();
    while let Ok(kind) = reader.byte() {
        let content = reader.block()?;
        result.push(kind);
        if kind == IMPORTS {
            write_block(&mut result, &renamed_imports(content, script)?);
        } else {
            write_block(&mut result, content);
        }
    }
    Ok(result)
}

fn renamed_imports(section: &[u8], script: &mut String) -> Result<Vec<u8>> {
    let mut reader = Reader { bytes: section };
    let mut result = Vec::new();
    let count = reader.number()?;
    write_number(&mut result, count);
    for index in 0..count {
        write_block(&mut result, reader.block()?);
        let name = std::str::from_utf8(reader.block()?)?;
        let short = short_name(index);
        // It is the key of an object's entry.
        let (key, short_key) = (format!(" {name}:"), format!(" {short}:"));
        ensure!(script.matches(&key).count() == 1, "the JavaScript does not have {name} exactly once");
        *script = script.replace(&key, &short_key);
        write_block(&mut result, short.as_bytes());
        if reader.byte()? != 0 {
            bail!("{name} is not a function");
        }
        result.push(0);
        write_number(&mut result, reader.number()?);
    }
    Ok(result)
}

/// `a` to `z`, then `aa` and so on.
fn short_name(index: u32) -> String {
    let letter = char::from(b'a' + (index % 26) as u8);
    match index / 26 {
        0 => letter.to_string(),
        rest => short_name(rest - 1) + &letter.to_string(),
    }
}

/// What is left to be read of a module.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length).context("it ends too early")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number as modules hold it, in LEB128.
    fn number(&mut self) -> Result<u32> {
        let mut number = 0;
        for place in 0..5 {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        bail!("a number is too long")
    }

    /// Bytes that follow their count.
    fn block(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        self.take(length as usize)
    }
}

fn write_number(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push((number as u8) | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn write_block(bytes: &mut Vec<u8>, block: &[u8]) {
    write_number(bytes, block.len() as u32);
    bytes.extend_from_slice(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that imports a function for each name, with a section before and one behind.
    fn module(names: &[&str]) -> Vec<u8> {
        let mut imports = vec![names.len() as u8];
        for name in names {
            write_block(&mut imports, b"./app_bg.js");
            write_block(&mut imports, name.as_bytes());
            imports.extend([0, 7]);
        }
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for (kind, content) in [(1, &b"types"[..]), (IMPORTS, &imports), (10, &[5; 300])] {
            module.push(kind);
            write_block(&mut module, content);
        }
        module
    }

    #[test]
    fn both_files_get_the_same_short_names_and_nothing_else_changes() {
        let names = ["__wbg_close_0123456789abcdef", "__wbg_closed_0123456789abcdef", "__wbindgen_throw"];
        let script = |names: [&str; 3]| {
            let [one, two, three] = names;
            format!(
                "const import0 = {{ {one}: function() {{}}, {two}: function() {{}},\n {three}: throws }};"
            )
        };
        let mut renamed_script = script(names);
        let renamed_module = renamed(&module(&names), &mut renamed_script).expect("it is a module");
        assert_eq!(renamed_module, module(&["a", "b", "c"]));
        assert_eq!(renamed_script, script(["a", "b", "c"]));
    }

    #[test]
    fn a_name_that_the_javascript_lacks_is_an_error() {
        assert!(renamed(&module(&["__wbg_close"]), &mut "nothing".to_string()).is_err());
    }

    #[test]
    fn short_names_differ_however_many_there_are() {
        assert_eq!([0, 25, 26, 701, 702].map(short_name), ["a", "z", "aa", "zz", "aaa"]);
    }
}
