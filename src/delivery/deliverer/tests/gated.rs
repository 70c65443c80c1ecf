//! Events that somebody has a say on, who holds their endpoints for longer than their places.

use super::*;
use crate::delivery::gate::testing::Holding;

#[test]
fn an_endpoint_goes_on_while_the_job_that_had_it_is_busy_with_another() {
    let place = Place::new();
    let callback = place.callback(
        "echo $NETAPI_MAC >> LOG; test $NETAPI_MAC != C8:5B:76:C6:59:03 || until test -e DIR/go; do sleep 0.01; done",
    );
    let gate = Arc::new(Holding::default());
    let options = DeliveryOptions {
        gate: Some(gate.clone()),
        ..place.options()
    };
    let (first, second, long) = (
        "C8:5B:76:C6:59:01",
        "C8:5B:76:C6:59:02",
        "C8:5B:76:C6:59:03",
    );
    let ending = block_on(async {
        let deliverer = Deliverer::start(Sink::Callback(callback), options).unwrap();
        let keys = [first, second, long, first, second];
        let batch = keys.iter().zip(0..).map(|(key, n)| event(key, n));
        let batch = batch.collect();
        deliverer.offer_batch(batch, Vec::new()).await.unwrap();
        // One of the two jobs goes on with the third, and the other waits.
        until(|| gate.holds(0) && gate.holds(1) && place.log().len() == 3).await;
        for (key, n) in [(first, 0), (second, 1)] {
            gate.free(n);
            until(|| gate.holds(n + 3)).await;
            assert_eq!(place.log().last().map(String::as_str), Some(key));
        }
        std::fs::write(place.path("go"), "").unwrap();
        deliverer.stop(Stop::Drained);
        until(|| gate.holds(2)).await;
        // The last ones are not settled.
        assert_eq!(place.counters.figures().delivered, 2);
        let over = tokio::time::timeout(Duration::ZERO, deliverer.over());
        assert!(over.await.is_err());
        for number in [2, 3, 4] {
            gate.free(number);
        }
        deliverer.finish().await
    });
    assert_eq!(ending.left, 0);
    assert_eq!(place.counters.figures().delivered, 5);
}
