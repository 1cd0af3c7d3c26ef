//! What a run that is going on says about a task that is not done.

use super::Engine;
use crate::config::units::show_duration;
use crate::run::explain;
use crate::run::live::Answer;
use crate::run::work::State;
use std::cmp::Reverse;

/// So many of those that hold a resource are named.
const HOLDERS_SHOWN: usize = 3;

impl Engine<'_> {
    /// Answers whoever asked.
    pub(super) fn answer(&mut self) {
        let Some(listener) = &self.listener else { return };
        listener.serve(|name| -> Answer {
            let live = |task: usize| self.detail(task);
            explain::explain(&self.work, name, Some(&live)).map_err(|problem| problem.into_parts())
        });
    }

    /// What keeps a task, if the run knows more than the plan.
    fn detail(&self, task: usize) -> Option<String> {
        let now = self.now();
        let tries = self.work.tasks[task].tries;
        match self.work.tasks[task].state {
            State::Running => {
                let running = self.running.iter().flatten().find(|running| running.task == task)?;
                let ran = show_duration(running.started.elapsed());
                Some(format!(
                    "it has been running for {ran} (try {}, process {})",
                    tries + 1,
                    running.pid.as_raw_nonzero()
                ))
            }
            _ if self.stopping.is_some() => Some("the run is ending, so nothing more is started".to_owned()),
            State::Backoff => {
                let Reverse((when, _)) = self.timers.iter().find(|Reverse((_, waiting))| *waiting == task)?;
                let wait = show_duration(when.saturating_duration_since(now));
                Some(format!("try {tries} failed; the next one is in {wait}"))
            }
            State::Reading => Some("its inputs are being read".to_owned()),
            State::Ready => Some(self.obstacle(task)),
            _ => None,
        }
    }

    /// Why a ready task has not started.
    fn obstacle(&self, task: usize) -> String {
        let class = &self.classes[self.class_of[self.work.tasks[task].template]];
        let resources = &self.work.pipeline.resources;
        for (index, (&wanted, &free)) in class.demand.iter().zip(&self.free).enumerate() {
            if wanted <= free {
                continue;
            }
            let holders: Vec<_> = self.running.iter().flatten().map(|running| running.task).collect();
            let holds = |holder: &usize| {
                self.classes[self.class_of[self.work.tasks[*holder].template]].demand[index] > 0
            };
            let holders: Vec<_> = holders.into_iter().filter(holds).collect();
            let mut names: Vec<_> =
                holders.iter().take(HOLDERS_SHOWN).map(|&holder| self.work.id(holder)).collect();
            if holders.len() > HOLDERS_SHOWN {
                names.push(format!("{} others", holders.len() - HOLDERS_SHOWN).into());
            }
            return format!(
                "it waits for {}: it asks for {wanted}, and {free} of {} are free; held by {}",
                resources.names[index],
                resources.totals[index],
                names.join(", ")
            );
        }
        if let Some(limit) = class.limit {
            let now = self.now();
            let free = self.limits[limit].next_free(now);
            if free > now {
                let name = &self.work.pipeline.limits[limit].name;
                let wait = show_duration(free.saturating_duration_since(now));
                return format!("its limit {name} has the next free start in {wait}");
            }
        }
        format!(
            "{} tasks are ready, and others go first: longer chains wait for them, or they have a higher priority",
            self.ready.len()
        )
    }
}
