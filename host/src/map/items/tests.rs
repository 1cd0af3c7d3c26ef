use super::*;
use proptest::prelude::*;
use std::fs::File;
use std::io::{Seek, Write};

const ONE: Batch = Batch { items: 1, bytes: usize::MAX, times: 1 };

fn bytes(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn list(words: &[&str]) -> Source {
    Source::list(bytes(words))
}

fn file(content: &[u8], delimiter: u8) -> Source {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    Source::stream(file, "test".into(), delimiter)
}

fn all(mut inputs: Inputs) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    while let Next::Item(args) = inputs.next().unwrap() {
        out.push(args.items.into_iter().map(|item| String::from_utf8(item).unwrap()).collect());
    }
    assert_eq!(inputs.next().unwrap(), Next::End);
    out
}

fn inputs(groups: Vec<Vec<Source>>, batch: Batch) -> Inputs {
    Inputs::new(groups, None, batch, None).unwrap()
}

#[test]
fn sources_are_combined_with_the_last_changing_fastest() {
    let combined = inputs(vec![vec![list(&["a", "b"])], vec![file(b"1\n2\n", b'\n')]], ONE);
    assert_eq!(combined.total(), Some(4));
    assert_eq!(all(combined), [["a", "1"], ["a", "2"], ["b", "1"], ["b", "2"]]);
    assert_eq!(inputs(vec![vec![file(b"", b'\n')]], ONE).total(), None);
}

#[test]
fn nothing_combined_with_something_is_nothing() {
    assert!(all(inputs(vec![vec![list(&["a"])], vec![list(&[])]], ONE)).is_empty());
    assert!(all(inputs(vec![vec![list(&[])], vec![list(&["a"])]], ONE)).is_empty());
    assert!(all(inputs(vec![], ONE)).is_empty());
}

#[test]
fn linked_sources_end_with_the_shortest() {
    let linked = inputs(vec![vec![list(&["a", "b", "c"]), file(b"1\n2", b'\n')]], ONE);
    assert_eq!(all(linked), [["a", "1"], ["b", "2"]]);
    let second = inputs(vec![vec![list(&["x", "y"])], vec![list(&["a", "b"]), list(&["1"])]], ONE);
    assert_eq!(all(second), [["x", "a", "1"], ["y", "a", "1"]]);
}

#[test]
fn batches_are_full_by_count_or_by_bytes() {
    let by = |items, bytes, times| {
        let all_items = file(b"1\n2\n333333\n4\n5", b'\n');
        all(inputs(vec![vec![all_items]], Batch { items, bytes, times }))
            .iter()
            .map(|batch| batch.join(","))
            .collect::<Vec<_>>()
    };
    assert_eq!(by(2, usize::MAX, 1), ["1,2", "333333,4", "5"]);
    assert_eq!(by(9, 8, 1), ["1,2", "333333", "4,5"]);
    assert_eq!(by(9, 8, 2), ["1", "2", "333333", "4", "5"]);
    let two = inputs(vec![vec![list(&["a", "b", "c"])], vec![list(&["1"])]], Batch { items: 2, ..ONE });
    assert_eq!(all(two), [vec!["a", "1", "b", "1"], vec!["c", "1"]]);
}

#[test]
fn columns_are_cut_at_every_separator() {
    let columns = |text: &[u8], separator: &[u8]| {
        all(Inputs::new(vec![vec![file(text, b'\n')]], Some(separator.to_vec()), ONE, None).unwrap())
    };
    assert_eq!(columns(b"a,b,\n,c", b","), [vec!["a", "b", ""], vec!["", "c"]]);
    assert_eq!(columns(b"a::b:c", b"::"), [vec!["a", "b:c"]]);
}

#[test]
fn an_item_that_no_program_could_take_is_cut_and_marked() {
    let mut content = vec![b'x'; 5 * MAX_ITEM];
    content.extend_from_slice(b"\nshort\n");
    let mut inputs = inputs(vec![vec![file(&content, b'\n')]], ONE);
    let Next::Item(long) = inputs.next().unwrap() else { panic!() };
    assert!(long.too_long && long.items[0].len() == MAX_ITEM + 1);
    let Next::Item(short) = inputs.next().unwrap() else { panic!() };
    assert_eq!((short.too_long, short.items), (false, bytes(&["short"])));
}

#[test]
fn a_pipe_gives_what_is_there_and_waits_for_the_rest() {
    let (read, mut write) = std::io::pipe().unwrap();
    let read: std::os::fd::OwnedFd = read.into();
    let mut inputs = inputs(vec![vec![Source::stream(read.into(), "pipe".into(), b'\n')]], ONE);
    assert_eq!(inputs.next().unwrap(), Next::Wait);
    write.write_all(b"a\nb").unwrap();
    assert!(inputs.waits_for().is_some());
    inputs.readable();
    let Next::Item(args) = inputs.next().unwrap() else { panic!() };
    assert_eq!(args.items, bytes(&["a"]));
    assert_eq!(inputs.next().unwrap(), Next::Wait);
    drop(write);
    inputs.readable();
    // The end is a read of its own.
    let Next::Item(args) = inputs.next().unwrap() else { panic!() };
    assert_eq!(args.items, bytes(&["b"]));
    assert_eq!(inputs.next().unwrap(), Next::End);
}

#[test]
fn a_shuffle_keeps_every_item_and_repeats_with_its_seed() {
    let words: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let shuffled = |seed| {
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        all(Inputs::new(vec![vec![list(&words)]], None, ONE, Some(&mut rng)).unwrap()).concat()
    };
    assert_eq!(shuffled(1), shuffled(1));
    assert_ne!(shuffled(1), shuffled(2));
    let mut sorted = shuffled(3);
    sorted.sort_by_key(|word| word.parse::<u32>().unwrap());
    assert_eq!(sorted, words);
}

proptest! {
    #[test]
    fn a_stream_is_cut_as_a_plain_split_would(content in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300)) {
        let mut expected: Vec<&[u8]> = content.split(|&byte| byte == b'\n').collect();
        if expected.last().is_some_and(|last| last.is_empty()) {
            expected.pop();
        }
        let mut inputs = inputs(vec![vec![file(&content, b'\n')]], ONE);
        for item in expected {
            let Next::Item(args) = inputs.next().unwrap() else { panic!() };
            prop_assert_eq!(&args.items[0], item);
        }
        prop_assert_eq!(inputs.next().unwrap(), Next::End);
    }
}
