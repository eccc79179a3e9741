//! What the run's design is, was, and is about to be.

use super::scope::Scope;
use super::switch::{Place, Switch, element_id};
use crate::scenario::document::parse_tree;
use serde_json::Value;
use std::rc::Rc;

/// Three scenarios with the same clusters: as it was opened, as it runs, and with what was changed since.
#[derive(Clone, Default)]
pub struct Design {
    /// The site's list of switches, once it was asked for.
    pub switches: Option<Result<Rc<Vec<Value>>, String>>,
    pub scopes: Rc<Vec<Scope>>,
    pub as_opened: Rc<Value>,
    pub running: Rc<Value>,
    /// The same, as the worker wrote it.
    pub running_text: Rc<String>,
    pub draft: Rc<Value>,
    pub search: String,
    pub refusal: Option<Refusal>,
    /// The worker was asked to run the draft, and has not answered yet.
    pub is_applying: bool,
    /// Settings that the draft has otherwise than the run.
    pub pending: usize,
    /// Settings that the run has otherwise than the scenario as it was opened.
    pub changed: usize,
}

/// Why the draft can't be run.
#[derive(Clone)]
pub struct Refusal {
    /// The switch that is to blame, where it is one.
    pub place: Option<Place>,
    pub words: String,
}

/// What can happen to a design.
pub enum Change {
    /// The site's list of switches is there.
    Loaded(Result<Rc<Vec<Value>>, String>),
    Search(String),
    /// What now stands in a switch's control, and whether it is checked.
    Set(Place, String, bool),
    /// A switch goes back to the scenario as it was opened.
    Reset(Place),
    /// Everything does.
    ResetAll,
    /// Everything goes back to the run.
    Discard,
    /// The worker was asked to run the draft.
    Apply,
    /// The worker opened something, or began it anew.
    Opened {
        running: String,
        as_opened: String,
    },
    /// The draft can't be run: which field (`clusters[0].sharded_sql.replicas`), and how its sentence goes on.
    Refused {
        field: String,
        problem: String,
    },
}

impl Design {
    pub fn change(&mut self, change: Change) {
        if !matches!(change, Change::Search(_)) {
            self.refusal = None;
        }
        match change {
            Change::Loaded(switches) => self.switches = Some(switches),
            Change::Search(search) => self.search = search,
            Change::Set(place, typed, is_checked) => self.write(place, |switch, design| {
                switch.written(typed, is_checked, [&design.running, &design.as_opened])
            }),
            Change::Reset(place) => self.write(place, |switch, design| switch.taken_from(&design.as_opened)),
            Change::ResetAll => self.draft = self.as_opened.clone(),
            Change::Discard => self.draft = self.running.clone(),
            Change::Apply => self.is_applying = true,
            Change::Opened { running, as_opened } => self.opened(running, &as_opened),
            Change::Refused { field, problem } => self.refused(&field, &problem),
        }
        self.count();
    }

    fn write(&mut self, (scope, entry): Place, value: impl FnOnce(&Switch, &Design) -> Value) {
        let Some(Ok(switches)) = &self.switches else { return };
        let switch = Switch { entry: &switches[entry], scope: &self.scopes[scope], place: (scope, entry) };
        let mut draft = (*self.draft).clone();
        switch.write(&mut draft, value(&switch, self));
        self.draft = Rc::new(draft);
    }

    /// What was changed and not applied is kept only if it is still the same scenario that runs.
    fn opened(&mut self, running: String, as_opened: &str) {
        self.is_applying = false;
        let tree = |text: &str| Rc::new(parse_tree(text).unwrap_or_default());
        self.as_opened = tree(as_opened);
        if running == *self.running_text {
            return;
        }
        self.running = tree(&running);
        self.draft = self.running.clone();
        self.scopes = Rc::new(Scope::all(&self.running));
        self.running_text = Rc::new(running);
    }

    /// The message goes to the switch of its field; else to one that was changed, inside of the field or around it.
    fn refused(&mut self, field: &str, problem: &str) {
        self.is_applying = false;
        // Whatever is to blame must be on the screen.
        self.search.clear();
        let mut blamed: Option<(bool, Place)> = None;
        self.each(|switch| {
            let own = format!("{}{}", switch.scope.prefix(), switch.text("path"));
            let is_near = is_within(field, &own) || is_within(&own, field);
            let is_blamed = own == field || is_near && differs(switch, &self.draft, &self.running);
            if is_blamed && switch.is_shown(&self.draft) {
                blamed = blamed.max(Some((own == field, switch.place)));
            }
        });
        let place = blamed.map(|(_, place)| place);
        let subject = match place {
            Some(_) if problem.starts_with("there ") => "",
            Some(_) => "This ",
            None => field,
        };
        self.refusal = Some(Refusal { place, words: format!("{subject} {problem}.") });
    }

    /// The switches of a scope, in the order of the file.
    pub fn switches<'a>(&'a self, scope: &'a Scope, number: usize) -> Vec<Switch<'a>> {
        let Some(Ok(switches)) = &self.switches else { return Vec::new() };
        let switches = switches.iter().enumerate();
        let switches = switches.map(|(at, entry)| Switch { entry, scope, place: (number, at) });
        switches.filter(|switch| switch.text("cluster") == scope.kind).collect()
    }

    fn each(&self, mut visit: impl FnMut(&Switch)) {
        for (number, scope) in self.scopes.iter().enumerate() {
            for switch in self.switches(scope, number) {
                visit(&switch);
            }
        }
    }

    fn count(&mut self) {
        let (mut pending, mut changed) = (0, 0);
        self.each(|switch| {
            pending += usize::from(differs(switch, &self.draft, &self.running));
            changed += usize::from(differs(switch, &self.running, &self.as_opened));
        });
        (self.pending, self.changed) = (pending, changed);
    }
}

impl Refusal {
    /// Of the control that is to blame.
    pub fn element_id(&self) -> Option<String> {
        self.place.map(element_id)
    }
}

/// Whether a switch stands otherwise in one scenario than in another. What comes and goes with another switch
/// does not count.
pub fn differs(switch: &Switch, one: &Value, other: &Value) -> bool {
    switch.is_shown(one)
        && switch.is_shown(other)
        && switch.words(switch.value(one)) != switch.words(switch.value(other))
}

/// Whether a field is inside of another: `shards[1].from` of `shards`.
pub fn is_within(field: &str, outer: &str) -> bool {
    field.strip_prefix(outer).is_some_and(|rest| matches!(rest.as_bytes().first(), Some(b'.' | b'[')))
}
