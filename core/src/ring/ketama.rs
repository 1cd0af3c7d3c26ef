//! The ring that nginx and others deploy: the points of ketama, made with CRC-32.

use super::Ring;
use super::circle::{Circle, Stand, nodes_of_circle};
use super::guide::position;
use super::node::{ChangeError, Node};
use crate::storage::{Inline, Storage};
use core::ops::ControlFlow;

/// A ring whose points and keys are those of nginx's `hash … consistent`.
///
/// 160 points for each unit of weight, each the CRC-32 of the server's host and port and of the point before; a key
/// stands at its CRC-32. So it agrees key by key with nginx, and with pingora-ketama, about who serves what: one can
/// take over from the other without a cold cache.
///
/// *When not to use it:* where nothing that is deployed has to be matched; [`Karger`](super::Karger) hashes better and
/// as fast.
///
/// Its nodes come from [`Ketama::server`]: others do not say the CRC-32 of their names, and are
/// [`ChangeError::Unsupported`]. Where two servers have a point in common, which nginx leaves to chance, the one with
/// the smaller CRC-32 has it.
///
/// # Examples
///
/// ```
/// use divvy::ring::{ChangeError, Ketama, Node, Ring};
/// use divvy::storage::Inline;
///
/// let mut ring = Ketama::<Inline<3>, Inline<480>>::new();
/// for (id, server) in ["10.0.0.1:443", "10.0.0.2:443", "10.0.0.3:443"].into_iter().enumerate() {
///     ring.insert(Ketama::server(id as u32, server.as_bytes()))?;
/// }
/// assert!(ring.owner_of(b"/index.html").is_some());
/// assert_eq!(ring.insert(Node::new(4, b"10.0.0.4:443")), Err(ChangeError::Unsupported));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// A lookup is *O*(length of the key), a byte at a time; a change is *O*(capacity). 12 bytes a point, 24 a node, and
/// a table of 1 KiB in read-only memory.
///
/// # Concurrency
///
/// Lookups take `&self`, changes `&mut self`.
///
/// # References
///
/// nginx, `ngx_http_upstream_hash_module`; Jones: *libketama*, 2007, whose own points are made with MD5 and differ.
#[derive(Debug)]
pub struct Ketama<N: Storage, P: Storage>(Circle<Chained, N, P>);

/// Points for each unit of weight.
const POINTS: u32 = 160;

/// Each point follows from the one before.
#[derive(Debug)]
struct Chained;

impl Stand for Chained {
    fn each(&self) -> u32 {
        POINTS
    }

    fn positions(&self, node: &Node) -> impl Iterator<Item = u32> {
        let base = node.key() as u32;
        let mut last = 0u32;
        (0..node.share().saturating_mul(POINTS)).map(move |_| {
            last = crc32(base, &last.to_le_bytes());
            last
        })
    }
}

impl<const N: usize, const P: usize> Ketama<Inline<N>, Inline<P>> {
    /// A ring without servers, for up to `N` servers and `P` points.
    #[must_use]
    pub const fn new() -> Self {
        Self(Circle::<_, Inline<N>, Inline<P>>::new(Chained))
    }
}

impl<const N: usize, const P: usize> Default for Ketama<Inline<N>, Inline<P>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Ketama<crate::storage::Heap, crate::storage::Heap> {
    /// A ring without servers, for up to `nodes` servers and `points` points, allocated now.
    #[must_use]
    pub fn with_capacity(nodes: u32, points: u32) -> Self {
        Self(Circle::<_, crate::storage::Heap, crate::storage::Heap>::with_capacity(Chained, nodes, points))
    }
}

impl Ketama<Inline<0>, Inline<0>> {
    /// A server of weight 1 that the caller numbers `id`, from what nginx's `server` directive says: a host and, after
    /// the last colon, a port (`10.0.0.1:443`, `[::1]:80`), or `unix:` and a path.
    #[must_use]
    pub const fn server(id: u32, address: &[u8]) -> Node {
        let (host, port) = split(address);
        Node::from_key(id, crc32(crc32(crc32(0, host), b"\0"), port) as u64)
    }
}

/// Host and port of an address.
const fn split(address: &[u8]) -> (&[u8], &[u8]) {
    if let Some((prefix, path)) = address.split_first_chunk()
        && matches!(prefix, b"unix:" | b"UNIX:")
    {
        return (path, b"");
    }
    let mut at = address.len();
    while at > 0 {
        at -= 1;
        if address[at] == b':' {
            let (host, port) = address.split_at(at);
            return (host, port.split_at(1).1);
        }
    }
    (address, b"")
}

impl<N: Storage, P: Storage> Ring for Ketama<N, P> {
    fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        if nodes.iter().any(|node| node.key() > u64::from(u32::MAX)) {
            return Err(ChangeError::Unsupported);
        }
        self.0.extend(nodes)
    }

    nodes_of_circle!();

    /// The CRC-32 in the upper half, where the circle is.
    fn hash(&self, key: &[u8]) -> u64 {
        u64::from(crc32(0, key)) << 32
    }

    fn owner(&self, hash: u64) -> Option<u32> {
        self.0.points.owner(position(hash))
    }

    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let _ = self.0.points.around(position(hash)).try_for_each(&mut visit);
    }
}

/// What each byte does to the remainder.
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = rest >> 1 ^ if rest & 1 == 1 { 0xEDB8_8320 } else { 0 };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

/// The CRC-32 (ISO-HDLC, that of zip and Ethernet) of what had `crc` before and of `bytes` after it.
const fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let mut rest = !crc;
    let mut at = 0;
    while at < bytes.len() {
        rest = rest >> 8 ^ TABLE[(rest as u8 ^ bytes[at]) as usize];
        at += 1;
    }
    !rest
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::storage::Heap;

    #[test]
    fn the_check_value_of_crc_32_comes_out() {
        assert_eq!(crc32(0, b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(crc32(0, b"12345"), b"6789"), 0xCBF4_3926);
    }

    #[test]
    fn addresses_split_as_nginx_splits_them() {
        assert_eq!(split(b"10.0.0.1:443"), (&b"10.0.0.1"[..], &b"443"[..]));
        assert_eq!(split(b"[::1]:80"), (&b"[::1]"[..], &b"80"[..]));
        assert_eq!(split(b"backend"), (&b"backend"[..], &b""[..]));
        assert_eq!(split(b"unix:/run/a.sock"), (&b"/run/a.sock"[..], &b""[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
    }

    /// What nginx 1.x answered for nine servers of weight 100: rows of the access log in pingora-ketama's
    /// `test-data/sample-nginx-upstream.csv`.
    const NGINX: &[(&str, &str)] = &[
        ("/81fa1d251d605775d647b5b55565e71526d4cef6", "10.0.0.7:443"),
        ("/2fec328e6ccdda6a7edf329f9f780e546ea183b4", "10.0.0.5:443"),
        ("/19fb835d90883a6263ec4279c6da184e3f1a79b2", "10.0.0.4:443"),
        ("/da7a88e542f7aaddc074f988164b9df7e5f7fea6", "10.0.0.4:443"),
        ("/8f87cfd8005306643b6528b3d4125cf005139a7e", "10.0.0.5:443"),
        ("/26d2769eab098458bc3e4e641a4b7d8abffd0aea", "10.0.0.6:443"),
        ("/aa5b5323980f2d3e21246212ebd820c3949c1e88", "10.0.0.7:443"),
        ("/d9c4bc3cc4517c629e8f4c911c2fd8baf260ae65", "10.0.0.1:443"),
        ("/28c1c069a2904bb3b3e0f9731b1ff8de9ab7a76d", "10.0.0.4:443"),
        ("/fe5199bdfeee5cd431ae7e9f77f178164f9995a0", "10.0.0.9:443"),
        ("/43992eee187920c5e8695332f71ca6e23ef6ac4b", "10.0.0.3:443"),
        ("/38528aab753a6f32de86b5a7acdbb0c885137a81", "10.0.0.9:443"),
        ("/12d4b9155ff599c0ac554226796b58a2278b450f", "10.0.0.7:443"),
        ("/9c34c9a4f9009997dd29c6e6a627b0aca7beb6e5", "10.0.0.5:443"),
        ("/eb5a2ab55796afd673874fd7560f1329be5540bd", "10.0.0.9:443"),
        ("/ad7b5395766b77098c3f212043650a805b622ffe", "10.0.0.3:443"),
        ("/c72fedf4177499635302849496898fe4f3409cc1", "10.0.0.9:443"),
        ("/77766138aaf0c016bdd1f6b996177fc8ca1d2204", "10.0.0.8:443"),
        ("/860c86b94e04f2648fb164c87fd6166707fd08ff", "10.0.0.6:443"),
        ("/1b419454e4eb63ef915e8e06cc11110a3ccd607e", "10.0.0.7:443"),
        ("/a8762dc488e1a1af31e53af8ddb887d4f3cca990", "10.0.0.8:443"),
        ("/2e8e8e8fdeada0bbd33ba57d20209b4d9343f965", "10.0.0.4:443"),
        ("/0220fa8b9a256e7fcf823097759aa3c44e6390e3", "10.0.0.6:443"),
        ("/418c1c554186b78c11de89227fbc24ef128bce54", "10.0.0.8:443"),
    ];

    #[test]
    fn agrees_with_nginx() {
        let mut ring = Ketama::<Heap, Heap>::with_capacity(9, 9 * 100 * POINTS);
        for last in 1..=9u8 {
            let address = std::format!("10.0.0.{last}:443");
            ring.insert(Ketama::server(last.into(), address.as_bytes()).weight(100)).expect("room for all");
        }
        for (path, server) in NGINX {
            let owner = ring.owner_of(path.as_bytes()).expect("servers with weight");
            assert_eq!(&std::format!("10.0.0.{owner}:443"), server, "{path}");
        }
    }
}
