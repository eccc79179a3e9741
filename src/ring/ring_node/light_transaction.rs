//! Lightweight transactions: every operation on a row is a round of Paxos among its replicas.
//!
//! ```text
//! Prepare ─majority promises, with what it has accepted─► current value
//!   a read, and it was chosen: answer
//!   the condition holds:      Propose the new value ─majority accepts─► chosen: Write to all (commit) ─W─► answer
//!   otherwise, not yet chosen: Propose the current value ─majority accepts─► answer
//! refused by a later ballot: again after a while, with a later one
//! ```
//!
//! Replicas whose promise shows that they missed the last commit get it.
//!
//! As Cassandra's compare-and-set (4.1), with its current value read in the first
//! round; an operation whose value may have been accepted before another ballot
//! won is unknown, as its CasWriteUnknown is. A majority of all replicas decides,
//! whatever the consistency levels are; the write level says how many replicas
//! must have the committed row before the client hears of it.

use super::RingNode;
use super::coordinator::bits;
use crate::engine::disk::UNSYNCED_RECORDS_MAX;
use crate::engine::{Context, NodeId, SimDuration, Ticket};
use crate::ring::message::{Content, RingHost, RingMessage, RingRecord, RingTimer, RingToken};
use crate::ring::paxos::{Acceptor, ballot, ballot_time_us};
use crate::ring::row::Row;
use crate::ring::token_ring::REPLICAS_MAX;
use crate::workload::operation::{Cause, Cell, KeyId, OperationKind, Request, Response, Versioned};

/// The longest a proposer waits before it tries again, at first and at all.
const BACKOFF_MS_FIRST: u32 = 10;
const BACKOFF_MS_MAX: u32 = 100;

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Preparing,
    Proposing,
    /// For another attempt.
    Waiting,
}

/// An operation that this node proposes. Replicas are bits, by their place among the key's replicas.
#[derive(Clone)]
pub(super) struct Transaction {
    client: NodeId,
    request: Request,
    phase: Phase,
    ballot: u64,
    asked: u16,
    answered: u16,
    nodes: [u16; REPLICAS_MAX],
    majority: u32,
    /// The newest version that was shown, by whom, and who had it committed.
    current: Cell,
    holders: u16,
    committed: u16,
    /// What is proposed.
    proposal: Cell,
    /// Its own value may have been accepted somewhere.
    was_proposed: bool,
    attempts: u32,
}

impl Transaction {
    /// Nobody can come to choose another value in place of the current one any more.
    fn is_chosen(&self) -> bool {
        self.committed != 0 || self.holders.count_ones() >= self.majority || self.current.content.version == 0
    }

    fn is_own(&self, cell: &Cell) -> bool {
        cell.content.value == self.request.value
    }
}

impl RingNode {
    pub(super) fn begin_transaction<P: RingHost>(
        &mut self,
        client: NodeId,
        request: Request,
        ctx: &mut Context<P>,
    ) {
        let replicas = self.view.readers(self.settings.keys.token(request.key));
        let (nodes, asked) = self.believed_alive(&replicas);
        let majority = replicas.len() as u32 / 2 + 1;
        if asked.count_ones() < majority {
            ctx.send(client, Response::failed(request.id, Cause::TooFewReplicas));
            return;
        }
        let transaction = Transaction {
            client,
            request,
            phase: Phase::Waiting,
            ballot: 0,
            asked,
            answered: 0,
            nodes,
            majority,
            current: Cell::default(),
            holders: 0,
            committed: 0,
            proposal: Cell::default(),
            was_proposed: false,
            attempts: 0,
        };
        let Ok(ticket) = self.transactions.insert(ctx.monotonic(), transaction) else {
            ctx.send(client, Response::failed(request.id, Cause::Overloaded));
            return;
        };
        if let Some(at) = self.transactions.arm() {
            ctx.set_timer_at(at, RingTimer::TransactionTimeOut);
        }
        self.prepare(ticket, ctx);
    }

    /// Asks for promises with a ballot later than any that this node has heard of.
    pub(super) fn prepare<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let time_us = (ctx.local_time() / 1_000).max(self.last_timestamp + 1);
        let Some(transaction) = self.transactions.get_mut(ticket) else {
            return;
        };
        if transaction.phase != Phase::Waiting {
            return;
        }
        self.last_timestamp = time_us;
        transaction.phase = Phase::Preparing;
        transaction.ballot = ballot(time_us, self.index);
        transaction.answered = 0;
        transaction.current = Cell::default();
        transaction.holders = 0;
        transaction.committed = 0;
        let (key, ballot) = (transaction.request.key, transaction.ballot);
        for place in bits(transaction.asked) {
            let to = self.settings.nodes[usize::from(transaction.nodes[place])];
            ctx.send(to, RingMessage::Prepare { ticket, key, ballot });
        }
    }

    /// A later ballot is known: another attempt, after a while that is drawn, so that two do not go on forever.
    fn try_later<P: RingHost>(&mut self, ticket: Ticket, promised: u64, ctx: &mut Context<P>) {
        self.last_timestamp = self.last_timestamp.max(ballot_time_us(promised));
        if let Some(transaction) = self.transactions.get_mut(ticket) {
            transaction.phase = Phase::Waiting;
            let longest = (BACKOFF_MS_FIRST << transaction.attempts.min(8)).min(BACKOFF_MS_MAX);
            transaction.attempts += 1;
            let after = SimDuration::from_ms(u64::from(longest)).scaled(ctx.random().unit());
            ctx.set_timer(after, RingTimer::Ballot { ticket });
        }
    }

    /// The transaction that a replica answers, if it still waits for that, and the replica's place. Refused by a
    /// later ballot it is tried again.
    fn answer_to<P: RingHost>(
        &mut self,
        (ticket, phase): (Ticket, Phase),
        from: NodeId,
        (ballot, promised): (u64, u64),
        ctx: &mut Context<P>,
    ) -> Option<(&mut Transaction, usize)> {
        let node = self.member(from)?;
        let is_meant =
            |transaction: &&mut Transaction| (transaction.phase, transaction.ballot) == (phase, ballot);
        self.transactions.get_mut(ticket).filter(is_meant)?;
        if promised != ballot {
            self.try_later(ticket, promised, ctx);
            return None;
        }
        let transaction = self.transactions.get_mut(ticket)?;
        let mut unanswered = bits(transaction.asked & !transaction.answered);
        let place = unanswered.find(|place| transaction.nodes[*place] == node)?;
        Some((transaction, place))
    }

    pub fn on_promise<P: RingHost>(
        &mut self,
        from: NodeId,
        ticket: Ticket,
        ballots: (u64, u64),
        (row, is_committed): (&Row, bool),
        ctx: &mut Context<P>,
    ) {
        let Some((transaction, place)) = self.answer_to((ticket, Phase::Preparing), from, ballots, ctx)
        else {
            return;
        };
        transaction.answered |= 1 << place;
        let shown = row.shown();
        if shown.content.version > transaction.current.content.version {
            transaction.current = shown;
            transaction.holders = 0;
            transaction.committed = 0;
        }
        if shown.content.version == transaction.current.content.version {
            transaction.holders |= 1 << place;
            transaction.committed |= u16::from(is_committed) << place;
        }
        if transaction.answered.count_ones() == transaction.majority {
            self.decide(ticket, ctx);
        }
    }

    /// A majority has promised: what is there now is known.
    fn decide<P: RingHost>(&mut self, ticket: Ticket, ctx: &mut Context<P>) {
        let Some(transaction) = self.transactions.get_mut(ticket) else {
            return;
        };
        let request = transaction.request;
        let current = transaction.current;
        if transaction.committed != 0 {
            let key = request.key;
            for place in bits(transaction.answered & !transaction.committed) {
                let to = self.settings.nodes[usize::from(transaction.nodes[place])];
                ctx.send(to, RingMessage::Repair { key, row: Row::Register(current), ticket: None });
            }
        }
        let value = current.content.value;
        let is_own = transaction.is_own(&current);
        if transaction.was_proposed && !is_own {
            // It may have been accepted, and built upon since.
            self.finish(ticket, Response::unknown(request.id, Cause::BallotLost), ctx);
            return;
        }
        let holds = match request.kind {
            OperationKind::Read => false,
            kind => !kind.counts() || value == request.after,
        };
        if !is_own && holds {
            let content = Versioned { value: request.value, version: transaction.ballot };
            let cell = if request.is_delete() {
                Cell::tombstone(content)
            } else {
                Cell { content, bytes: request.bytes, count: 0 }
            };
            transaction.was_proposed = true;
            self.propose(ticket, cell, ctx);
        } else if !is_own && transaction.is_chosen() {
            self.answer_with(ticket, current, ctx);
        } else {
            // It is not certain that it was chosen: this makes it so.
            let content = Versioned { value, version: transaction.ballot };
            self.propose(ticket, Cell { content, ..current }, ctx);
        }
    }

    fn propose<P: RingHost>(&mut self, ticket: Ticket, cell: Cell, ctx: &mut Context<P>) {
        let Some(transaction) = self.transactions.get_mut(ticket) else {
            return;
        };
        transaction.phase = Phase::Proposing;
        transaction.proposal = cell;
        transaction.answered = 0;
        let (key, ballot) = (transaction.request.key, transaction.ballot);
        for place in bits(transaction.asked) {
            let to = self.settings.nodes[usize::from(transaction.nodes[place])];
            ctx.send(to, RingMessage::Propose { ticket, key, ballot, row: Row::Register(cell) });
        }
    }

    pub fn on_accepted<P: RingHost>(
        &mut self,
        from: NodeId,
        ticket: Ticket,
        ballots: (u64, u64),
        ctx: &mut Context<P>,
    ) {
        let Some((transaction, place)) = self.answer_to((ticket, Phase::Proposing), from, ballots, ctx)
        else {
            return;
        };
        transaction.answered |= 1 << place;
        if transaction.answered.count_ones() < transaction.majority {
            return;
        }
        let proposal = transaction.proposal;
        if transaction.is_own(&proposal) {
            if let Some(Transaction { client, request, .. }) = self.transactions.remove(ticket) {
                self.commit(client, &request, proposal, ctx);
            }
        } else {
            self.answer_with(ticket, proposal, ctx);
        }
    }

    /// Answers with what is certainly there.
    fn answer_with<P: RingHost>(&mut self, ticket: Ticket, cell: Cell, ctx: &mut Context<P>) {
        let Some(transaction) = self.transactions.get_mut(ticket) else {
            return;
        };
        let id = transaction.request.id;
        let mut response = Response::ok(id, cell.content, cell.bytes);
        if transaction.request.is_write() {
            response = Response { result: cell.content, ..Response::failed(id, Cause::ConditionFailed) };
        }
        self.finish(ticket, response, ctx);
    }

    fn finish<P: RingHost>(&mut self, ticket: Ticket, response: Response, ctx: &mut Context<P>) {
        if let Some(transaction) = self.transactions.remove(ticket) {
            ctx.send(transaction.client, response);
        }
    }

    pub(super) fn transactions_time_out<P: RingHost>(&mut self, ctx: &mut Context<P>) {
        self.transactions.timer_fired();
        while let Some(transaction) = self.transactions.pop_expired(ctx.monotonic()) {
            let id = transaction.request.id;
            let is_sure = transaction.request.is_write() && !transaction.was_proposed;
            let of = if is_sure { Response::failed } else { Response::unknown };
            ctx.send(transaction.client, of(id, Cause::TimedOut));
        }
        if let Some(at) = self.transactions.arm() {
            ctx.set_timer_at(at, RingTimer::TransactionTimeOut);
        }
    }

    // As an acceptor.

    fn acceptor(&mut self, key: KeyId) -> &mut Acceptor {
        self.acceptors.get_mut(key as usize).expect("a key of the key space")
    }

    /// Nothing may leave this node before it is on disk; with too much waiting for that, it does not answer.
    fn can_remember<P: RingHost>(&self, ctx: &Context<P>) -> bool {
        ctx.disk_backlog() <= UNSYNCED_RECORDS_MAX / 2
    }

    pub fn on_prepare<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        ballot: u64,
        ctx: &mut Context<P>,
    ) {
        if !self.can_remember(ctx) {
            return;
        }
        if self.acceptor(key).promise(ballot) {
            ctx.disk_append(RingRecord { key, content: Content::Promised { ballot } });
            ctx.disk_sync(RingToken::Promised { coordinator, ticket, key, ballot });
        } else {
            self.promised(coordinator, ticket, key, ballot, ctx);
        }
    }

    /// Says what it has promised, and if that is this ballot, what it has accepted before.
    pub(super) fn promised<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        key: KeyId,
        ballot: u64,
        ctx: &mut Context<P>,
    ) {
        let Acceptor { promised, accepted } = self.acceptor(key).clone();
        let committed = self.row(key);
        let is_committed = !committed.lacks(&accepted);
        let row = if is_committed { committed.clone() } else { accepted };
        ctx.send(coordinator, RingMessage::Promise { ticket, ballot, promised, row, is_committed });
    }

    pub fn on_propose<P: RingHost>(
        &mut self,
        coordinator: NodeId,
        ticket: Ticket,
        (key, ballot): (KeyId, u64),
        row: Row,
        ctx: &mut Context<P>,
    ) {
        if !self.can_remember(ctx) {
            return;
        }
        if self.acceptor(key).accept(ballot, &row) {
            ctx.disk_append(RingRecord { key, content: Content::Accepted { row } });
            ctx.disk_sync(RingToken::Accepted { coordinator, ticket, ballot });
        } else {
            let promised = self.acceptor(key).promised;
            ctx.send(coordinator, RingMessage::Accepted { ticket, ballot, promised });
        }
    }
}
