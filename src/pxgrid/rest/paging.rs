//! Reading a paged operation to its end: which page to ask for next, and one list out of many. It
//! sends nothing.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::pxgrid::catalogue::Paging;
use crate::record::json_list::ListSummary;
use crate::record::{Record, RecordSink};

/// The pages of one list.
pub(super) struct Pages {
    paging: Option<Paging>,
    body: Value,
    start: u64,
    rows: u64,
    read: u64,
}

impl Pages {
    /// The caller's own start and page size, where the body has them, are kept.
    pub(super) fn new(paging: Option<Paging>, body: &Value) -> Self {
        let member = |name| body.get(name).and_then(Value::as_u64);
        let start = paging.and_then(|paging| member(paging.start)).unwrap_or(0);
        let rows = paging.and_then(|paging| member(paging.count).or(Some(paging.rows)));
        Self {
            paging,
            body: body.clone(),
            start,
            rows: rows.unwrap_or(0),
            read: 0,
        }
    }

    /// The body of the next request.
    pub(super) fn body(&self) -> Value {
        let mut body = self.body.clone();
        if let (Some(paging), Some(members)) = (self.paging, body.as_object_mut()) {
            members.insert(paging.start.to_owned(), json!(self.start + self.read));
            members.insert(paging.count.to_owned(), json!(self.rows));
        }
        body
    }

    /// Whether there may be another page. A short page, a long one (a server that does not page
    /// sends all there is) and the announced total end the list.
    pub(super) fn after(&mut self, page: &ListSummary) -> bool {
        self.read += page.rows;
        let all = page
            .announced
            .is_some_and(|total| self.start + self.read >= total);
        self.paging.is_some()
            && !page.stopped_early
            && page.rows > 0
            && page.rows == self.rows
            && !all
    }
}

impl ListSummary {
    /// Adds a further page.
    pub(super) fn absorb(&mut self, page: Self) {
        if self.rows == 0 {
            *self = page;
        } else {
            self.rows += page.rows;
            self.stopped_early |= page.stopped_early;
        }
    }
}

/// Lets several pages look like one list: the head once, and the same page twice is an error
/// instead of an endless list.
pub(super) struct PageSink<S> {
    inner: S,
    begun: bool,
    at_first: bool,
    first: Vec<u8>,
}

impl<S> PageSink<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            begun: false,
            at_first: true,
            first: Vec::new(),
        }
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: RecordSink> RecordSink for PageSink<S> {
    fn pause(&mut self) -> Result<()> {
        self.inner.pause()
    }

    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.at_first = true;
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        self.inner.begin(announced)
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if self.at_first {
            self.at_first = false;
            let mut first = Vec::new();
            record.write_json(&mut first);
            if first == self.first {
                return Err(Error::new(
                    Kind::Malformed,
                    "the server sends the same page again and again",
                ));
            }
            self.first = first;
        }
        self.inner.record(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Collect;
    use crate::record::json_list::stream;

    const PAGING: Paging = Paging {
        start: "startIndex",
        count: "recordCount",
        rows: 2,
    };

    fn page(rows: u64, announced: Option<u64>) -> ListSummary {
        ListSummary {
            announced,
            rows,
            ..ListSummary::default()
        }
    }

    #[test]
    fn pages_are_asked_for_until_one_is_short() {
        let mut pages = Pages::new(Some(PAGING), &json!({"id": "x"}));
        assert_eq!(
            pages.body(),
            json!({"id": "x", "startIndex": 0, "recordCount": 2})
        );
        assert!(pages.after(&page(2, None)));
        assert_eq!(
            pages.body(),
            json!({"id": "x", "startIndex": 2, "recordCount": 2})
        );
        assert!(!pages.after(&page(1, None)));
        for (rows, announced) in [(0, None), (2, Some(2)), (5, None)] {
            assert!(!Pages::new(Some(PAGING), &json!({})).after(&page(rows, announced)));
        }
        let stopped = ListSummary {
            stopped_early: true,
            ..page(2, None)
        };
        assert!(!Pages::new(Some(PAGING), &json!({})).after(&stopped));
    }

    #[test]
    fn the_callers_start_and_size_hold() {
        let mut pages = Pages::new(Some(PAGING), &json!({"startIndex": 10, "recordCount": 5}));
        assert!(pages.after(&page(5, Some(17))));
        assert_eq!(pages.body(), json!({"startIndex": 15, "recordCount": 5}));
        assert!(!pages.after(&page(2, Some(17))));
    }

    #[test]
    fn an_unpaged_operation_is_asked_once_as_it_is() {
        let mut pages = Pages::new(None, &json!({"a": 1}));
        assert_eq!(pages.body(), json!({"a": 1}));
        assert!(!pages.after(&page(2, None)));
    }

    #[test]
    fn several_pages_are_one_list_and_a_repeated_one_an_error() {
        let read = |text: &'static str, sink| stream(text.as_bytes(), "rows", sink);
        let sink = PageSink::new(Collect::default());
        let (sink, one) = read(r#"{"rows":[{"a":1},{"a":2}]}"#, sink);
        let (sink, two) = read(r#"{"rows":[{"a":3}]}"#, sink);
        let mut total = ListSummary::default();
        total.absorb(one.unwrap());
        total.absorb(two.unwrap());
        assert_eq!(total.rows, 3);
        let (sink, again) = read(r#"{"rows":[{"a":3}]}"#, sink);
        assert_eq!(again.unwrap_err().kind(), Kind::Malformed);
        assert_eq!(sink.into_inner().records.len(), 3);
    }
}
