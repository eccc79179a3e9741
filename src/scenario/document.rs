//! A JSON text as a tree, and values read from it with the path of what is wrong.
//!
//! serde_path_to_error over serde_json's text parser would do the same, but its
//! code is compiled anew for every type that can stand in a scenario: it was a
//! third of the worker's download. Here the text is parsed once, into a tree, and
//! [`Reader`] is all that is compiled per type.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// One step from a value to one that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An entry of a list.
    Entry(usize),
    /// A field of an object.
    Field(String),
}

/// Why a value could not be read from a tree, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadError {
    pub path: Vec<Step>,
    /// In serde's words.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.path {
            match step {
                Step::Entry(index) => write!(f, "[{index}]")?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        write!(f, ": {}", self.message)
    }
}

/// Parses a text; a field that stands twice in an object is an error.
pub fn parse_tree(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Tree>(text).map(|tree| tree.0)
}

/// Reads a value from a tree.
pub fn read<T: DeserializeOwned>(tree: &Value) -> Result<T, ReadError> {
    let path = RefCell::new(Vec::new());
    T::deserialize(Reader { value: tree, path: &path })
        .map_err(|error| ReadError { path: path.take(), message: error.0 })
}

/// The value at a path.
pub fn at<'a>(tree: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, step| match step {
        Step::Entry(index) => value.get(index),
        Step::Field(name) => value.get(name),
    })
}

/// Whether a value is what is wanted: all of it, but of an object what is named.
pub fn fits(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        (Value::Number(wanted), Value::Number(number)) => wanted.as_f64() == number.as_f64(),
        (Value::Object(wanted), Value::Object(_)) => {
            wanted.iter().all(|(name, wanted)| fits(wanted, &value[name.as_str()]))
        }
        (Value::Array(wanted), Value::Array(list)) => {
            wanted.len() == list.len() && wanted.iter().zip(list).all(|(wanted, value)| fits(wanted, value))
        }
        (Value::String(wanted), Value::String(text)) => wanted == text,
        (Value::Bool(wanted), Value::Bool(value)) => wanted == value,
        _ => wanted.is_null() && value.is_null(),
    }
}

/// The line, from 1, on which the value at a path begins, in a text that parses.
pub fn line_of(text: &str, path: &[Step]) -> usize {
    let mut scanner = Scanner { text: text.as_bytes(), at: 0 };
    scanner.space();
    for step in path {
        if !scanner.enter(step) {
            break;
        }
    }
    1 + scanner.text[..scanner.at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// A tree that refuses fields that stand twice.
struct Tree(Value);

impl<'de> de::Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Tree(entry)) = entries.next_element()? {
            list.push(entry);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if fields.contains_key(&name) {
                return Err(de::Error::custom(format_args!("duplicate field `{name}`")));
            }
            let Tree(value) = entries.next_value()?;
            fields.insert(name, value);
        }
        Ok(fields.into())
    }
}

/// serde's words for what is wrong.
#[derive(Debug)]
pub struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Problem {
        Problem(message.to_string())
    }
}

/// A deserializer over a tree. It pushes every step that it takes onto the path
/// and pops it when it has come back well: after an error the path leads to it.
///
/// Whatever does not depend on what is read stands in functions of its own, which are compiled once.
#[derive(Clone, Copy)]
struct Reader<'de, 'p> {
    value: &'de Value,
    path: &'p Path,
}

/// Where reading has come to.
type Path = RefCell<Vec<Step>>;

#[inline(never)]
fn enter(path: &Path, step: Step) {
    path.borrow_mut().push(step);
}

#[inline(never)]
fn leave(path: &Path) {
    path.borrow_mut().pop();
}

/// A number as serde tells numbers apart.
enum Kind {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

#[inline(never)]
fn kind(number: &Number) -> Kind {
    match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => Kind::Unsigned(value),
        (None, Some(value)) => Kind::Signed(value),
        (None, None) => Kind::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

#[cold]
#[inline(never)]
fn mismatch(value: &Value, expected: &dyn Expected) -> Problem {
    de::Error::invalid_type(unexpected(value), expected)
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match kind(number) {
            Kind::Unsigned(value) => Unexpected::Unsigned(value),
            Kind::Signed(value) => Unexpected::Signed(value),
            Kind::Float(value) => Unexpected::Float(value),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            let Value::Number(number) = self.value else {
                return Err(mismatch(self.value, &visitor));
            };
            match kind(number) {
                Kind::Unsigned(value) => visitor.visit_u64(value),
                Kind::Signed(value) => visitor.visit_i64(value),
                Kind::Float(value) => visitor.visit_f64(value),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match kind(number) {
                Kind::Unsigned(value) => visitor.visit_u64(value),
                Kind::Signed(value) => visitor.visit_i64(value),
                Kind::Float(value) => visitor.visit_f64(value),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let mut entry = match self.value {
            Value::String(name) => {
                return visitor.visit_enum(Variant { name, content: None, path: self.path });
            }
            Value::Object(fields) => fields.iter(),
            _ => return Err(de::Error::custom("expected a kind")),
        };
        match (entry.next(), entry.next()) {
            (Some((name, content)), None) => {
                visitor.visit_enum(Variant { name, content: Some(content), path: self.path })
            }
            _ => Err(de::Error::custom("expected exactly one entry")),
        }
    }

    // What is asked for decides what can come: a visitor's other methods are not even
    // compiled. An object is never a list here, which serde's own readers allow.
    numbers! { deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            other => Err(mismatch(other, &visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            other => Err(mismatch(other, &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::Array(list) => {
                let mut entries = Entries { list, next: 0, path: self.path };
                let value = visitor.visit_seq(&mut entries)?;
                if entries.next < list.len() { Err(de::Error::custom("trailing entries")) } else { Ok(value) }
            }
            other => Err(mismatch(other, &visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::Object(fields) => {
                visitor.visit_map(Fields { fields: fields.iter(), value: None, path: self.path })
            }
            other => Err(mismatch(other, &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier ignored_any
    }
}

struct Entries<'de, 'p> {
    list: &'de [Value],
    next: usize,
    path: &'p Path,
}

impl<'de> SeqAccess<'de> for &mut Entries<'de, '_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some(entry) = self.enter() else {
            return Ok(None);
        };
        let element = seed.deserialize(entry)?;
        leave(self.path);
        Ok(Some(element))
    }
}

impl<'de, 'p> Entries<'de, 'p> {
    #[inline(never)]
    fn enter(&mut self) -> Option<Reader<'de, 'p>> {
        let value = self.list.get(self.next)?;
        enter(self.path, Step::Entry(self.next));
        self.next += 1;
        Some(Reader { value, path: self.path })
    }
}

struct Fields<'de, 'p> {
    fields: serde_json::map::Iter<'de>,
    value: Option<&'de Value>,
    path: &'p Path,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        match self.enter() {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        let read = seed.deserialize(self.value())?;
        leave(self.path);
        Ok(read)
    }
}

impl<'de, 'p> Fields<'de, 'p> {
    #[inline(never)]
    fn enter(&mut self) -> Option<&'de str> {
        let (name, value) = self.fields.next()?;
        self.value = Some(value);
        enter(self.path, Step::Field(name.clone()));
        Some(name)
    }

    #[inline(never)]
    fn value(&mut self) -> Reader<'de, 'p> {
        let value = self.value.take().expect("a key comes before its value");
        Reader { value, path: self.path }
    }
}

struct Variant<'de, 'p> {
    name: &'de str,
    content: Option<&'de Value>,
    path: &'p Path,
}

impl<'de, 'p> EnumAccess<'de> for Variant<'de, 'p> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let variant = seed.deserialize(StrDeserializer::new(self.name))?;
        enter(self.path, Step::Field(self.name.to_string()));
        Ok((variant, self))
    }
}

impl<'de, 'p> Variant<'de, 'p> {
    /// What stands behind the name; an error where a kind of this shape needs something.
    #[inline(never)]
    fn content(&self, needs: &'static str) -> Result<Reader<'de, 'p>, Problem> {
        let value = self.content.ok_or_else(|| de::Error::invalid_type(Unexpected::UnitVariant, &needs))?;
        Ok(Reader { value, path: self.path })
    }
}

impl<'de> VariantAccess<'de> for Variant<'de, '_> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        match self.content {
            Some(value) => Err(mismatch(value, &"unit")),
            None => {
                leave(self.path);
                Ok(())
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        let value = seed.deserialize(self.content("newtype variant")?)?;
        leave(self.path);
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        let value = self.content("tuple variant")?.deserialize_seq(visitor)?;
        leave(self.path);
        Ok(value)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let value = self.content("struct variant")?.deserialize_map(visitor)?;
        leave(self.path);
        Ok(value)
    }
}

/// Finds its way through a text that is known to parse.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') {
            self.at += 1;
        }
    }

    /// Goes to where a step leads; false, and stays, if it leads nowhere.
    fn enter(&mut self, step: &Step) -> bool {
        let begin = self.at;
        self.at += 1;
        let mut index = 0;
        loop {
            self.space();
            if matches!(self.peek(), b']' | b'}' | 0) {
                self.at = begin;
                return false;
            }
            let found = match step {
                Step::Entry(wanted) => index == *wanted,
                Step::Field(wanted) => {
                    let name = self.at;
                    self.skip();
                    let name = serde_json::from_slice::<String>(&self.text[name..self.at]);
                    self.space();
                    name.is_ok_and(|name| name == *wanted)
                }
            };
            if found {
                return true;
            }
            self.skip();
            index += 1;
        }
    }

    /// Goes behind the value that begins here.
    fn skip(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    while !matches!(self.peek(), b'"' | 0) {
                        self.at += if self.peek() == b'\\' { 2 } else { 1 };
                    }
                    self.at += 1;
                }
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b']' | b'}' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b']' | b'}' | 0 => return,
                _ => {
                    while !matches!(self.peek(), b',' | b']' | b'}' | b'[' | b'{' | b'"' | 0) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return;
            }
            self.space();
        }
    }
}
