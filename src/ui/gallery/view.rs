//! The page of all scenarios.

use super::Catalogue;
use super::card::Card;
use super::sketch::sketch;
use crate::ui::number;
use crate::ui::view::View;
use std::rc::Rc;
use yew::prelude::*;

#[derive(PartialEq)]
pub struct Gallery {
    pub state: GalleryState,
}

/// What there is to show.
#[derive(Clone, PartialEq)]
pub enum GalleryState {
    Loading,
    Failed(String),
    Cards(Rc<Vec<Card>>),
}

impl From<&Catalogue> for GalleryState {
    fn from(catalogue: &Catalogue) -> Self {
        match catalogue {
            Catalogue::Unknown | Catalogue::Names(_) => GalleryState::Loading,
            Catalogue::Failed(why) => GalleryState::Failed(why.clone()),
            Catalogue::Cards(cards) => GalleryState::Cards(cards.clone()),
        }
    }
}

impl View for Gallery {
    fn view(&self) -> Html {
        let content = match &self.state {
            GalleryState::Loading => {
                html! { <p class="loading" role="status">{ "Loading the scenarios …" }</p> }
            }
            GalleryState::Failed(why) => html! { <p class="loading" role="alert">{ why.clone() }</p> },
            GalleryState::Cards(cards) => html! { <ul class="cards">{ for cards.iter().map(card) }</ul> },
        };
        html! {
            <main class="gallery">
                <div class="gallery-head">
                    <h1>{ "What would you like to break?" }</h1>
                    <p>{ "Two clusters serve the same users, the same traffic and the same faults: a sharded SQL cluster and a gossip ring. Each scenario asks one question. It starts at once; everything can be changed while it runs, and taken back." }</p>
                </div>
                { content }
            </main>
        }
    }
}

fn card(card: &Card) -> Html {
    let has_try = !card.things_to_try.is_empty();
    html! {
        <li key={card.name.clone()} class="card">
            { sketch(card) }
            <h2><a href={format!("#/s/{}", card.name)}>{ card.title.clone() }</a></h2>
            <p class="question">{ card.question.clone() }</p>
            if has_try {
                <h3>{ "Try" }</h3>
                <ul class="try">{ for card.things_to_try.iter().map(|thing| html! { <li>{ thing.clone() }</li> }) }</ul>
            }
            <p class="card-foot">{ format!("{} s of simulated time", number::seconds((card.duration_ms * 1e6) as u64)) }</p>
        </li>
    }
}
