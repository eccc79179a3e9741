//! What one node is and believes.

use crate::session::frame::{Inspector, Layout};
use crate::ui::app::{Message, NodeAddress};
use crate::ui::icon::icon;
use crate::ui::shared::Shared;
use crate::ui::site;
use crate::ui::view::View;
use std::rc::Rc;
use web_sys::Element;
use yew::prelude::*;

#[derive(PartialEq)]
pub struct InspectorPanel {
    pub address: NodeAddress,
    pub layout: Shared<Layout>,
    pub inspector: Option<Rc<Inspector>>,
    pub send: Callback<Message>,
}

impl View for InspectorPanel {
    fn view(&self) -> Html {
        let Some(cluster) = self.layout.clusters.get(usize::from(self.address.cluster)) else {
            return Html::default();
        };
        let Some(index) = self.address.nodes.first().copied() else { return Html::default() };
        let Some(node) = cluster.nodes.get(usize::from(index)) else { return Html::default() };
        let zone = self.layout.zones.get(usize::from(node.zone)).cloned().unwrap_or_default();
        let is_of_it =
            |inspector: &&Rc<Inspector>| inspector.cluster == self.address.cluster && inspector.node == index;
        let facts = self.inspector.as_ref().filter(is_of_it).map(|inspector| {
        let fact = |(term, description): &(String, String)| html! { <><dt>{ term.clone() }</dt><dd>{ description.clone() }</dd></> };
        html! { <dl>{ for inspector.facts.iter().map(fact) }</dl> }
    });
        let price = if node.usd_per_hour > 0.0 {
            format!("{}, ${:.3} an hour ({})", node.machine_type, node.usd_per_hour, self.layout.price_sheet)
        } else {
            "Costs nothing: it stands outside of the cluster.".to_string()
        };
        html! {
            <section class="inspector" aria-label={format!("Inspector: {}", node.name)}>
                <div class="section-head">
                    <h3><b>{ node.name.clone() }</b>{ format!(" · {} · zone {zone}", node.role.replace('-', " ")) }</h3>
                    <button class="plain close" aria-label="Close the inspector" onclick={self.send.reform(|_| Message::Inspect(None))}>{ icon("close") }</button>
                </div>
                { facts }
                <details key={node.role.clone()} ontoggle={bring_card(&node.role)}>
                    <summary>{ "What is modelled, and what it costs" }</summary>
                    <p></p>
                    <p>{ price }</p>
                </details>
            </section>
        }
    }
}

/// Puts the model card of a role into the paragraph that is there for it, when it is opened first.
fn bring_card(role: &str) -> Callback<Event> {
    let file = format!("static/model-cards/{role}.txt");
    Callback::from(move |event: Event| {
        let (file, details) = (file.clone(), event.target_unchecked_into::<Element>());
        yew::platform::spawn_local(async move {
            let paragraph = details.query_selector("p").ok().flatten();
            if let Some(paragraph) = paragraph.filter(|paragraph| paragraph.child_nodes().length() == 0) {
                let card = site::read(&file).await.unwrap_or_else(|why| why);
                paragraph.set_text_content(Some(&card));
            }
        });
    })
}
