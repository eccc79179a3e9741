//! The gossip-based ring.
//!
//! [`token_ring`] says where a key is, [`ring_node`] coordinates
//! (by [`consistency`], with [`speculation`]), stores and keeps [`hints`],
//! [`gossip`] and its [`failure_detector`] say who is there; [`message`] is what
//! they say to each other, [`settings`] what they are set up with.

pub mod consistency;
pub mod failure_detector;
pub mod gossip;
pub mod hints;
pub mod message;
pub mod ring_node;
pub mod settings;
pub mod speculation;
pub mod token_ring;
