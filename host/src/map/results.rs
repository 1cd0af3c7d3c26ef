//! `--results`: a folder for each job, named by its items.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The longest name that file systems take, less what tells cut ones apart.
const MAX_NAME: usize = 255 - 17;

/// Opens `stdout` and `stderr` of a job, empty, and writes `seq`. The layout is that of GNU parallel.
pub(crate) fn open(folder: &Path, seq: u64, items: &[Vec<u8>]) -> io::Result<(File, File)> {
    let folder = place(folder, seq, items);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("seq"), format!("{seq}\n"))?;
    let file = |name| {
        OpenOptions::new().read(true).append(true).create(true).open(folder.join(name)).and_then(|file| {
            file.set_len(0)?;
            Ok(file)
        })
    };
    Ok((file("stdout")?, file("stderr")?))
}

fn place(folder: &Path, seq: u64, items: &[Vec<u8>]) -> PathBuf {
    let mut place = folder.to_owned();
    if items.is_empty() {
        place.push(seq.to_string());
    }
    for (index, item) in items.iter().enumerate() {
        place.push((index + 1).to_string());
        place.push(std::ffi::OsString::from_vec(name(item)));
    }
    place
}

/// The item as one component of a path.
fn name(item: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(item.len());
    for &byte in item {
        match byte {
            b'/' => name.extend_from_slice(b"\\_"),
            b'\\' => name.extend_from_slice(b"\\\\"),
            b'\t' => name.extend_from_slice(b"\\t"),
            0 => name.extend_from_slice(b"\\0"),
            _ => name.push(byte),
        }
    }
    match name.as_slice() {
        b"" => b"\\e".to_vec(),
        b"." | b".." => [b"\\", name.as_slice()].concat(),
        _ if name.len() > MAX_NAME => {
            let hash = divvy::hash::xxh3_64(item);
            name.truncate(MAX_NAME);
            [name.as_slice(), format!("-{hash:016x}").as_bytes()].concat()
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folders_are_named_as_gnu_parallel_names_them() {
        let place = place(Path::new("r"), 3, &[b"a/b".to_vec(), b"d".to_vec()]);
        assert_eq!(place, Path::new("r/1/a\\_b/2/d"));
    }

    proptest! {
        #[test]
        fn each_item_has_one_folder_of_its_own(a in prop::collection::vec(any::<u8>(), 0..600), b in prop::collection::vec(any::<u8>(), 0..4)) {
            let (x, y) = (name(&a), name(&b));
            prop_assert!(!x.is_empty() && x.len() <= 255 && !x.contains(&b'/') && x != b"." && x != b"..");
            prop_assert_eq!(a == b, x == y);
        }
    }
}
