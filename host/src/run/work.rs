//! The tasks of one run: templates expanded into tasks, their order, and how far each has come.

use super::expand::expand;
use super::files::Files;
use super::key::{self, Decision};
use super::pipeline::{Items, Pipeline, Template};
use crate::diagnostic::Result;
use crate::store::Record;
use divvy::graph::{Dag, NodeId};
use divvy::hash::Xxh3;
use divvy::storage::Heap;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// What a task without any recorded time is taken to cost.
const DEFAULT_COST: Duration = Duration::from_secs(1);

/// One command to run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) template: usize,
    pub(crate) item: Option<Box<str>>,
    pub(crate) state: State,
    /// Known once the needs are finished.
    pub(crate) decision: Option<Decision>,
    /// Tries that ended.
    pub(crate) tries: u32,
    /// How long they took together.
    pub(crate) spent: Duration,
    /// How long it is expected to take.
    pub(crate) cost: Duration,
    /// Whether `cost` was measured.
    pub(crate) measured: bool,
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Something before it is not finished, or nobody looked at it yet.
    Waiting,
    /// Its inputs are being read.
    Reading,
    /// It could start.
    Ready,
    Running,
    /// It failed and waits for its next try.
    Backoff,
    /// Finished in an earlier run.
    UpToDate,
    /// Finished in this run.
    Done,
    /// Failed, which its pipeline allows.
    Allowed,
    /// Failed in this run.
    Dead,
    /// Failed in an earlier run and was not run again.
    DeadBefore,
    /// Ended by a signal to divvy; it runs again next time.
    Interrupted,
}

impl State {
    /// Whether those that need it may go on.
    pub(crate) fn finished(self) -> bool {
        matches!(self, State::UpToDate | State::Done | State::Allowed)
    }
}

/// What comes next in the order of the graph.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// The needs of this task are finished.
    Decide(usize),
    /// The needs of this fan-out are finished.
    Expand(usize),
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Task(usize),
    /// A fan-out that is not expanded yet.
    Expand(usize),
    /// The end of a fan-out: a fan-out of N before one of M costs N + M edges.
    Join,
}

/// All tasks that are known, and the graph of what waits for what.
#[derive(Debug)]
pub(crate) struct Work<'p> {
    pub(crate) pipeline: &'p Pipeline,
    pub(crate) records: HashMap<String, Record>,
    pub(crate) files: Files,
    pub(crate) tasks: Vec<Task>,
    /// Where the tasks of each template are in `tasks`, once they are known.
    expanded: Vec<Option<Range<usize>>>,
    dag: Dag<Heap, Heap>,
    nodes: Vec<Node>,
    task_nodes: Vec<NodeId>,
    /// What each template that is finished means for those that need it.
    results: Vec<Option<u64>>,
    /// When each template could be finished at the earliest, by the times measured in this run.
    ends: Vec<Duration>,
    /// Measured times: sum and number, per template.
    measured: Vec<(Duration, u32)>,
    /// The items that each template had in earlier runs.
    known_items: Vec<u32>,
}

impl<'p> Work<'p> {
    /// Expands whatever does not wait for a task.
    pub(crate) fn new(
        pipeline: &'p Pipeline,
        records: HashMap<String, Record>,
        files: Files,
    ) -> Result<Self> {
        let count = pipeline.tasks.len();
        let by_name: HashMap<&str, usize> =
            pipeline.tasks.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
        let mut measured = vec![(Duration::ZERO, 0); count];
        let mut known_items = vec![0; count];
        for (id, record) in &records {
            let name = id.split_once(':').map_or(id.as_str(), |(name, _)| name);
            if let Some(&template) = by_name.get(name) {
                measured[template].0 += Duration::from_nanos(record.duration_ns);
                measured[template].1 += 1;
                known_items[template] += 1;
            }
        }
        let mut work = Self {
            pipeline,
            records,
            files,
            tasks: Vec::new(),
            expanded: vec![None; count],
            dag: Dag::<Heap, Heap>::with_capacity(0, 0),
            nodes: Vec::new(),
            task_nodes: Vec::new(),
            results: vec![None; count],
            ends: vec![Duration::ZERO; count],
            measured,
            known_items,
        };
        for (index, template) in pipeline.tasks.iter().enumerate() {
            let at_once = match &template.for_each {
                None => true,
                Some(each) => template.needs.is_empty() || matches!(each.items, Items::List(_)),
            };
            if at_once {
                work.expand(index)?;
            }
        }
        work.connect();
        Ok(work)
    }

    /// Adds the tasks of `template` and returns where they are. [`Work::connect`] must follow.
    pub(crate) fn expand(&mut self, template: usize) -> Result<Range<usize>> {
        let task = &self.pipeline.tasks[template];
        let start = self.tasks.len();
        match &task.for_each {
            None => self.push(template, None),
            Some(each) => {
                for item in expand(self.pipeline, task, each)? {
                    self.push(template, Some(item.into()));
                }
            }
        }
        let range = start..self.tasks.len();
        self.expanded[template] = Some(range.clone());
        Ok(range)
    }

    fn push(&mut self, template: usize, item: Option<Box<str>>) {
        let id = self.pipeline.tasks[template].id(item.as_deref());
        let record = self.records.get(id.as_ref()).map(|record| Duration::from_nanos(record.duration_ns));
        let cost = record.unwrap_or_else(|| self.mean(template));
        let measured = record.is_some() || self.measured[template].1 > 0;
        let state = State::Waiting;
        self.tasks.push(Task {
            template,
            item,
            state,
            decision: None,
            tries: 0,
            spent: Duration::ZERO,
            cost,
            measured,
        });
    }

    /// The mean of the measured times of a template, else of all, else a default.
    fn mean(&self, template: usize) -> Duration {
        let mean = |(sum, count): (Duration, u32)| (count > 0).then(|| sum / count);
        let all = || self.measured.iter().fold((Duration::ZERO, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        mean(self.measured[template]).or_else(|| mean(all())).unwrap_or(DEFAULT_COST)
    }

    /// Builds the graph of what is known now. What was done stays done; what was taken by [`Work::next`] and is not
    /// finished is not given out again.
    pub(crate) fn connect(&mut self) {
        let templates = &self.pipeline.tasks;
        let mut node_count = 0;
        let mut edge_count = 0;
        for (template, range) in templates.iter().zip(&self.expanded) {
            let len = range.as_ref().map_or(0, ExactSizeIterator::len);
            let join = usize::from(template.for_each.is_some());
            node_count += len + join;
            edge_count += (len + join) * template.needs.len() + len * join;
        }
        let clamp = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let mut dag = Dag::<Heap, Heap>::with_capacity(clamp(node_count), clamp(edge_count));
        let mut nodes = Vec::with_capacity(node_count);
        let mut task_nodes = vec![None; self.tasks.len()];
        let mut exits: Vec<Option<NodeId>> = vec![None; templates.len()];
        // The capacities are exact and needs come first in the order, so nothing below is refused.
        let mut insert = |dag: &mut Dag<Heap, Heap>, cost: Duration, node: Node| {
            nodes.push(node);
            dag.insert(u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX).max(1)).ok()
        };
        let connect = |dag: &mut Dag<Heap, Heap>, before: Option<NodeId>, after: Option<NodeId>| {
            if let (Some(before), Some(after)) = (before, after) {
                _ = dag.connect(before, after);
            }
        };
        for &index in &self.pipeline.order {
            let template = &templates[index];
            let needs: Vec<Option<NodeId>> = template.needs.iter().map(|&need| exits[need]).collect();
            let Some(range) = self.expanded[index].clone() else {
                let node = insert(&mut dag, self.mean(index), Node::Expand(index));
                needs.iter().for_each(|&need| connect(&mut dag, need, node));
                exits[index] = node;
                continue;
            };
            let join = match template.for_each {
                Some(_) => insert(&mut dag, Duration::ZERO, Node::Join),
                None => None,
            };
            for task in range.clone() {
                let node = insert(&mut dag, self.tasks[task].cost, Node::Task(task));
                task_nodes[task] = node;
                needs.iter().for_each(|&need| connect(&mut dag, need, node));
                connect(&mut dag, node, join);
            }
            if range.is_empty() {
                needs.iter().for_each(|&need| connect(&mut dag, need, join));
            }
            exits[index] = join.or_else(|| task_nodes[range.start]);
        }
        // `check` found no cycle between templates, and the tasks of a template are not connected.
        _ = dag.start();
        self.dag = dag;
        self.nodes = nodes;
        self.task_nodes = task_nodes.into_iter().flatten().collect();
    }

    /// The next thing whose needs are finished, the highest rank first.
    pub(crate) fn next(&mut self) -> Option<Step> {
        loop {
            let node = self.dag.next_ready()?;
            match self.nodes[node.index() as usize] {
                Node::Join => _ = self.dag.complete(node),
                Node::Expand(template) => return Some(Step::Expand(template)),
                Node::Task(task) if self.tasks[task].state.finished() => _ = self.dag.complete(node),
                Node::Task(task)
                    if self.tasks[task].state == State::Waiting && self.tasks[task].decision.is_none() =>
                {
                    return Some(Step::Decide(task));
                }
                // Taken before the graph was built anew.
                Node::Task(_) => {}
            }
        }
    }

    /// Decides what is to be done with a task whose needs are finished, and keeps the decision.
    pub(crate) fn decide(&mut self, task: usize, retry_dead: bool) -> Decision {
        let pipeline = self.pipeline;
        let template = &pipeline.tasks[self.tasks[task].template];
        let needs = template
            .needs
            .iter()
            .filter(|&&need| !only_names_items(pipeline, need, template))
            .map(|&need| (pipeline.tasks[need].name.clone(), self.result(need)))
            .collect();
        let item = self.tasks[task].item.as_deref();
        let parts = key::parts(pipeline, template, item, &mut self.files, needs);
        let record = self.records.get(template.id(item).as_ref());
        let decision = key::decide(pipeline, template, item, parts, record, retry_dead);
        self.tasks[task].decision = Some(decision.clone());
        decision
    }

    /// What a finished template means for those that need it.
    fn result(&mut self, template: usize) -> u64 {
        if let Some(result) = self.results[template] {
            return result;
        }
        let pipeline = self.pipeline;
        let mut hash = Xxh3::new();
        for task in self.expanded[template].clone().unwrap_or(0..0) {
            let Task { item, decision, state, .. } = &self.tasks[task];
            let item = item.as_deref();
            let id = pipeline.tasks[template].id(item);
            let key = match decision {
                Some(Decision::Run { key, .. }) => *key,
                _ => self.records.get(id.as_ref()).map_or(0, |record| record.key),
            };
            let failed = *state == State::Allowed;
            let result = key::result(pipeline, &pipeline.tasks[template], item, &mut self.files, key, failed);
            hash.update(&result.to_le_bytes());
        }
        let result = hash.digest();
        if !self.files.has_deferred() {
            self.results[template] = Some(result);
        }
        result
    }

    /// Sets the state of a task; if it is finished, those that wait for it may become ready.
    pub(crate) fn set(&mut self, task: usize, state: State) {
        self.tasks[task].state = state;
        if state.finished() {
            let template = self.tasks[task].template;
            let start = self.start_of(template);
            self.ends[template] = self.ends[template].max(start);
            _ = self.dag.complete(self.task_nodes[task]);
        }
    }

    /// Counts a measured time: for estimates, and for the span of the run.
    pub(crate) fn measure(&mut self, task: usize, on_chain: Duration, last_try: Duration) {
        let template = self.tasks[task].template;
        let start = self.start_of(template);
        self.ends[template] = self.ends[template].max(start + on_chain);
        self.measured[template].0 += last_try;
        self.measured[template].1 += 1;
    }

    /// When the tasks of a template could start at the earliest, by the times measured in this run.
    fn start_of(&self, template: usize) -> Duration {
        self.pipeline.tasks[template].needs.iter().map(|&need| self.ends[need]).max().unwrap_or_default()
    }

    /// The longest chain of measured times: what no number of cores would make shorter.
    pub(crate) fn span(&self) -> Duration {
        self.ends.iter().copied().max().unwrap_or_default()
    }

    /// The rank of a task: the expected time from its start to the end of the longest chain behind it.
    pub(crate) fn rank(&self, task: usize) -> u64 {
        self.dag.rank(self.task_nodes[task]).unwrap_or(0)
    }

    pub(crate) fn template(&self, task: usize) -> &'p Template {
        &self.pipeline.tasks[self.tasks[task].template]
    }

    /// How a task is called.
    pub(crate) fn id(&self, task: usize) -> Cow<'_, str> {
        self.template(task).id(self.tasks[task].item.as_deref())
    }

    /// The record of a task's last end in an earlier run.
    pub(crate) fn record(&self, task: usize) -> Option<&Record> {
        self.records.get(self.id(task).as_ref())
    }

    /// The tasks of a template, once they are known.
    pub(crate) fn range(&self, template: usize) -> Option<Range<usize>> {
        self.expanded[template].clone()
    }

    /// How many fan-outs are not known yet.
    pub(crate) fn unexpanded(&self) -> usize {
        self.expanded.iter().filter(|range| range.is_none()).count()
    }

    /// How many items a template that is not expanded had before.
    pub(crate) fn known_items(&self, template: usize) -> u32 {
        self.known_items[template]
    }

    /// The first need of a template that is not finished.
    pub(crate) fn unfinished_need(&self, template: usize) -> Option<usize> {
        let finished = |need: usize| {
            self.expanded[need]
                .clone()
                .is_some_and(|mut range| range.all(|task| self.tasks[task].state.finished()))
        };
        self.pipeline.tasks[template].needs.iter().copied().find(|&need| !finished(need))
    }

    /// How long the rest is expected to take on `cores`: no less than the work shared by all, and no less than the
    /// longest chain. `None` while nothing is known about half of it.
    pub(crate) fn time_left(&self, cores: u64, running_for: impl Fn(usize) -> Duration) -> Option<Duration> {
        let mut left = Duration::ZERO;
        let mut chain = Duration::ZERO;
        let mut guessed = 0;
        let mut count = 0;
        for (index, task) in self.tasks.iter().enumerate() {
            if task.state.finished() || matches!(task.state, State::Dead | State::DeadBefore) {
                continue;
            }
            let cost = if task.measured { task.cost } else { self.mean(task.template) };
            let ran = if task.state == State::Running { running_for(index) } else { Duration::ZERO };
            left += cost.saturating_sub(ran);
            chain = chain.max(Duration::from_nanos(self.rank(index)).saturating_sub(ran));
            count += 1;
            guessed += u32::from(!task.measured && self.measured[task.template].1 == 0);
        }
        for (index, range) in self.expanded.iter().enumerate() {
            if range.is_none() {
                left += self.mean(index) * self.known_items[index].max(1);
                count += 1;
                guessed += u32::from(self.measured[index].1 == 0);
            }
        }
        let shared = left / u32::try_from(cores.max(1)).unwrap_or(u32::MAX);
        // Ranks of tasks without measured times are guesses; the chain then says nothing.
        let bound = if guessed == 0 { shared.max(chain) } else { shared };
        (guessed * 2 <= count).then_some(bound)
    }
}

/// Whether all that `need` writes is the file whose lines are the items of `template`. It then says which tasks there
/// are, but nothing about any of them: a new line does not make the others run again.
fn only_names_items(pipeline: &Pipeline, need: usize, template: &Template) -> bool {
    let Some(Items::Lines(file)) = template.for_each.as_ref().map(|each| &each.items) else { return false };
    let need = &pipeline.tasks[need];
    let file = pipeline.resolve(file);
    need.for_each.is_none()
        && !need.outputs.is_empty()
        && need.outputs.iter().all(|(output, _)| pipeline.resolve(&output.fill(None)) == file)
}

#[cfg(test)]
mod tests {
    use super::super::parse::read;
    use super::*;
    use crate::store::{Outcome, Parts};

    fn work(pipeline: &Pipeline) -> Work<'_> {
        Work::new(pipeline, HashMap::new(), Files::default()).unwrap()
    }

    fn record(duration: Duration) -> Record {
        Record {
            outcome: Outcome::Done,
            key: 1,
            parts: Parts::default(),
            tries: 1,
            reason: String::new(),
            duration_ns: duration.as_nanos() as u64,
            ended_ms: 0,
            run: 1,
            output: false,
        }
    }

    #[test]
    fn a_join_waits_for_all_and_lets_all_go() {
        let pipeline = read("[task.a]\nrun='true'\nfor_each={list=['1','2']}\n[task.b]\nrun='true'\nneeds=['a']\nfor_each={list=['x','y']}").unwrap();
        let mut work = work(&pipeline);
        assert_eq!(
            [work.next(), work.next(), work.next()],
            [Some(Step::Decide(0)), Some(Step::Decide(1)), None]
        );
        work.set(0, State::Done);
        assert_eq!(work.next(), None);
        assert_eq!(work.unfinished_need(1), Some(0));
        work.set(1, State::Allowed);
        assert_eq!(
            [work.next(), work.next(), work.next()],
            [Some(Step::Decide(2)), Some(Step::Decide(3)), None]
        );
        assert_eq!((work.id(3).as_ref(), work.unfinished_need(1)), ("b:y", None));
    }

    #[test]
    fn a_fan_out_over_lines_expands_when_its_needs_are_finished() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let pipeline = read(&format!(
            "[task.list]\nrun='true'\n[task.each]\nrun='true'\nneeds=['list']\nfor_each={{lines='{}'}}\n[task.end]\nrun='true'\nneeds=['each']\n[task.other]\nrun='true'",
            file.path().display()
        ))
        .unwrap();
        let mut work = work(&pipeline);
        assert_eq!(work.tasks.len(), 3);
        assert_eq!(
            [work.next(), work.next(), work.next()],
            [Some(Step::Decide(0)), Some(Step::Decide(2)), None]
        );
        work.set(2, State::Running);
        std::fs::write(file.path(), "x\ny\n").unwrap();
        work.set(0, State::Done);
        assert_eq!([work.next(), work.next()], [Some(Step::Expand(1)), None]);
        let range = work.expand(1).unwrap();
        work.connect();
        assert_eq!(range, 3..5);
        // What is running is not given out again.
        assert_eq!(
            [work.next(), work.next(), work.next()],
            [Some(Step::Decide(3)), Some(Step::Decide(4)), None]
        );
        work.set(3, State::Done);
        work.set(4, State::Done);
        assert_eq!(work.next(), Some(Step::Decide(1)));
    }

    #[test]
    fn an_empty_fan_out_is_no_obstacle() {
        let pipeline = read("[task.a]\nrun='true'\n[task.b]\nrun='true'\nneeds=['a']\nfor_each={list=[],allow_empty=true}\n[task.c]\nrun='true'\nneeds=['b']").unwrap();
        let mut work = work(&pipeline);
        assert_eq!([work.next(), work.next()], [Some(Step::Decide(0)), None]);
        work.set(0, State::Done);
        assert_eq!(work.next(), Some(Step::Decide(1)));
    }

    #[test]
    fn recorded_times_make_the_ranks() {
        let pipeline = read(
            "[task.short]\nrun='true'\n[task.long]\nrun='true'\n[task.end]\nrun='true'\nneeds=['short']",
        )
        .unwrap();
        let times = [("short", 1), ("long", 9), ("end", 2)];
        let records = times.map(|(id, s)| (id.to_owned(), record(Duration::from_secs(s))));
        let mut work = Work::new(&pipeline, HashMap::from(records), Files::default()).unwrap();
        assert_eq!((work.rank(0), work.rank(1)), (3_000_000_000, 9_000_000_000));
        assert_eq!(work.next(), Some(Step::Decide(1)));
        assert_eq!(work.time_left(2, |_| Duration::ZERO), Some(Duration::from_secs(9)));
        work.set(1, State::Done);
        assert_eq!(work.time_left(2, |_| Duration::ZERO), Some(Duration::from_secs(3)));
    }

    #[test]
    fn the_span_is_the_longest_measured_chain() {
        let pipeline =
            read("[task.a]\nrun='true'\n[task.b]\nrun='true'\nneeds=['a']\n[task.c]\nrun='true'").unwrap();
        let mut work = work(&pipeline);
        let seconds = Duration::from_secs;
        for (task, time) in [(0, 2), (2, 4), (1, 3)] {
            work.measure(task, seconds(time), seconds(time));
            work.set(task, State::Done);
        }
        assert_eq!(work.span(), seconds(5));
    }
}
