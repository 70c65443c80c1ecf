//! One remembered session: what is known of it, and what the next observation of it is.

use jiff::Timestamp;

use crate::event::remembered::DIGESTS;

/// No digest: an option of one would take twice the room, a hundred thousand times over.
pub(super) const NO_DIGEST: u64 = 0;

/// The digests of a session whose end was found, not told by the server.
pub(super) const UNSEEN_END: [u64; DIGESTS] = [NO_DIGEST; DIGESTS];

/// No time, for the same reason; less than any.
pub(super) const NO_TIME: i64 = i64::MIN;

/// A time in microseconds, a thousand times finer than ISE's are.
pub(super) fn microseconds(time: Option<Timestamp>) -> i64 {
    time.map_or(NO_TIME, Timestamp::as_microsecond)
}

/// A digest that is not [`NO_DIGEST`].
pub(super) fn present(digest: u64) -> u64 {
    digest.max(1)
}

/// One observation of a session.
#[derive(Debug, Clone)]
pub(in crate::pxgrid::subscription) struct Observation {
    /// The identity, see `row`.
    pub(in crate::pxgrid::subscription) key: String,
    /// The server's time of it.
    pub(in crate::pxgrid::subscription) timestamp: Option<Timestamp>,
    /// Whether it says that the session ended.
    pub(in crate::pxgrid::subscription) ended: bool,
    /// Of its content.
    pub(in crate::pxgrid::subscription) digest: u64,
    /// Whether the digest is of all of the content, not of its time only.
    pub(in crate::pxgrid::subscription) whole: bool,
    /// Whether its end is for good: what follows would be another session, with an audit session of
    /// its own.
    pub(in crate::pxgrid::subscription) once: bool,
}

/// How it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pxgrid::subscription) enum ObservationSource {
    /// On the topic.
    Live,
    /// Over REST; what is unknown here and older than this is no change, it was there before we
    /// were.
    Recovered(Option<Timestamp>),
    /// Over REST, as current session at the start: everything that goes on is news.
    Snapshot,
    /// Over REST, only to know it: nothing is news.
    Baseline,
}

/// What an observation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pxgrid::subscription) enum Verdict {
    /// Not seen before, or only ended.
    Created,
    /// Seen before, other now.
    Updated,
    /// It ended.
    Ended,
    /// No news.
    Known,
    /// Older than what is known.
    Outdated,
}

#[derive(Debug)]
pub(super) struct KnownRow {
    /// In microseconds, or [`NO_TIME`].
    pub(super) newest: i64,
    /// The latest first; [`NO_DIGEST`] where there are fewer.
    pub(super) digests: [u64; DIGESTS],
    pub(super) round: u32,
    /// The second in which it was last seen live; 0: never.
    pub(super) heard: u32,
    pub(super) ended: bool,
    pub(super) recovered: bool,
    /// A list lacked it, and that list is not believed yet.
    pub(super) doubted: bool,
}

impl KnownRow {
    /// Whether it goes on and was not observed in this round.
    pub(super) fn is_missing(&self, round: u32) -> bool {
        !self.ended && self.round < round
    }

    /// What the memory holds of it.
    pub(super) fn told_state(&self) -> (i64, [u64; DIGESTS], bool, bool) {
        (self.newest, self.digests, self.ended, self.recovered)
    }

    /// `settled`: what REST told of it is long ago.
    pub(super) fn again(
        &mut self,
        observation: &Observation,
        source: ObservationSource,
        settled: bool,
    ) -> Verdict {
        let live = source == ObservationSource::Live;
        // A topic does not repeat itself, REST does: where not all of the content can be compared,
        // the same may well have happened twice.
        let repeatable =
            live && (observation.timestamp.is_none() || !(observation.whole || self.recovered));
        if !repeatable && self.digests.contains(&present(observation.digest)) {
            return Verdict::Known;
        }
        // The message about an end that was told when it was found.
        if observation.ended && self.ended && self.digests == UNSEEN_END {
            self.accept(observation, source);
            return Verdict::Known;
        }
        // Within a topic the order of arrival counts, clocks of the nodes differ. REST answers tell
        // a moment, and what a recovery has told is not taken back by a message that was on its
        // way.
        if observation.timestamp.is_some()
            && microseconds(observation.timestamp) < self.newest
            && !(live && (settled || !self.recovered || (observation.ended && observation.once)))
        {
            return Verdict::Outdated;
        }
        let was_ended = self.ended;
        self.accept(observation, source);
        match (source, observation.ended, was_ended) {
            (ObservationSource::Baseline, _, _) => Verdict::Known,
            (_, true, _) => Verdict::Ended,
            (_, false, true) => Verdict::Created,
            (_, false, false) => Verdict::Updated,
        }
    }

    pub(super) fn accept(&mut self, observation: &Observation, source: ObservationSource) {
        self.newest = self.newest.max(microseconds(observation.timestamp));
        self.digests.rotate_right(1);
        if let Some(first) = self.digests.first_mut() {
            *first = present(observation.digest);
        }
        self.ended = observation.ended;
        self.recovered = source != ObservationSource::Live;
    }
}
