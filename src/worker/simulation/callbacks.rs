//! What the callbacks of a simulated process do: begin, start, end.

use super::{Begun, JOBS, Moment, World};
use crate::delivery::gate::End;
use crate::event::Delivery;

impl World {
    pub(super) fn end_callbacks(&mut self, index: usize) {
        let now = self.now;
        let process = &mut self.processes[index];
        let (ended, running) = process.running.iter().partition(|(_, until)| *until <= now);
        process.running = running;
        let ended: Vec<(u64, Moment)> = ended;
        for (number, _) in ended {
            let written = self.chance(2) == 0;
            let process = &mut self.processes[index];
            let sequence = process.offered[usize::try_from(number).unwrap()];
            self.done.insert(sequence);
            process.machine.ended(number, End::Delivered, now);
            process.unsettled.insert(number);
            if written && process.written.len() < JOBS {
                process.written.insert(number);
                process.order.gives_place(number);
            }
        }
        self.act(index);
    }

    pub(super) fn begin_callbacks(&mut self, index: usize) {
        let now = self.now;
        loop {
            // Getting ready takes no time, or it is a child that reads slowly.
            let ready = match self.chance(4) {
                0 => now + self.millis(0, 1500),
                _ => now,
            };
            let at = self.began + now;
            let process = &mut self.processes[index];
            if process.leaving {
                break;
            }
            let Some(start) = process.order.next(at) else {
                break;
            };
            let Some(delivery) = process.machine.begin(start.id, now) else {
                process.order.done(start.id, true, at);
                continue;
            };
            process.starting.push((start.id, delivery, ready));
            self.only_one_is_sure();
        }
        self.start_callbacks(index);
    }

    /// Starts what is ready, if it still may.
    fn start_callbacks(&mut self, index: usize) {
        let now = self.now;
        let starting = std::mem::take(&mut self.processes[index].starting);
        let (ready, starting) = starting.into_iter().partition(|(.., at)| *at <= now);
        self.processes[index].starting = starting;
        let ready: Vec<(u64, Delivery, Moment)> = ready;
        for (number, delivery, _) in ready {
            let length = self.millis(20, 200);
            let process = &mut self.processes[index];
            if !process.machine.may_start(number, now) {
                process.machine.ended(number, End::TakenBack, now);
                process.order.done(number, true, self.began + now);
                continue;
            }
            process.running.push((number, now + length));
            let sequence = process.offered[usize::try_from(number).unwrap()];
            self.begun.push(Begun {
                sequence,
                repeated: delivery.repeated,
                heard: self.heard.contains(&sequence),
                at: now,
            });
        }
    }
}
