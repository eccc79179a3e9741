//! The page. Compiled for wasm32 only.
//!
//! It sees layouts, frames, scenarios and commands, never a node: what is
//! simulated lives in a worker, behind [`worker_link`].
//!
//! Two layers draw a cluster. The slow one is SVG, kept by Yew: nodes, links,
//! labels, everything that has a name and can be focused. The fast one is a
//! canvas above it, drawn in animation frames outside the virtual DOM
//! ([`motion`]): messages in flight.
//!
//! Read in this order: [`app`] (what the page knows, and the one enum of what
//! can happen to it), [`run`] (what is kept of frames); [`picture`] (where
//! things stand, and how they are drawn), [`motion`]; [`playground`],
//! [`faults`], [`design`], [`sizing`] and [`gallery`] are the page's parts; the rest is small.

mod app;
mod design;
mod dialog;
mod failure;
mod faults;
mod gallery;
mod icon;
mod motion;
mod number;
mod picture;
mod playground;
mod route;
mod run;
mod shared;
mod site;
mod sizing;
mod theme;
mod view;
mod worker_link;

/// Starts the page.
pub fn start() {
    failure::tell_panics();
    let root = root_element().expect("index.html has an element #app");
    yew::Renderer::<app::App>::with_root(root).render();
}

fn root_element() -> Option<web_sys::Element> {
    web_sys::window()?.document()?.get_element_by_id("app")
}
