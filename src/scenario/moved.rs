//! Fields of the present version that stood elsewhere once: files and links that have them still open.

use serde_json::{Value, json};

/// The scenario with every field where it stands now; none if nothing has moved.
pub(super) fn to_present(tree: &Value) -> Option<Value> {
    let mut moved = tree.clone();
    let clusters = moved.get_mut("clusters")?.as_array_mut()?;
    let rings = clusters.iter_mut().filter_map(|cluster| cluster.get_mut("gossip_ring")?.as_object_mut());
    let mut is_moved = false;
    for ring in rings {
        // The only failure detector was a part of gossip.
        let gossip = ring.get_mut("gossip").and_then(Value::as_object_mut);
        if let Some(threshold) = gossip.and_then(|gossip| gossip.remove("phi_threshold")) {
            let detection = json!({"phi_accrual": {"threshold": threshold}});
            ring.entry("failure_detection").or_insert(detection);
            is_moved = true;
        }
    }
    is_moved.then_some(moved)
}
