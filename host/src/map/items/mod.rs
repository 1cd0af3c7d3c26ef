//! What the jobs are made from: items out of lists, files and standard input, combined, linked and put into batches.
//!
//! The first source is read while the jobs run, a block at a time, so it may be endless; all others are read before,
//! because each of their items is used again for every item of the first.

mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::{MAX_ITEM, Source};

use crate::diagnostic::Result;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use std::os::fd::BorrowedFd;

/// What comes next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Next<T> {
    Item(T),
    /// Nothing yet: [`Inputs::waits_for`] has to become readable.
    Wait,
    End,
}

impl<T> Next<T> {
    pub(crate) fn map<U>(self, to: impl FnOnce(T) -> U) -> Next<U> {
        match self {
            Next::Item(item) => Next::Item(to(item)),
            Next::Wait => Next::Wait,
            Next::End => Next::End,
        }
    }
}

/// The items of one job.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Args {
    pub(crate) items: Vec<Vec<u8>>,
    /// One of them is longer than the system lets an argument be; it is cut.
    pub(crate) too_long: bool,
}

/// How many items a job takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// At most so many.
    pub(crate) items: usize,
    /// At most so many bytes, if there is more than one item.
    pub(crate) bytes: usize,
    /// How often each byte counts.
    pub(crate) times: usize,
}

/// All sources.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// The sources that are read while the jobs run, linked.
    first: Vec<Source>,
    /// What was read of the first ones, if another one of them has nothing yet.
    partial: Vec<Vec<u8>>,
    /// All others: the items of each group of linked sources.
    rest: Vec<Vec<Vec<Vec<u8>>>>,
    /// What is combined with the rest now, and where in the rest it is.
    current: Option<(Vec<Vec<u8>>, Vec<usize>)>,
    columns: Option<Vec<u8>>,
    batch: Batch,
    /// A batch that is not full yet, and its bytes.
    filling: (Args, usize),
    /// What did not fit into the batch before.
    over: Option<Vec<Vec<u8>>>,
    ended: bool,
    /// All jobs, in a random order, if that was asked for.
    shuffled: Option<Vec<Args>>,
}

impl Inputs {
    /// `groups`: the sources to combine, each with those that are linked to it. Reads all but the first.
    pub(crate) fn new(
        groups: Vec<Vec<Source>>,
        columns: Option<Vec<u8>>,
        batch: Batch,
        shuffle: Option<&mut Xoshiro256PlusPlus>,
    ) -> Result<Self> {
        let mut groups = groups.into_iter();
        let first = groups.next().unwrap_or_default();
        let mut rest = Vec::new();
        for group in groups {
            rest.push(read_all(group)?);
        }
        let ended = first.is_empty() || rest.iter().any(Vec::is_empty);
        let mut inputs = Self {
            first,
            partial: Vec::new(),
            rest,
            current: None,
            columns,
            batch,
            filling: Default::default(),
            over: None,
            ended,
            shuffled: None,
        };
        if let Some(rng) = shuffle {
            let mut all = Vec::new();
            loop {
                match inputs.next()? {
                    Next::Item(args) => all.push(args),
                    Next::Wait => inputs.readable(),
                    Next::End => break,
                }
            }
            rng.shuffle(&mut all);
            all.reverse();
            inputs.shuffled = Some(all);
        }
        Ok(inputs)
    }

    /// How many jobs there will be, if that is known before everything is read.
    pub(crate) fn total(&self) -> Option<u64> {
        if let Some(all) = &self.shuffled {
            return Some(all.len() as u64);
        }
        let lists = self.first.iter().map(Source::listed).collect::<Option<Vec<_>>>()?;
        let first = lists.into_iter().min()? as u64;
        let all = self.rest.iter().fold(first, |all, group| all.saturating_mul(group.len() as u64));
        // A batch that is full by its bytes makes more jobs than this.
        (self.batch.items == 1).then_some(all)
    }

    /// The items of the next job.
    pub(crate) fn next(&mut self) -> Result<Next<Args>> {
        if let Some(all) = &mut self.shuffled {
            return Ok(all.pop().map_or(Next::End, Next::Item));
        }
        loop {
            let tuple = match self.over.take() {
                Some(tuple) => tuple,
                None => match self.tuple()? {
                    Next::Item(tuple) => self.split(tuple),
                    Next::Wait => return Ok(Next::Wait),
                    Next::End => break,
                },
            };
            let (args, bytes) = &mut self.filling;
            let more =
                tuple.iter().map(|item| item.len() + 3).sum::<usize>().saturating_mul(self.batch.times);
            if !args.items.is_empty() && *bytes + more > self.batch.bytes {
                self.over = Some(tuple);
                return Ok(Next::Item(self.take_batch()));
            }
            *bytes += more;
            args.too_long |= tuple.iter().any(|item| item.len() > MAX_ITEM);
            let width = tuple.len().max(1);
            args.items.extend(tuple);
            if args.items.len() >= self.batch.items.saturating_mul(width) {
                return Ok(Next::Item(self.take_batch()));
            }
        }
        if self.filling.0.items.is_empty() { Ok(Next::End) } else { Ok(Next::Item(self.take_batch())) }
    }

    /// What has something for the next job when it becomes readable.
    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.first.get(self.partial.len()).and_then(Source::waits_for)
    }

    /// What [`Inputs::waits_for`] named is readable.
    pub(crate) fn readable(&mut self) {
        if let Some(source) = self.first.get_mut(self.partial.len()) {
            source.readable();
        }
    }

    fn take_batch(&mut self) -> Args {
        std::mem::take(&mut self.filling).0
    }

    /// One item of every source: the last source changes fastest.
    fn tuple(&mut self) -> Result<Next<Vec<Vec<u8>>>> {
        if self.ended {
            return Ok(Next::End);
        }
        let (head, places) = match self.current.take() {
            Some(current) => current,
            None => {
                while self.partial.len() < self.first.len() {
                    match self.first[self.partial.len()].next()? {
                        Next::Item(item) => self.partial.push(item),
                        Next::Wait => return Ok(Next::Wait),
                        Next::End => {
                            self.ended = true;
                            return Ok(Next::End);
                        }
                    }
                }
                (std::mem::take(&mut self.partial), vec![0; self.rest.len()])
            }
        };
        if self.rest.is_empty() {
            return Ok(Next::Item(head));
        }
        let mut tuple = head.clone();
        for (group, &place) in self.rest.iter().zip(&places) {
            tuple.extend(group[place].iter().cloned());
        }
        let mut places = places;
        for (place, group) in places.iter_mut().zip(&self.rest).rev() {
            *place += 1;
            if *place < group.len() {
                self.current = Some((head, places));
                break;
            }
            *place = 0;
        }
        Ok(Next::Item(tuple))
    }

    fn split(&self, tuple: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let Some(separator) = &self.columns else { return tuple };
        tuple.iter().flat_map(|item| split(item, separator)).collect()
    }
}

/// The parts of `item` between separators.
fn split(item: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = item;
    while let Some(at) = rest.windows(separator.len().max(1)).position(|window| window == separator) {
        out.push(rest[..at].to_vec());
        rest = &rest[at + separator.len()..];
    }
    out.push(rest.to_vec());
    out
}

/// The items of linked sources: as many as the shortest has.
fn read_all(mut group: Vec<Source>) -> Result<Vec<Vec<Vec<u8>>>> {
    let mut all = Vec::new();
    loop {
        let mut tuple = Vec::with_capacity(group.len());
        for source in &mut group {
            match source.next_waiting()? {
                Some(item) => tuple.push(item),
                None => return Ok(all),
            }
        }
        all.push(tuple);
    }
}
