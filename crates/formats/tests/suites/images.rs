//! Are images read as they are stored, and are files that lie refused?

use std::io::Write;
use std::path::Path;

use formats::images::{ArrayLayout, ImageChoices, ImageError, ImageOptions, Images, NetworkInput};
use image::{ImageFormat as PictureFormat, Rgb, RgbImage};
use network::{ErrorKind, Failure, Mend};
use tempfile::TempDir;
use testkit::check_all;

fn picture(path: &Path, color: [u8; 3]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(2, 3, Rgb(color)).save_with_format(path, PictureFormat::Png).unwrap();
}

fn open(path: &Path) -> Result<Images, ImageError> {
    Images::open(path, &ImageOptions::default())
}

fn message<T: std::fmt::Debug>(result: Result<T, ImageError>) -> String {
    let message = network::chain(&result.unwrap_err());
    assert!(!message.contains('\n'), "more than one line: {message}");
    message
}

#[test]
fn sub_folders_are_classes_in_sorted_order() {
    let folder = TempDir::new().unwrap();
    for (name, color) in [("dog/b.png", 20), ("cat/z.png", 12), ("cat/a.png", 11), ("dog/notes.txt.png", 21)] {
        picture(&folder.path().join(name), [color, 0, 255]);
    }
    std::fs::write(folder.path().join("cat/readme.txt"), "no picture").unwrap();
    let images = open(folder.path()).unwrap();
    let found: Vec<_> = (0..images.len()).map(|i| (images.label(i).unwrap(), images.get(i).unwrap().data[0])).collect();
    assert_eq!(found, [(0, 11.0), (0, 12.0), (1, 20.0), (1, 21.0)]);
    assert_eq!(images.classes().unwrap(), [(0, "cat".to_string()), (1, "dog".to_string())]);
    let image = images.get(0).unwrap();
    assert_eq!((image.channels, image.height, image.width), (3, 3, 2));
    assert_eq!(image.data, [[11.0; 6], [0.0; 6], [255.0; 6]].concat());

    let two = Images::open(folder.path(), &ImageOptions { limit: Some(2), ..Default::default() }).unwrap();
    assert_eq!([two.label(0), two.label(1)], [Some(0), Some(1)]);
}

#[test]
fn folders_that_are_numbers_are_the_classes_of_these_numbers() {
    let folder = TempDir::new().unwrap();
    // Labels of the pictures, whose red says which folder they lie in.
    let labels = |names: &[&str]| {
        let set = folder.path().join(names.join("-"));
        for name in names {
            picture(&set.join(name).join("a.png"), [name.parse().unwrap_or(99), 0, 0]);
        }
        let images = open(&set).map_err(|error| network::chain(&error))?;
        Ok::<_, String>(
            (0..images.len())
                .map(|i| (images.get(i).unwrap().data[0] as u8, images.label(i).unwrap()))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(labels(&["0", "1", "10", "2"]), Ok(vec![(0, 0), (1, 1), (2, 2), (10, 10)]));
    assert_eq!(labels(&["00", "02"]), Ok(vec![(0, 0), (2, 2)]));
    // One name that is no number, and all are names.
    assert_eq!(
        labels(&["10", "2", "x"]).map(|found| found.iter().map(|(_, label)| *label).collect()),
        Ok(vec![0, 1, 2])
    );
    assert!(labels(&["1", "01"]).is_err_and(|message| message.contains("another folder has the same number")));
    assert!(labels(&["0", "99999999999"]).is_err_and(|message| message.contains("too large for a class")));
}

/// An empty file at a place below a folder.
fn touch(folder: &Path, name: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "").unwrap();
}

#[test]
fn pictures_of_a_class_lie_at_any_depth_in_the_order_of_torchvision() {
    let folder = TempDir::new().unwrap();
    // The order of `sorted(os.walk(…))` of Python, each with its files sorted.
    let names = ["a/Z.PNG", "a/z.png", "a/x y/b/q.Jpeg", "a/x y/q.png", "a/x/1.webp", "a/x/b/0.tiff", "b/images/1.gif"];
    names.iter().for_each(|name| touch(folder.path(), name));
    let images = open(folder.path()).unwrap();
    let found: Vec<(String, Option<usize>)> = (0..images.len())
        .map(|index| (message(images.get(index)), images.label(index)))
        .map(|(message, label)| (message.split(": ").next().unwrap().to_string(), label))
        .collect();
    let order = ["a/Z.PNG", "a/z.png", "a/x/1.webp", "a/x y/q.png", "a/x y/b/q.Jpeg", "a/x/b/0.tiff", "b/images/1.gif"];
    let expected: Vec<(String, Option<usize>)> = order
        .iter()
        .map(|name| (folder.path().join(name).display().to_string(), Some(usize::from(name.starts_with('b')))))
        .collect();
    assert_eq!(found, expected);
    assert!(images.findings().passed_over.is_empty());
}

#[test]
fn what_is_not_read_is_counted_and_may_be_refused() {
    let folder = TempDir::new().unwrap();
    let strict = |strict: bool| {
        let choices = ImageChoices { strict, ..ImageChoices::default() };
        Images::open(folder.path(), &ImageOptions { choices, ..ImageOptions::default() })
    };
    picture(&folder.path().join("cat/a.png"), [1, 0, 0]);
    touch(folder.path(), "cat/.DS_Store");
    assert_eq!(strict(true).unwrap().len(), 1);

    std::fs::create_dir(folder.path().join("dog")).unwrap();
    assert_eq!(strict(false).unwrap().findings().empty_classes, ["dog"]);
    assert!(message(strict(true)).contains("1 of its classes without a picture: dog"));

    for name in ["cat/c.HEIC", "cat/b.heic", "dog/deep/0001", "cat/.a.png", ".git/x.png", "stray.png", "list.txt"] {
        touch(folder.path(), name);
    }
    let images = strict(false).unwrap();
    assert_eq!((images.len(), images.classes().unwrap().len()), (1, 2));
    let passed_over = "1 beside the folders of classes (stray.png), 2 .heic (cat/b.heic, …), 1 .txt (list.txt), \
                       1 without an ending (dog/deep/0001), 1 hidden (cat/.a.png), 1 hidden folder (.git)";
    assert_eq!(images.findings().passed_over_text(), passed_over);
    let error = strict(true).unwrap_err();
    assert_eq!((error.kind(), error.mend()), (ErrorKind::Unsupported, Some(Mend::PassOver)));
    assert!(message::<()>(Err(error)).ends_with(&format!("files that are not read: {passed_over}")));

    let only_others = TempDir::new().unwrap();
    touch(only_others.path(), "a.heic");
    assert!(message(open(only_others.path())).ends_with("there is no image in it that is read, only 1 .heic (a.heic)"));
}

#[cfg(unix)]
#[test]
fn links_to_folders_are_followed_but_not_in_circles() {
    let folder = TempDir::new().unwrap();
    picture(&folder.path().join("elsewhere/a.png"), [1, 0, 0]);
    let set = folder.path().join("set");
    std::fs::create_dir_all(set.join("cat")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), set.join("cat/linked")).unwrap();
    assert_eq!(open(&set).unwrap().len(), 1);
    std::os::unix::fs::symlink(&set, set.join("cat/circle")).unwrap();
    assert!(message(open(&set)).contains("the folder is a link to one that it lies in"));
}

#[test]
fn a_flat_folder_and_a_file_have_no_labels() {
    let folder = TempDir::new().unwrap();
    assert!(message(open(folder.path())).contains("there is no image in it"));
    for name in ["b.png", "a.png"] {
        picture(&folder.path().join(name), [name.as_bytes()[0], 0, 0]);
    }
    let images = open(folder.path()).unwrap();
    assert_eq!((images.len(), images.label(0), images.get(0).unwrap().data[0]), (2, None, 97.0));
    let one = open(&folder.path().join("b.png")).unwrap();
    assert_eq!((one.len(), one.label(0), one.get(0).unwrap().data[0]), (1, None, 98.0));
}

#[test]
fn a_manifest_names_files_beside_it_or_in_its_images() {
    let folder = TempDir::new().unwrap();
    picture(&folder.path().join("a.png"), [1, 0, 0]);
    picture(&folder.path().join("images/b.png"), [2, 0, 0]);
    let path = folder.path().join("list.csv");
    std::fs::write(&path, "file, label, note\na.png, 7, x\nimages/b.png, , y\nb.png, 3, z\n").unwrap();
    let images = open(&path).unwrap();
    let found: Vec<_> = (0..3).map(|i| (images.label(i), images.get(i).unwrap().data[0])).collect();
    assert_eq!(found, [(Some(7), 1.0), (None, 2.0), (Some(3), 2.0)]);

    let cases = [
        ("name,label\na.png,1\n", "the header must name a column `file`; it has [\"name\", \"label\"]"),
        ("file,label\na.png,cat\n", "line 2: label \"cat\"; expected a class number from 0"),
        ("file,label\na.png,-1\n", "line 2: label \"-1\""),
        ("file,label\n,1\n", "line 2: the file's name is empty"),
        ("file,label\n\"a\nb.png\",1\n", "the file's name \"a\\nb.png\" has control characters"),
        ("file,label\na\0.png,1\n", "has control characters"),
        ("file,label\na.png\n", "found record with 1 fields"),
        ("file,label\n", "there is no image in it"),
    ];
    check_all(cases, |&(text, expected)| {
        std::fs::write(&path, text).unwrap();
        let message = message(open(&path));
        assert!(message.contains(expected) && message.contains("list.csv"), "{message}");
        assert!(!message.contains(char::is_control), "{message:?}");
    });
    std::fs::write(&path, "file\nmissing.png\n").unwrap();
    assert!(message(open(&path).unwrap().get(0)).contains("missing.png"));
}

/// The bytes of a numpy array as numpy writes them.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), data].concat()
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn arrays_of_every_type_are_read() {
    let folder = TempDir::new().unwrap();
    let le = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let cases: [(&str, Vec<u8>, [f32; 2]); 8] = [
        ("|u1", vec![1, 255], [1.0, 255.0]),
        ("|i1", vec![1, 255], [1.0, -1.0]),
        ("<i2", vec![1, 0, 0xFE, 0xFF], [1.0, -2.0]),
        (">i2", vec![0, 1, 0xFF, 0xFE], [1.0, -2.0]),
        ("<u4", vec![1, 0, 0, 0, 0, 1, 0, 0], [1.0, 256.0]),
        ("<i8", [5i64.to_le_bytes(), (-6i64).to_le_bytes()].concat(), [5.0, -6.0]),
        ("<f4", le(&[0.5, -2.25]), [0.5, -2.25]),
        ("<f8", [0.5f64.to_le_bytes(), 3.0f64.to_le_bytes()].concat(), [0.5, 3.0]),
    ];
    check_all(cases, |(descr, data, expected)| {
        let path = write(&folder, "x.npy", &npy(descr, "(1, 1, 1, 2)", data));
        assert_eq!(open(&path).unwrap().get(0).unwrap().data, expected, "{descr}");
    });
}

#[test]
fn channels_of_arrays_lie_where_they_fit_the_network() {
    let folder = TempDir::new().unwrap();
    let data: Vec<u8> = (0..12).collect();
    let options = |input: Option<&[usize]>, layout| ImageOptions {
        input: input.map(NetworkInput::from),
        layout,
        ..Default::default()
    };
    let planes: Vec<f32> = (0..12).map(|x| x as f32).collect();
    let split = [0., 3., 6., 9., 1., 4., 7., 10., 2., 5., 8., 11.].to_vec();
    let last = Some(ArrayLayout::ChannelsLast);
    let cases = [
        ("(1, 3, 2, 2)", options(None, None), (3, 2, 2), &planes),
        ("(1, 2, 2, 3)", options(None, None), (3, 2, 2), &split),
        ("(1, 2, 2, 3)", options(Some(&[1, 2, 2, 3]), None), (3, 2, 2), &split),
        ("(1, 2, 2, 3)", options(None, last), (3, 2, 2), &split),
        ("(1, 1, 3, 4)", options(Some(&[1, 3, 8, 8]), None), (1, 3, 4), &planes),
        ("(1, 3, 4)", options(None, None), (1, 3, 4), &planes),
        ("(1, 12)", options(None, None), (1, 1, 12), &planes),
    ];
    check_all(cases, |&(shape, ref options, size, expected)| {
        let path = write(&folder, "x.npy", &npy("|u1", shape, &data));
        let image = Images::open(&path, options).unwrap().get(0).unwrap();
        assert_eq!(((image.channels, image.height, image.width), &image.data), (size, expected), "{shape}");
    });
    let path = write(&folder, "x.npy", &npy("|u1", "(1, 2, 3, 2)", &data));
    assert!(message(open(&path)).contains("an array of shape [1, 2, 3, 2] fits in two ways"));
}

#[test]
fn arrays_that_lie_are_refused() {
    let folder = TempDir::new().unwrap();
    let huge = format!("({}, 3, 32, 32)", 1u64 << 60);
    let cases = [
        (npy("|u1", &huge, &[0]), "cannot be an array of shape"),
        (npy("|u1", "(99999999999999999999,)", &[0]), "the header's shape is garbled"),
        (npy("|u1", "(1, 1, 2, 2)", &[0; 3]), "cannot be an array of shape [1, 1, 2, 2]"),
        (npy("|u1", "(0, 1, 2, 2)", &[]), "there is no image in it"),
        (npy("|u1", "(2, 0, 2, 1)", &[]), "images without elements"),
        (npy("|u1", "(4,)", &[0; 4]), "images have 2 to 4 axes"),
        (npy("<c8", "(1, 1, 1, 1)", &[0; 8]), "unsupported: elements '<c8'"),
        (npy("|O", "(1, 1, 1, 1)", &[0; 8]), "unsupported: elements '|O'"),
        (npy("\u{1b}f4", "(1, 1, 1, 1)", &[0; 4]), "unsupported: elements '\\u{1b}f4'"),
        (b"no numpy array".to_vec(), "it does not begin as a numpy array does"),
        (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "it ends within the header"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec(), "a header of 4294967295 bytes"),
        (b"\x93NU".to_vec(), "it ends within the header"),
    ];
    check_all(cases, |(bytes, expected)| {
        let message = message(open(&write(&folder, "x.npy", bytes)));
        assert!(message.contains(expected) && message.contains("x.npy"), "{message}, not {expected}");
        assert!(!message.contains(char::is_control), "{message:?}");
    });
}

#[test]
fn arrays_in_the_order_of_fortran_are_read() {
    let folder = TempDir::new().unwrap();
    // Two images of 2 × 2: all first elements stand first.
    let elements: [i16; 8] = [1, -5, 3, 7, 2, 6, 4, 8];
    let elements: Vec<u8> = elements.iter().flat_map(|element| element.to_be_bytes()).collect();
    let mut array = npy(">i2", "(2, 1, 2, 2)", &elements);
    let at = array.windows(5).position(|text| text == b"False").expect("the order is there");
    array[at..at + 5].copy_from_slice(b"True ");
    let alone = open(&write(&folder, "x.npy", &array)).unwrap();
    let archive = open(&npz(&folder, &[("images", array)])).unwrap();
    check_all([alone, archive], |images| {
        assert_eq!(images.get(0).unwrap().data, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(images.get(1).unwrap().data, [-5.0, 6.0, 7.0, 8.0]);
    });
}

fn npz(folder: &TempDir, arrays: &[(&str, Vec<u8>)]) -> std::path::PathBuf {
    let path = folder.path().join("x.npz");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    path
}

#[test]
fn archives_hold_images_and_labels() {
    let folder = TempDir::new().unwrap();
    let pixels = || npy("|u1", "(2, 1, 1, 2)", &[1, 2, 3, 4]);
    let labels =
        |shape: &str, data: &[i64]| npy("<i8", shape, &data.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    let cases = [
        ("images", "labels", "(2,)"),
        ("x", "y", "(2, 1)"),
        ("data", "labels", "(2,)"),
        ("signals", "labels", "(2,)"),
        ("inputs", "targets", "(2,)"),
    ];
    check_all(cases, |&(images, classes, shape)| {
        let images = open(&npz(&folder, &[(images, pixels()), (classes, labels(shape, &[4, 9]))])).unwrap();
        assert_eq!((images.len(), images.label(0), images.label(1)), (2, Some(4), Some(9)));
        assert_eq!(images.get(1).unwrap().data, [3.0, 4.0]);
    });
    assert_eq!(open(&npz(&folder, &[("x", pixels())])).unwrap().label(0), None);

    let cases = [
        (vec![("pictures", pixels())], "no array of images, named one of images, x, X,"),
        (vec![("x", pixels()), ("y", labels("(3,)", &[1, 2, 3]))], "3 labels for 2 images"),
        (
            vec![("x", pixels()), ("y", labels("(2,)", &[1, -2]))],
            "labels y: that of image 1, counted from 0, is -2; expected a class number from 0",
        ),
        (
            vec![("x", pixels()), ("y", npy("<f4", "(2,)", &[0.0f32, 0.5].map(f32::to_le_bytes).concat()))],
            "image 1, counted from 0, is 0.5",
        ),
        (
            vec![("x", pixels()), ("y", npy("|u1", "(2, 2)", &[1, 0, 1, 1]))],
            "those of image 1, counted from 0, are not one 1 among zeros",
        ),
        (
            vec![("x", pixels()), ("y", npy("|u1", "(2, 2)", &[1, 0, 0, 0]))],
            "those of image 1, counted from 0, are not one 1 among zeros",
        ),
        (
            vec![("x", pixels()), ("y", npy("|u1", "(2, 2)", &[1, 0, 2, 1]))],
            "those of image 1, counted from 0, are not one 1 among zeros",
        ),
        (
            vec![("x", pixels()), ("y", npy("|u1", "(2, 1, 1)", &[1, 0]))],
            "labels y: shape [2, 1, 1]; expected [images]",
        ),
        (vec![("x", npy("|u1", "(1152921504606846976, 1, 1, 1)", &[1]))], "at most 67108864 bytes are unpacked"),
        (vec![("x", npy("|u1", "(9, 1, 1, 1)", &[1]))], "has 1 bytes, not 9"),
        (vec![("x", npy("|u1", "(1, 1, 1, 1)", &[0; 1 << 20]))], "has 2 bytes, not 1"),
    ];
    check_all(cases, |(arrays, expected)| {
        let message = message(open(&npz(&folder, arrays)));
        assert!(message.contains(expected), "{message}, not {expected}");
    });
    assert!(message(open(&write(&folder, "y.npz", b"no zip"))).contains("y.npz"));
}

#[test]
fn labels_may_be_one_hot() {
    let folder = TempDir::new().unwrap();
    let pixels = || npy("|u1", "(2, 1, 1, 2)", &[1, 2, 3, 4]);
    let one_hot = npy("<f4", "(2, 3)", &[0.0f32, 0.0, 1.0, 1.0, 0.0, 0.0].map(f32::to_le_bytes).concat());
    let images = open(&npz(&folder, &[("x", pixels()), ("y", one_hot)])).unwrap();
    assert_eq!([images.label(0), images.label(1)], [Some(2), Some(0)]);
}

#[test]
fn of_a_data_set_in_parts_the_part_for_tests_is_taken_and_said() {
    let folder = TempDir::new().unwrap();
    let pixels = |first: u8| npy("|u1", "(1, 1, 1, 2)", &[first, 0]);
    let label = |class: u8| npy("|u1", "(1,)", &[class]);
    let arrays = [("x_train", 1), ("y_train", 2), ("x_test", 3), ("y_test", 4)];
    let arrays: Vec<_> =
        arrays.map(|(name, number)| (name, if name.starts_with('x') { pixels(number) } else { label(number) })).into();
    let images = open(&npz(&folder, &arrays)).unwrap();
    assert_eq!((images.get(0).unwrap().data[0], images.label(0)), (3.0, Some(4)));
    assert_eq!(images.findings().arrays, Some(("x_test".to_string(), Some("y_test".to_string()))));
    // Labels of another part are none of these images.
    let images = open(&npz(&folder, &[arrays[1].clone(), arrays[2].clone(), ("z", label(0))])).unwrap();
    assert_eq!((images.label(0), images.findings().arrays), (None, Some(("x_test".to_string(), None))));
}

#[test]
fn manifests_are_read_as_people_write_them() {
    let folder = TempDir::new().unwrap();
    picture(&folder.path().join("a.png"), [1, 0, 0]);
    let path = folder.path().join("list.csv");
    let cases: [(&str, Option<usize>, &[&str]); 7] = [
        ("file;label\na.png;7\n", Some(7), &[]),
        ("file\tlabel\na.png\t7\n", Some(7), &[]),
        ("File,Label\na.png,7\n", Some(7), &[]),
        ("filename,class\na.png,7\n", Some(7), &[]),
        ("id,path,label\n1,a.png,7\n", Some(7), &[]),
        ("file,lable\na.png,7\n", None, &["lable"]),
        ("file\na.png\n", None, &[]),
    ];
    for (text, label, passed_over) in cases {
        std::fs::write(&path, text).unwrap();
        let images = open(&path).unwrap();
        assert_eq!((images.label(0), images.get(0).unwrap().data[0]), (label, 1.0), "{text}");
        assert_eq!(images.findings().other_columns, passed_over, "{text}");
    }
}

#[test]
fn a_small_archive_is_not_unpacked_to_a_large_array() {
    let folder = TempDir::new().unwrap();
    // 100 MB of zeros take a thousandth; what the array should have is known before it is unpacked.
    let mut bomb = npy("|u1", "(100000000, 1, 1, 1)", &[]);
    bomb.resize(bomb.len() + 100_000_000, 0);
    let path = npz(&folder, &[("x", bomb)]);
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 18);
    let line = message(open(&path));
    assert!(line.contains("x.npz") && line.contains("at most 67108864 bytes are unpacked"), "{line}");
}

#[test]
fn pictures_that_lie_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "x.png", b"no picture");
    assert!(message(open(&path).unwrap().get(0)).contains("x.png"));
    // What the decoder says of a JPEG file that is cut off ends a line.
    let cut = [0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    let line = message(open(&write(&folder, "cut.jpg", &cut)).unwrap().get(0));
    assert!(line.contains("cut.jpg") && !line.contains(char::is_control), "{line:?}");
    // A bitmap that claims 60,000 by 60,000 pixels.
    let mut bomb = Vec::from(*b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0");
    bomb.extend([60_000u32.to_le_bytes(), 60_000u32.to_le_bytes()].concat());
    bomb.extend([1, 0, 24, 0]);
    bomb.extend([0; 24]);
    let message = message(open(&write(&folder, "bomb.bmp", &bomb)).unwrap().get(0));
    assert!(message.contains("unsupported: a picture with a side over 32768"), "{message}");
}
