//! What the README shows of the demo against what the demo prints. (Its Rust is run as
//! a doc-test.)

use crate::common;

/// Ports and times are other ones each time.
fn without_chance(line: &str) -> String {
    if let Some((before, _)) = line.split_once("127.0.0.1:") {
        return format!("{before}127.0.0.1:…");
    }
    match line.split_once(" s  ") {
        Some((before, after)) => {
            let time = before.rfind(' ').map_or(0, |space| space + 1);
            format!("{}… s  {after}", &before[..time])
        }
        None => line.to_owned(),
    }
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let mut shown: Vec<_> = include_str!("../../README.md")
        .lines()
        .skip_while(|line| !line.starts_with("server  listening"))
        .take_while(|line| !line.starts_with("```"))
        .map(without_chance)
        .collect();
    let (output, _) = common::demonstration();
    let printed = String::from_utf8(output.stdout.clone()).expect("text");
    let mut printed: Vec<_> = printed.lines().map(without_chance).collect();
    assert!(output.status.success(), "{printed:#?}");

    // Five connections may become ready in any order.
    for lines in [&mut shown, &mut printed] {
        lines.sort_by_key(|line| line.starts_with("server  GET").then(|| line.clone()));
    }
    assert_eq!(printed, shown);
}
