//! A reader of pickles that runs nothing.
//!
//! A pickle is a program for a stack machine. This one builds a table of objects and never calls anything: what the
//! program would call, with which arguments, stands in the table as [`Object::Call`] for the caller to recognise or
//! not. Objects, stack and memo are bounded, so that neither memory nor time grow beyond the bytes that are there.
//!
//! Source: `pickletools.py` of CPython, protocols 0 to 5.

use std::collections::HashMap;

use crate::reading::fault::{Fault, invalid, unsupported};

/// Objects of one pickle, entries of its stack and of its memo. A checkpoint takes about 30 objects a tensor.
const MAX_OBJECTS: usize = 1 << 21;

/// Index of an object in [`Pickle::objects`].
pub(crate) type Id = usize;

/// What a pickle builds. Strings are slices of the file.
#[derive(Debug)]
pub(crate) enum Object<'a> {
    None,
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(&'a str),
    /// Bytes, or a text of Python 2 that is none.
    Bytes(&'a [u8]),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function by name.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// Something outside the pickle, by this key.
    Persistent(Id),
    /// What `function(*arguments)` would make, with the items then put into it and the state then given to it.
    Call {
        function: Id,
        arguments: Id,
        items: Vec<(Id, Id)>,
        state: Option<Id>,
    },
    /// Anything else.
    Opaque,
}

impl<'a> Object<'a> {
    /// Items of a dictionary, or what a call puts into what it makes.
    pub(crate) fn items(&self) -> Option<&[(Id, Id)]> {
        if let Object::Dict(items) | Object::Call { items, .. } = self { Some(items) } else { None }
    }

    /// The bytes of a text, or bytes: a text of Python 2 is either.
    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Object::Text(text) => Some(text.as_bytes()),
            Object::Bytes(bytes) => Some(bytes),
            Object::None
            | Object::Bool(_)
            | Object::Integer(_)
            | Object::Real(_)
            | Object::List(_)
            | Object::Tuple(_)
            | Object::Dict(_)
            | Object::Global { .. }
            | Object::Persistent(_)
            | Object::Call { .. }
            | Object::Opaque => None,
        }
    }

    /// Elements of a list or a tuple.
    pub(crate) fn elements(&self) -> Option<&[Id]> {
        if let Object::List(ids) | Object::Tuple(ids) = self { Some(ids) } else { None }
    }
}

/// The objects of one pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(crate) objects: Vec<Object<'a>>,
    /// What the pickle is of.
    pub(crate) root: Id,
    /// Where it ends in the bytes that were read.
    pub(crate) end: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at `start`.
    pub(crate) fn read(bytes: &'a [u8], start: usize) -> Result<Self, Fault> {
        let mut machine = Machine {
            bytes,
            at: start,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        loop {
            let at = machine.at;
            let opcode = machine.byte()?;
            if opcode == b'.' {
                let root = machine.pop()?;
                return Ok(Self { objects: machine.objects, root, end: machine.at });
            }
            if !machine.step(opcode)? {
                return Err(invalid!("byte {at} of the pickle is {opcode:#04x}, which is no operation"));
            }
            if machine.largest() > MAX_OBJECTS {
                return Err(unsupported!("a pickle of more than {MAX_OBJECTS} objects"));
            }
        }
    }

    /// The object with this id.
    pub(crate) fn get(&self, id: Id) -> &Object<'a> {
        &self.objects[id]
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    /// Does one operation; `false` where there is no such one.
    fn step(&mut self, opcode: u8) -> Result<bool, Fault> {
        Ok(self.constant(opcode)? || self.collection(opcode)? || self.reference(opcode)? || self.call(opcode)?)
    }

    /// What memory grows with.
    fn largest(&self) -> usize {
        [self.objects.len(), self.stack.len(), self.marks.len(), self.memo.len()].into_iter().max().unwrap_or(0)
    }

    /// Operations that push a number, a string or nothing.
    fn constant(&mut self, opcode: u8) -> Result<bool, Fault> {
        let object = match opcode {
            // Protocol and frames say nothing that is needed.
            0x80 => return self.take(1).map(|_| true),
            0x95 => return self.take(8).map(|_| true),
            b'N' => Object::None,
            0x88 => Object::Bool(true),
            0x89 => Object::Bool(false),
            b'J' => Object::Integer(i64::from(self.length(4)? as u32 as i32)),
            b'K' => Object::Integer(self.length(1)? as i64),
            b'M' => Object::Integer(self.length(2)? as i64),
            b'I' | b'L' => text_integer(self.line()?),
            0x8a => long(self.counted(1)?),
            0x8b => long(self.counted(4)?),
            b'F' => self.line()?.parse().map_or(Object::Opaque, Object::Real),
            b'G' => {
                let bytes = self.take(8)?.try_into().expect("eight bytes were taken");
                Object::Real(f64::from_be_bytes(bytes))
            }
            b'S' => quoted(self.line()?),
            b'V' => Object::Text(self.line()?),
            b'U' | 0x8c => text(self.counted(1)?),
            b'T' | b'X' => text(self.counted(4)?),
            0x8d => text(self.counted(8)?),
            b'C' => Object::Bytes(self.counted(1)?),
            b'B' => Object::Bytes(self.counted(4)?),
            0x8e | 0x96 => Object::Bytes(self.counted(8)?),
            0x97 => Object::Opaque,
            _ => return Ok(false),
        };
        self.push(object);
        Ok(true)
    }

    /// Operations that make or fill lists, tuples, dictionaries and sets.
    fn collection(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            b'(' => self.marks.push(self.stack.len()),
            b'}' => self.push(Object::Dict(Vec::new())),
            b']' => self.push(Object::List(Vec::new())),
            b')' => self.push(Object::Tuple(Vec::new())),
            0x8f => self.push(Object::Opaque),
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push(Object::Tuple(items));
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Object::Tuple(items));
            }
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Object::List(items));
            }
            b'd' => {
                let items = pairs(self.pop_mark()?)?;
                self.push(Object::Dict(items));
            }
            0x91 => {
                self.pop_mark()?;
                self.push(Object::Opaque);
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            b's' => {
                let items = pairs(self.pop_many(2)?)?;
                self.set_items(items)?;
            }
            b'u' => {
                let items = pairs(self.pop_mark()?)?;
                self.set_items(items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Operations on stack and memo.
    fn reference(&mut self, opcode: u8) -> Result<bool, Fault> {
        let key = match opcode {
            b'0' => {
                // Pops a mark where there is nothing else.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
                return Ok(true);
            }
            b'1' => return self.pop_mark().map(|_| true),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                return Ok(true);
            }
            0x98 => return Ok(true),
            0x94 => self.memo.len(),
            b'q' | b'h' => self.length(1)?,
            b'r' | b'j' => self.length(4)?,
            b'p' | b'g' => {
                let line = self.line()?;
                line.parse().map_err(|_| invalid!("the pickle numbers a value {line:?}"))?
            }
            _ => return Ok(false),
        };
        if matches!(opcode, b'h' | b'j' | b'g') {
            let id = self.memo.get(&key).ok_or_else(|| invalid!("the pickle refers to value {key}, which it lacks"))?;
            self.stack.push(*id);
        } else {
            let top = self.top()?;
            self.memo.insert(key, top);
        }
        Ok(true)
    }

    /// Operations that name, call and build.
    fn call(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Object::Global { module, name });
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = match (&self.objects[module], &self.objects[name]) {
                    (Object::Text(module), Object::Text(name)) => Object::Global { module, name },
                    _ => return Err(invalid!("the pickle names a class by something that is no text")),
                };
                self.push(global);
            }
            b'P' => {
                let key = text(self.line()?.as_bytes());
                self.push(key);
                let key = self.pop()?;
                self.push(Object::Persistent(key));
            }
            b'Q' => {
                let key = self.pop()?;
                self.push(Object::Persistent(key));
            }
            b'R' | 0x81 => self.push_call(0)?,
            0x92 => self.push_call(1)?,
            b'b' => self.build()?,
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let arguments = self.pop_mark()?;
                self.push(Object::Global { module, name });
                self.push(Object::Tuple(arguments));
                self.push_call(0)?;
            }
            b'o' => {
                let mut arguments = self.pop_mark()?;
                if arguments.is_empty() {
                    return Err(invalid!("the pickle makes an object of no class"));
                }
                let class = arguments.remove(0);
                self.stack.push(class);
                self.push(Object::Tuple(arguments));
                self.push_call(0)?;
            }
            // Codes of a registry that no file carries.
            0x82 => self.take(1).map(|_| self.push(Object::Opaque))?,
            0x83 => self.take(2).map(|_| self.push(Object::Opaque))?,
            0x84 => self.take(4).map(|_| self.push(Object::Opaque))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Pops arguments (above them so many that do not matter) and function, and pushes the call.
    fn push_call(&mut self, ignored: usize) -> Result<(), Fault> {
        self.pop_many(ignored)?;
        let (arguments, function) = (self.pop()?, self.pop()?);
        self.push(Object::Call { function, arguments, items: Vec::new(), state: None });
        Ok(())
    }

    fn build(&mut self) -> Result<(), Fault> {
        let given = self.pop()?;
        let top = self.top()?;
        if let Object::Call { state, .. } = &mut self.objects[top] {
            *state = Some(given);
        }
        Ok(())
    }

    fn append(&mut self, more: Vec<Id>) -> Result<(), Fault> {
        let top = self.top()?;
        if let Object::List(items) = &mut self.objects[top] {
            items.extend(more);
        }
        Ok(())
    }

    fn set_items(&mut self, more: Vec<(Id, Id)>) -> Result<(), Fault> {
        let top = self.top()?;
        if let Object::Dict(items) | Object::Call { items, .. } = &mut self.objects[top] {
            items.extend(more);
        }
        Ok(())
    }

    fn push(&mut self, object: Object<'a>) {
        self.objects.push(object);
        self.stack.push(self.objects.len() - 1);
    }

    /// The lowest index that the operations between two marks may reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        match self.stack.len() > self.floor() {
            true => Ok(self.stack.pop().expect("the stack is higher than its floor")),
            false => Err(invalid!("byte {} of the pickle takes a value from an empty stack", self.at)),
        }
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, Fault> {
        match self.stack.len().checked_sub(count) {
            Some(from) if from >= self.floor() => Ok(self.stack.split_off(from)),
            _ => Err(invalid!("byte {} of the pickle takes {count} values from a smaller stack", self.at)),
        }
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let from = self.marks.pop().ok_or_else(|| invalid!("byte {} of the pickle has no mark", self.at))?;
        Ok(self.stack.split_off(from))
    }

    fn top(&self) -> Result<Id, Fault> {
        let top = self.stack.last().filter(|_| self.stack.len() > self.floor());
        top.copied().ok_or_else(|| invalid!("byte {} of the pickle needs a value on its stack", self.at))
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or_else(|| {
            let (at, left) = (self.at, rest.len());
            invalid!("the pickle is cut off: {count} bytes are expected at byte {at}, {left} are there")
        })?;
        self.at += count;
        Ok(taken)
    }

    /// A little-endian number of `size` bytes, 8 at most.
    fn length(&mut self, size: usize) -> Result<usize, Fault> {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(self.take(size)?);
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| invalid!("a length in the pickle is too large"))
    }

    /// Bytes behind their count, which has `size` bytes.
    fn counted(&mut self, size: usize) -> Result<&'a [u8], Fault> {
        let count = self.length(size)?;
        self.take(count)
    }

    /// Text up to the next line feed.
    fn line(&mut self) -> Result<&'a str, Fault> {
        /// Names and numbers in text are short.
        const LONGEST: usize = 1 << 16;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().take(LONGEST).position(|&byte| byte == b'\n');
        let line = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let line = line.ok_or_else(|| invalid!("byte {} of the pickle should begin a line of text", self.at))?;
        self.at += line.len() + 1;
        Ok(line)
    }
}

fn pairs(items: Vec<Id>) -> Result<Vec<(Id, Id)>, Fault> {
    let (pairs, rest) = items.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err(invalid!("a dictionary of the pickle has a key without a value")),
    }
}

fn text(bytes: &[u8]) -> Object<'_> {
    std::str::from_utf8(bytes).map_or(Object::Bytes(bytes), Object::Text)
}

/// A Python string literal; one with escapes is no name of a tensor.
fn quoted(line: &str) -> Object<'_> {
    let inside = line.strip_prefix(['\'', '"']).and_then(|rest| rest.strip_suffix(['\'', '"']));
    inside.filter(|text| !text.contains('\\')).map_or(Object::Opaque, Object::Text)
}

fn text_integer(line: &str) -> Object<'_> {
    match line {
        "00" => Object::Bool(false),
        "01" => Object::Bool(true),
        _ => line.trim_end_matches('L').parse().map_or(Object::Opaque, Object::Integer),
    }
}

/// A little-endian integer in two's complement of any length; beyond 64 bits it is opaque.
fn long(bytes: &[u8]) -> Object<'_> {
    if bytes.len() > 8 {
        return Object::Opaque;
    }
    let sign = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut all = [if sign { 0xff } else { 0 }; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    Object::Integer(i64::from_le_bytes(all))
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn every_protocol_says_the_same() {
        // pickle.dumps({"a": [1, -2, True]}, protocol) of Python 3.12.
        let cases: [&[u8]; 3] = [
            b"(dp0\nVa\np1\n(lp2\nI1\naI-2\naI01\nas.",
            b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xff\x88es.",
            b"\x80\x04\x95\x11\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94]\x94(K\x01J\xfe\xff\xff\xff\x88es.",
        ];
        check_all(cases, |&bytes| {
            let pickle = Pickle::read(bytes, 0).expect("it is a pickle");
            let Object::Dict(items) = pickle.get(pickle.root) else { panic!("no dictionary: {pickle:?}") };
            let &[(key, value)] = items.as_slice() else { panic!("one item: {items:?}") };
            assert!(matches!(pickle.get(key), Object::Text("a")));
            let Object::List(items) = pickle.get(value) else { panic!("no list: {pickle:?}") };
            let items: Vec<String> = items.iter().map(|&id| format!("{:?}", pickle.get(id))).collect();
            assert_eq!(items, ["Integer(1)", "Integer(-2)", "Bool(true)"]);
            assert_eq!(pickle.end, bytes.len());
        });
    }

    #[test]
    fn nothing_is_called() {
        let pickle = Pickle::read(b"cos\nsystem\n(Vrm -r\ntR.", 0).expect("it is a pickle");
        assert!(matches!(pickle.get(pickle.root), Object::Call { .. }));
    }

    #[test]
    fn broken_pickles_are_refused() {
        let cases: [(&[u8], &str); 8] = [
            (b"", "cut off"),
            (b"\x80", "cut off"),
            (b".", "empty stack"),
            (b"\xff.", "no operation"),
            (b"h\x07.", "lacks"),
            (b"t.", "no mark"),
            (b"}(K\x01u.", "without a value"),
            (b"X\xff\xff\xff\xffa.", "cut off"),
        ];
        check_all(cases, |&(bytes, expected)| match Pickle::read(bytes, 0) {
            Err(Fault::Invalid(problem)) => assert!(problem.contains(expected), "{problem}"),
            other => panic!("{bytes:?}: {other:?}"),
        });
        assert!(matches!(Pickle::read(&vec![b'N'; MAX_OBJECTS + 9], 0), Err(Fault::Unsupported(_))));
        assert!(Pickle::read(&vec![b'('; 1 << 16], 0).is_err());
    }
}
