//! Takes the model cards out of the module docs, so that there is one source:
//! what the inspector shows beside a node is what the module says of itself.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// Role name and the module whose doc is its model card.
const CARDS: [(&str, &str); 7] = [
    ("client", "src/workload/client.rs"),
    ("query-proxy", "src/sql/query_proxy/mod.rs"),
    ("config", "src/sql/config_service/mod.rs"),
    ("backup-store", "src/sql/backup_store.rs"),
    ("shard-proxy", "src/sql/shard_proxy/mod.rs"),
    ("mysql", "src/sql/mysql/mod.rs"),
    ("ring-node", "src/ring/ring_node/mod.rs"),
];

fn main() {
    let mut generated =
        String::from("/// Role and its model card.\npub const MODEL_CARDS: &[(&str, &str)] = &[\n");
    for (role, path) in CARDS {
        println!("cargo:rerun-if-changed={path}");
        let source =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
        writeln!(generated, "    ({role:?}, {:?}),", module_doc(&source))
            .expect("a string can be written to");
    }
    generated.push_str("];\n");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("model_cards.rs"), generated).expect("OUT_DIR can be written to");
    println!("cargo:rerun-if-changed=build.rs");
}

/// The text of the leading `//!` lines, paragraphs separated by blank lines, wrapped lines joined.
fn module_doc(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//!")).map(|line| line[3..].trim());
    let mut text = String::new();
    for line in lines {
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    text
}
