//! What dispatchers learn of the servers: snapshots, probes, reports.

use core::time::Duration;

use super::event::What;
use super::server::Fault;
use super::{Dispatch, Probe};
use crate::Rng;
use crate::balance::{Policy, Report};
use crate::storage::Storage;
use crate::time::saturating_nanos;

/// Probes that a dispatcher may send for one request.
const PROBES: u32 = 16;

impl<P: Policy, D: Storage, M: Storage, R: Storage, H: Storage> Dispatch<P, D, M, R, H> {
    pub(super) fn report(&mut self, dispatcher: u32, server: u32, in_flight: u32, latency: u64) {
        let report = Report { in_flight, latency: Duration::from_nanos(latency) };
        let index = dispatcher as usize;
        if let (Some(balancer), Some(map)) = (self.dispatchers.get_mut(index), self.maps.get(index))
            && let Some(Some(member)) = map.members.get(server as usize)
        {
            // It may have left meanwhile.
            let _ = balancer.report(self.now, *member, &report);
        }
    }

    pub(super) fn take_snapshot(&mut self) -> What {
        for server in 0..self.stations.len() as u32 {
            let station = &self.stations[server as usize];
            if station.present {
                let (in_flight, latency) = (station.in_flight(), saturating_nanos(station.expected()));
                for dispatcher in 0..self.dispatchers.len() as u32 {
                    self.report(dispatcher, server, in_flight, latency);
                }
            }
        }
        self.snapshot_at = self.config.snapshot_after(self.now);
        What::Snapshot
    }

    pub(super) fn send_probes(&mut self, dispatcher: u32, rng: &mut impl Rng) {
        for _ in 0..PROBES {
            let index = dispatcher as usize;
            let (Some(balancer), Some(map)) = (self.dispatchers.get_mut(index), self.maps.get(index)) else {
                return;
            };
            let Some(member) = balancer.probe(self.now, rng) else { return };
            let server = map.servers[member.slot() as usize];
            self.figures.probes += 1;
            let probe = Probe {
                at: self.now.saturating_add(self.config.probe_network),
                dispatcher,
                server,
                answered: false,
                in_flight: 0,
                latency: 0,
            };
            if self.config.probe_network.is_zero() {
                if let Some((in_flight, latency)) = self.answer(server) {
                    self.report(dispatcher, server, in_flight, latency);
                }
            } else if self.probes.push(probe).is_err() {
                self.figures.probes_dropped += 1;
            }
        }
    }

    /// What a server says to a probe, if it answers.
    fn answer(&self, server: u32) -> Option<(u32, u64)> {
        let station = &self.stations[server as usize];
        let answers = station.present && !matches!(station.fault, Some(Fault::Down | Fault::Frozen));
        answers.then(|| (station.in_flight(), saturating_nanos(station.expected())))
    }

    /// A probe reaches its server, or its answer the dispatcher.
    pub(super) fn probe_moves(&mut self) -> Option<What> {
        let probe = self.probes.pop()?;
        let Probe { dispatcher, server, .. } = probe;
        if probe.answered {
            self.report(dispatcher, server, probe.in_flight, probe.latency);
            return Some(What::Probed { dispatcher, server, in_flight: probe.in_flight });
        }
        let (in_flight, latency) = self.answer(server)?;
        let at = self.now.saturating_add(self.config.probe_network);
        // There is room: one was just taken out.
        let _ = self.probes.push(Probe { at, answered: true, in_flight, latency, ..probe });
        None
    }

    pub(super) fn report_idle(&mut self, server: u32, rng: &mut impl Rng) {
        let dispatcher = rng.below(self.dispatchers.len() as u32);
        if self.config.probe_network.is_zero() {
            let latency = saturating_nanos(self.stations[server as usize].expected());
            return self.report(dispatcher, server, 0, latency);
        }
        let Some((in_flight, latency)) = self.answer(server) else { return };
        let at = self.now.saturating_add(self.config.probe_network);
        let probe = Probe { at, dispatcher, server, answered: true, in_flight, latency };
        if self.probes.push(probe).is_err() {
            self.figures.probes_dropped += 1;
        }
    }
}
