//! Views: plain values that can be drawn, and are drawn anew only when they change.
//!
//! Yew compiles a component's life cycle once per component type, seven kilobytes
//! each. A part of the page that has no state of its own is therefore a value
//! with a [`View`], and one component, [`Drawn`], draws them all.

use std::any::Any;
use std::rc::Rc;
use yew::prelude::*;
use yew::virtual_dom::Key;

/// A part of the page without a state of its own.
pub trait View: PartialEq + 'static {
    fn view(&self) -> Html;
}

/// Draws a view, now and whenever it changes.
pub fn draw(view: impl View) -> Html {
    html! { <Drawn view={AnyView(Rc::new(view))} /> }
}

/// The same in a list, where it is known by a key.
pub fn draw_keyed(key: impl Into<Key>, view: impl View) -> Html {
    html! { <Drawn key={key.into()} view={AnyView(Rc::new(view))} /> }
}

/// Any view, behind a pointer.
#[derive(Clone)]
struct AnyView(Rc<dyn ErasedView>);

trait ErasedView {
    fn view(&self) -> Html;
    fn is_same(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<V: View> ErasedView for V {
    fn view(&self) -> Html {
        View::view(self)
    }

    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<V>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl PartialEq for AnyView {
    fn eq(&self, other: &AnyView) -> bool {
        self.0.is_same(other.0.as_any())
    }
}

#[derive(Properties, PartialEq)]
struct DrawnProps {
    view: AnyView,
}

#[component]
fn Drawn(props: &DrawnProps) -> Html {
    props.view.0.view()
}
