//! Lines: stamps, bytes that are no text, cut lines, very long lines. `get` gives back each byte.

use crate::{Fixture, assert_says, label};

/// Ships archives, and checks that `get` and `verify` agree with them.
#[track_caller]
fn assert_round_trip(archives: &[(String, Vec<u8>)]) -> Fixture {
    let fixture = Fixture::new();
    for (name, bytes) in archives {
        fixture.archive("mail", name, bytes);
    }
    assert_says(&fixture.ship(&["mail"]), 0, &format!("{} archives shipped", archives.len()));
    let output = fixture.run(&["verify", "--content", "mail/log/main", &fixture.url()]);
    assert_says(&output, 0, &format!("{} archives", archives.len()));
    let mut expected: Vec<u8> = archives.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    if expected.last().is_some_and(|&byte| byte != b'\n') {
        expected.push(b'\n');
    }
    testkit::assert_same(fixture.get("mail"), expected);
    fixture
}

#[test]
fn each_kind_of_line_comes_back() {
    let text = [
        b"no stamp\n".to_vec(),
        format!("{} a stamp\n", label(1)).into_bytes(),
        format!("{} \n", label(2)).into_bytes(),
        format!("{}\n", label(3)).into_bytes(),
        format!("{}no space\n", label(3)).into_bytes(),
        b"@400000003ce2403d3b9aca00 too many nanoseconds\n".to_vec(),
        b"@400000003CE2403D3677EA94 capitals\n".to_vec(),
        b"@ffffffffffffffff00000000 beyond the calendar\n".to_vec(),
        b"@000000000000000000000000 before it\n".to_vec(),
        b"@40000000000000093b9ac9ff before 1970\n".to_vec(),
        b"\n\n".to_vec(),
        b"\xff\xfe\x00\r\t\n".to_vec(),
        "ünï \u{10ffff}\n".as_bytes().to_vec(),
        [label(4).as_bytes(), b" broken \xc3\n"].concat(),
        b"no newline".to_vec(),
    ]
    .concat();

    assert_round_trip(&[(format!("{}.s", label(9)), text)]);
}

#[test]
fn a_line_that_was_cut_at_the_end_of_a_file_is_joined() {
    let archives = [
        (format!("{}.s", label(1)), format!("{} one\n{} a long", label(0), label(1)).into_bytes()),
        (format!("{}.s", label(2)), b" and longer".to_vec()),
        (format!("{}.s", label(3)), format!(" line\n{} two\n", label(3)).into_bytes()),
    ];

    assert_round_trip(&archives);
}

#[test]
fn a_torn_line_is_not_joined_with_a_stamped_one() {
    let fixture = Fixture::new();
    fixture.archive("mail", &format!("{}.u", label(1)), format!("{} torn", label(1)));
    fixture.archive("mail", &format!("{}.s", label(2)), format!("{} whole\n", label(2)));
    fixture.ship(&["mail"]);

    let expected = format!("{} torn\n{} whole\n", label(1), label(2));
    assert_eq!(String::from_utf8(fixture.get("mail")).unwrap(), expected);
}

#[test]
fn a_cut_line_is_joined_although_the_archive_before_was_trimmed() {
    let fixture = Fixture::new();
    let first = fixture.archive("mail", &format!("{}.s", label(1)), format!("{} a long", label(1)));
    fixture.ship(&["mail"]);
    std::fs::remove_file(first).unwrap();
    fixture.archive("mail", &format!("{}.s", label(2)), " line\n");
    fixture.ship(&["mail"]);

    assert_eq!(String::from_utf8(fixture.get("mail")).unwrap(), format!("{} a long line\n", label(1)));
}

#[test]
fn a_line_of_many_megabytes_comes_back() {
    let mut text = format!("{} ", label(1)).into_bytes();
    // Three bytes each: no row may end within a character.
    text.extend("€".repeat(3_000_000).bytes());
    text.extend(b"\nshort\n");
    text.extend(vec![0xff; 5_000_000]);

    assert_round_trip(&[(format!("{}.s", label(1)), text)]);
}

#[test]
fn more_lines_than_a_row_group_holds_come_back() {
    let text: String = (0..300_000).map(|line| format!("{} {line}\n", label(line / 100))).collect();

    let fixture = assert_round_trip(&[(format!("{}.s", label(9_000)), text.into_bytes())]);

    let output =
        fixture.run(&["get", &fixture.url(), "--service", "mail", "--since", &label(2_500), "--until", &label(2_501)]);
    assert_eq!(output.stdout.split(|&byte| byte == b'\n').count(), 101);
}
