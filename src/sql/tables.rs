//! A shard's rows as one MySQL server has them: the table, and the ghost table
//! that an online schema change fills.

use super::binlog::{Change, Entry};
use crate::engine::PagedVec;
use crate::workload::operation::{Cell, KeyId};
use std::rc::Rc;

/// The table, and its ghost while there is one.
#[derive(Clone, Default)]
pub struct Tables {
    rows: PagedVec<Cell>,
    /// As gh-ost or Vitess fill it, with rows as the new schema has them.
    ghost: Option<PagedVec<Cell>>,
    /// The number of the last schema change that was made; zero if there was none.
    schema: u64,
}

/// Of a row beside its payload: key, version, lengths.
const ROW_BYTES: u64 = 24;

/// What a copy of tables needs to know before the first page comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outline {
    rows: usize,
    has_ghost: bool,
    schema: u64,
}

impl Tables {
    /// So many rows, none of which was written.
    pub fn empty(rows: usize) -> Tables {
        Tables { rows: PagedVec::filled(Cell::default(), rows), ghost: None, schema: 0 }
    }

    /// A row; never written, if it is not there.
    #[inline]
    pub fn row(&self, key: KeyId) -> Cell {
        self.rows.get(key as usize).copied().unwrap_or_default()
    }

    pub fn schema(&self) -> u64 {
        self.schema
    }

    /// Rows that were written.
    pub fn row_count(&self) -> u32 {
        self.rows.iter().filter(|row| row.content.version > 0).count() as u32
    }

    /// Bytes of the rows that were written, with what a dump writes beside each.
    pub fn bytes(&self) -> u64 {
        let written = self.rows.iter().filter(|row| row.content.version > 0);
        written.map(|row| ROW_BYTES + u64::from(row.bytes)).sum()
    }

    /// Whether the ghost table has what the table has.
    pub fn ghost_is_complete(&self) -> bool {
        self.ghost.as_ref().is_some_and(|ghost| ghost.iter().eq(self.rows.iter()))
    }

    /// Makes room for so many rows.
    pub fn extend_to(&mut self, rows: usize) {
        self.rows.extend_to(rows, Cell::default());
        if let Some(ghost) = &mut self.ghost {
            ghost.extend_to(rows, Cell::default());
        }
    }

    /// Does what a transaction does.
    #[inline]
    pub fn execute(&mut self, entry: &Entry) {
        match entry.change {
            Change::Write | Change::Import | Change::Remove => put(&mut self.rows, entry),
            Change::Ghost => {
                if let Some(ghost) = &mut self.ghost {
                    put(ghost, entry);
                }
            }
            Change::CreateGhost => self.ghost = Some(PagedVec::filled(Cell::default(), self.rows.len())),
            Change::DropGhost => self.ghost = None,
            Change::Rename => {
                if let Some(ghost) = self.ghost.take() {
                    let rows = self.rows.len();
                    self.rows = ghost;
                    self.rows.extend_to(rows, Cell::default());
                    self.schema = entry.schema_change();
                }
            }
            Change::Rebuild => self.schema = entry.schema_change(),
        }
    }

    pub fn outline(&self) -> Outline {
        Outline { rows: self.rows.len(), has_ghost: self.ghost.is_some(), schema: self.schema }
    }

    /// Tables of that outline, whose pages are still to come.
    pub fn outlined(outline: Outline) -> Tables {
        let empty = || PagedVec::filled(Cell::default(), outline.rows);
        Tables { rows: empty(), ghost: outline.has_ghost.then(empty), schema: outline.schema }
    }

    /// Pages of the table, then of the ghost.
    pub fn page_count(&self) -> usize {
        self.rows.page_count() + self.ghost.as_ref().map_or(0, PagedVec::page_count)
    }

    pub fn page(&self, index: usize) -> Option<Rc<Vec<Cell>>> {
        match index.checked_sub(self.rows.page_count()) {
            None => self.rows.page(index),
            Some(index) => self.ghost.as_ref()?.page(index),
        }
    }

    /// Puts a page in its place; false if it does not fit.
    pub fn replace_page(&mut self, index: usize, page: Rc<Vec<Cell>>) -> bool {
        match (index.checked_sub(self.rows.page_count()), &mut self.ghost) {
            (None, _) => self.rows.replace_page(index, page),
            (Some(index), Some(ghost)) => ghost.replace_page(index, page),
            (Some(_), None) => false,
        }
    }
}

#[inline]
fn put(table: &mut PagedVec<Cell>, entry: &Entry) {
    let key = entry.key as usize;
    if key >= table.len() {
        table.extend_to(key + 1, Cell::default());
    }
    if let Some(row) = table.get_mut(key) {
        *row = entry.row();
    }
}
