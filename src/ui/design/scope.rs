//! A cluster, or what all clusters share: where the paths of switches begin.

use serde_json::Value;

pub struct Scope {
    pub name: String,
    /// The kind of the cluster, as in the file of switches; empty for what all share.
    pub kind: String,
    number: usize,
}

impl Scope {
    /// Every cluster, then what they share.
    pub fn all(scenario: &Value) -> Vec<Scope> {
        let mut scopes = Vec::new();
        if let Value::Array(clusters) = &scenario["clusters"] {
            for cluster in clusters {
                let only = cluster.as_object().and_then(|kinds| kinds.iter().next());
                let Some((kind, section)) = only else { continue };
                let name = section["name"].as_str().unwrap_or_default().to_string();
                scopes.push(Scope { name, kind: kind.clone(), number: scopes.len() });
            }
        }
        scopes.push(Scope { name: "Every cluster".to_string(), kind: String::new(), number: scopes.len() });
        scopes
    }

    /// What messages about a scenario call it: `clusters[0].sharded_sql.`
    pub fn prefix(&self) -> String {
        if self.kind.is_empty() { String::new() } else { format!("clusters[{}].{}.", self.number, self.kind) }
    }

    pub fn section<'s>(&self, scenario: &'s Value) -> &'s Value {
        if self.kind.is_empty() { scenario } else { &scenario["clusters"][self.number][self.kind.as_str()] }
    }

    pub fn section_mut<'s>(&self, scenario: &'s mut Value) -> Option<&'s mut Value> {
        if self.kind.is_empty() {
            return Some(scenario);
        }
        scenario.get_mut("clusters")?.get_mut(self.number)?.get_mut(self.kind.as_str())
    }
}
