//! Are files and archives of image data sets read by what they hold, and refused in one line where they lie?

use std::path::{Path, PathBuf};

use formats::images::{ImageChoices, ImageError, ImageOptions, Images, Labels};
use tempfile::TempDir;
use testkit::{check_all, cifar_batch, cifar_records, gzip, idx, tar, tar_block, tar_entry, tar_header};

fn open(path: &Path, coarse_labels: bool) -> Result<Images, ImageError> {
    let choices = ImageChoices { coarse_labels, ..ImageChoices::default() };
    Images::open(path, &ImageOptions { choices, ..ImageOptions::default() })
}

fn message<T: std::fmt::Debug>(result: Result<T, ImageError>) -> String {
    let message = network::chain(&result.unwrap_err());
    assert!(!message.contains(char::is_control), "{message:?}");
    message
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The label and the first number of each image.
fn found(images: &Images) -> Vec<(Option<usize>, f32)> {
    (0..images.len()).map(|index| (images.label(index), images.get(index).unwrap().data[0])).collect()
}

/// A picture of one colour.
fn png(red: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(2, 3, image::Rgb([red, 0, 0])).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Two images of 3,072 equal bytes, 5 and 6.
fn pixels() -> Vec<u8> {
    [[5; 3072], [6; 3072]].concat()
}

#[test]
fn cifar_is_told_by_its_content_in_files_and_archives() {
    let folder = TempDir::new().unwrap();
    let ten = cifar_records(&[(&[7], 5), (&[0], 6)]);
    let hundred = cifar_records(&[(&[3, 77], 5), (&[19, 99], 6)]);
    let batch_10 = cifar_batch(&[("labels", &[7, 0])], &pixels());
    let batch_100 = cifar_batch(&[("fine_labels", &[77, 99]), ("coarse_labels", &[3, 19])], &pixels());
    let archive = |name: &str, part: &[u8]| {
        let train = cifar_records(&[(&[1, 1], 0)]);
        tar(&[("cifar/data_batch_1", &train), (name, part), ("cifar/train", &train), ("cifar/meta", b"x")])
    };
    // Content, its name in an archive, fine labels, coarse ones.
    type Case<'a> = (&'a [u8], &'a str, [usize; 2], Option<[usize; 2]>);
    let files: [Case; 4] = [
        (&ten, "cifar-10-batches-bin/test_batch.bin", [7, 0], None),
        (&hundred, "cifar-100-binary/test.bin", [77, 99], Some([3, 19])),
        (&batch_10, "cifar-10-batches-py/test_batch", [7, 0], None),
        (&batch_100, "cifar-100-python/test", [77, 99], Some([3, 19])),
    ];
    check_all(files, |&(bytes, name, fine, coarse)| {
        let packed = archive(name, bytes);
        let forms = [
            (bytes.to_vec(), None),
            (gzip(bytes), None),
            (packed.clone(), Some(name.to_string())),
            (gzip(&packed), Some(name.to_string())),
        ];
        check_all(forms, |(bytes, part)| {
            // The end of the name says something else.
            let path = write(&folder, "images.npy", bytes);
            let expected = |labels: [usize; 2]| vec![(Some(labels[0]), 5.0), (Some(labels[1]), 6.0)];
            let images = open(&path, false).unwrap();
            assert_eq!((found(&images), images.findings().part), (expected(fine), part.clone()));
            let image = images.get(0).unwrap();
            assert_eq!([image.channels, image.height, image.width], [3, 32, 32]);
            match coarse {
                Some(coarse) => assert_eq!(found(&open(&path, true).unwrap()), expected(coarse)),
                None => {
                    assert!(message(open(&path, true)).contains("coarse ones beside fine ones are those of CIFAR-100"))
                }
            }
        });
    });
}

#[test]
fn planes_of_a_batch_lie_one_behind_another() {
    let folder = TempDir::new().unwrap();
    let row: Vec<u8> = (0..3072_u32).map(|i| (i / 1024 * 100 + i % 32) as u8).collect();
    let path = write(&folder, "batch", &cifar_batch(&[("labels", &[1])], &row));
    let data = open(&path, false).unwrap().get(0).unwrap().data;
    assert_eq!((data[31], data[32], data[1024], data[2049]), (31.0, 0.0, 100.0, 201.0));
}

/// What `pickle.dumps({"data": np.zeros((1, 3072), "u1"), "labels": [4]}, protocol)` of Python 3.11 and numpy 2.4 begins and
/// ends with.
#[test]
fn batches_of_later_protocols_are_read() {
    let folder = TempDir::new().unwrap();
    let numbers = [9; 3072];
    let protocol_4 = [
        b"\x80\x04}(\x8c\x04data\x8c\x16numpy._core.multiarray\x8c\x0c_reconstruct\x93\x8c\x05numpy\x8c\x07ndarray\x93K\x00\x85C\x01b\x87R(K\x01K\x01M\x00\x0c\x86\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02u1\x89\x88\x87R(K\x03\x8c\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B\x00\x0c\x00\x00".as_slice(),
        &numbers,
        b"tb\x8c\x06labels](K\x04eu.",
    ]
    .concat();
    let protocol_5 = [
        b"\x80\x05}(C\x04data\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer\x93(\x96\x00\x0c\x00\x00\x00\x00\x00\x00".as_slice(),
        &numbers,
        b"\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02u1\x89\x88\x87R(K\x03\x8c\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbK\x01M\x00\x0c\x86\x8c\x01CtRC\x06labels](K\x04eu.",
    ]
    .concat();
    check_all([protocol_4, protocol_5], |bytes| {
        assert_eq!(found(&open(&write(&folder, "batch", bytes), false).unwrap()), [(Some(4), 9.0)]);
    });
}

#[test]
fn pickles_that_are_no_batch_are_refused_and_nothing_of_them_runs() {
    let folder = TempDir::new().unwrap();
    let harm = folder.path().join("harm");
    let call = format!("\u{0}\u{2}cos\nsystem\n(Vtouch {}\ntR.", harm.display()).into_bytes();
    let call = [&[0x80], &call[1..]].concat();
    let batch = cifar_batch(&[("labels", &[1, 2])], &pixels());
    let changed = |from: &[u8], to: &[u8]| {
        let at = batch.windows(from.len()).position(|window| window == from).unwrap();
        [&batch[..at], to, &batch[at + from.len()..]].concat()
    };
    let none = cifar_batch(&[("data_of", &[])], &[]);
    let huge = b"K\x00K\x03\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x06\x00\x00\x00\x00\x00\x01t";
    let at = none.windows(7).position(|window| window == b"M\x00\x00M\x00\x0c\x86").unwrap();
    let none = [&none[..at], b"(", huge, &none[at + 7..]].concat();
    let cases: [(Vec<u8>, &str); 11] = [
        (none, "there is no image in it"),
        (call, "a pickle without an entry \"data\""),
        (b"\x80\x02}(U\x0blabel_namesNu.".to_vec(), "it has the names of classes and no images"),
        (b"\x80\x02}(U\x04dataNu.".to_vec(), "images: no array of numpy"),
        (batch[..4000].to_vec(), "the pickle is cut off"),
        (cifar_batch(&[("labels", &[1])], &pixels()), "1 labels for 2 images"),
        (changed(b"U\x02u1", b"U\x02f4"), "6144 bytes cannot be an array of shape [2, 3072] of f4"),
        (changed(b"M\x02\x00", b"M\xff\xff"), "6144 bytes cannot be an array of shape [65535, 3072] of u1"),
        (changed(b"\x89T", b"\x88T"), "an array in column order"),
        (changed(b"K\x02e", b"J\xff\xff\xff\xffe"), "the label of image 1, counted from 0, is -1"),
        (changed(b"cnumpy\ndtype", b"cevil_\ndtype"), "elements of no known type"),
    ];
    check_all(cases, |(bytes, expected)| {
        let line = message(open(&write(&folder, "batch", bytes), false));
        assert!(line.contains(expected) && line.contains("batch"), "{line}, not {expected}");
    });
    assert!(!harm.exists());
}

#[test]
fn files_of_mnist_have_their_labels_beside_them() {
    let folder = TempDir::new().unwrap();
    let images = idx(&[2, 2, 3], &[5, 0, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0]);
    let labels = idx(&[2], &[7, 0]);
    let cases = [
        ("a/t10k-images-idx3-ubyte", images.clone(), "a/t10k-labels-idx1-ubyte", labels.clone()),
        ("b/t10k-images.idx3-ubyte.gz", gzip(&images), "b/t10k-labels.idx1-ubyte.gz", gzip(&labels)),
        ("c/train-images-idx3-ubyte.gz", gzip(&images), "c/train-labels-idx1-ubyte", labels.clone()),
    ];
    check_all(cases, |(name, bytes, label_name, labels)| {
        let path = write(&folder, name, bytes);
        let beside = label_name.strip_suffix(".gz").unwrap_or(label_name).split('/').next_back().unwrap();
        let without = open(&path, false).unwrap();
        let missing = Some(Labels::Missing(beside.to_string()));
        assert_eq!((found(&without), without.findings().labels), (vec![(None, 5.0), (None, 6.0)], missing));
        let image = without.get(0).unwrap();
        assert_eq!(([image.channels, image.height, image.width], image.data[5]), ([1, 2, 3], 1.0));

        write(&folder, label_name, labels);
        let labelled = open(&path, false).unwrap();
        let file = label_name.split('/').next_back().unwrap().to_string();
        let expected = (vec![(Some(7), 5.0), (Some(0), 6.0)], Some(Labels::File(file)));
        assert_eq!((found(&labelled), labelled.findings().labels), expected);
    });
    let path = write(&folder, "d/t10k-images-idx3-ubyte", &images);
    write(&folder, "d/t10k-labels-idx1-ubyte", &idx(&[3], &[1, 2, 3]));
    assert!(message(open(&path, false)).contains("t10k-labels-idx1-ubyte: 3 labels for the 2 images beside it"));
    let cases: [(Vec<u8>, &str); 6] = [
        (labels, "it has one number for each image, as labels have"),
        (images[..20].to_vec(), "20 bytes cannot be an IDX file of shape [2, 2, 3] of u8"),
        (idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), "16 bytes cannot be an IDX file of shape"),
        (idx(&[0, 2, 3], &[]), "there is no image in it"),
        (idx(&[0, u32::MAX, u32::MAX], &[]), "there is no image in it"),
        (idx(&[2, 0, 3], &[]), "an array of shape [2, 0, 3]; expected [images, height, width]"),
    ];
    check_all(cases, |(bytes, expected)| {
        let line = message(open(&write(&folder, "x/images", bytes), false));
        assert!(line.contains(expected), "{line}, not {expected}");
    });
}

#[test]
fn archives_of_webdataset_hold_pictures_and_labels() {
    let folder = TempDir::new().unwrap();
    let long = format!("{}/c.JPG", "d".repeat(120));
    let label = long.replace("JPG", "cls");
    let pictures = [png(5), png(6), png(7)];
    let archive = tar(&[
        ("a.jpg", &pictures[0]),
        ("a.cls", b"12\n"),
        ("a.json", b"{}"),
        ("./b.cls", b"3"),
        ("./b.png", &pictures[1]),
        ("./b.seg.png", b"a mask"),
        (&long, &pictures[2]),
        (&label, b"0"),
        ("._a.jpg", b"of macOS"),
    ]);
    for bytes in [archive.clone(), gzip(&archive)] {
        let images = open(&write(&folder, "shard", &bytes), false).unwrap();
        assert_eq!(found(&images), [(Some(12), 5.0), (Some(3), 6.0), (Some(0), 7.0)]);
        let passed_over = "1 .json (a.json), 1 .seg.png (./b.seg.png), 1 hidden (._a.jpg)";
        assert_eq!(images.findings().passed_over_text(), passed_over);
        let name = images.get(0).unwrap().name;
        assert!(name.ends_with("shard/a.jpg"), "{name}");
    }
    let attributes = tar_block("PaxHeader", b'x', b"19 path=deep/a.png\n8 x=y\n\n");
    let archive = [attributes, tar_entry("a.png", &pictures[0]), tar_block("link", b'2', b""), vec![0; 1024]].concat();
    let images = open(&write(&folder, "shard", &archive), false).unwrap();
    assert!(images.get(0).unwrap().name.ends_with("shard/deep/a.png"));
    assert_eq!(images.findings().labels, Some(Labels::Missing("NAME.cls in the archive".to_string())));
}

#[test]
fn archives_that_lie_or_are_cut_off_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let picture = png(5);
    let good = tar(&[("a.jpg", &picture), ("a.cls", b"1")]);
    let bomb = |name: &str| [tar_header(name, b'0', 100 << 20).to_vec(), vec![0; 100 << 20], vec![0; 1024]].concat();
    let garbled = [&good[..1024], &[1; 512], &good[1024..]].concat();
    let cases: [(Vec<u8>, &str); 16] = [
        (good[..good.len() - 1024].to_vec(), "the tar archive is cut off at byte 2048"),
        (good[..600].to_vec(), "the tar archive is cut off: a.jpg at byte 512 should have"),
        (good[..1600].to_vec(), "the tar archive is cut off: a.cls at byte 1536 should have 1 bytes"),
        (gzip(&good)[..80].to_vec(), "the gzip file is cut off; it ends after 80 bytes"),
        (gzip(&picture)[..20].to_vec(), "the gzip file is cut off; it ends after 20 bytes"),
        (garbled, "byte 1024 of the tar archive begins no entry"),
        (tar_header("a.jpg", b'0', 1 << 60).to_vec(), "a.jpg at byte 512 should have 1152921504606846976 bytes"),
        (tar_header("a.txt", b'0', u64::MAX).to_vec(), "the tar archive is cut off at byte 512"),
        (tar_header("x", b'x', 1 << 40).to_vec(), "1099511627776 bytes of attributes at byte 512"),
        (tar(&[("a.txt", b"x")]), "a tar archive without pictures, first a.txt; expected pictures, as in WebDataset"),
        (tar(&[]), "its content is of no known format"),
        (tar(&[("a.jpg", &picture), ("a.cls", b"cat")]), "a.cls: label \"cat\"; expected a class number from 0"),
        (tar(&[("a.jpg", &picture), ("a.png", &picture)]), "one sample has the pictures a.jpg and a.png"),
        (tar_block("a.jpg", b'S', &picture), "a.jpg is a sparse file"),
        (gzip(&bomb("a.jpg")), "at most 67108864 bytes are unpacked of the"),
        (gzip(&bomb("a.bin")), "at most 67108864 bytes are unpacked of the"),
    ];
    check_all(cases, |(bytes, expected)| {
        let line = message(open(&write(&folder, "shard", bytes), false));
        assert!(line.contains(expected) && line.contains("shard"), "{line}, not {expected}");
    });
    let broken = tar(&[("a.jpg", &picture[..40])]);
    let line = message(open(&write(&folder, "shard", &broken), false).unwrap().get(0));
    assert!(line.contains("shard/a.jpg"), "{line}");
}

#[test]
fn files_of_other_kinds_are_named_for_what_they_are() {
    let folder = TempDir::new().unwrap();
    let cases: [(&str, &[u8], &str); 9] = [
        ("x.parquet", b"PAR1\x15\x04PAR1", "it is a Parquet file; "),
        ("x.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "it is a file of MATLAB; "),
        ("x.tar.xz", b"\xfd7zXZ\0\0\x04", "it is a packed file (xz, bzip2, zstd, 7-Zip or RAR); "),
        ("x.h5", b"\x89HDF\r\n\x1a\n", "by the end of its name it is a network or its weights"),
        ("x", b"\x89HDF\r\n\x1a\n", "it is an HDF5 file; "),
        ("x", b"{\"a\": 1}", "it is JSON; "),
        ("x", b"engine = \"digital\"\n", "it is TOML, as descriptions of hardware and plans are; "),
        ("x", b"\x01\x02\x03", "its content is of no known format; "),
        ("x.csv.gz", &gzip(b"file,label\n"), "a gzip file of this format; unpack it first"),
    ];
    check_all(cases, |&(name, bytes, expected)| {
        let line = message(open(&write(&folder, name, bytes), false));
        assert!(line.contains(expected) && line.contains("unsupported"), "{line}, not {expected}");
    });
    // A table needs no ending.
    write(&folder, "a.bin", &png(5));
    let table = write(&folder, "table", b"file,label\na.bin,4\n");
    assert_eq!(found(&open(&table, false).unwrap()), [(Some(4), 5.0)]);
}
