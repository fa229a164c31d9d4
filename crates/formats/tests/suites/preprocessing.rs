//! Is an image made the input that its network was trained on?

use std::path::Path;

use formats::images::{ChannelOrder, Fit, Image, Layout, Preprocessing};
use testkit::check_all;

/// An image of the numbers 0, 1, 2, …
fn counting(channels: usize, height: usize, width: usize) -> Image {
    let data = (0..channels * height * width).map(|x| x as f32).collect();
    Image { name: "picture".to_string(), channels, height, width, data }
}

fn none() -> Preprocessing {
    Preprocessing::named("none").unwrap()
}

fn check(preprocessing: &Preprocessing, image: &Image, shape: &[usize], expected: &[f32]) {
    let found = preprocessing.apply(image, shape).unwrap();
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(near, "{preprocessing:?} for {shape:?}: {found:?}, not {expected:?}");
}

#[test]
fn numbers_are_scaled_then_shifted_then_divided() {
    let x = counting(3, 1, 1);
    check(&Preprocessing::default(), &x, &[1, 3, 1, 1], &[0.0, 1.0 / 255.0, 2.0 / 255.0]);
    let custom = Preprocessing { scale: 2.0, mean: vec![1.0], std: vec![1.0, 2.0, 4.0], ..none() };
    check(&custom, &x, &[1, 3, 1, 1], &[-1.0, -0.25, 0.0]);
    let imagenet = Preprocessing::named("imagenet").unwrap();
    check(&imagenet, &counting(1, 1, 1), &[1, 3, 1, 1], &[-2.117_904, -2.035_714, -1.804_444]);
    assert_eq!(Preprocessing::named("unit"), Some(Preprocessing::default()));
    assert_eq!(Preprocessing::named("cifar"), None);
}

#[test]
fn channels_lie_as_the_network_takes_them() {
    let x = counting(3, 2, 2);
    let interleaved = [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.];
    check(&none(), &x, &[1, 3, 2, 2], &x.data);
    check(&none(), &x, &[1, 2, 2, 3], &interleaved);
    check(&Preprocessing { layout: Some(Layout::Nhwc), ..none() }, &x, &[1, 2, 2, 3], &interleaved);
    let bgr = Preprocessing { channel_order: ChannelOrder::Bgr, mean: vec![0.0, 0.0, 1.0], ..none() };
    check(&bgr, &x, &[1, 3, 2, 2], &[8., 9., 10., 11., 4., 5., 6., 7., -1., 0., 1., 2.]);
    check(&none(), &x, &[8, 12], &x.data);
    // Grey becomes three channels; three become the luma.
    check(&none(), &counting(1, 1, 2), &[1, 3, 1, 2], &[0., 1., 0., 1., 0., 1.]);
    check(&none(), &counting(3, 1, 2), &[1, 1, 1, 2], &[0.587 * 2.0 + 0.114 * 4.0, 0.299 + 0.587 * 3.0 + 0.114 * 5.0]);
}

#[test]
fn images_are_cut_and_resized() {
    // 4 columns to the height of 2 and of those the middle 2; then the whole width pressed into 2.
    let wide = Image { data: vec![0., 10., 20., 30., 0., 10., 20., 30.], ..counting(1, 2, 4) };
    check(&none(), &wide, &[1, 1, 2, 2], &[10., 20., 10., 20.]);
    let stretch = Preprocessing { fit: Fit::Stretch, ..none() };
    let pressed = [(3.0 * 0.0 + 3.0 * 10.0 + 20.0) / 7.0, (10.0 + 3.0 * 20.0 + 3.0 * 30.0) / 7.0];
    check(&stretch, &wide, &[1, 1, 2, 2], &[pressed, pressed].concat());
    // Half of each side, which here needs no resizing.
    let square = counting(1, 4, 4);
    check(&Preprocessing { crop_fraction: 0.5, ..none() }, &square, &[1, 1, 2, 2], &[5., 6., 9., 10.]);
    // A tall image is cut at the top and bottom.
    let tall = Image { data: vec![1., 2., 3., 4.], ..counting(1, 4, 1) };
    check(&none(), &tall, &[1, 1, 2, 1], &[2., 3.]);
    let even = Image { data: vec![7.0; 35], ..counting(1, 5, 7) };
    check(&Preprocessing { crop_fraction: 0.875, ..none() }, &even, &[1, 1, 3, 3], &[7.0; 9]);
    // The long side becomes 7·4/5 = 5.6 pixels, which torchvision makes 5; its figures.
    let columns: Vec<f32> = (0..35).map(|i| (i % 7 * 10) as f32).collect();
    let slanted = Image { data: columns, ..counting(1, 5, 7) };
    let expected = [15.555556, 30.0, 44.444444].repeat(3);
    check(&Preprocessing { crop_fraction: 0.75, ..none() }, &slanted, &[1, 1, 3, 3], &expected);
}

#[test]
fn what_does_not_fit_is_refused() {
    let rgb = counting(3, 2, 2);
    let uneven = Preprocessing { mean: vec![1.0, 2.0], ..none() };
    let bgr = Preprocessing { channel_order: ChannelOrder::Bgr, ..none() };
    let flat = Preprocessing { scale: 0.0, ..none() };
    let nan = Image { data: vec![1.0, f32::NAN], ..counting(1, 1, 2) };
    let cases: [(&Preprocessing, Image, &[usize], &str); 9] = [
        (&none(), counting(4, 2, 2), &[1, 3, 2, 2], "image picture: 4 channels; the network takes 3"),
        (&none(), rgb.clone(), &[1, 2, 2, 4], "where the channels lie in input [1, 2, 2, 4] is not clear"),
        (&none(), rgb.clone(), &[1, 7], "12 numbers for a network input of [1, 7]"),
        (&none(), rgb.clone(), &[1, 3, 0, 2], "a network input of [1, 3, 0, 2]"),
        (&uneven, rgb.clone(), &[1, 3, 2, 2], "mean has 2 numbers for 3 channels"),
        (&bgr, counting(1, 2, 2), &[1, 1, 2, 2], "channel order bgr for 1 channels"),
        (&flat, rgb.clone(), &[1, 3, 2, 2], "scale is 0; it must be above 0"),
        (&none(), nan, &[1, 1, 1, 2], "number 1 of 2 is NaN"),
        (&none(), Image { data: vec![], ..rgb.clone() }, &[1, 3, 2, 2], "0 numbers cannot be an image"),
    ];
    check_all(cases, |(preprocessing, image, shape, expected)| {
        let message = preprocessing.apply(image, shape).unwrap_err().to_string();
        assert!(message.contains(*expected), "{message}, not {expected}");
    });
}

#[test]
fn the_file_beside_the_network_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("net.v2.onnx");
    assert_eq!(Preprocessing::for_network(&network).unwrap(), None);
    let path = folder.path().join("net.v2.preprocess.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(
        "scale = 1\nmean = [128]\ncrop_fraction = 0.875\nfit = \"stretch\"\nlayout = \"nhwc\"\nchannel_order = \"bgr\"\n",
    );
    let expected = Preprocessing {
        scale: 1.0,
        mean: vec![128.0],
        std: vec![],
        crop_fraction: 0.875,
        fit: Fit::Stretch,
        channel_order: ChannelOrder::Bgr,
        layout: Some(Layout::Nhwc),
    };
    assert_eq!(Preprocessing::for_network(&network).unwrap(), Some(expected));
    let cases = [
        ("scale = 255\nmeen = [1]\n", "line 2: there is no key \"meen\"; did you mean mean?"),
        ("layout = \"chw\"\n", "line 1: layout is \"chw\"; expected channels-first, nchw, channels-last, nhwc"),
        ("std = [0.0]\n", "std has 0; all must be above 0"),
        ("scale = nan\n", "scale is NaN"),
        ("crop_fraction = 1.5\n", "crop_fraction is 1.5"),
        ("mean = [inf]\n", "mean has inf"),
    ];
    check_all(cases, |(text, expected)| {
        write(text);
        let message = Preprocessing::for_network(&network).unwrap_err().to_string();
        assert!(message.contains(*expected) && message.contains("net.v2.preprocess.toml"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    });
    assert!(Preprocessing::read(Path::new("no/such.toml")).is_err());
}
