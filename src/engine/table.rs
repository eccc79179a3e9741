//! A small map in one sorted list.
//!
//! The standard library's tree is five kilobytes of download for every pair of
//! types; these maps hold a few hundred entries.

/// Values by number, in order.
#[derive(Clone, Debug)]
pub struct Table<V>(Vec<(u64, V)>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Table(Vec::new())
    }
}

impl<V> Table<V> {
    fn place(&self, key: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(other, _)| *other)
    }

    /// The value of a key, made if it is not there.
    pub fn entry(&mut self, key: u64, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.place(key) {
            Ok(place) => place,
            Err(place) => {
                self.0.insert(place, (key, make()));
                place
            }
        };
        &mut self.0[place].1
    }

    pub fn get(&self, key: u64) -> Option<&V> {
        self.place(key).ok().map(|place| &self.0[place].1)
    }

    pub fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        self.place(key).ok().map(|place| &mut self.0[place].1)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn contains(&self, key: u64) -> bool {
        self.place(key).is_ok()
    }

    pub fn remove(&mut self, key: u64) -> Option<V> {
        self.place(key).ok().map(|place| self.0.remove(place).1)
    }

    pub fn first_key(&self) -> Option<u64> {
        self.0.first().map(|(key, _)| *key)
    }

    pub fn iter(&self) -> impl Iterator<Item = &(u64, V)> {
        self.0.iter()
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The key of a pair.
pub fn pair(from: u16, to: u16) -> u64 {
    u64::from(from) << 16 | u64::from(to)
}
