//! What happens to servers.

use super::calls::Stage;
use super::engine::AVOIDED;
use super::event::End;
use super::server::{Change, Fault, slowness};
use super::{ChangeError, Dispatch};
use crate::balance::{FleetError, Policy};
use crate::storage::Storage;

impl<P: Policy, D: Storage, M: Storage, R: Storage, H: Storage> Dispatch<P, D, M, R, H> {
    pub(super) fn check(&self, server: u32, change: Change) -> Result<(), ChangeError> {
        let station = self.stations.get(server as usize).ok_or(ChangeError::UnknownServer)?;
        match change {
            Change::Speed(speed) | Change::Fail(Fault::Slow { speed }) if slowness(speed).is_none() => {
                Err(ChangeError::Speed)
            }
            Change::Weight(weight) => {
                let others: u64 = self.stations.iter().map(|station| u64::from(station.spec.weight)).sum();
                let total = others - u64::from(station.spec.weight) + u64::from(weight);
                if total > u64::from(u32::MAX) { Err(ChangeError::Weight) } else { Ok(()) }
            }
            Change::Avoid if !station.avoided && self.avoided == AVOIDED => Err(ChangeError::TooManyAvoided),
            _ => Ok(()),
        }
    }

    pub(super) fn change(&mut self, server: u32, change: Change) {
        self.account(server);
        let now = self.now;
        match change {
            // Its place in each fleet was there before.
            Change::Join => {
                let _ = self.join(server);
            }
            Change::Leave => self.leave(server),
            Change::Fail(fault) => {
                self.stations[server as usize].fault = Some(fault);
                if fault == Fault::Down {
                    self.lose(server);
                }
            }
            Change::Recover => {
                let station = &mut self.stations[server as usize];
                if station.fault.take() == Some(Fault::Down) {
                    station.since = now;
                }
                self.start(server);
            }
            Change::MarkDown | Change::MarkUp => {
                for (balancer, map) in self.dispatchers.iter_mut().zip(self.maps.iter()) {
                    let Some(member) = map.members[server as usize] else { continue };
                    let fleet = balancer.fleet_mut();
                    let _ = match change {
                        Change::MarkDown => fleet.mark_down(member),
                        _ => fleet.resume(member),
                    };
                }
            }
            Change::Avoid | Change::Allow => {
                let station = &mut self.stations[server as usize];
                let before = station.avoided;
                // A plan may come when there are eight already, and then changes nothing.
                station.avoided = change == Change::Avoid && (before || self.avoided < AVOIDED);
                self.avoided = self.avoided - u32::from(before) + u32::from(station.avoided);
            }
            Change::Speed(speed) => self.stations[server as usize].spec.speed = speed,
            Change::Weight(weight) => {
                self.stations[server as usize].spec.weight = weight;
                for (balancer, map) in self.dispatchers.iter_mut().zip(self.maps.iter()) {
                    if let Some(member) = map.members[server as usize] {
                        let _ = balancer.fleet_mut().set_weight(member, weight);
                    }
                }
            }
        }
    }

    /// Puts a server into every fleet.
    pub(super) fn join(&mut self, server: u32) -> Result<(), FleetError> {
        let station = &mut self.stations[server as usize];
        if station.present {
            return Ok(());
        }
        self.figures.spread.touch(self.now);
        self.figures.spread.join(station.in_flight());
        (station.present, station.since) = (true, self.now);
        for (balancer, map) in self.dispatchers.iter_mut().zip(self.maps.iter_mut()) {
            map.join(balancer, self.now, server, &station.spec)?;
        }
        Ok(())
    }

    /// Takes a server out of every fleet.
    pub(super) fn leave(&mut self, server: u32) {
        let station = &mut self.stations[server as usize];
        if !station.present {
            return;
        }
        self.figures.spread.touch(self.now);
        self.figures.spread.leave(station.in_flight());
        station.present = false;
        for (balancer, map) in self.dispatchers.iter_mut().zip(self.maps.iter_mut()) {
            if let Some(member) = map.members[server as usize].take() {
                let _ = balancer.fleet_mut().remove(self.now, member);
            }
        }
    }

    /// A server loses all that it has. Accounted for already.
    fn lose(&mut self, server: u32) {
        let station = &mut self.stations[server as usize];
        let warm_up = self.config.warm_up;
        if station.present {
            self.figures.spread.leave(station.in_flight());
            self.figures.spread.join(0);
        }
        station.serving = 0;
        while let Some(at) = self.calls.dequeue(&mut station.queue) {
            let call = self.calls.get_mut(at);
            call.stage = Stage::Back(End::Lost);
            station.counts.lost += u64::from(call.number >= warm_up);
            let _ = self.agenda.insert(self.now.saturating_add(self.config.network), at);
        }
        station.waiting = 0;
        let calls = &mut self.calls;
        let lost = &mut station.counts.lost;
        self.agenda.reschedule(self.now.saturating_add(self.config.network), |at| {
            let call = calls.get_mut(*at);
            let running = call.server == server && call.stage == Stage::Serving;
            if running {
                call.stage = Stage::Back(End::Lost);
                *lost += u64::from(call.number >= warm_up);
            }
            running
        });
    }
}
