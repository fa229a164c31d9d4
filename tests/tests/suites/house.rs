//! Does the house stand as ARCHITECTURE.md draws it? Crates depend downwards only, readers do not know each other, and
//! no files go in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use esnsim_tests::repository;
use serde_json::Value;
use testkit::check_all;

/// The step of every crate, from the ground up. Neighbours on a step never see each other.
const STEPS: [&[&str]; 9] = [
    &["esnsim-esn", "esnsim-lanes"],
    &["esnsim-network"],
    &["esnsim-engine", "esnsim-inference"],
    &["esnsim-analog", "esnsim-digital", "esnsim-compress", "esnsim-formats"],
    &["esnsim-runner"],
    &["esnsim-explore"],
    &["esnsim-report"],
    &["esnsim"],
    &["esnsim-cli", "esnsim-python"],
];

/// Modules of `formats` that are readers or writers of one kind of file. What two of them need stands in `reading`.
const KINDS_OF_FILES: [&str; 6] = ["onnx", "tflite", "weight_file", "weight_writer", "topology", "images"];

/// A circle of files may have so many that belong together.
const LARGEST_CIRCLE: usize = 3;

fn step_of(package: &str) -> Option<usize> {
    STEPS.iter().position(|step| step.contains(&package))
}

/// Licences that a dependency may be used under.
const LICENCES: [&str; 6] = ["MIT", "Apache-2.0", "Zlib", "BSL-1.0", "Unicode-3.0", "BSD-3-Clause"];

/// Libraries that dependencies ask for in two versions.
const TWICE: [&str; 4] = ["hashbrown", "itertools", "miniz_oxide", "syn"];

/// What `cargo metadata` says of the packages of the workspace.
fn packages() -> Vec<Value> {
    metadata(&["--no-deps"])
}

/// What `cargo metadata` says of the packages of the workspace and of all that they depend on here: those of other platforms a
/// build does not fetch.
fn packages_and_dependencies() -> Vec<Value> {
    metadata(&["--filter-platform", &host()])
}

/// The platform that cargo builds for.
fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs");
    let text = String::from_utf8(output.stdout).expect("cargo prints text");
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host").to_string()
}

fn metadata(options: &[&str]) -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--offline", "--locked"]).args(options);
    let output = cargo.current_dir(repository("")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    metadata["packages"].as_array().expect("packages are a list").clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn crates_depend_downwards_only() {
    let packages = packages();
    let mut wrong = Vec::new();
    for package in packages.iter().filter(|package| text(package, "manifest_path").contains("/crates/")) {
        let name = text(package, "name");
        let Some(own) = step_of(name) else {
            wrong.push(format!("{name} stands on no step: give it one here and in ARCHITECTURE.md"));
            continue;
        };
        // What tests of a crate use is not part of the house.
        let dependencies = package["dependencies"].as_array().expect("dependencies are a list");
        for dependency in dependencies.iter().filter(|dependency| dependency["kind"].is_null()) {
            let other = text(dependency, "name");
            if step_of(other).is_some_and(|step| step >= own) {
                wrong.push(format!("{name} depends on {other}, which does not stand below it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(STEPS.iter().map(|step| step.len()).sum::<usize>(), crate_folders().len(), "steps without a crate");
}

#[test]
fn dependencies_may_be_used() {
    let mut wrong = Vec::new();
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for package in packages_and_dependencies() {
        let (name, licence) = (text(&package, "name"), text(&package, "license"));
        *versions.entry(name.to_string()).or_default() += 1;
        // `A OR B` is a choice, `A AND B` asks for both.
        let allowed = |choice: &str| choice.split([' ', '/', '(', ')']).any(|word| LICENCES.contains(&word));
        if licence.is_empty() || !licence.split(" AND ").all(allowed) {
            wrong.push(format!("{name}: licence {licence:?}"));
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            wrong.push(format!("{name}: it comes from {source:?}"));
        }
    }
    let twice: Vec<&str> = versions.iter().filter(|(_, count)| **count > 1).map(|(name, _)| name.as_str()).collect();
    assert_eq!(twice, TWICE, "libraries in two versions");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_named_modules_are_unsafe() {
    let unsafe_files = [
        "crates/engine/src/kernel/arm.rs",
        "crates/engine/src/kernel/vectors.rs",
        "crates/engine/src/kernel/x86.rs",
        "crates/esn/src/stream.rs",
        "crates/network/src/mapping.rs",
        "crates/python/src/stream.rs",
    ];
    let root = repository("");
    let mut found: Vec<String> = Vec::new();
    for folder in crate_folders() {
        for file in sources(&folder.join("src")) {
            let code = fs::read_to_string(&file).expect("readable");
            let is_unsafe = |line: &str| {
                let line = line.trim_start();
                !line.starts_with("//") && (line.contains("unsafe {") || line.contains("unsafe fn"))
            };
            if code.lines().any(is_unsafe) {
                found.push(file.strip_prefix(&root).expect("it lies in the repository").display().to_string());
            }
        }
    }
    found.sort();
    assert_eq!(found, unsafe_files, "files with unsafe code");
}

#[test]
fn every_crate_is_on_the_map() {
    let map = fs::read_to_string(repository("ARCHITECTURE.md")).expect("it is in the repository");
    check_all(crate_folders(), |folder| {
        let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        assert!(map.contains(&format!("crates/{name} ")), "ARCHITECTURE.md does not say what crates/{name} is");
    });
}

#[test]
fn packages_can_be_published() {
    let packages = packages();
    let crates = packages.iter().filter(|package| text(package, "manifest_path").contains("/crates/"));
    let keys = ["description", "license", "readme"];
    let cases = crates.map(|package| (text(package, "name"), keys.map(|key| text(package, key)), &package["publish"]));
    check_all(cases, |&(name, values, publish)| {
        keys.iter().zip(values).for_each(|(key, value)| assert!(!value.is_empty(), "{name} has no {key}"));
        assert!(name == "esnsim" || name.starts_with("esnsim-"), "{name} is no name of this project's");
        assert!(publish.is_null(), "{name} cannot be published");
    });
}

#[test]
fn no_reader_imports_another() {
    let folder = repository("crates/formats/src");
    let mut wrong = Vec::new();
    for kind in KINDS_OF_FILES {
        let of_kind = |file: &PathBuf| module_path(&folder, file).first().is_some_and(|module| module == kind);
        let files: Vec<PathBuf> = sources(&folder).into_iter().filter(of_kind).collect();
        assert!(!files.is_empty(), "formats has no module {kind}");
        for file in files {
            for other in KINDS_OF_FILES.iter().filter(|other| **other != kind) {
                let imports = imported_modules(&folder, &file);
                if imports.iter().any(|module| module.first().map(String::as_str) == Some(other)) {
                    wrong.push(format!("{} imports {other}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "what two readers need stands in `reading`:\n{}", wrong.join("\n"));
}

#[test]
fn the_model_knows_no_file_format() {
    let packages = packages();
    let network = packages.iter().find(|package| text(package, "name") == "esnsim-network").expect("it is a crate");
    let dependencies = network["dependencies"].as_array().expect("dependencies are a list");
    let of_formats = ["prost", "flatbuffers", "safetensors", "zip", "serde_json", "csv", "esnsim-formats"];
    let of_the_house = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
    check_all(of_the_house.map(|dependency| text(dependency, "name")), |name| {
        assert!(!of_formats.contains(name), "network uses {name}");
    });
}

#[test]
fn only_inference_knows_the_library_of_float_operators() {
    let packages = packages();
    let knows = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("dependencies are a list");
        dependencies.iter().any(|dependency| text(dependency, "name").starts_with("rten"))
    };
    let knowing: Vec<&str> = packages.iter().filter(|package| knows(package)).map(|p| text(p, "name")).collect();
    assert_eq!(knowing, ["esnsim-inference"], "packages that know rten");
}

#[test]
fn no_files_go_in_a_large_circle() {
    let mut wrong = Vec::new();
    for folder in crate_folders() {
        let folder = folder.join("src");
        for circle in circles(&imports(&folder)) {
            if circle.len() > LARGEST_CIRCLE {
                wrong.push(format!("{}: {}", folder.display(), circle.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "files that import each other in a circle:\n{}", wrong.join("\n"));
}

/// The folders of the crates, sorted.
fn crate_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(repository("crates")).expect("there are crates");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    folders.retain(|folder| folder.join("Cargo.toml").is_file());
    folders.sort();
    folders
}

/// Every Rust file below a folder but for unit tests, sorted.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The path of the module that a file is, from the root of its crate: `sweep/mod.rs` is `[sweep]`, `lib.rs` is `[]`.
fn module_path(folder: &Path, file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(folder).expect("it lies in the folder").with_extension("");
    let mut parts: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// The modules whose names a file uses, as paths from the root of its crate. Unit tests are left out.
fn imported_modules(folder: &Path, file: &Path) -> BTreeSet<Vec<String>> {
    let code = fs::read_to_string(file).expect("a source is readable");
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let own = module_path(folder, file);
    let children: BTreeSet<String> = declared_modules(code);
    let mut modules = BTreeSet::new();
    let in_imports = use_statements(code).into_iter().flat_map(|statement| flatten(&statement));
    for path in in_imports.chain(paths_in_code(code)) {
        let parts: Vec<&str> = path.split("::").collect();
        let resolved = match parts.first().copied() {
            Some("crate") => parts[1..].iter().map(ToString::to_string).collect(),
            Some("self") => [own.clone(), parts[1..].iter().map(ToString::to_string).collect()].concat(),
            Some("super") => {
                let ups = parts.iter().take_while(|part| **part == "super").count();
                let base = own[..own.len().saturating_sub(ups)].to_vec();
                [base, parts[ups..].iter().map(ToString::to_string).collect()].concat()
            }
            Some(child) if children.contains(child) => {
                [own.clone(), parts.iter().map(ToString::to_string).collect()].concat()
            }
            _ => continue,
        };
        modules.insert(resolved);
    }
    modules
}

/// `mod NAME;` of a file.
fn declared_modules(code: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_string())
    };
    code.lines().filter_map(name).collect()
}

/// The text between `use` and `;` of every import.
fn use_statements(code: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find("use ") {
        let begins_line = rest[..start]
            .rsplit('\n')
            .next()
            .is_some_and(|before| matches!(before.trim(), "" | "pub" | "pub(crate)" | "pub(super)"));
        rest = &rest[start + 4..];
        if let (true, Some(end)) = (begins_line, rest.find(';')) {
            statements.push(rest[..end].split_whitespace().collect::<Vec<_>>().join(""));
            rest = &rest[end..];
        }
    }
    statements
}

/// `a::{b, c::{d}}` as `a::b` and `a::c::d`.
fn flatten(tree: &str) -> Vec<String> {
    let (Some(open), Some(close)) = (tree.find('{'), tree.rfind('}')) else { return vec![tree.to_string()] };
    let (prefix, inner) = (&tree[..open], &tree[open + 1..close]);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (i, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.flat_map(|part| flatten(&format!("{prefix}{part}"))).collect()
}

/// Paths to other modules that stand in the code itself: `crate::weights::load(layer)`, `super::layout::ours(shape)`.
fn paths_in_code(code: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let words = lines.flat_map(|line| line.split(move |c| !is_part(c)));
    let leads_out = |path: &&str| ["crate::", "super::", "self::"].iter().any(|root| path.starts_with(root));
    words.filter(leads_out).map(str::to_string).collect()
}

/// Which file imports which, by module path. A parent and its own modules may know each other, so that arrows between
/// them do not count. A name that a parent exports again is taken for the parent's own.
fn imports(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<String, PathBuf> =
        sources(folder).into_iter().map(|file| (module_path(folder, &file).join("::"), file)).collect();
    let mut arrows = BTreeMap::new();
    for (name, file) in &files {
        let targets = imported_modules(folder, file).into_iter().filter_map(|path| {
            // The longest beginning of the path that is a file; the rest are names in it.
            (0..=path.len()).rev().map(|n| path[..n].join("::")).find(|module| files.contains_key(module))
        });
        let is_kin = |other: &String| {
            let below = |a: &str, b: &str| a.is_empty() || b.starts_with(&format!("{a}::"));
            below(name, other) || below(other, name)
        };
        arrows.insert(name.clone(), targets.filter(|target| target != name && !is_kin(target)).collect());
    }
    arrows
}

/// Sets of files of which each reaches every other.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        arrows.keys().map(|from| (from, reachable(arrows, from))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (from, reached) in &reach {
        let mut circle: Vec<String> =
            reached.iter().filter(|other| reach[**other].contains(from)).map(|other| other.to_string()).collect();
        if !circle.is_empty() {
            circle.sort();
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reachable<'a>(arrows: &'a BTreeMap<String, BTreeSet<String>>, from: &String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = arrows[from].iter().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(&arrows[next]);
        }
    }
    reached
}

#[test]
fn a_circle_is_found() {
    let arrow = |from: &str, to: &[&str]| (from.to_string(), to.iter().map(ToString::to_string).collect());
    let arrows = BTreeMap::from([arrow("a", &["b"]), arrow("b", &["c", "d"]), arrow("c", &["a"]), arrow("d", &[])]);
    assert_eq!(circles(&arrows), [["a", "b", "c"].map(String::from)]);
    assert_eq!(flatten("a::{b,c::{d,e}}"), ["a::b", "a::c::d", "a::c::e"]);
    assert_eq!(use_statements("use a::b;\nlet x = 1; // use y;\npub use c;"), ["a::b", "c"]);
}
