//! What a fault is pointed at, as one choice of a list.

use crate::scenario::fault::Selector;
use crate::session::frame::Layout;
use crate::ui::view::View;
use yew::prelude::*;

/// A choice: its value in the list and what it selects.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    pub value: String,
    pub words: String,
    pub selector: Selector,
}

/// Choices under one heading.
pub struct Group {
    pub heading: String,
    pub targets: Vec<Target>,
}

/// Everything that a fault can be pointed at, in the order in which it is offered.
pub fn groups(layout: &Layout, with_everything: bool) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut together = Vec::new();
    if with_everything {
        together.push(Target {
            value: "all".to_string(),
            words: "anywhere".to_string(),
            selector: Selector::all(),
        });
    } else if let Some(target) = one_of_each(layout) {
        together.push(target);
    }
    if !together.is_empty() {
        groups.push(Group { heading: "In every cluster".to_string(), targets: together });
    }
    groups.push(Group {
        heading: "Zones".to_string(),
        targets: layout.zones.iter().map(|zone| of_zone(zone)).collect(),
    });
    for cluster in &layout.clusters {
        let nodes = cluster.nodes.iter().filter(|node| node.role != "client");
        groups.push(Group {
            heading: cluster.name.clone(),
            targets: nodes.map(|node| of_node(&node.name)).collect(),
        });
    }
    // Every cluster has the same clients.
    let clients: Vec<&str> = layout
        .clusters
        .iter()
        .take(1)
        .flat_map(|cluster| cluster.nodes.iter().filter(|node| node.role == "client"))
        .map(|node| node.name.as_str())
        .collect();
    if !clients.is_empty() {
        let all = Target {
            value: "role:client".to_string(),
            words: "all clients".to_string(),
            selector: Selector { roles: vec!["client".to_string()], ..Selector::default() },
        };
        groups.push(Group { heading: "Clients".to_string(), targets: vec![all] });
    }
    groups
}

/// A primary and a ring node: the fair comparison.
fn one_of_each(layout: &Layout) -> Option<Target> {
    let mut names: Vec<String> = Vec::new();
    for cluster in &layout.clusters {
        let is_chief = |role: &str| role == "mysql" || role == "ring-node";
        let chief = cluster.nodes.iter().find(|node| is_chief(&node.role))?;
        if !names.contains(&chief.name) {
            names.push(chief.name.clone());
        }
    }
    let selector = Selector { nodes: names, ..Selector::default() };
    (selector.nodes.len() > 1).then(|| Target {
        value: "each".to_string(),
        words: format!("{} (one of each)", selector.describe()),
        selector,
    })
}

pub fn of_zone(zone: &str) -> Target {
    Target { value: format!("zone:{zone}"), words: format!("zone {zone}"), selector: Selector::zone(zone) }
}

pub fn of_node(name: &str) -> Target {
    Target { value: format!("node:{name}"), words: name.to_string(), selector: Selector::node(name) }
}

/// All zones but one, by name.
pub fn other_zones(layout: &Layout, zones: &[String]) -> Selector {
    let others = layout.zones.iter().filter(|zone| !zones.contains(zone)).cloned();
    Selector { zones: others.collect(), ..Selector::default() }
}

#[derive(PartialEq)]
pub struct TargetList {
    pub label: AttrValue,
    pub layout: crate::ui::shared::Shared<Layout>,
    pub with_everything: bool,
    pub value: AttrValue,
    pub on_choose: Callback<String>,
}

/// The list itself.
impl View for TargetList {
    fn view(&self) -> Html {
        let onchange = {
            let on_choose = self.on_choose.clone();
            Callback::from(move |event: Event| {
                if let Some(list) = event.target_dyn_into::<web_sys::HtmlSelectElement>() {
                    on_choose.emit(list.value());
                }
            })
        };
        let option = |target: Target| {
            let selected = target.value == *self.value;
            html! { <option value={target.value} {selected}>{ target.words }</option> }
        };
        let group = |group: Group| {
            html! { <optgroup label={group.heading}>{ for group.targets.into_iter().map(option) }</optgroup> }
        };
        html! {
            <label class="field">
                <span>{ self.label.clone() }</span>
                <select {onchange}>{ for groups(&self.layout, self.with_everything).into_iter().map(group) }</select>
            </label>
        }
    }
}
