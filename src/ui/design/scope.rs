//! A cluster, or what all clusters share: where the paths of switches begin.

use serde_json::Value;

pub struct Scope {
    pub name: String,
    /// The kind of the cluster, as in the file of switches; empty for what all share; `service` for the service in
    /// front of a cluster.
    pub kind: String,
    /// Where it is found in the scenario: the cluster's kind, and the field in it if there is one.
    path: Vec<String>,
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
                scopes.push(Scope {
                    name,
                    kind: kind.clone(),
                    path: vec![kind.clone()],
                    number: scopes.len(),
                });
            }
        }
        let services: Vec<Scope> = scopes.iter().map(Scope::service).collect();
        let name = "Every cluster".to_string();
        scopes.push(Scope { name, kind: String::new(), path: Vec::new(), number: scopes.len() });
        scopes.extend(services);
        scopes
    }

    /// The service in front of a cluster.
    fn service(&self) -> Scope {
        let service = "service".to_string();
        let name = format!("{}: service", self.name);
        Scope { name, kind: service.clone(), path: vec![self.kind.clone(), service], number: self.number }
    }

    /// What messages about a scenario call it: `clusters[0].sharded_sql.`
    pub fn prefix(&self) -> String {
        if self.kind.is_empty() {
            String::new()
        } else {
            format!("clusters[{}].{}.", self.number, self.path.join("."))
        }
    }

    pub fn section<'s>(&self, scenario: &'s Value) -> &'s Value {
        if self.kind.is_empty() {
            return scenario;
        }
        self.path.iter().fold(&scenario["clusters"][self.number], |section, field| &section[field.as_str()])
    }

    pub fn section_mut<'s>(&self, scenario: &'s mut Value) -> Option<&'s mut Value> {
        if self.kind.is_empty() {
            return Some(scenario);
        }
        let cluster = scenario.get_mut("clusters")?.get_mut(self.number)?;
        self.path.iter().try_fold(cluster, |section, field| section.get_mut(field.as_str()))
    }
}
