//! Loops and sorts over slices on two threads: what a pool makes of bodies that are cheap, heavy and uneven.
//!
//! chili has no loops: for it the slice is halved by hand, down to a length that suits the body.

use crate::rounds::{Contender, nanosecond_table};
use divvy_host::pool::{Chunking, Pool};
use orx_parallel::{Par, Parallelizable};
use paralight::prelude::{CpuPinningPolicy, RangeStrategy, ThreadCount, ThreadPool, ThreadPoolBuilder};
use std::hint::black_box;
use std::num::NonZero;
use std::time::Instant;

const THREADS: usize = 2;
const LONG: usize = 10_000_000;
const SORTED: usize = 4_000_000;

/// Everybody's threads, started once: at rest they cost nothing.
struct Pools {
    divvy: Pool,
    rayon: rayon::ThreadPool,
    chili: chili::ThreadPool,
}

fn pools() -> Result<Pools, String> {
    Ok(Pools {
        divvy: Pool::new(THREADS).map_err(|error| error.to_string())?,
        rayon: rayon::ThreadPoolBuilder::new()
            .num_threads(THREADS)
            .build()
            .map_err(|error| error.to_string())?,
        // The calling thread is one of the two.
        chili: chili::ThreadPool::with_config(chili::Config {
            thread_count: NonZero::new(THREADS - 1),
            ..chili::Config::default()
        }),
    })
}

fn paralight(range_strategy: RangeStrategy) -> ThreadPool {
    ThreadPoolBuilder {
        num_threads: ThreadCount::try_from(THREADS).expect("not zero"),
        range_strategy,
        cpu_pinning: CpuPinningPolicy::No,
    }
    .build()
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let pools = pools()?;
    let long: Vec<u32> = (0..LONG as u32).map(|n| n.wrapping_mul(0x9E37_79B1)).collect();
    let short = &long[..1_000];
    let slow: Vec<u32> = long[..20_000].to_vec();
    let mut tables = vec![
        sums(
            "map (one multiplication) and sum of 10 million, by item",
            rounds,
            &pools,
            &long,
            1 << 16,
            cheap,
        ),
        sums(
            "map (8 rounds of mixing) and sum of 10 million, by item",
            rounds,
            &pools,
            &long,
            1 << 13,
            heavy,
        ),
        sums("sum of 1,000, by item", rounds, &pools, short, 1 << 16, cheap),
        maps(rounds, &pools, &long),
        sums("20,000 bodies, each longer than the one before, by item", rounds, &pools, &slow, 16, |n| {
            // The place in the list, undone from its disguise.
            mix(n, n.wrapping_mul(INVERSE) / 16)
        }),
        sums("20,000 bodies, one in 100 a hundred times longer, by item", rounds, &pools, &slow, 16, |n| {
            mix(n, if n % 100 == 0 { 10_000 } else { 100 })
        }),
        sums("20,000 bodies, all the work in the last tenth, by item", rounds, &pools, &slow, 16, |n| {
            mix(n, if n.wrapping_mul(INVERSE) >= 18_000 { 5_000 } else { 10 })
        }),
    ];
    for (what, list) in lists() {
        tables.push(sorts(&format!("sort of 4 million u64, {what}, by item"), rounds, &pools, &list));
    }
    let strings: Vec<String> = long[..500_000].iter().map(|n| format!("{n:x}")).collect();
    tables.push(sorts("sort of 500,000 strings, by item", rounds, &pools, &strings));
    Ok(tables.join("\n"))
}

/// The inverse of the odd number that the lists are made with.
const INVERSE: u32 = inverse(0x9E37_79B1);

const fn inverse(odd: u32) -> u32 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

fn cheap(n: u32) -> u64 {
    u64::from(n.wrapping_mul(3))
}

fn heavy(n: u32) -> u64 {
    mix(n, 8)
}

fn mix(n: u32, rounds: u32) -> u64 {
    let mut state = u64::from(n);
    for _ in 0..rounds {
        state = (state ^ state >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    state
}

fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

/// The seconds that each of `items` took, where `call` goes over all of them; repeated for a millisecond at least.
fn time<R>(items: usize, mut call: impl FnMut() -> R) -> f64 {
    let (start, mut calls) = (Instant::now(), 0);
    loop {
        black_box(call());
        calls += 1;
        let elapsed = start.elapsed().as_secs_f64();
        if elapsed > 0.001 {
            return elapsed / calls as f64 / items as f64;
        }
    }
}

fn sums<F: Fn(u32) -> u64 + Send + Sync + Copy>(
    what: &str,
    rounds: u32,
    pools: &Pools,
    list: &[u32],
    leaf: usize,
    body: F,
) -> String {
    let expected = list.iter().map(|n| body(*n)).fold(0, add);
    let contender = |name: &str, sum: &dyn Fn() -> u64| {
        assert_eq!(sum(), expected, "{name}: the sum is wrong");
    };
    let list = black_box(list);
    let serial = move || list.iter().map(|n| body(*n)).fold(0, add);
    let rayon = || rayon_sum(&pools.rayon, list, body);
    let chili = || halved(&mut pools.chili.scope(), list, leaf, body);
    let orx = || list.par().num_threads(THREADS).map(|n| body(*n)).reduce(add).unwrap_or(0);
    let divvy = |chunking: Chunking| {
        move || pools.divvy.chunked(chunking).par_reduce(list, || 0, |sum, n| add(sum, body(*n)), add)
    };
    let (adaptive, fixed) = (divvy(Chunking::Adaptive), divvy(Chunking::Static));
    let (dynamic, guided) = (divvy(Chunking::Dynamic { size: leaf }), divvy(Chunking::Guided { min: leaf }));
    contender("rayon", &rayon);
    contender("chili", &chili);
    contender("orx-parallel", &orx);
    contender("divvy", &adaptive);
    let mut contenders = vec![
        Contender::new("baseline: one thread", move || time(list.len(), serial)),
        Contender::new("rayon", move || time(list.len(), rayon)),
        Contender::new("chili, halved by hand", move || time(list.len(), chili)),
    ];
    for (name, strategy) in [("fixed", RangeStrategy::Fixed), ("stealing", RangeStrategy::WorkStealing)] {
        let mut pool = paralight(strategy);
        contenders.push(Contender::new(format!("paralight, {name}"), move || {
            time(list.len(), || paralight_sum(&mut pool, list, body))
        }));
    }
    contenders.extend([
        Contender::new("orx-parallel", move || time(list.len(), orx)),
        Contender::new("divvy, adaptive", move || time(list.len(), adaptive)),
        Contender::new("divvy, static", move || time(list.len(), fixed)),
        Contender::new(format!("divvy, dynamic {leaf}"), move || time(list.len(), dynamic)),
        Contender::new(format!("divvy, guided {leaf}"), move || time(list.len(), guided)),
    ]);
    nanosecond_table(what, rounds, contenders)
}

fn halved<F: Fn(u32) -> u64 + Send + Sync + Copy>(
    scope: &mut chili::Scope<'_>,
    list: &[u32],
    leaf: usize,
    body: F,
) -> u64 {
    if list.len() <= leaf {
        return list.iter().map(|n| body(*n)).fold(0, add);
    }
    let (left, right) = list.split_at(list.len() / 2);
    let (a, b) =
        scope.join(|scope| halved(scope, left, leaf, body), |scope| halved(scope, right, leaf, body));
    add(a, b)
}

fn maps(rounds: u32, pools: &Pools, list: &[u32]) -> String {
    let list = black_box(list);
    let mut light = paralight(RangeStrategy::Fixed);
    let contenders = vec![
        Contender::new("baseline: one thread", move || {
            time(list.len(), || list.iter().map(|n| heavy(*n)).collect::<Vec<_>>())
        }),
        Contender::new("rayon", move || time(list.len(), || rayon_map(&pools.rayon, list))),
        Contender::new("paralight, fixed, into zeros", move || {
            time(list.len(), || paralight_map(&mut light, list))
        }),
        Contender::new("orx-parallel", move || {
            time(list.len(), || list.par().num_threads(THREADS).map(|n| heavy(*n)).collect::<Vec<_>>())
        }),
        Contender::new("divvy, adaptive", move || {
            time(list.len(), || pools.divvy.par_map(list, |n| heavy(*n)))
        }),
        Contender::new("divvy, static", move || {
            time(list.len(), || pools.divvy.chunked(Chunking::Static).par_map(list, |n| heavy(*n)))
        }),
    ];
    nanosecond_table("map (8 rounds of mixing) of 10 million into a new vector, by item", rounds, contenders)
}

// Two crates give slices a method `par_iter`: each is used in a place of its own.

fn rayon_sum(pool: &rayon::ThreadPool, list: &[u32], body: impl Fn(u32) -> u64 + Sync) -> u64 {
    use rayon::prelude::*;
    pool.install(|| list.par_iter().map(|n| body(*n)).reduce(|| 0, add))
}

fn rayon_map(pool: &rayon::ThreadPool, list: &[u32]) -> Vec<u64> {
    use rayon::prelude::*;
    pool.install(|| list.par_iter().map(|n| heavy(*n)).collect())
}

fn rayon_sort<T: Ord + Send>(list: &mut [T]) {
    use rayon::prelude::*;
    list.par_sort();
}

fn rayon_sort_unstable<T: Ord + Send>(list: &mut [T]) {
    use rayon::prelude::*;
    list.par_sort_unstable();
}

fn paralight_sum(pool: &mut ThreadPool, list: &[u32], body: impl Fn(u32) -> u64 + Sync) -> u64 {
    use paralight::prelude::*;
    list.par_iter().with_thread_pool(pool).map(|n| body(*n)).reduce(|| 0, add)
}

fn paralight_map(pool: &mut ThreadPool, list: &[u32]) -> Vec<u64> {
    use paralight::prelude::*;
    let mut mapped = vec![0; list.len()];
    (mapped.par_iter_mut(), list.par_iter())
        .zip_eq()
        .with_thread_pool(pool)
        .for_each(|(place, n)| *place = heavy(*n));
    mapped
}

fn lists() -> Vec<(&'static str, Vec<u64>)> {
    let random = |index: u64| mix(index as u32 ^ 0x5555, 4);
    let sorted: Vec<u64> = (0..SORTED as u64).collect();
    let mut nearly = sorted.clone();
    for index in 0..SORTED as u64 / 100 {
        nearly.swap(random(2 * index) as usize % SORTED, random(2 * index + 1) as usize % SORTED);
    }
    vec![
        ("random", sorted.iter().map(|n| random(*n)).collect()),
        ("1,000 values", sorted.iter().map(|n| random(*n) % 1_000).collect()),
        ("one in 100 swapped", nearly),
        ("sorted", sorted),
    ]
}

fn sorts<T: Ord + Clone + Send + Sync>(what: &str, rounds: u32, pools: &Pools, list: &[T]) -> String {
    let list = black_box(list);
    let stable: Vec<(&str, Sort<T>)> = vec![
        ("baseline: sort, one thread", |_, list| list.sort()),
        ("rayon, par_sort", |pools, list| pools.rayon.install(|| rayon_sort(list))),
        ("divvy, par_sort", |pools, list| pools.divvy.par_sort(list)),
    ];
    let unstable: Vec<(&str, Sort<T>)> = vec![
        ("baseline: sort_unstable, one thread", |_, list| list.sort_unstable()),
        ("rayon, par_sort_unstable", |pools, list| pools.rayon.install(|| rayon_sort_unstable(list))),
        ("divvy, par_sort_unstable", |pools, list| pools.divvy.par_sort_unstable(list)),
    ];
    [("stable", stable), ("unstable", unstable)]
        .map(|(kind, sorts)| {
            let contenders = sorts.into_iter().map(|(name, sort)| {
                Contender::new(name, move || {
                    let mut sorted = list.to_vec();
                    let start = Instant::now();
                    sort(pools, &mut sorted);
                    let seconds = start.elapsed().as_secs_f64();
                    assert!(sorted.is_sorted());
                    seconds / list.len() as f64
                })
            });
            nanosecond_table(&format!("{kind} {what}"), rounds, contenders.collect())
        })
        .join("\n")
}

type Sort<T> = fn(&Pools, &mut [T]);
