//! Are pictures decoded as Pillow decodes them?
//!
//! `reference/pictures.json` has a small file of every kind and the pixels that Pillow makes of it. `python/pictures.py` made
//! it.

use std::path::Path;

use esnsim_tests::repository;
use formats::images::{Image, ImageChoices, ImageOptions, Images};
use serde_json::Value;
use tempfile::TempDir;
use testkit::check_all;

fn hexadecimal(value: &Value) -> Vec<u8> {
    let digit = |d: u8| (d as char).to_digit(16).expect("hexadecimal") as u8;
    value.as_str().expect("text").as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn decode(path: &Path, keeps_orientation: bool) -> Image {
    let choices = ImageChoices { keeps_orientation, ..ImageChoices::default() };
    let options = ImageOptions { choices, ..ImageOptions::default() };
    let image = Images::open(path, &options).and_then(|images| images.get(0));
    image.unwrap_or_else(|error| panic!("{}", network::chain(&error)))
}

/// Panics where an image is not the picture of Pillow's.
fn check(image: &Image, expected: &Value, tolerance: i32) {
    let pixels = image.height * image.width;
    let rgb = hexadecimal(&expected["rgb"]);
    let size = [&expected["width"], &expected["height"]].map(|extent| extent.as_u64().expect("a number") as usize);
    assert_eq!([image.width, image.height], size);
    let found = |i: usize| image.data[(i % 3).min(image.channels - 1) * pixels + i / 3] as i32;
    let found: Vec<i32> = (0..3 * pixels).map(found).collect();
    let expected: Vec<i32> = rgb.into_iter().map(i32::from).collect();
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).max();
    assert!(worst.is_some_and(|worst| worst <= tolerance), "off by {worst:?}: {found:?}, not {expected:?}");
}

#[test]
fn pixels_are_those_of_pillow() {
    let text = std::fs::read_to_string(repository("tests/reference/pictures.json")).expect("it is there");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("valid JSON");
    assert!(cases.len() > 60, "{} cases", cases.len());
    let folder = TempDir::new().expect("a folder");
    check_all(cases.iter().enumerate(), |(number, case)| {
        // The end of a name says nothing: all are called alike.
        let path = folder.path().join(format!("{number}.png"));
        std::fs::write(&path, hexadecimal(&case["file"])).expect("writable");
        let tolerance = case["tolerance"].as_i64().expect("a number") as i32;
        println!("{}", case["name"]);
        check(&decode(&path, false), case, tolerance);
        let stored = if case["stored"].is_null() { case } else { &case["stored"] };
        check(&decode(&path, true), stored, tolerance);
    });
}
