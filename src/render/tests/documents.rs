//! Tables in documents: HTML and Markdown, with names that strangers made up.

use super::*;

/// Names that would be markup, a link, a mention, a script or another row.
const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</td></tr></table><a href='javascript:alert(1)'>x</a>",
    "a|b",
    "a\\|b",
    "`` `x` ``",
    "line\nbreak\r\n| x |",
    "[click](http://evil.example) www.evil.example",
    "@everyone #1 :smile:",
    "pat@evil.example",
    "\u{202e}gnp.exe\u{200b}",
    "&lt;b&gt; &amp; 𝕏 👩‍💻",
];

fn sessions() -> Vec<Record> {
    let named = |user: &&str| session("C8:5B:76:C6:59:62", user);
    HOSTILE.iter().map(named).collect()
}

/// The text between tags, and the names of all tags.
fn tags_of(page: &str) -> Vec<&str> {
    let inside = page.split('<').skip(1);
    let name = |tag: &&str| !tag.starts_with('/');
    let tags = inside.filter(name);
    tags.map(|tag| tag.split([' ', '>', '\n']).next().unwrap())
        .collect()
}

#[test]
fn a_page_has_no_tag_that_a_stranger_named_and_every_row() {
    let page = list(formatted(Format::Html), &sessions());
    let known = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "table", "thead", "tr", "th",
        "tbody", "td",
    ];
    for tag in tags_of(&page) {
        assert!(known.contains(&tag), "<{tag}");
    }
    assert_eq!(page.matches("<tr>").count(), HOSTILE.len() + 1);
    assert_eq!(page.matches("<td").count(), HOSTILE.len() * 7);
    assert!(page.contains("<td>&#60;script&#62;alert(1)&#60;/script&#62;</td>"));
    assert!(page.contains("<td>line\\x0abreak\\x0d\\x0a| x |</td>"));
    assert!(page.contains("<td>\\u{202e}gnp.exe\\u{200b}</td>"));
    assert!(page.contains(">&#38;lt;b&#38;gt; &#38;amp; 𝕏 👩"));
    assert!(page.contains("<th scope=\"col\" class=\"n\">LATENCY</th>"));
    assert!(page.contains("<td class=\"n\">12</td>"));
    assert!(page.ends_with("</html>\n") && !page.contains("Nothing."));
}

/// The hash is of exactly what stands between the tags.
#[test]
fn the_policy_of_a_page_allows_its_own_style_and_nothing_else() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let page = list(formatted(Format::Html), &sessions());
    let between = |start: &str, end: &str| {
        let from = page.find(start).unwrap() + start.len();
        page[from..].split(end).next().unwrap()
    };
    let policy = between("Content-Security-Policy\" content=\"", "\"").replace("&#39;", "'");
    let style = sha2::Sha256::digest(between("<style>", "</style>"));
    let hash = base64::engine::general_purpose::STANDARD.encode(style);
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
        )
    );
    assert!(page.find("Content-Security-Policy").unwrap() < page.find("<style>").unwrap());
}

#[test]
fn a_table_in_markdown_is_a_line_a_row_of_as_many_cells() {
    let table = list(formatted(Format::Md), &sessions());
    let mut lines = table.lines();
    assert_eq!(
        lines.next().unwrap(),
        "| MAC | IP | USER | NAS | TIME | LATENCY | VERDICT |"
    );
    assert_eq!(
        lines.next().unwrap(),
        "| --- | --- | --- | --- | --- | ---: | --- |"
    );
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), HOSTILE.len());
    for row in &rows {
        assert_eq!(row.matches('|').count(), 8, "{row}");
        assert!(
            row.starts_with("| `C8:5B:76:C6:59:62` | 10.1.2.3 | "),
            "{row}"
        );
    }
    assert!(rows[0].contains("| `<script>alert(1)</script>` |"));
    assert!(rows[3].contains("| a&#124;b |"));
    assert!(rows[4].contains("| `a\\`&#124;b |"));
    assert!(
        rows[6].contains("`line\\x0abreak\\x0d\\x0a`&#124;`  x  `&#124; |"),
        "{}",
        rows[6]
    );
}

#[test]
fn one_thing_is_a_table_of_its_members() {
    let one = [session("C8:5B:76:C6:59:62", "<b>")];
    let table = render(formatted(Format::Md), Shape::Single, &one);
    assert!(table.starts_with("| NAME | VALUE |\n| --- | --- |\n| `calling_station_id` |"));
    assert!(
        table.contains("| `framed_ipv6_address` | `fe80::1, fe80::2` |\n"),
        "{table}"
    );
    let page = render(formatted(Format::Html), Shape::Single, &one);
    assert!(page.contains("<tr><td>user_name</td><td>&#60;b&#62;</td></tr>"));
    // What was chosen stands in its order, with what it lacks.
    let fields = vec!["user_name".to_owned(), "ip".to_owned()];
    let style = Style {
        fields,
        ..formatted(Format::Md)
    };
    let table = render(style, Shape::Single, &one);
    assert!(
        table.ends_with("| USER | `<b>` |\n| IP | 10.1.2.3 |\n"),
        "{table}"
    );
}

#[test]
fn groups_are_a_table_too() {
    let style = Style {
        by: vec!["ip".to_owned(), "nas".to_owned()],
        ..formatted(Format::Md)
    };
    assert_eq!(
        list(style, &sessions()),
        "| ip | nas | count |\n| --- | --- | ---: |\n| 10.1.2.3 | | 12 |\n"
    );
}

#[test]
fn nothing_and_what_broke_off_are_said_and_the_header_can_be_left_out() {
    let without = |format| Style {
        header: false,
        ..formatted(format)
    };
    assert!(list(formatted(Format::Html), &[]).contains("<p>Nothing.</p>"));
    assert_eq!(list(formatted(Format::Md), &[]).lines().count(), 2);
    assert_eq!(list(without(Format::Md), &[]), "");
    assert_eq!(list(without(Format::Md), &sessions()).lines().count(), 12);
    assert!(!list(without(Format::Html), &sessions()).contains("<th"));
    for format in [Format::Html, Format::Md] {
        let shared = Shared::default();
        let mut renderer =
            Renderer::new(formatted(format), COLUMNS, Shape::List, shared.clone()).unwrap();
        let _ = renderer.record(&sessions()[0]).unwrap();
        renderer.pause().unwrap();
        assert!(
            shared.text().contains("alert(1)"),
            "a row is there when it came"
        );
        renderer.broke_off().unwrap();
        assert!(shared.text().contains("broke off"), "{}", shared.text());
    }
}
