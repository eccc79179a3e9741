//! Breaking things: what can be broken ([`kind`]), how ([`draft`], [`form`]), and what it did ([`list`]).

mod draft;
mod form;
mod kind;
mod list;
mod palette;
mod target;

pub use form::FaultForm;
pub use kind::Kind;
pub use list::FaultList;
pub use palette::Palette;
