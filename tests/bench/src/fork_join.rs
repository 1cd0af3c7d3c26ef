//! Fork and join, scopes of tiny tasks, calls into an idle pool, and what a pool costs that has nothing to do.
//!
//! Everybody visits the left branch first: chili calls its second closure first, so it is given the branches the other
//! way round. The tree lies in memory in the order of the visit.

use crate::rounds::{Contender, nanosecond_table};
use divvy_host::pool::{Context, Policy, Pool};
use std::fmt::Write;
use std::hint::black_box;
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

/// The pools that are compared, all with the same number of threads.
struct Pools {
    threads: usize,
    heartbeat: Pool,
    eager: Pool,
    rayon: rayon::ThreadPool,
    chili: chili::ThreadPool,
}

impl Pools {
    fn new(threads: usize) -> Result<Self, String> {
        let pool = |policy| {
            Pool::builder().threads(threads).policy(policy).build().map_err(|error| error.to_string())
        };
        Ok(Self {
            threads,
            heartbeat: pool(Policy::Heartbeat)?,
            eager: pool(Policy::Eager)?,
            rayon: rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .map_err(|error| error.to_string())?,
            chili: chili::ThreadPool::with_config(chili::Config {
                thread_count: NonZero::new(threads),
                ..chili::Config::default()
            }),
        })
    }

    fn name(&self, name: &str) -> String {
        match self.threads {
            1 => format!("{name}, 1 thread"),
            n => format!("{name}, {n} threads"),
        }
    }
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let (one, two) = (Pools::new(1)?, Pools::new(2)?);
    let (large, small) = (tree(20), tree(10));
    let mut tables = Vec::new();
    for pools in [&one, &two] {
        let title = |what: &str| format!("{what}, {} thread(s)", pools.threads);
        let few = rounds.min(11);
        tables.push(nanosecond_table(
            &title("tree of 2^20 nodes, by node"),
            few,
            trees(pools, &large, 20, 1),
        ));
        tables.push(nanosecond_table(
            &title("tree of 1,023 nodes, by node"),
            rounds,
            trees(pools, &small, 10, 500),
        ));
        tables.push(nanosecond_table(&title("fib(30), by join"), few, fibs(pools)));
    }
    tables.push(nanosecond_table("64 uneven tasks, 3.4 ms in all", rounds, coarse(&two, &uneven())));
    tables.push(nanosecond_table("two frames of 200 us without a fork", rounds, coarse(&two, &[200, 200])));
    for pause in [Duration::ZERO, Duration::from_millis(1)] {
        let title = format!("sum of 1,000 from outside, {} us after the last", pause.as_micros());
        tables.push(nanosecond_table(&title, rounds, calls(&two, pause)));
    }
    tables.push(nanosecond_table("100,000 tiny tasks, by task", rounds.min(11), tasks(&one, &two)));
    tables.push(idle(&two)?);
    Ok(tables.join("\n"))
}

struct Node {
    value: u64,
    children: [Option<Box<Node>>; 2],
}

/// A full binary tree, in the order of the visit.
fn tree(layers: u32) -> Box<Node> {
    let mut node = Box::new(Node { value: 1, children: [None, None] });
    if layers > 1 {
        node.children[0] = Some(tree(layers - 1));
        node.children[1] = Some(tree(layers - 1));
    }
    node
}

fn sum_serial(node: &Node) -> u64 {
    let [left, right] = node.children.each_ref().map(Option::as_deref);
    left.map_or(0, sum_serial) + right.map_or(0, sum_serial) + node.value
}

fn sum_divvy(cx: &mut Context, node: &Node) -> u64 {
    let [left, right] = &node.children;
    let (left, right) = cx.join(
        |cx| left.as_deref().map_or(0, |left| sum_divvy(cx, left)),
        |cx| right.as_deref().map_or(0, |right| sum_divvy(cx, right)),
    );
    left + right + node.value
}

fn sum_chili(scope: &mut chili::Scope<'_>, node: &Node) -> u64 {
    let [left, right] = &node.children;
    let (right, left) = scope.join(
        |scope| right.as_deref().map_or(0, |right| sum_chili(scope, right)),
        |scope| left.as_deref().map_or(0, |left| sum_chili(scope, left)),
    );
    left + right + node.value
}

fn sum_rayon(node: &Node) -> u64 {
    let [left, right] = &node.children;
    let (left, right) =
        rayon::join(|| left.as_deref().map_or(0, sum_rayon), || right.as_deref().map_or(0, sum_rayon));
    left + right + node.value
}

fn trees<'a>(pools: &'a Pools, root: &'a Node, layers: u32, repeat: u32) -> Vec<Contender<'a>> {
    let nodes = (1_u64 << layers) - 1;
    // Inside the pool all the time, as chili's scope is.
    let each = move |mut sum: Box<dyn FnMut() -> u64 + '_>| {
        let start = Instant::now();
        for _ in 0..repeat {
            assert_eq!(black_box(sum()), nodes);
        }
        start.elapsed().as_secs_f64() / (u64::from(repeat) * nodes) as f64
    };
    let policy = |name: &str, pool: &'a Pool| {
        Contender::new(pools.name(name), move || {
            pool.run(|cx| each(Box::new(|| sum_divvy(cx, black_box(root)))))
        })
    };
    vec![
        Contender::new("baseline: recursion", move || each(Box::new(|| sum_serial(black_box(root))))),
        Contender::new(pools.name("rayon"), move || {
            pools.rayon.install(|| each(Box::new(|| sum_rayon(black_box(root)))))
        }),
        Contender::new(pools.name("chili"), move || {
            let mut scope = pools.chili.scope();
            each(Box::new(|| sum_chili(&mut scope, black_box(root))))
        }),
        policy("divvy, heartbeat", &pools.heartbeat),
        policy("divvy, eager", &pools.eager),
    ]
}

fn fib_serial(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { black_box(fib_serial(n - 1)) + fib_serial(n - 2) }
}

fn fib_divvy(cx: &mut Context, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = cx.join(|cx| fib_divvy(cx, n - 1), |cx| fib_divvy(cx, n - 2));
    a + b
}

fn fib_chili(scope: &mut chili::Scope<'_>, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = scope.join(|scope| fib_chili(scope, n - 2), |scope| fib_chili(scope, n - 1));
    a + b
}

fn fib_rayon(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = rayon::join(|| fib_rayon(n - 1), || fib_rayon(n - 2));
    a + b
}

fn fibs(pools: &Pools) -> Vec<Contender<'_>> {
    const N: u32 = 30;
    const JOINS: f64 = 1_346_268.0;
    const RESULT: u64 = 832_040;
    let once = |fib: Box<dyn FnOnce(u32) -> u64 + '_>| {
        let start = Instant::now();
        assert_eq!(fib(black_box(N)), RESULT);
        start.elapsed().as_secs_f64() / JOINS
    };
    let policy = move |name: &str, pool| {
        Contender::new(pools.name(name), move || Pool::run(pool, |cx| once(Box::new(|n| fib_divvy(cx, n)))))
    };
    vec![
        Contender::new("baseline: recursion", move || once(Box::new(fib_serial))),
        Contender::new(pools.name("rayon"), move || pools.rayon.install(|| once(Box::new(fib_rayon)))),
        Contender::new(pools.name("chili"), move || {
            let mut scope = pools.chili.scope();
            once(Box::new(|n| fib_chili(&mut scope, n)))
        }),
        policy("divvy, heartbeat", &pools.heartbeat),
        policy("divvy, eager", &pools.eager),
    ]
}

/// Microseconds of 64 tasks: the longest takes 150 times as long as the shortest.
fn uneven() -> Vec<u64> {
    (0..64_u64).map(|i| (i * 7919 % 97 + 1).pow(2) / 60).collect()
}

/// Computes for so long, without a fork.
fn compute(microseconds: u64) {
    let end = Instant::now() + Duration::from_micros(microseconds);
    while Instant::now() < end {
        (0..50_u32).for_each(|i| {
            black_box(i);
        });
    }
}

fn halve_divvy(cx: &mut Context, tasks: &[u64]) {
    match tasks {
        [] => {}
        [one] => compute(*one),
        _ => {
            let (a, b) = tasks.split_at(tasks.len() / 2);
            cx.join(|cx| halve_divvy(cx, a), |cx| halve_divvy(cx, b));
        }
    }
}

fn halve_chili(scope: &mut chili::Scope<'_>, tasks: &[u64]) {
    match tasks {
        [] => {}
        [one] => compute(*one),
        _ => {
            let (a, b) = tasks.split_at(tasks.len() / 2);
            scope.join(|scope| halve_chili(scope, b), |scope| halve_chili(scope, a));
        }
    }
}

fn halve_rayon(tasks: &[u64]) {
    match tasks {
        [] => {}
        [one] => compute(*one),
        _ => {
            let (a, b) = tasks.split_at(tasks.len() / 2);
            rayon::join(|| halve_rayon(a), || halve_rayon(b));
        }
    }
}

fn seconds(body: impl FnOnce()) -> f64 {
    let start = Instant::now();
    body();
    start.elapsed().as_secs_f64()
}

fn coarse<'a>(pools: &'a Pools, tasks: &[u64]) -> Vec<Contender<'a>> {
    let lists: Vec<Vec<u64>> = vec![tasks.to_vec(); 5];
    let [serial, by_rayon, by_chili, by_heartbeat, by_eager] = lists.try_into().expect("there are five");
    vec![
        Contender::new("baseline: one after the other", move || {
            seconds(|| serial.iter().copied().for_each(compute))
        }),
        Contender::new(pools.name("rayon"), move || {
            seconds(|| pools.rayon.install(|| halve_rayon(&by_rayon)))
        }),
        Contender::new(pools.name("chili"), move || {
            seconds(|| halve_chili(&mut pools.chili.scope(), &by_chili))
        }),
        Contender::new(pools.name("divvy, heartbeat"), move || {
            seconds(|| pools.heartbeat.run(|cx| halve_divvy(cx, &by_heartbeat)))
        }),
        Contender::new(pools.name("divvy, eager"), move || {
            seconds(|| pools.eager.run(|cx| halve_divvy(cx, &by_eager)))
        }),
    ]
}

fn slice_divvy(cx: &mut Context, numbers: &[u32]) -> u32 {
    if numbers.len() <= 125 {
        return numbers.iter().sum();
    }
    let (a, b) = numbers.split_at(numbers.len() / 2);
    let (a, b) = cx.join(|cx| slice_divvy(cx, a), |cx| slice_divvy(cx, b));
    a + b
}

fn slice_chili(scope: &mut chili::Scope<'_>, numbers: &[u32]) -> u32 {
    if numbers.len() <= 125 {
        return numbers.iter().sum();
    }
    let (a, b) = numbers.split_at(numbers.len() / 2);
    let (b, a) = scope.join(|scope| slice_chili(scope, b), |scope| slice_chili(scope, a));
    a + b
}

fn slice_rayon(numbers: &[u32]) -> u32 {
    if numbers.len() <= 125 {
        return numbers.iter().sum();
    }
    let (a, b) = numbers.split_at(numbers.len() / 2);
    let (a, b) = rayon::join(|| slice_rayon(a), || slice_rayon(b));
    a + b
}

/// Adds numbers up, in one way or another.
type Sum<'a> = Box<dyn FnMut(&[u32]) -> u32 + 'a>;

/// Calls from a thread that is no worker, 8 leaves each.
fn calls(pools: &Pools, pause: Duration) -> Vec<Contender<'_>> {
    let numbers: &'static [u32] = Vec::from_iter(0..1000).leak();
    let each = move |mut call: Sum<'_>| {
        const CALLS: u32 = 100;
        let mut total = Duration::ZERO;
        for _ in 0..CALLS {
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            let start = Instant::now();
            assert_eq!(call(black_box(numbers)), 499_500);
            total += start.elapsed();
        }
        total.as_secs_f64() / f64::from(CALLS)
    };
    vec![
        Contender::new("baseline: a loop", move || each(Box::new(|numbers| numbers.iter().sum()))),
        Contender::new(pools.name("rayon"), move || {
            each(Box::new(|numbers| pools.rayon.install(|| slice_rayon(numbers))))
        }),
        Contender::new(pools.name("chili"), move || {
            each(Box::new(|numbers| slice_chili(&mut pools.chili.scope(), numbers)))
        }),
        Contender::new(pools.name("divvy, heartbeat"), move || {
            each(Box::new(|numbers| pools.heartbeat.run(|cx| slice_divvy(cx, numbers))))
        }),
        Contender::new(pools.name("divvy, eager"), move || {
            each(Box::new(|numbers| pools.eager.run(|cx| slice_divvy(cx, numbers))))
        }),
    ]
}

fn tasks<'a>(one: &'a Pools, two: &'a Pools) -> Vec<Contender<'a>> {
    const TASKS: u32 = 100_000;
    let each = |body: Box<dyn FnOnce() + '_>| seconds(body) / f64::from(TASKS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    let runtime = runtime.expect("two threads can be started");
    let mut contenders = vec![Contender::new("baseline: a loop", move || {
        each(Box::new(|| {
            (0..TASKS).for_each(|i| {
                black_box(i);
            })
        }))
    })];
    contenders.push(Contender::new("tokio, 2 workers", move || {
        each(Box::new(|| {
            runtime.block_on(async {
                let tasks: Vec<_> = (0..TASKS)
                    .map(|i| {
                        tokio::spawn(async move {
                            black_box(i);
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("it does not panic");
                }
            });
        }))
    }));
    for pools in [one, two] {
        contenders.push(Contender::new(pools.name("rayon, scope"), move || {
            each(Box::new(|| {
                pools.rayon.scope(|scope| {
                    (0..TASKS).for_each(|i| {
                        scope.spawn(move |_| {
                            black_box(i);
                        })
                    })
                });
            }))
        }));
        contenders.push(Contender::new(pools.name("divvy, scope"), move || {
            each(Box::new(|| {
                pools.heartbeat.scope(|scope| {
                    (0..TASKS).for_each(|i| {
                        scope.spawn(move |_| {
                            black_box(i);
                        })
                    })
                });
            }))
        }));
        contenders.push(Contender::new(pools.name("divvy, handles"), move || {
            each(Box::new(|| {
                let pool = &pools.heartbeat;
                let tasks: Vec<_> = (0..TASKS)
                    .map(|i| {
                        pool.spawn(move || {
                            black_box(i);
                        })
                    })
                    .collect();
                tasks.into_iter().for_each(|task| task.join().expect("it does not panic"));
            }))
        }));
    }
    contenders
}

/// What the process did in a while: how often a thread of it went to sleep, and the processor time.
fn stir(length: Duration, mut every_millisecond: impl FnMut()) -> Result<(u64, f64), String> {
    let cpu = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    // This thread sleeps too, and is not counted.
    let own = rustix::thread::gettid().as_raw_nonzero().to_string();
    let sleeps = || -> Result<u64, String> {
        let mut sleeps = 0;
        for thread in std::fs::read_dir("/proc/self/task").map_err(|error| error.to_string())?.flatten() {
            if thread.file_name().to_str() != Some(&own) {
                let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
                let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
                sleeps += line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
            }
        }
        Ok(sleeps)
    };
    let (before, start) = (sleeps()?, Instant::now());
    let cpu_before = cpu();
    while start.elapsed() < length {
        thread::sleep(Duration::from_millis(1));
        every_millisecond();
    }
    let share = (cpu() - cpu_before) / start.elapsed().as_secs_f64();
    Ok((sleeps()? - before, share))
}

/// A second without work, and a second with a task that does nothing each millisecond.
fn idle(pools: &Pools) -> Result<String, String> {
    const SECOND: Duration = Duration::from_secs(1);
    // Let everybody come to rest.
    thread::sleep(Duration::from_millis(200));
    let mut table = String::from(
        "| all pools of 2 threads together | threads went to sleep, per s | processor time, % of a core |\n|---|---:|---:|\n",
    );
    let mut row = |name: &str, post: &mut dyn FnMut()| -> Result<(), String> {
        let (sleeps, share) = stir(SECOND, post)?;
        let _ = writeln!(table, "| {name} | {sleeps} | {:.2} |", share * 100.0);
        Ok(())
    };
    row("baseline: nothing is posted", &mut || ())?;
    row("divvy, heartbeat: 1 ms posts", &mut || drop(pools.heartbeat.spawn(|| ())))?;
    row("divvy, eager: 1 ms posts", &mut || drop(pools.eager.spawn(|| ())))?;
    row("rayon: 1 ms posts", &mut || pools.rayon.spawn(|| ()))?;
    Ok(table)
}
