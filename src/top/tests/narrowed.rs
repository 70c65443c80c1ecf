//! What a search or a filter leaves: groups of few, and nothing at all, where a session is gone.

use super::*;

#[test]
fn an_endpoint_without_a_session_is_released_by_its_address() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    // As it is written on the device's label, and no session has it.
    press(&mut top, "/0000.5e00.53ff\n");
    let shown = picture(&mut top, 80, 24);
    assert!(
        shown.contains("no session of it; e explains, c takes"),
        "{shown}"
    );
    let mac: Mac = "00:00:5E:00:53:FF".parse().unwrap();
    press(&mut top, "c");
    let shown = picture(&mut top, 80, 24);
    assert!(
        shown.contains("Take the ANC policy off 00:00:5E:00:53:FF, which has no session?"),
        "{shown}"
    );
    let kind = ChangeKind::Clear;
    assert_eq!(
        press(&mut top, "y"),
        Some(Action::Change(Change { mac, kind }))
    );
    assert_eq!(press(&mut top, "e"), Some(Action::Explain(mac)));
}

#[test]
fn groups_of_a_search_say_of_how_many_they_are() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    press(&mut top, "fnas=sw-lab-02\ng");
    let shown = picture(&mut top, 80, 24);
    assert!(
        shown.contains("BY NAS (1) · SESSIONS 15 of 60 · nas=sw-lab-02"),
        "{shown}"
    );
}

#[test]
fn a_part_of_an_address_is_nobody() {
    let mut top = filled();
    picture(&mut top, 80, 24);
    press(&mut top, "/00:00:5E:00:53:F9 or so\n");
    // Keys that come faster than pictures are about what was searched, too.
    assert_eq!(press(&mut top, "c"), None);
    let shown = picture(&mut top, 80, 24);
    assert!(
        shown.contains("there is no endpoint under the cursor"),
        "{shown}"
    );
    // With filters beside the search it may be there after all.
    press(&mut top, "x/00:00:5E:00:53:FF\nfstate=nothing\n");
    assert!(picture(&mut top, 80, 24).contains("no session is so"));
}
