//! Telling contents apart by a hash.

use sha2::{Digest, Sha256};

/// SHA-256 of all pieces, one behind the other, in hexadecimal digits.
pub fn of<Piece: AsRef<[u8]>>(pieces: impl IntoIterator<Item = Piece>) -> String {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn pieces_are_hashed_as_one_text() {
        // The example of FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::of(["a", "bc"]), abc);
    }
}
