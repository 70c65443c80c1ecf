//! Statements against a lab's population: answers, and errors with their place.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::value::Value;
use super::{SqlError, Statement, Step, World};
use crate::lab::population::Population;
use crate::lab::session_directory::Directory;

/// 2026-11-24 03:04:05 UTC.
const NOW: i64 = 1_795_489_445_000;

fn world() -> World {
    let population = Population::new(1, 50, false, NOW).unwrap();
    World {
        directory: Arc::new(Directory::new(population)),
        now: NOW,
        zone: TimeZone::UTC,
        session_minutes: Some(60),
        missing: Vec::new(),
        spoils_text: false,
        names_regions: false,
    }
}

fn all(text: &str, binds: &[Value], world: &World) -> Result<Vec<Vec<Value>>, SqlError> {
    let statement = Statement::parse(text, world)?;
    let Some(mut query) = statement.run(binds.to_vec(), world)? else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    let mut budget = usize::MAX;
    loop {
        match query.step(&mut budget)? {
            Step::Row(row) => rows.push(row),
            Step::Busy => panic!("the budget has no end"),
            Step::End => return Ok(rows),
        }
    }
}

/// The one value of a statement, as TO_CHAR would write it.
fn one(text: &str) -> String {
    let rows = all(text, &[], &world()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let [row] = rows.as_slice() else {
        panic!("{text}: {} rows", rows.len());
    };
    match &row[0] {
        Value::Null => "NULL".to_owned(),
        Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Number(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn error(text: &str) -> (u32, usize) {
    let error = all(text, &[], &world()).expect_err(text);
    (error.code, error.at)
}

#[test]
fn expressions_have_the_values_of_oracle() {
    for (expression, value) in [
        ("1 + 2 * 3 - 4 / 8", "6.5"),
        ("-(2 - 5)", "3"),
        ("'it''s' || ' ' || 5", "it's 5"),
        ("NVL(NULL, 'x')", "x"),
        ("'' || NULL", "NULL"),
        ("UPPER('ä') || LOWER('B')", "Äb"),
        ("SUBSTR('00:00:5E', 2, 1)", "0"),
        ("SUBSTR('abcdef', -2)", "ef"),
        ("INSTR('abc', 'c') + LENGTH('äöü')", "6"),
        (
            "TO_CHAR(SYSDATE, 'YYYY-MM-DD HH24:MI:SS')",
            "2026-11-24 03:04:05",
        ),
        ("TO_CHAR(SYSDATE - 1/24, 'HH24')", "02"),
        ("TO_CHAR(TRUNC(SYSDATE, 'MM'), 'DD')", "01"),
        (
            "TO_CHAR(SYSTIMESTAMP AT TIME ZONE '+02:00', 'HH24 TZH:TZM')",
            "05 +02:00",
        ),
        ("TO_CHAR(CURRENT_TIMESTAMP, 'HH24')", "04"),
        ("TO_CHAR(SYS_EXTRACT_UTC(CURRENT_TIMESTAMP), 'HH24')", "03"),
        (
            "TO_DATE('2026-11-24', 'YYYY-MM-DD') - DATE '2026-11-20'",
            "4",
        ),
        (
            "TO_CHAR(TIMESTAMP '2026-11-24 00:00:00.5' + INTERVAL '2' HOUR, 'HH24.FF2')",
            "02.50",
        ),
        (
            "TO_CHAR(SYSDATE - NUMTODSINTERVAL(30, 'MINUTE'), 'HH24:MI')",
            "02:34",
        ),
        ("CASE WHEN 1 > 2 THEN 'a' ELSE 'b' END", "b"),
        ("CASE 3 WHEN 3 THEN 'three' END", "three"),
        ("DECODE(2, 1, 'one', 2, 'two', 'more')", "two"),
        ("COALESCE(NULL, NULLIF(1, 1), 7)", "7"),
        ("ROUND(2.345, 2) + TRUNC(-1.9)", "1.35"),
        ("CAST(12 AS VARCHAR2(10)) || 'x'", "12x"),
        ("ASCIISTR('é')", "\\00E9"),
        ("GREATEST(1, 3, 2)", "3"),
    ] {
        assert_eq!(
            one(&format!("SELECT {expression} FROM DUAL")),
            value,
            "{expression}"
        );
    }
}

#[test]
fn conditions_know_what_is_unknown() {
    for (condition, holds) in [
        ("NULL = NULL", false),
        ("NOT (NULL = 1)", false),
        ("NULL IS NULL AND 1 IS NOT NULL", true),
        ("1 IN (1, NULL) AND NOT 2 IN (1, 3)", true),
        ("2 NOT IN (1, NULL)", false),
        (
            "'sw-lab-01' LIKE 'sw%_1' AND 'a_b' LIKE 'a\\_b' ESCAPE '\\'",
            true,
        ),
        ("5 BETWEEN 1 AND 5 AND 5 NOT BETWEEN 6 AND 7", true),
        ("'10' = 10 OR 1 = 2", true),
        ("(1 = 1 OR 1 = 2) AND (2 + 1) > 2", true),
        ("SYSDATE <= SYSTIMESTAMP", true),
    ] {
        let count = one(&format!("SELECT COUNT(*) FROM DUAL WHERE {condition}"));
        assert_eq!(count, if holds { "1" } else { "0" }, "{condition}");
    }
}

#[test]
fn what_the_lab_does_not_know_is_an_error_with_its_place() {
    for (text, code, at) in [
        ("SELECT nope FROM DUAL", 904, 7),
        ("SELECT 1 FROM nope", 942, 14),
        ("SELECT 1 FROM DUAL;", 933, 18),
        ("SELECT 1", 923, 8),
        ("SELECT FROM DUAL", 936, 7),
        ("SELECT (1 FROM DUAL", 923, 19),
        ("SELECT 1 FROM DUAL WHERE", 936, 24),
        ("SELECT MEDIAN(1) FROM DUAL", 900, 7),
        ("SELECT 1 FROM DUAL UNION SELECT 2 FROM DUAL", 900, 19),
        ("SELECT 1 FROM DUAL, DUAL", 900, 20),
        ("SELECT 1 FROM (SELECT 2 FROM DUAL)", 900, 14),
        ("SELECT TO_CHAR(SYSDATE) FROM DUAL", 900, 0),
        ("SELECT 'x' + 1 FROM DUAL", 1722, 0),
        ("SELECT 1/0 FROM DUAL", 1476, 0),
        ("SELECT 'x FROM DUAL", 1756, 7),
        ("SELECT # FROM DUAL", 911, 7),
        (
            "SELECT USERNAME, COUNT(*) FROM NETWORK_ACCESS_USERS",
            937,
            0,
        ),
        (
            "SELECT NAME, COUNT(*) FROM NETWORK_DEVICES GROUP BY LOCATION",
            979,
            0,
        ),
        ("SELECT 1 FROM DUAL ORDER BY 2", 1785, 28),
        ("SELECT :x FROM DUAL", 1008, 0),
        ("DELETE FROM DUAL", 1031, 0),
        ("BEGIN NULL; END;", 900, 0),
        ("ALTER SESSION SET SQL_TRACE = TRUE", 900, 0),
        ("", 900, 0),
    ] {
        assert_eq!(error(text), (code, at), "{text}");
    }
    let deep = format!("SELECT {}1{} FROM DUAL", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(error(&deep).0, 900);
    let nots = format!("SELECT 1 FROM DUAL WHERE {} 1 = 1", "NOT ".repeat(5000));
    assert_eq!(error(&nots).0, 900);
}

#[test]
fn rows_are_grouped_ordered_and_cut() {
    let world = world();
    let rows = all(
        "SELECT DEVICE_NAME d, COUNT(*) n, MAX(TIMESTAMP) FROM RADIUS_AUTHENTICATIONS a \
         WHERE a.PASSED = 'Pass' AND TIMESTAMP >= SYSDATE - :days GROUP BY DEVICE_NAME \
         HAVING COUNT(*) > 1 ORDER BY n DESC, 1 OFFSET 1 ROWS FETCH FIRST 3 ROWS ONLY",
        &[Value::from(1_u64)],
        &world,
    )
    .unwrap();
    assert_eq!(rows.len(), 3);
    let counts: Vec<_> = rows.iter().map(|row| row[1].clone()).collect();
    let Value::Number(first) = counts[0] else {
        panic!("{counts:?}");
    };
    let Value::Number(last) = counts[2] else {
        panic!("{counts:?}");
    };
    assert!(first >= last, "{counts:?}");
    let distinct = all(
        "SELECT DISTINCT TYPE FROM NETWORK_DEVICES ORDER BY TYPE",
        &[],
        &world,
    );
    let distinct = distinct.unwrap();
    assert!(distinct.len() > 1 && distinct.len() < 4, "{distinct:?}");
    assert_eq!(
        one("SELECT COUNT(DISTINCT PASSED) FROM RADIUS_AUTHENTICATIONS"),
        "2"
    );
    assert_eq!(one("SELECT SUM(N) FROM LAB_ROWS WHERE ROWNUM <= 0"), "NULL");
}

#[test]
fn the_same_story_is_told_of_an_endpoint() {
    let world = world();
    let population = &world.directory.population;
    let endpoint = population.session(2);
    let attempts = population.attempts(&endpoint, NOW - 5 * 86_400_000, NOW);
    let rows = all(
        "SELECT TIMESTAMP, PASSED, FAILURE_REASON, USERNAME FROM RADIUS_AUTHENTICATIONS \
         WHERE CALLING_STATION_ID = :mac AND TIMESTAMP >= SYSDATE - 5 ORDER BY TIMESTAMP DESC",
        &[Value::from(endpoint.mac_text().unwrap())],
        &world,
    )
    .unwrap();
    assert_eq!(rows.len(), attempts.len());
    for (row, attempt) in rows.iter().zip(attempts) {
        assert_eq!(row[0], Value::Timestamp(attempt.at * 1000));
        let verdict = if attempt.failure.is_some() {
            "Fail"
        } else {
            "Pass"
        };
        assert_eq!(row[1], Value::from(verdict));
        assert_eq!(row[2] == Value::Null, attempt.failure.is_none());
        assert_eq!(row[3], Value::from("jsmith"));
    }
}

#[test]
fn every_view_has_its_columns_and_missing_ones_are_missed() {
    let mut world = world();
    let views = all("SELECT VIEW_NAME FROM USER_VIEWS", &[], &world).unwrap();
    assert_eq!(views.len(), 70);
    let mut filled = 0;
    for row in views {
        let Value::Text(name) = &row[0] else {
            panic!("{row:?}");
        };
        let name = String::from_utf8_lossy(name);
        let text = format!("SELECT * FROM {name} FETCH FIRST 3 ROWS ONLY");
        filled += usize::from(!all(&text, &[], &world).unwrap().is_empty());
    }
    assert!(filled >= 25, "{filled}");
    world.missing = vec![
        "RADIUS_ERRORS_VIEW".into(),
        "ENDPOINTS_DATA.HOSTNAME".into(),
    ];
    let code = |text: &str| all(text, &[], &world).map_err(|error| error.code);
    assert_eq!(code("SELECT 1 FROM RADIUS_ERRORS_VIEW"), Err(942));
    assert_eq!(code("SELECT HOSTNAME FROM ENDPOINTS_DATA"), Err(904));
    let listed = "SELECT COUNT(*) FROM USER_TAB_COLUMNS WHERE COLUMN_NAME = 'HOSTNAME' \
                  AND TABLE_NAME = 'ENDPOINTS_DATA'";
    assert_eq!(code(listed), Ok(vec![vec![Value::from(0_u64)]]));
}

/// What the product asks (reference dataconnect, A2), so that the lab understands it.
#[test]
fn the_products_kind_of_statements_is_understood() {
    let world = world();
    let text = |text: &str| Value::from(text);
    for (statement, binds) in [
        (
            "SELECT FRAMED_IP_ADDRESS, MIN(TIMESTAMP), MAX(TIMESTAMP) FROM RADIUS_ACCOUNTING \
             WHERE FRAMED_IP_ADDRESS = :1 AND TIMESTAMP >= SYSDATE - 30 \
             GROUP BY FRAMED_IP_ADDRESS, CALLING_STATION_ID",
            vec![text("10.50.10.101")],
        ),
        (
            "SELECT MAC_ADDRESS FROM ENDPOINTS_DATA WHERE HOSTNAME = :1",
            vec![text("WS-0004.lab.example")],
        ),
        (
            "SELECT MAC_ADDRESS, SYS_EXTRACT_UTC(CREATE_TIME) FROM ENDPOINTS_DATA \
             WHERE CREATE_TIME >= SYSTIMESTAMP - INTERVAL '2' DAY \
             AND SUBSTR(MAC_ADDRESS, 2, 1) NOT IN ('2', '6', 'A', 'E')",
            vec![],
        ),
        (
            "SELECT FAILURE_REASON, SUM(FAILED_COUNT) FROM RADIUS_AUTHENTICATION_SUMMARY \
             WHERE TIMESTAMP >= SYSDATE - 1 AND FAILED_COUNT > 0 GROUP BY FAILURE_REASON \
             ORDER BY 2 DESC FETCH FIRST 10 ROWS ONLY",
            vec![],
        ),
        ("SELECT MAX(ID) FROM RADIUS_AUTHENTICATIONS", vec![]),
        (
            "SELECT * FROM POSTURE_ASSESSMENT_BY_CONDITION WHERE ENFORCEMENT_TYPE='Mandatory' \
             AND POSTURE_STATUS='NonCompliant' AND POLICY_STATUS='Failed'",
            vec![],
        ),
        (
            "SELECT ACCT_SESSION_ID FROM RADIUS_ACCOUNTING GROUP BY ACCT_SESSION_ID \
             HAVING SUM(NVL(STOPPED, 0)) = 0 AND MAX(TIMESTAMP) < SYSDATE + 1",
            vec![],
        ),
        (
            "SELECT USERNAME, COMMAND, COMMAND_ARGS FROM TACACS_COMMAND_ACCOUNTING \
             WHERE USERNAME = :u AND EPOCH_TIME > :since ORDER BY EPOCH_TIME DESC",
            vec![text("net.admin"), Value::from(1_u64)],
        ),
        (
            "SELECT MESSAGE_CODE, COUNT(*) FROM RADIUS_ERRORS_VIEW GROUP BY MESSAGE_CODE",
            vec![],
        ),
    ] {
        let rows = all(statement, &binds, &world);
        let rows = rows.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert!(!rows.is_empty(), "{statement}");
    }
}

/// A long chain is a deep tree: one that nobody bounds ends the process.
#[test]
fn chains_of_operators_have_an_end() {
    let chain = |part: &str, count: usize| part.repeat(count);
    assert_eq!(
        one(&format!("SELECT {}1 FROM dual", chain("1+", 200))),
        "201"
    );
    for (before, part, after) in [
        ("SELECT ", "1+", "1 FROM dual"),
        ("SELECT ", "1*", "1 FROM dual"),
        ("SELECT ", "'a'||", "'a' FROM dual"),
        ("SELECT 1 FROM dual WHERE ", "1=1 AND ", "1=1"),
        ("SELECT 1 FROM dual WHERE ", "1=1 OR ", "1=1"),
    ] {
        let text = format!("{before}{}{after}", chain(part, 100_000));
        assert!(all(&text, &[], &world()).is_err(), "{part}");
    }
}
