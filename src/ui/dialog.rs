//! What opens above the page: a form, a menu, a list. Escape and a click beside it close it.

use wasm_bindgen::JsCast;
use web_sys::{HtmlDialogElement, HtmlElement, MouseEvent};
use yew::prelude::*;

/// Where it opens, in CSS pixels of the window; in the middle if there is no such place.
pub type Anchor = Option<(f64, f64)>;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub title: AttrValue,
    #[prop_or_default]
    pub class: Classes,
    #[prop_or_default]
    pub anchor: Anchor,
    pub on_close: Callback<()>,
    pub children: Html,
}

/// A modal dialog: the browser keeps the focus inside and gives it back.
#[component]
pub fn Dialog(props: &Props) -> Html {
    let element = use_node_ref();
    {
        let element = element.clone();
        let anchor = props.anchor;
        use_effect_with((), move |_| {
            let dialog = element.cast::<HtmlDialogElement>();
            if let Some(dialog) = &dialog {
                place(dialog, anchor);
                // Fails only where it is open already.
                let _ = dialog.show_modal();
            }
            move || {
                if let Some(dialog) = dialog {
                    dialog.close();
                }
            }
        });
    }
    let oncancel = {
        let on_close = props.on_close.clone();
        Callback::from(move |event: Event| {
            event.prevent_default();
            on_close.emit(());
        })
    };
    let onclick = {
        let (on_close, element) = (props.on_close.clone(), element.clone());
        Callback::from(move |event: MouseEvent| {
            let is_beside =
                event.target() == element.cast::<HtmlElement>().map(|element| element.unchecked_into());
            if is_beside {
                on_close.emit(());
            }
        })
    };
    let close = props.on_close.reform(|_: MouseEvent| ());
    html! {
        <dialog ref={element} class={classes!("dialog", props.anchor.map(|_| "anchored"), props.class.clone())}
            aria-label={props.title.clone()} {oncancel} {onclick}>
            <div class="dialog-body">
                <div class="dialog-head">
                    <h2>{ props.title.clone() }</h2>
                    <button class="plain close" aria-label="Close" onclick={close}>{ super::icon::icon("close") }</button>
                </div>
                { props.children.clone() }
            </div>
        </dialog>
    }
}

/// Beside what was pressed: to its left if it stands at the right of the window, else below it.
pub fn beside(event: &MouseEvent) -> Anchor {
    let pressed = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    let place = pressed.closest("button").ok().flatten().unwrap_or(pressed).get_bounding_client_rect();
    let width = web_sys::window()?.inner_width().ok()?.as_f64()?;
    if place.left() > width * 0.7 && width > 1_000.0 {
        Some((place.left() - 340.0, place.top() - 20.0))
    } else {
        Some((place.left(), place.bottom() + 6.0))
    }
}

/// The style sheet keeps it inside the window.
fn place(dialog: &HtmlDialogElement, anchor: Anchor) {
    if let Some((x, y)) = anchor {
        let style = dialog.unchecked_ref::<HtmlElement>().style();
        let _ = style.set_property("--x", &format!("{x:.0}px"));
        let _ = style.set_property("--y", &format!("{y:.0}px"));
    }
}
