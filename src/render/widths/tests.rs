//! Layouts and cuts.

use proptest::prelude::*;

use super::*;

fn measure(nature: Nature, title: &str, widest: usize) -> Measure {
    Measure {
        nature,
        title: title.len(),
        widest,
        filled: true,
        same: false,
        apart: 0,
        standing: None,
    }
}

fn same(measure: Measure) -> Measure {
    Measure {
        same: true,
        ..measure
    }
}

use Nature::{Enumeration, Identifier, Sentence, Station, Whole, Words};

#[test]
fn what_fits_is_as_wide_as_it_is() {
    let columns = [
        measure(Whole, "MAC", 17),
        measure(Words, "USER", 20),
        measure(Words, "SERVER", 3),
    ];
    let layout = layout(&columns, 80, true);
    assert_eq!(layout.shown, [(0, 17), (1, 20), (2, 6)]);
    assert_eq!(layout.left_out, 0);
}

#[test]
fn a_column_nobody_fills_is_not_shown_unless_it_was_named() {
    let empty = Measure {
        filled: false,
        ..measure(Words, "SGT", 1)
    };
    let columns = [measure(Whole, "MAC", 17), empty, measure(Words, "USER", 5)];
    assert_eq!(layout(&columns, 80, true).shown, [(0, 17), (2, 5)]);
    assert_eq!(layout(&columns, 80, true).left_out, 0);
    assert_eq!(layout(&columns, 80, false).shown, [(0, 17), (1, 3), (2, 5)]);
}

#[test]
fn room_goes_to_what_varies() {
    // The group is the same in all rows, the name is what differs.
    let columns = [
        measure(Whole, "MAC", 17),
        same(measure(Words, "GROUP", 30)),
        measure(Words, "NAME", 40),
    ];
    assert_eq!(
        layout(&columns, 80, true).shown,
        [(0, 17), (1, 19), (2, 40)]
    );
    assert_eq!(layout(&columns, 60, true).shown, [(0, 17), (1, 8), (2, 31)]);
}

#[test]
fn attempts_of_one_endpoint_keep_their_reason() {
    // TIME RESULT REASON USER NAS PORT METHOD SERVER MAC
    let columns = [
        measure(Whole, "TIME", 18),
        measure(Enumeration, "RESULT", 4),
        measure(Sentence, "REASON", 45),
        same(measure(Words, "USER", 5)),
        same(measure(Whole, "NAS", 10)),
        same(measure(Whole, "PORT", 7)),
        same(measure(Enumeration, "METHOD", 5)),
        measure(Words, "SERVER", 5),
        same(measure(Whole, "MAC", 17)),
    ];
    let narrow = layout(&columns, 80, true);
    assert_eq!(narrow.shown, [(0, 18), (1, 6), (2, 45)]);
    assert_eq!(narrow.left_out, 6);
    let wide = layout(&columns, 160, true);
    assert!(wide.shown.contains(&(2, 45)));
    assert_eq!(wide.left_out, 0);
}

#[test]
fn whom_a_row_is_about_stays_beside_what_happened() {
    // TIME REASON MAC USER NAS
    let columns = [
        measure(Whole, "TIME", 19),
        measure(Sentence, "REASON", 47),
        measure(Station, "MAC", 17),
        measure(Words, "USER", 28),
        measure(Whole, "NAS", 10),
    ];
    let narrow = layout(&columns, 80, true);
    assert_eq!(narrow.shown, [(0, 19), (1, 40), (2, 17)]);
    assert_eq!(narrow.left_out, 2);
}

#[test]
fn identifiers_go_first_and_enumerations_stay_whole() {
    let columns = [
        measure(Words, "NAME", 45),
        measure(Enumeration, "STATUS", 8),
        measure(Identifier, "SOURCE", 36),
        measure(Identifier, "MATRIX", 36),
        measure(Words, "DESCRIPTION", 60),
    ];
    let narrow = layout(&columns, 80, true);
    let shown: Vec<usize> = narrow.shown.iter().map(|(column, _)| *column).collect();
    assert_eq!(shown, [0, 1, 4], "{narrow:?}");
    for screen in 30..200 {
        for (column, width) in layout(&columns, screen, true).shown {
            assert!(column != 1 || width == 8, "{screen}");
        }
    }
}

#[test]
fn names_keep_what_tells_them_apart() {
    let names = [
        "com.cisco.ise.config.anc",
        "com.cisco.ise.config.profiler",
        "x",
    ];
    assert_eq!(apart(names.into_iter()), "com.cisco.ise.config.".len() + 2);
    // One pair in ten may be alike.
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k1", "k2"];
    assert_eq!(apart(letters.into_iter()), 2);
    assert_eq!(apart(["a", "a"].into_iter()), 0);
    assert_eq!(apart([].into_iter()), 0);
}

#[test]
fn cut_counts_columns_not_characters() {
    for (text, width, expected) in [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("山田太郎", 5, "山田…"),
        ("Zoe\u{308}lle", 4, "Zoe\u{308}…"),
        ("x", 1, "x"),
        ("xy", 1, "…"),
    ] {
        let mut cell = text.to_owned();
        cut(&mut cell, width);
        assert_eq!(cell, expected);
    }
}

#[test]
fn names_that_differ_at_their_end_are_cut_in_their_middle() {
    for (width, text) in [(9, "sw-lab-82"), (8, "sw-…b-82"), (6, "sw…-82"), (2, "…2")] {
        assert_eq!(shortened_in_the_middle("sw-lab-82", width), text);
    }
    assert_eq!(shortened_in_the_middle("日本語", 5), "日…語");
}

#[test]
fn who_knows_better_says_what_is_left_out_first() {
    let columns = [
        (Station, "MAC", 17, 9),
        (Words, "NAS", 12, 7),
        (Enumeration, "METHOD", 10, 1),
        (Whole, "CHANGED", 8, 5),
    ];
    let columns = columns.map(|(nature, title, widest, standing)| Measure {
        standing: Some(standing),
        apart: 12,
        ..measure(nature, title, widest)
    });
    let shown = |screen| {
        let layout = layout_with_gap(&columns, screen, 1, true);
        layout
            .shown
            .into_iter()
            .map(|(column, _)| column)
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(50), [0, 1, 2, 3]);
    // 17 + 12 + 8, two gaps, and the count of what is left out.
    assert_eq!(shown(43), [0, 1, 3]);
    assert_eq!(shown(42), [0, 1]);
}

fn any_measure() -> impl Strategy<Value = Measure> {
    let natures =
        prop::sample::select(&[Whole, Enumeration, Station, Sentence, Words, Identifier][..]);
    (
        natures,
        1_usize..12,
        1_usize..500,
        any::<bool>(),
        any::<bool>(),
        0_usize..60,
    )
        .prop_map(|(nature, title, widest, filled, same, apart)| Measure {
            nature,
            title,
            widest,
            filled,
            same,
            apart,
            standing: None,
        })
}

proptest! {
    #[test]
    fn never_wider_than_allowed(text in any::<String>(), width in 1_usize..40) {
        let mut cell = crate::sanitize::terminal_safe(&text).into_owned();
        cut(&mut cell, width);
        prop_assert!(cell.width() <= width);
    }

    #[test]
    fn a_table_fits_its_screen(
        measures in prop::collection::vec(any_measure(), 1..10),
        screen in 60_usize..250,
        may_drop in any::<bool>(),
        more in any::<bool>(),
    ) {
        let mut layout = layout(&measures, screen, may_drop);
        if more {
            spread(&mut layout, &measures, screen);
        }
        let widths = layout.shown.iter().map(|(_, width)| width).sum::<usize>();
        prop_assert!(widths + GAP * (layout.shown.len() - 1) <= screen);
        prop_assert!(layout.shown.iter().all(|(_, width)| *width > 0));
        if !may_drop {
            prop_assert_eq!(layout.shown.len(), measures.len());
        }
    }
}
