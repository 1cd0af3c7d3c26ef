//! What both boards run, on every core: the word count alone and as a team, calls to a flaky device alone and together,
//! then the conformance scenarios.

use crate::barrier::Barrier;
use crate::boards::{board, is_counted, stack};
use crate::costs::{self, WakeUp};
use crate::device::{self, Form, Tally, Witness};
use crate::machine::Machine;
use crate::picks;
use crate::realtime::{self, Account, Kind, MOST, Plan, Rules, Times};
use crate::team::{Share, Team};
use crate::wordcount::{
    AllWords, CHUNKS, EXPECTED, MAPS, PARTITIONS, ROUNDS, Summary, TEXT, Total, WordCount, alone,
};
use board::CORES;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use defmt::{Display2Format, error, info};
use divvy::Instant;
use divvy::breaker::{Cause, Counts, State, Transition};
use divvy::sched::Park;
use divvy::sched::realtime::OnMiss;
use divvy_tests::Verdict;

static COUNT: WordCount<CORES> = WordCount::new();
static TEAM: Team<'_, CORES> = Team::new(&COUNT);
static ALONE: AllWords = AllWords::new();
/// The device that all cores call, and what was seen of the one that core 0 calls by itself.
static CALLERS: device::Team = device::Team::new();
static PLAIN: Witness = Witness::new();
static SHARED: Witness = Witness::new();
/// Changes of the breaker's state that were not printed.
static UNTOLD: AtomicU32 = AtomicU32::new(0);
static BARRIER: Barrier<CORES> = Barrier::new();
static WAKE_UP: WakeUp = WakeUp::new();
/// Nanoseconds of a unit of work and of a job's decisions, measured by core 0, and the tick at which all cores begin.
static UNIT: AtomicU32 = AtomicU32::new(0);
static JOB: AtomicU32 = AtomicU32::new(0);
static START: AtomicU32 = AtomicU32::new(0);
/// Deadlines that were missed by what was admitted.
static MISSED: AtomicU32 = AtomicU32::new(0);
/// Whose turn it is to print.
static TURN: AtomicU32 = AtomicU32::new(0);
/// What did not agree. The run is good if there is nothing.
static FAILURES: AtomicU32 = AtomicU32::new(0);

const SCENARIOS: usize = divvy_tests::ALL.len();

/// The board, as the cores see it.
struct Cores;

impl Park for Cores {
    fn park(&self, _core: u32) {
        board::wait();
    }

    fn unpark(&self, core: u32) {
        board::wake(core);
    }

    fn now(&self) -> Option<Instant> {
        Some(self.clock())
    }
}

impl Machine for Cores {
    fn clock(&self) -> Instant {
        at_tick(board::ticks())
    }

    fn nap(&self, _core: u32, until: Instant) {
        if board::takes_turns() {
            // As long a turn as that of a core that has something to do.
            realtime::work(LOOPS_COUNTED);
            board::turn();
        } else {
            board::wait_until(until.as_nanos().div_ceil(NANOS_PER_TICK) as u32);
        }
    }

    fn turn(&self) {
        board::turn();
    }
}

fn at_tick(tick: u32) -> Instant {
    Instant::from_nanos(u64::from(tick) * NANOS_PER_TICK)
}

/// What `qemu.sh` makes an instruction last while it counts them.
const NANOS_PER_INSTRUCTION: u64 = 1024;
const NANOS_PER_TICK: u64 = 1_000_000 / board::TICKS_PER_MILLISECOND as u64;

/// Loops of a unit of work while QEMU counts instructions: about as long as the dispatcher takes for a job.
const LOOPS_COUNTED: u32 = 320;

/// The policies that keep nothing for each member: with the fleet of eight they fit 1 KiB.
const SMALL: [&str; 6] = ["round-robin", "random", "hash", "p2c", "p2c-peak", "least-response-time"];

/// All of it, from the first instruction of each core to the exit.
pub(crate) fn run() -> ! {
    stack::paint();
    let core = board::core();
    if core == 0 {
        info!("divvy on {=str}: {=usize} x {=str}", board::NAME, CORES, board::CPU);
        show_picks();
        show_protection();
        call_alone();
        show_costs();
        board::start_others();
    }
    meet(core);
    show_wake_up(core);
    meet(core);

    let reference = if core == 0 { count_alone() } else { None };
    meet(core);
    let began = board::ticks();
    TEAM.work(core, &Cores);
    let ticks = board::ticks().wrapping_sub(began);
    meet(core);
    if core == 0 {
        report(ticks, reference);
    }

    keep_deadlines(core);
    if core == 0 {
        info!("");
        info!(
            "the same device, called by all {=usize} cores through one breaker and one limiter; each core says what it \
             changed, by its own time",
            CORES
        );
    }

    meet(core);
    call_together();
    meet(core);
    if core == 0 {
        report_calls();
        info!("");
        info!("{=usize} scenarios on every core, each with its digest", SCENARIOS);
    }

    conform(core);
    meet(core);
    if core == 0 {
        exit();
    }
    loop {
        board::wait();
    }
}

/// Waits until all cores have come.
fn meet(core: usize) {
    BARRIER.meet(core, &Cores);
}

/// Core 0 counts by itself, to have something to compare with: the summary and the ticks it took.
fn count_alone() -> Option<(Summary, u32)> {
    info!("");
    info!("word count of divvy's documentation: {=usize} bytes, {=u32} times over", TEXT.len(), ROUNDS);
    let began = board::ticks();
    let counted = alone(&ALONE);
    let ticks = board::ticks().wrapping_sub(began);
    match counted {
        Ok(summary) => {
            print(format_args!("  core 0 alone, one loop      {:>11}", Millis(ticks)));
            Some((summary, ticks))
        }
        Err(_) => {
            fail("  WRONG: the table of core 0 alone is full; raise WORDS in wordcount.rs");
            None
        }
    }
}

/// What picking costs under each policy. QEMU's counter counts the instructions of all cores: the others are
/// held or asleep until [`board::start_others`], so these are this core's own.
fn show_picks() {
    let counted = is_counted();
    info!("");
    info!(
        "a fleet of {=usize}, {=usize} calls at once, under each policy: {=u32} picks and as many completions",
        picks::MEMBERS,
        picks::CALLS,
        picks::PICKS
    );
    if counted {
        info!("  policy                  bytes  instructions a pick and completion");
    } else {
        info!("  policy                  bytes  (DIVVY_ICOUNT=1 counts instructions)");
    }
    picks::measure(board::ticks, &mut |row| {
        let picks::Row { name, ticks, bytes, refused } = row;
        if counted {
            let each = instructions(ticks, picks::PICKS);
            print(format_args!("  {name:<22} {bytes:>6}  {each:>12}"));
        } else {
            print(format_args!("  {name:<22} {bytes:>6}"));
        }
        if refused > 0 {
            error!("  WRONG: {=u32} calls found nobody under {=str}", refused, name);
            FAILURES.fetch_add(1, Ordering::Relaxed);
        }
        if bytes > 1024 && SMALL.contains(&name) {
            error!("  WRONG: {=str} and its fleet take {=u32} bytes; 1 KiB is promised", name, bytes);
            FAILURES.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Instructions, if QEMU counts them, of one call of `calls` that took so many ticks together.
fn instructions(ticks: u32, calls: u32) -> u64 {
    u64::from(ticks) * NANOS_PER_TICK / NANOS_PER_INSTRUCTION / u64::from(calls)
}

/// What handing out work costs one core, and how long a unit of work takes.
fn show_costs() {
    info!("");
    info!("handing out work, core 0 alone: {=u32} times each", costs::OPERATIONS);
    let counted = is_counted();
    if counted {
        info!("  operation                                instructions");
    } else {
        info!("  (DIVVY_ICOUNT=1 counts instructions)");
    }
    let mut job = 0;
    costs::measure(board::ticks, &mut |row| {
        let costs::Row { what, ticks, wrong } = row;
        // The last row is the job's.
        job = ticks;
        if counted {
            print(format_args!("  {what:<40} {:>12}", instructions(ticks, costs::OPERATIONS)));
        }
        if wrong > 0 {
            error!("  WRONG: {=str}: {=u32} items went another way", what, wrong);
            FAILURES.fetch_add(1, Ordering::Relaxed);
        }
    });
    let each = |ticks: u32, of: u32| (u64::from(ticks) * NANOS_PER_TICK / u64::from(of)) as u32;
    JOB.store(each(job, costs::OPERATIONS), Ordering::Relaxed);
    UNIT.store(each(realtime::time_units(loops(), board::ticks, &Cores), realtime::UNITS), Ordering::Relaxed);
}

/// What [`realtime::work`] is called with.
fn loops() -> u32 {
    if is_counted() { LOOPS_COUNTED } else { 20_000 }
}

/// How long it takes from waking a core to its first instruction: core 0 wakes core 1.
fn show_wake_up(core: usize) {
    match core {
        0 => {
            let ticks = WAKE_UP.wake(1, board::ticks, &Cores);
            if is_counted() {
                let what = "wake another core, until it goes on";
                print(format_args!("  {what:<40} {:>12}", instructions(ticks, costs::WAKES)));
            }
        }
        1 => WAKE_UP.sleep(1, board::ticks, &Cores),
        _ => {}
    }
}

/// What things take while all cores are at work. Where QEMU counts instructions, what one core does takes as long as
/// what all of them do meanwhile: each gives its turn away after a unit, or after what its dispatcher did.
fn times() -> Times {
    let nanos = |counter: &AtomicU32| Duration::from_nanos(counter.load(Ordering::Relaxed).into());
    // An eighth more than was measured: that was a mean, in a loop of its own.
    let (unit, job) = (nanos(&UNIT) * 9 / 8, nanos(&JOB) * 9 / 8);
    if is_counted() {
        let cores = CORES as u32;
        Times { grain: Duration::from_millis(4), unit: unit.max(job) * cores, job: job * cores }
    } else {
        Times { grain: Duration::from_micros(200), unit, job }
    }
}

/// Tasks with deadlines: what is admitted and what is not, a run of what is, and one of too much.
fn keep_deadlines(core: usize) {
    let times = times();
    if core == 0 {
        show_admission(&times);
    }
    let Ok(plan) = Plan::<CORES>::new(&times) else {
        // Every core comes to the same.
        if core == 0 {
            let late = "  the cores are too slow today for tasks with deadlines: not run";
            if is_counted() { fail("  WRONG: the tasks are refused") } else { info!("{=str}", late) }
        }
        return;
    };
    let (kinds, count) = plan.kinds(core);
    run_tasks(core, &kinds[..count], OnMiss::Continue, &times);
    if core == 0 {
        match MISSED.load(Ordering::Relaxed) {
            0 => info!("  every deadline was met"),
            // While QEMU counts, each core has said so already.
            missed => info!("  {=u32} deadlines were missed: the host has other things to do", missed),
        }
        info!("");
        print(format_args!(
            "  with `{}`, against the advice; a job is taken off at its deadline",
            realtime::VIDEO.name
        ));
    }
    run_tasks(core, &kinds[..MOST.min(count + 1)], OnMiss::Abort, &times);
}

fn show_admission(times: &Times) {
    info!("");
    info!("tasks with deadlines, earliest deadline first; each core has its own");
    print(format_args!(
        "  a unit of work takes {:?}, release to completion of a job {:?} more",
        times.unit, times.job
    ));
    let verdict = realtime::admit(times);
    print(format_args!("  {} of each core: {verdict}", realtime::utilisation(&realtime::ADMITTED, times)));
    for more in [realtime::ALARM, realtime::VIDEO] {
        let verdict = realtime::admit_with(more, times);
        print(format_args!("  with `{}` as well: {verdict}", more.name));
        if verdict.admits() {
            fail("  WRONG: this is too much");
        }
    }
}

/// Runs the tasks on all cores, then each says what came of its own.
fn run_tasks(core: usize, kinds: &[Kind], on_miss: OnMiss, times: &Times) {
    meet(core);
    if core == 0 {
        // Till then all will have come: while QEMU counts, a turn is at most 100 ms.
        let ahead = if is_counted() { 400 } else { 20 };
        let start = board::ticks().wrapping_add(ahead * board::TICKS_PER_MILLISECOND);
        START.store(start, Ordering::Relaxed);
        info!("");
        info!(
            "  core  task      released  completed  missed  taken off  worst response   predicted    deadline"
        );
    }
    meet(core);
    let from = at_tick(START.load(Ordering::Relaxed));
    let rounds = if is_counted() { 1 } else { 10 };
    let span = times.grains(rounds * realtime::HYPERPERIOD);
    let account =
        realtime::drive(kinds, times, &Rules { from, span, on_miss, loops: loops() }, core as u32, &Cores);
    for turn in 0..CORES {
        meet(core);
        if turn == core {
            show_account(core, kinds, &account, on_miss, times, rounds);
        }
    }
    meet(core);
}

/// What became of this core's tasks, and whether all of it is as it must be.
fn show_account(core: usize, kinds: &[Kind], account: &Account, on_miss: OnMiss, times: &Times, rounds: u32) {
    let predicted = realtime::predict(kinds, times).map(|response| response + times.blocking());
    let is_admitted = on_miss == OnMiss::Continue;
    let (mut missed, mut unexplained, mut late) = (0, 0, 0);
    for ((kind, stats), predicted) in kinds.iter().zip(account.tasks).zip(predicted) {
        let line = format_args!(
            "  {core:>4}  {:<9} {:>8} {:>10} {:>7} {:>10} {:>15}",
            kind.name,
            stats.released,
            stats.completed,
            stats.missed,
            stats.aborted,
            InMillis(stats.response_max)
        );
        let deadline = InMillis(times.task(*kind).relative_deadline());
        if is_admitted {
            print(format_args!("{line} {:>11} {deadline:>11}", InMillis(predicted)));
        } else {
            print(format_args!("{line} {:>11} {deadline:>11}", "-"));
        }
        missed += stats.missed;
        // Every deadline has come by the end.
        late += u32::from(stats.response_max > predicted || stats.pending > 0);
        let known = stats.completed + stats.aborted + stats.lost + stats.pending;
        let expected = rounds * realtime::HYPERPERIOD / kind.period();
        unexplained += stats.released.abs_diff(known) + stats.released.abs_diff(expected);
    }
    let span = times.grains(rounds * realtime::HYPERPERIOD);
    let busy = 1_000 * account.core.busy.as_micros() / span.as_micros().max(1);
    print(format_args!(
        "  {core:>4}  {}.{} % busy, {} switches, {} preemptions, at most {:?} without a look at the clock",
        busy / 10,
        busy % 10,
        account.core.switches,
        account.core.preemptions,
        account.longest_unit
    ));
    if unexplained > 0 {
        error!("  WRONG: {=u32} jobs of core {=usize} are not accounted for", unexplained, core);
        FAILURES.fetch_add(1, Ordering::Relaxed);
    }
    if is_admitted {
        MISSED.fetch_add(missed, Ordering::Relaxed);
    }
    // In real time the host may take a core away for as long as it likes.
    if is_counted() && ((missed > 0) == is_admitted || (is_admitted && late > 0)) {
        error!(
            "  WRONG: core {=usize} missed {=u32} deadlines, and {=u32} of its tasks answered later than predicted",
            core, missed, late
        );
        FAILURES.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a breaker and a limiter cost, plain and shared.
fn show_protection() {
    info!("");
    let [[breaker, limit], [shared_breaker, shared_limit]] = [Form::Plain, Form::Shared].map(Form::bytes);
    info!("a breaker and a limiter, plain and shared by all cores");
    print(format_args!("  bytes of the breaker               {breaker:>8} {shared_breaker:>8}"));
    print(format_args!("  bytes of the limiter               {limit:>8} {shared_limit:>8}"));
    if is_counted() {
        info!("  instructions of a call, {=u32} of them", device::CALLS);
    }
    device::measure(board::ticks, &mut |row| {
        let device::Row { what, forms } = row;
        if is_counted() {
            let [plain, shared] = forms.map(|(_, ticks, _)| instructions(ticks, device::CALLS));
            print(format_args!("    {what:<33}{plain:>8} {shared:>8}"));
        }
        if forms.iter().any(|(_, _, wrong)| *wrong > 0) {
            fail("  WRONG: not every call was answered as the row says");
        }
    });
}

/// Core 0 calls the flaky device by itself, through the plain forms and again through the shared ones.
fn call_alone() {
    info!("");
    info!(
        "a device that is flaky, slow and dead in turn for a second each, called for {=u32} ms of its own time",
        device::MILLIS
    );
    info!("  core 0 alone, through a breaker and a limiter of its own");
    let plain = device::alone(Form::Plain, &PLAIN, &mut show_change);
    show_calls(&PLAIN);
    let shared = device::alone(Form::Shared, &SHARED, &mut |_| {});
    keeps_promises(&SHARED);
    if plain == device::EXPECTED && shared == device::EXPECTED {
        info!("    decisions {=u64:016x}: the plain forms, the shared ones and the host agree", plain);
    } else {
        error!(
            "  WRONG DECISIONS: {=str}: expected by the host {=u64:016x}, found {=u64:016x} plain and {=u64:016x} shared",
            board::NAME,
            device::EXPECTED,
            plain,
            shared
        );
        FAILURES.fetch_add(1, Ordering::Relaxed);
    }
}

/// What each core does: it calls the device while the others do, in an order that nobody knows.
fn call_together() {
    CALLERS.work(&mut |change| {
        // The breaker may change its state more often than anybody wants to read.
        static TOLD: AtomicU32 = AtomicU32::new(0);
        if TOLD.fetch_add(1, Ordering::Relaxed) < 16 {
            show_change(change);
        } else {
            UNTOLD.fetch_add(1, Ordering::Relaxed);
        }
    });
}

fn show_change(change: Transition) {
    let Transition { at, from, to, why, counts: Counts { calls, failures, slow } } = change;
    let millis = at.as_nanos() / 1_000_000;
    let [from, to] = [from, to].map(|state| match state {
        State::Open { .. } => "open",
        State::HalfOpen => "half-open",
        _ => "closed",
    });
    let change = format_args!("    {:>2}.{:03} s  {from} to {to}: {why}", millis / 1000, millis % 1000);
    match why {
        Cause::TimeOver => print(change),
        _ => print(format_args!("{change}; of {calls}, {failures} failed and {slow} were slow")),
    }
}

/// What came of the calls of all cores.
fn report_calls() {
    let untold = UNTOLD.load(Ordering::Relaxed);
    if untold > 0 {
        info!("    and {=u32} more", untold);
    }
    show_calls(CALLERS.witness());
    if CALLERS.recovers() {
        info!("    the breaker closes again");
    } else {
        fail("  WRONG: the breaker does not close although the device is well");
    }
}

fn show_calls(witness: &Witness) {
    let Tally { asked, broken, limited, admitted, failed, slow, vanished, stale } = witness.tally();
    info!(
        "    {=u32} calls asked for: the breaker refused {=u32}, the limiter {=u32}, the device got {=u32}",
        asked, broken, limited, admitted
    );
    info!(
        "    of these {=u32} failed and {=u32} were slow; {=u32} never reported, {=u32} reported on an earlier state",
        failed, slow, vanished, stale
    );
    if keeps_promises(witness) {
        info!(
            "    no interval has more calls than the quota allows, the fullest {=i32} less; of {=u32} probes at once that \
             are allowed, {=u32} were seen",
            witness.quota_left(),
            device::PROBES,
            witness.most_probes()
        );
    }
}

/// Whether the quota was kept in every interval of time, and the number of probes.
fn keeps_promises(witness: &Witness) -> bool {
    let Tally { asked, broken, limited, admitted, .. } = witness.tally();
    let (left, probes) = (witness.quota_left(), witness.most_probes());
    let good = left >= 0 && probes <= device::PROBES && admitted > 0 && asked == broken + limited + admitted;
    if !good {
        error!(
            "  WRONG: {=i32} calls below what the quota allows, {=u32} probes at once of {=u32}, {=u32} calls asked for and \
             {=u32} answered",
            left,
            probes,
            device::PROBES,
            asked,
            broken + limited + admitted
        );
        FAILURES.fetch_add(1, Ordering::Relaxed);
    }
    good
}

/// Who did what in the word count, and whether it is right.
fn report(ticks: u32, reference: Option<(Summary, u32)>) {
    let summary = COUNT.summary();
    let total = summary.total;
    print(format_args!("  {CORES} cores, stealing work     {:>11}", Millis(ticks)));
    match reference {
        _ if is_counted() => {
            info!("  (QEMU counts instructions: the cores take turns on one clock, which tells no speed)");
        }
        Some((_, alone)) => {
            let hundredths = 100 * u64::from(alone) / u64::from(ticks.max(1));
            print(format_args!("  {}.{:02} times as fast", hundredths / 100, hundredths % 100));
        }
        None => {}
    }
    info!(
        "  {=u32} map tasks of {=usize} bytes and {=u32} reduce tasks; core 0 made all the map tasks",
        MAPS,
        TEXT.len() / CHUNKS.get() as usize,
        PARTITIONS.get()
    );
    info!("");
    info!("  core   words  share  maps  reduces  steals  tasks stolen  looked for work  slept         idle");
    for core in 0..CORES {
        let Share { maps, words, reduces, steals, stolen, attempts, parked, idle } = TEAM.share(core);
        let percent = (200 * words / total.words.max(1)).div_ceil(2);
        print(format_args!(
            "  {core:>4} {words:>7} {percent:>4} % {maps:>5} {reduces:>8} {steals:>7} {stolen:>13} {attempts:>16} \
             {parked:>6} {:>12}",
            InMillis(idle)
        ));
    }
    info!("");
    info!("  the most frequent of {=u32} words, {=u32} of them different:", total.words, total.distinct);
    for (word, count) in summary.top() {
        print(format_args!("  {count:>7}  {word}"));
    }
    info!("");
    check(total, reference.map(|(summary, _)| summary.total));
    if is_counted() {
        check_split(total.words);
    }
}

/// Whether the team's total is what core 0 came to alone, and what the host came to.
fn check(total: Total, alone: Option<Total>) {
    let refused = COUNT.refused();
    if refused > 0 {
        error!(
            "  WRONG: {=u32} times a table was full; raise WORDS or WORDS_OF_PARTITION in wordcount.rs",
            refused
        );
        FAILURES.fetch_add(1, Ordering::Relaxed);
    }
    for (other, who) in [(alone, "core 0 alone"), (Some(EXPECTED), "the host")] {
        if other != Some(total) {
            let other = other.unwrap_or_default();
            error!(
                "  WRONG WORD COUNT: {=str}: expected by {=str} {=u32} words, {=u32} different, checksum {=u64:016x}; \
                 found {=u32}, {=u32}, {=u64:016x}",
                board::NAME,
                who,
                other.words,
                other.distinct,
                other.checksum,
                total.words,
                total.distinct,
                total.checksum
            );
            FAILURES.fetch_add(1, Ordering::Relaxed);
        }
    }
    if FAILURES.load(Ordering::Relaxed) == 0 {
        info!("  checksum {=u64:016x}: the team, core 0 alone and the host agree", total.checksum);
    }
}

/// With QEMU's instruction counter the cores take turns in equal slices, so each must have got a fair share; in real
/// time the split depends on the host, and one core may do it all.
fn check_split(words: u32) {
    for core in 0..CORES {
        let share = TEAM.share(core);
        if share.words < words / (4 * CORES as u32) {
            error!(
                "  WRONG SPLIT: core {=usize} counted {=u32} of {=u32} words, less than a quarter of an even share",
                core, share.words, words
            );
            FAILURES.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a scenario came to on this core, and how many bytes of stack it took.
#[derive(Clone, Copy, Default)]
struct Found {
    digest: [u32; 2],
    stack: u32,
}

/// Runs every scenario on this core; all cores at once, then they print in turn.
fn conform(core: usize) {
    let before = stack::used();
    let mut found = [Found::default(); SCENARIOS];
    let begins = run_scenarios(core as u32, &mut found);
    // Ordering: acquire and release, so that what a core prints comes after all that the one before it printed.
    while TURN.load(Ordering::Acquire) != core as u32 {
        board::wait();
    }
    let mut deepest = ("", 0);
    for (scenario, found) in divvy_tests::ALL.iter().zip(found) {
        let [high, low] = found.digest.map(u64::from);
        let verdict = Verdict::new(board::NAME, core as u32, scenario.name, high << 32 | low);
        if verdict.is_good() {
            info!("{}", Display2Format(&verdict));
        } else {
            error!("{}", Display2Format(&verdict));
            FAILURES.fetch_add(1, Ordering::Relaxed);
        }
        if found.stack > divvy_tests::STACK {
            error!(
                "WRONG: scenario `{=str}` takes {=u32} bytes of stack; {=u32} are allowed",
                scenario.name,
                found.stack,
                divvy_tests::STACK
            );
            FAILURES.fetch_add(1, Ordering::Relaxed);
        }
        if found.stack > deepest.1 {
            deepest = (scenario.name, found.stack);
        }
    }
    info!(
        "  core {=usize} used {=usize} of its {=usize} bytes of stack; the deepest scenario, {=str}, took {=u32}",
        core,
        before.max(begins + deepest.1 as usize),
        stack::size(),
        deepest.0,
        deepest.1
    );
    TURN.fetch_add(1, Ordering::Release);
    for other in 0..CORES {
        board::wake(other as u32);
    }
}

/// A function of its own, so that the stack it begins at, which it says, is what a scenario's depth is measured from.
#[inline(never)]
fn run_scenarios(core: u32, found: &mut [Found; SCENARIOS]) -> usize {
    let begins = stack::depth();
    let mut places = found.iter_mut();
    stack::paint();
    divvy_tests::verify(board::NAME, core, &mut |verdict| {
        let stack = stack::used() - begins;
        if let Some(place) = places.next() {
            let digest = [(verdict.found >> 32) as u32, verdict.found as u32];
            *place = Found { digest, stack: stack as u32 };
        }
        stack::paint();
    });
    begins
}

fn exit() -> ! {
    info!("");
    match FAILURES.load(Ordering::Relaxed) {
        0 => info!(
            "{=str}: good. The word count agrees, the promises are kept, and {=usize} scenarios agree on {=usize} cores.",
            board::NAME,
            SCENARIOS,
            CORES
        ),
        failures => error!("{=str}: WRONG: {=u32} failures, see above", board::NAME, failures),
    }
    semihosting::process::exit((FAILURES.load(Ordering::Relaxed) > 0).into())
}

fn fail(message: &str) {
    error!("{=str}", message);
    FAILURES.fetch_add(1, Ordering::Relaxed);
}

/// For what is aligned in columns, which defmt's own formatting does not do.
fn print(line: fmt::Arguments<'_>) {
    info!("{}", Display2Format(&line));
}

/// Ticks of the board's timer, shown as milliseconds.
struct Millis(u32);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&InMillis(Duration::from_nanos(u64::from(self.0) * NANOS_PER_TICK)), f)
    }
}

/// A duration, shown as milliseconds.
struct InMillis(Duration);

impl fmt::Display for InMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = f.width().unwrap_or(0).saturating_sub(" ms".len() + ".0".len());
        let tenths = self.0.as_micros() as u64 / 100;
        write!(f, "{:>width$}.{} ms", tenths / 10, tenths % 10)
    }
}
