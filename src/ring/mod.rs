//! The gossip-based ring.
//!
//! [`token_ring`] says where a key is, [`view`] which ring a node acts by, made of the [`place`]s that it has
//! heard of; [`ring_node`] coordinates (by [`consistency`], with [`speculation`]), stores [`row`]s (registers,
//! [`siblings`] or a [`counter`]), keeps [`hints`], takes part in rounds of [`paxos`] and streams ranges that move;
//! all in memory or in its [`storage`], where neighbours can be read as a [`slice`];
//! [`membership`] says who is there: by [`gossip`] of [`rumour`]s over an [`overlay`],
//! judged by a [`failure_detector`]; [`message`] is what they say to each other,
//! [`settings`] what they are set up with.

pub mod broadcasts;
pub mod consistency;
pub mod counter;
pub mod failure_detector;
pub mod gossip;
pub mod gossip_message;
pub mod hints;
pub mod membership;
pub mod message;
pub mod overlay;
pub mod paxos;
pub mod place;
pub mod ring_node;
pub mod row;
pub mod rumour;
pub mod settings;
pub mod siblings;
pub mod slice;
pub mod speculation;
pub mod storage;
pub mod token_ring;
pub mod view;
