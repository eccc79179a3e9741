//! Compressing the site's WebAssembly with xz, which `static/boot.js` undoes while the file arrives.
//!
//! Hosts of static files compress with gzip at best, and many not at all: gzip makes the module a fifth
//! larger than xz does, and leaving it as it is makes it three times as large.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use lzma_rust2::{CheckType, XzOptions, XzWriter};

/// How far back a repetition is looked for. The page has to hold as much while it decompresses, and a module
/// is not larger than this.
const DICTIONARY_BYTES: u32 = 2 << 20;

/// Replaces `file` by its compressed self, which has `.xz` behind its name.
pub fn run(file: &Path) -> Result<()> {
    let module = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let compressed = compressed(&module).with_context(|| format!("compressing {}", file.display()))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    println!("{name}.xz: {} KB, {} KB after xz", module.len() / 1000, compressed.len() / 1000);
    fs::write(file.with_file_name(format!("{name}.xz")), compressed)?;
    fs::remove_file(file)?;
    Ok(())
}

fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut options = XzOptions::with_preset(9);
    // The one check that every decoder of xz knows.
    options.set_check_sum_type(CheckType::Crc32);
    options.lzma_options.dict_size = DICTIONARY_BYTES;
    // What comes next is guessed from the whole byte before it, and not from where it stands: instructions
    // of WebAssembly are not aligned.
    options.lzma_options.lc = 4;
    options.lzma_options.pb = 0;
    let mut writer = XzWriter::new(Vec::new(), options)?;
    writer.write_all(bytes)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_is_smaller_and_comes_back_the_same() {
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let compressed = compressed(&bytes).expect("it can be compressed");
        assert!(compressed.len() < bytes.len() / 4, "{} bytes of {}", compressed.len(), bytes.len());
        let mut back = Vec::new();
        lzma_rust2::XzReader::new(compressed.as_slice(), false).read_to_end(&mut back).expect("it is xz");
        assert!(back == bytes);
    }

    #[test]
    fn the_check_is_one_that_small_decoders_know() {
        let compressed = compressed(b"module").expect("it can be compressed");
        // Behind the six bytes that say `xz` stand the flags of the stream; 1 is CRC32.
        assert_eq!(compressed[..8], *b"\xfd7zXZ\0\0\x01");
    }
}
