//! The page as a whole.

use super::{App, Message, Page, Popup};
use crate::ui::design::DesignPanel;
use crate::ui::dialog::Anchor;
use crate::ui::faults::{FaultForm, FaultList, Palette};
use crate::ui::gallery::{Gallery, GalleryState};
use crate::ui::icon::icon;
use crate::ui::playground::{
    Announcer, BillPanel, Charts, ClusterPanel, Futures, Header, InspectorPanel, Narrator, NodeMenu,
    RecordedReport, Shortcuts, Timeline, TrafficForm, Transport,
};
use crate::ui::run::Run;
use crate::ui::sizing::SizingPage;
use crate::ui::view::{draw, draw_keyed};
use std::rc::Rc;
use yew::prelude::*;

impl App {
    pub(super) fn page(&self) -> Html {
        let run = self.run.as_ref().filter(|_| self.page == Page::Playground);
        let (title, question) = match run {
            Some(run) => (run.layout.title.clone(), run.layout.question.clone()),
            None => (String::new(), String::new()),
        };
        let class =
            classes!("app", if self.page == Page::Playground { "at-playground" } else { "at-gallery" });
        html! {
                   <div {class}>
                       { draw(Header {
        title: title.into(), question: question.into(), theme: self.theme, has_run: run.is_some(), send: self.send.clone(),
        }) }
                       { match (self.page, run) {
                           (Page::Gallery, _) => draw(Gallery { state: GalleryState::from(&self.catalogue) }),
                           (Page::Sizing, _) => self.sizing(),
                           (Page::Playground, Some(run)) => self.playground(run),
                           (Page::Playground, None) => self.waiting(),
                       } }
                       { self.notice() }
                       if let (Some(run), Some((popup, anchor))) = (&self.run, &self.popup) {
                           { self.popup(run, popup, *anchor) }
                       }
                   </div>
               }
    }

    fn waiting(&self) -> Html {
        let what = self.opening.as_deref().unwrap_or("a scenario");
        html! {
            <main class="waiting"><p role="status">{ format!("Opening {what} …") }</p><p><a href="#/">{ "All scenarios" }</a></p></main>
        }
    }

    fn sizing(&self) -> Html {
        match &self.sizing {
            Some(sizing) => draw(SizingPage { now: sizing.now(), send: self.send.reform(Message::Sizing) }),
            None => html! {
                <main class="waiting">
                    <p>{ "To right-size a cluster, open a scenario and press Right-size beside the cluster's name." }</p>
                    <p><a href="#/">{ "All scenarios" }</a></p>
                </main>
            },
        }
    }

    fn playground(&self, run: &Run) -> Html {
        // Suggestions give way when there is something to read.
        let is_quiet = self.inspected.is_none() && run.story.len() < 6;
        html! {
            <>
                { draw(Transport {
                    moment: run.moment, asked_speed: self.speed(), end_ns: run.layout.end_ns, seed: run.layout.seed,
                    trace_hash: run.trace_hash, events: run.events, futures: run.branches.len(),
                    changed: self.design.changed, send: self.send.clone(),
                }) }
                <main class={classes!("stage", format!("clusters-{}", run.clusters.len()))}>
                    { for (0..run.clusters.len()).map(|index| self.cluster(run, index)) }
                    if self.is_drawing {
                        <p class="drawing-hint" role="status">
                            { "Draw a line across a picture: what lies on either side is cut off from the other." }
                            <button onclick={self.send.reform(|_| Message::StopDrawing)}>{ "Cancel" }</button>
                        </p>
                    }
                </main>
                <aside class="rail" aria-label="Faults and what happens">
                    <Palette faults={run.faults.clone()} has_service={run.clusters.iter().any(|cluster| !cluster.partitions.is_empty())} send={self.send.clone()} />
                    { draw(FaultList {
                        faults: run.faults.clone(), names: self.names.clone(),
                        now_s: run.moment.time_ns / 1_000_000_000, send: self.send.clone(),
                    }) }
                    if let Some(address) = &self.inspected {
                        { draw(InspectorPanel {
                            address: address.clone(), layout: run.layout.clone(), inspector: run.inspector.clone(),
                            send: self.send.clone(),
                        }) }
                    }
                    { things_to_try(&run.layout.things_to_try, is_quiet) }
                    <Narrator story={run.story.clone()} hues={run.hues.clone()} names={self.names.clone()} />
                    <Announcer story={run.story.clone()} />
                </aside>
                <section class="time" aria-label="Time and series">
                    <Timeline moment={run.moment} end_ns={run.layout.end_ns} faults={run.faults.clone()}
                        branches={run.branches.clone()} story={run.story.clone()} send={self.send.clone()} />
                    if let Some(data) = &self.charts { <Charts data={data.clone()} /> }
                </section>
            </>
        }
    }

    fn cluster(&self, run: &Run, index: usize) -> Html {
        let now = &run.clusters[index];
        let cluster = index as u8;
        let inspected = self.inspected.as_ref().filter(|address| address.cluster == cluster);
        let selected = inspected.and_then(|address| address.nodes.first()).copied();
        let doubted =
            selected.and_then(|node| now.nodes.get(usize::from(node))).map(|node| node.believes_dead.clone());
        let panel = ClusterPanel {
            cluster,
            layout: run.layout.clone(),
            hue: run.hues[index],
            now: now.clone(),
            selected,
            doubted: Rc::new(doubted.unwrap_or_default()),
            is_drawing: self.is_drawing,
            shows_bands: self.fast.shows_bands(cluster),
            fast: self.fast.clone(),
            send: self.send.clone(),
        };
        draw_keyed(index, panel)
    }

    fn notice(&self) -> Html {
        let Some(notice) = &self.notice else { return Html::default() };
        let role = if notice.is_refusal { "alert" } else { "status" };
        html! {
            <div class={classes!("notice", notice.is_refusal.then_some("refusal"))} {role}>
                { icon(if notice.is_refusal { "warning" } else { "ok" }) }
                <p>{ notice.text.clone() }</p>
                <button class="plain" aria-label="Dismiss" onclick={self.send.reform(|_| Message::DismissNotice)}>{ icon("close") }</button>
            </div>
        }
    }

    fn popup(&self, run: &Run, popup: &Popup, anchor: Anchor) -> Html {
        let send = self.send.clone();
        let layout = run.layout.clone();
        match popup {
            Popup::Fault(kind) => {
                html! { <FaultForm kind={*kind} {layout} {anchor} for_ms={self.for_ms} {send} /> }
            }
            Popup::Node(address) => {
                let (address, faults, for_ms) = (address.clone(), run.faults.clone(), self.for_ms);
                draw(NodeMenu { address, layout, faults, anchor, for_ms, send })
            }
            Popup::Futures => draw(Futures { branches: run.branches.clone(), anchor, send }),
            Popup::Design => draw(DesignPanel { design: self.design.clone(), hues: run.hues.clone(), send }),
            Popup::Bill(cluster) => {
                let name =
                    layout.clusters.get(usize::from(*cluster)).map_or(String::new(), |one| one.name.clone());
                let bill = run.bill.clone().filter(|bill| bill.cluster == *cluster);
                draw(BillPanel { name, bill, send })
            }
            Popup::Shortcuts => draw(Shortcuts { send }),
            Popup::Traffic => draw(TrafficForm { anchor, send }),
            Popup::Recorded { taken, skipped, first_skipped } => {
                let first_skipped = first_skipped.clone();
                draw(RecordedReport { taken: *taken, skipped: *skipped, first_skipped, send })
            }
        }
    }
}

/// What the scenario suggests; folded away or not.
fn things_to_try(things: &[String], is_open: bool) -> Html {
    if things.is_empty() {
        return Html::default();
    }
    html! {
        <section class="to-try" aria-label="Try this">
            <details open={is_open}>
                <summary>{ "Try this" }</summary>
                <ul class="try">{ for things.iter().map(|thing| html! { <li>{ thing.clone() }</li> }) }</ul>
            </details>
        </section>
    }
}
