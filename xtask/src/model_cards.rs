//! Takes the model cards out of the module docs, so that there is one source:
//! what the inspector shows beside a node is what the module says of itself. The
//! page fetches a card when somebody opens it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::checkout;

/// Role name and the module whose doc is its model card.
const CARDS: [(&str, &str); 12] = [
    ("client", "src/workload/client.rs"),
    ("query-proxy", "src/sql/query_proxy/mod.rs"),
    ("config", "src/sql/config_service/mod.rs"),
    ("backup-store", "src/sql/backup_store.rs"),
    ("shard-proxy", "src/sql/shard_proxy/mod.rs"),
    ("mysql", "src/sql/mysql/mod.rs"),
    ("ring-node", "src/ring/ring_node/mod.rs"),
    ("collector", "src/service/collector.rs"),
    ("broker", "src/service/event_log/mod.rs"),
    ("worker", "src/service/worker/mod.rs"),
    ("reader", "src/service/reader/mod.rs"),
    ("object-store", "src/service/object_store.rs"),
];

/// Writes one file for each role into a folder.
pub fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (role, path) in CARDS {
        let source = fs::read_to_string(checkout::root().join(path))
            .with_context(|| format!("reading {path}, the model card of {role}"))?;
        fs::write(folder.join(format!("{role}.txt")), module_doc(&source))?;
    }
    Ok(())
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
