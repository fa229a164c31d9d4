//! Does the documentation hold? Its commands run, what it shows of their output is what they print, its links lead to
//! files, and its index is whole.
//!
//! A page is run from its first fenced block to its last, in one folder that looks like a copy of the project:
//!
//! - `sh` holds commands, one a line. Those of `esnsim` are run and must end with exit code 0. What `> FILE` takes is
//!   written there.
//! - `toml` whose first line is `# NAME` is the file of that name, which is written before the page goes on.
//! - `sql` whose first line is `-- NAME` is a query of that store. Its values are printed with `|` between them.
//! - `text` right behind a block of commands, or a query, is a part of what they print: its lines, in their order. `…` stands for
//!   what is left out, alone on a line or within one.
//! - `csv` whose first line is `# NAME` is a part of that file: its header names some of the columns, and its rows are
//!   among those of the file.
//! - `diff` whose first line is `--- PATH` changes that file of the project. The lines that it takes away or leaves stand
//!   there, those behind one `@@` one after another. With `+++ PATH` for a first line it is a file that is new.
//!
//! A row of a table that begins with a command and an error, `` `esnsim …` | `error: …` ``, is run behind all blocks. It
//! must end with exit code 2 and that line.
//!
//! Files of a reader's own, as `NET.onnx`, have stand-ins of the same name.

use std::fs;
use std::path::{Path, PathBuf};

use esnsim_tests::{Recorded, digital_toml, esnsim, repository};
use tempfile::TempDir;
use testkit::check_all;

/// Options whose value is a file that the command writes.
const OUTPUTS: [&str; 9] =
    ["--csv", "--json", "--html", "--svg", "--vcd", "--perfetto", "--topology-csv", "--store", "-o"];

/// A sweep that `pareto` has something to say about.
const PLAN_OF_TWO_POINTS: &str = r#"
networks = ["embedded"]
images = { path = "embedded", limit = 10 }
quantize = [{ bits = [2, 4] }]
"#;

/// A fenced block of a page.
struct Block {
    /// The word behind the opening fence.
    language: String,
    /// Where it opens, from 1 on.
    line: usize,
    lines: Vec<String>,
    /// Whether nothing but empty lines stands between it and a block of commands, or a query, before it.
    behind_commands: bool,
}

impl Block {
    /// The name in a first line `# NAME`.
    fn file(&self) -> Option<&str> {
        let name = self.lines.first()?.strip_prefix("# ")?.trim();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        is_name.then_some(name)
    }
}

/// A file of the repository.
fn text(relative: &str) -> String {
    fs::read_to_string(repository(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The fenced blocks of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut open, mut only_empty) = (false, false);
    for (i, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => (open, only_empty) = (false, true),
            Some(language) => {
                let prints = |block: &Block| ["sh", "sql"].contains(&block.language.as_str());
                let behind_commands = only_empty && blocks.last().is_some_and(prints);
                let language = language.trim().to_string();
                blocks.push(Block { language, line: i + 1, lines: Vec::new(), behind_commands });
                open = true;
            }
            None if open => blocks.last_mut().expect("a block is open").lines.push(line.to_string()),
            None => only_empty &= line.trim().is_empty(),
        }
    }
    assert!(!open, "a fence is not closed");
    blocks
}

/// The pages of `docs/`, by their path in the repository.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = ["docs", "docs/adding", "docs/commands"].into_iter().flat_map(pages_of).collect();
    pages.sort();
    pages
}

/// The pages of one folder.
fn pages_of(folder: &str) -> Vec<String> {
    let files = fs::read_dir(repository(folder)).expect("it is in the repository");
    let names = files.map(|file| file.expect("readable").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")).collect()
}

/// What a page is run in.
struct Reader {
    page: String,
    folder: PathBuf,
    /// What the last block of commands printed.
    printed: String,
    commands: usize,
}

impl Reader {
    fn new(page: &str, folder: &Path) -> Self {
        Self { page: page.to_string(), folder: folder.to_path_buf(), printed: String::new(), commands: 0 }
    }

    /// Does what the page says, block by block, and returns how many commands that were.
    fn follow(mut self) -> usize {
        for block in blocks(&text(&self.page)) {
            let place = format!("{}:{}", self.page, block.line);
            match (block.language.as_str(), block.file()) {
                ("sh", _) => self.run(&block, &place),
                ("sql", _) => self.query(&block, &place),
                ("text", _) if block.behind_commands => assert_printed(&block, &self.printed, &place),
                ("toml", Some(name)) => self.write(name, &block),
                ("csv", Some(name)) => assert_rows(&block, &self.folder.join(name), &place),
                ("diff", _) => assert_applies(&block, &place),
                // Python's blocks are run by python/tests.
                ("text" | "toml" | "csv" | "python" | "", _) => {}
                (other, _) => panic!("{place}: nobody checks a block of {other:?}"),
            }
        }
        table_rows(&text(&self.page)).iter().for_each(|row| self.fail(row));
        self.commands
    }

    /// Runs the command of a row that shows its error.
    fn fail(&self, row: &[String]) {
        let code = |cell: Option<&String>| cell?.strip_prefix('`')?.strip_suffix('`').map(str::to_string);
        let (Some(command), Some(error)) = (code(row.first()), code(row.get(1))) else { return };
        let Some(arguments) = command.strip_prefix("esnsim ").filter(|_| error.starts_with("error: ")) else { return };
        let output = esnsim().current_dir(&self.folder).args(arguments.split(' ')).output().expect("the command runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}: {command}\n{stderr}", self.page);
        assert!(stderr.lines().any(|line| is_shown(line, &error)), "{}: {command}: {error}\n{stderr}", self.page);
    }

    fn write(&self, name: &str, block: &Block) {
        fs::write(self.folder.join(name), block.lines.join("\n") + "\n").expect("a temporary folder is writable");
    }

    /// Asks a store what a block asks it.
    fn query(&mut self, block: &Block, place: &str) {
        let name = block.lines.first().and_then(|line| line.strip_prefix("-- "));
        let name = name.unwrap_or_else(|| panic!("{place}: a query begins with `-- STORE`"));
        let store = rusqlite::Connection::open(self.folder.join(name)).expect("the page made it");
        let mut query = store.prepare(&block.lines.join("\n")).unwrap_or_else(|error| panic!("{place}: {error}"));
        let columns = query.column_count();
        let value = |value: rusqlite::types::Value| match value {
            rusqlite::types::Value::Null => String::new(),
            rusqlite::types::Value::Integer(whole) => whole.to_string(),
            rusqlite::types::Value::Real(real) => real.to_string(),
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
        };
        let rows = query.query_map([], |row| (0..columns).map(|column| row.get(column).map(value)).collect());
        let rows: rusqlite::Result<Vec<Vec<String>>> = rows.and_then(Iterator::collect);
        let rows = rows.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(!rows.is_empty(), "{place}: nothing is found");
        self.printed = rows.iter().map(|row| row.join("|") + "\n").collect();
    }

    /// Runs the commands of a block that are `esnsim`'s. Those of cargo are run by who builds the project.
    fn run(&mut self, block: &Block, place: &str) {
        self.printed.clear();
        for line in &block.lines {
            let command = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default().trim() };
            let arguments = command.strip_prefix("esnsim ").or(command.strip_prefix("cargo run --release -- "));
            let Some(arguments) = arguments else {
                let known = command.is_empty() || command.starts_with("cargo ");
                assert!(known, "{place}: {command:?} is no command of esnsim or cargo");
                continue;
            };
            let (arguments, file) = arguments.split_once(" > ").unwrap_or((arguments, ""));
            let arguments: Vec<&str> = arguments.split_whitespace().collect();
            let output = esnsim().current_dir(&self.folder).args(&arguments).output().expect("the command runs");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{place}: {command}\n{stderr}");
            for pair in arguments.windows(2).filter(|pair| OUTPUTS.contains(&pair[0])) {
                assert!(self.folder.join(pair[1]).exists(), "{place}: {command}: there is no {}", pair[1]);
            }
            let stdout = String::from_utf8(output.stdout).expect("output is text");
            assert!(!stdout.trim().is_empty(), "{place}: {command}: it says nothing");
            if !file.is_empty() {
                fs::write(self.folder.join(file), &stdout).expect("a temporary folder is writable");
            }
            self.printed += &stdout;
            self.commands += 1;
        }
    }
}

/// Words with one space between them.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line is what is shown of it, where `…` stands for anything.
fn is_shown(line: &str, shown: &str) -> bool {
    let parts: Vec<&str> = shown.split('…').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return line == shown };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Every line of a block was printed, in the order of the block.
fn assert_printed(block: &Block, printed: &str, place: &str) {
    let mut rest = printed.lines().map(squeezed);
    for shown in block.lines.iter().map(|line| squeezed(line)).filter(|line| !line.is_empty() && line != "…") {
        let found = rest.any(|line| is_shown(&line, &shown));
        assert!(found, "{place}: not printed, or not in this order: {shown:?}\n{printed}");
    }
}

/// Every row of a block, behind the line of its name, is one of the file in the columns that the block names.
fn assert_rows(block: &Block, path: &Path, place: &str) {
    let parse = |text: &str| -> Vec<Vec<String>> {
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let records = reader.into_records().map(|record| record.expect("valid CSV"));
        records.map(|record| record.iter().map(str::to_string).collect()).collect()
    };
    let file = fs::read_to_string(path).unwrap_or_else(|error| panic!("{place}: {}: {error}", path.display()));
    let (file, shown) = (parse(&file), parse(&block.lines[1..].join("\n")));
    let (header, rows) = file.split_first().expect("the file has a header");
    let (columns, shown) = shown.split_first().expect("the block has a header");
    let column = |name: &String| header.iter().position(|found| found == name);
    let places: Vec<usize> =
        columns.iter().map(|name| column(name).unwrap_or_else(|| panic!("{place}: no column {name:?}"))).collect();
    for row in shown {
        let is_row = |found: &Vec<String>| places.iter().map(|&at| &found[at]).eq(row.iter());
        assert!(rows.iter().any(is_row), "{place}: no row of {} is {row:?}", path.display());
    }
}

/// What a diff finds in its file is there, so that the diff applies.
fn assert_applies(block: &Block, place: &str) {
    let (first, lines) = block.lines.split_first().unwrap_or_else(|| panic!("{place}: the diff is empty"));
    let Some(path) = first.strip_prefix("--- ") else {
        let is_new = first.starts_with("+++ ") && lines.iter().all(|line| line.starts_with('+'));
        assert!(is_new, "{place}: a diff begins with `--- PATH`, or with `+++ PATH` and adds every line");
        return;
    };
    let content = text(path);
    let content: Vec<&str> = content.lines().collect();
    for hunk in lines.split(|line| line.starts_with("@@")).filter(|hunk| !hunk.is_empty()) {
        let known = hunk.iter().filter(|line| !line.starts_with('+'));
        let known: Vec<&str> = known.map(|line| line.get(1..).unwrap_or_default()).collect();
        let found = !known.is_empty() && content.windows(known.len()).any(|lines| lines == known);
        assert!(found, "{place}: these lines are not in {path}, one after another: {known:#?}");
    }
}

/// A copy of what a reader has of the project: the embedded network with its images, and the hardware descriptions.
fn project() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["traces", "configs"] {
        fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        for file in fs::read_dir(repository(name)).expect("it is in the repository") {
            let file = file.expect("readable");
            if file.path().is_file() {
                fs::copy(file.path(), folder.path().join(name).join(file.file_name())).expect("writable");
            }
        }
    }
    folder
}

/// Puts stand-ins for a reader's own files into a folder.
fn add_own_files(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("writable");
    write("QAT.onnx", &fs::read(repository("traces/digits-resnet.onnx")).expect("it is in the repository"));
    write("NET.tflite", &tflite_network());
    for name in ["data_batch_1.bin", "test_batch.bin"] {
        write(name, &grey_pictures());
    }
    write("my-array.toml", digital_toml("mine", 2, 8, "weight").as_bytes());
    let tutorial = blocks(&text("docs/tutorial.md"));
    let plan = tutorial.iter().find(|block| block.file() == Some("plan.toml")).expect("the tutorial has a plan");
    write("plan.toml", plan.lines.join("\n").as_bytes());
    // What a file holds is told by its content, so that weights in another format stand in for a checkpoint of PyTorch.
    let prepare = [
        "new resnet8 --width 0.5 -o NET.onnx",
        "new resnet20 -o RESNET20.onnx",
        "convert RESNET20.onnx RESNET20.safetensors",
        "convert NET.onnx WEIGHTS.safetensors",
        "inspect NET.onnx --topology-csv TOPOLOGY.csv",
    ];
    for command in prepare {
        esnsim().current_dir(folder).args(command.split_whitespace()).assert().success();
    }
    fs::rename(folder.join("RESNET20.safetensors"), folder.join("CHECKPOINT.pth")).expect("writable");
}

/// Ten pictures in the binary format of CIFAR-10, each of one grey.
fn grey_pictures() -> Vec<u8> {
    (0..10u8).flat_map(|label| [vec![label], vec![25 * label; 3072]].concat()).collect()
}

/// A convolution of int8, one of the networks that the suite `tflite` runs.
fn tflite_network() -> Vec<u8> {
    let mut cases = Recorded::all("tflite-operators.json").into_iter();
    cases.find(|case| case.name == "conv_2d [0, 1, 1, 1] int8").expect("it is one of them").file
}

/// The targets of the links of a page, without their anchors. Code holds none.
fn links(page: &str) -> Vec<String> {
    let mut in_block = false;
    let mut links = Vec::new();
    for line in page.lines() {
        in_block ^= line.starts_with("```");
        if in_block {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        links.extend(targets.map(|target| target.split('#').next().unwrap_or_default().to_string()));
    }
    links.retain(|target| !target.is_empty() && !target.contains("://"));
    links
}

#[test]
fn every_command_of_the_tutorial_runs_and_prints_what_is_shown() {
    let page = "docs/tutorial.md";
    let unchecked = blocks(&text(page)).into_iter().find(|block| block.language == "text" && !block.behind_commands);
    assert_eq!(unchecked.map(|block| block.line), None, "{page}: output of no command");
    let project = project();
    let folder = project.path().join("tutorial");
    fs::create_dir(&folder).expect("a folder can be made");
    let commands = Reader::new(page, &folder).follow();
    assert!(commands >= 10, "the tutorial goes from a network to a frontier: {commands} commands");
}

#[test]
fn every_command_of_the_readme_runs_and_prints_what_is_shown() {
    let project = project();
    add_own_files(project.path());
    let commands = Reader::new("README.md", project.path()).follow();
    assert!(commands >= 10, "the README has recipes: {commands} commands");
    let [made, shown] = [project.path().join("gains.svg"), repository("docs/gains.svg")].map(fs::read);
    let made = made.expect("a command of the README draws it");
    assert!(made == shown.expect("it is in the repository"), "docs/gains.svg is not what the README's commands draw");
}

#[test]
fn every_command_of_the_other_pages_runs() {
    check_all(pages().into_iter().filter(|page| page != "docs/tutorial.md"), |page| {
        let project = project();
        add_own_files(project.path());
        Reader::new(page, project.path()).follow();
    });
}

#[test]
fn every_link_leads_to_a_file() {
    let roots = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "traces/README.md"].map(str::to_string);
    let tests = ["tests/reference/README.md", "tests/python/README.md", "tests/fuzz/README.md"].map(str::to_string);
    let mut missing = Vec::new();
    for page in roots.into_iter().chain(tests).chain(pages()) {
        let path = repository(&page);
        let folder = path.parent().expect("a file lies in a folder");
        let broken = links(&text(&page)).into_iter().filter(|target| !folder.join(target).exists());
        missing.extend(broken.map(|target| format!("{page}: {target}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_index_lists_every_page() {
    let listed = links(&text("docs/README.md"));
    check_all(pages(), |page| {
        let name = page.trim_start_matches("docs/");
        assert!(
            name == "README.md" || listed.iter().any(|target| target == name),
            "docs/README.md does not list {name}"
        );
    });
}

/// The rows of the tables of a page, cell by cell.
fn table_rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(|cell| cell.trim().to_string()).collect()).collect()
}

#[test]
fn the_ladder_of_the_glossary_has_the_bits_of_the_metric() {
    let page = text("docs/glossary.md");
    let ladder =
        page.split("\n## ").find(|section| section.starts_with("Start here")).expect("it is the first section");
    let steps: Vec<(f64, i32, u32)> = table_rows(ladder)
        .iter()
        .filter_map(|row| {
            let [level, code, bits, _grid] = row.as_slice() else { return None };
            let level = level.trim_start_matches('±').parse().ok()?;
            Some((level, code.trim_start_matches('±').parse().ok()?, bits.parse().ok()?))
        })
        .collect();
    assert!(steps.len() >= 10, "{steps:?}");
    for (level, code, bits) in steps {
        assert_eq!(f64::from(code), 2.0 * level, "the code of {level}");
        assert_eq!(esn::bits(code, esn::BitConvention::NonzeroAtLeastOne), bits, "the bits of {level}");
    }
}

/// The cells of a line of a table, which stand two spaces apart.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// The headers of tables in what a command printed. A table has three columns at least, and its first line is its header.
fn headers(printed: &str) -> Vec<&str> {
    let lines: Vec<&str> = printed.lines().collect();
    let is_row = |line: &&str| cells(line).len() >= 3;
    let is_first = |i: usize| i == 0 || !is_row(&lines[i - 1]);
    let first = (0..lines.len()).filter(|&i| is_row(&lines[i]) && is_first(i));
    first.flat_map(|i| cells(lines[i])).collect()
}

#[test]
fn every_header_of_a_table_is_in_the_glossary() {
    let page = text("docs/glossary.md");
    let (_, page) = page.split_once("\n## Headers of tables on the terminal").expect("the section is there");
    let first_cells = table_rows(page).into_iter().filter_map(|row| row.into_iter().next());
    let known: Vec<String> = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>())
        .collect();
    let folder = project();
    fs::write(folder.path().join("plan.toml"), PLAN_OF_TWO_POINTS).expect("writable");
    let is_hardware =
        |header: &str| header.split(", ").all(|name| folder.path().join(format!("configs/{name}.toml")).exists());
    let mut missing = Vec::new();
    for command in [
        "inspect",
        "esn",
        "esn traces/digits-resnet.onnx traces/digits-resnet.onnx",
        "simulate --limit 2",
        "simulate --by-hardware --limit 2",
        "compress --prune filters=0.1 --bits 4 -o small.onnx",
        "compress --allocate esn-d=9e5 --allocate-images 2 --calibrate traces/digits-test.npz --calibrate-limit 2 -o shared.onnx",
        "simulate small.onnx --images traces/digits-test.npz --limit 2 --reference traces/digits-resnet.onnx",
        "simulate small.onnx traces/digits-resnet.onnx --images traces/digits-test.npz --limit 2",
        "landscape --hardware gpu-8bit",
        "sweep plan.toml --store runs.sqlite",
        "pareto runs.sqlite",
    ] {
        let output = esnsim().current_dir(folder.path()).args(command.split(' ')).output().expect("the command runs");
        assert_eq!(output.status.code(), Some(0), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("output is text");
        let headers = headers(&printed);
        assert!(!headers.is_empty() || command.starts_with("sweep"), "{command}: no table in\n{printed}");
        let unknown = headers.iter().filter(|header| !is_hardware(header) && !known.iter().any(|name| name == *header));
        missing.extend(unknown.map(|header| format!("{command}: {header}")));
    }
    assert!(missing.is_empty(), "docs/glossary.md lacks {missing:#?}");
}

#[test]
fn every_command_has_a_page() {
    let overview = links(&text("docs/cli.md"));
    // What a shell and `man` read is on the overview.
    let of_shells = ["completions", "man"];
    check_all(commands().into_iter().filter(|command| !of_shells.contains(&command.as_str())), |command| {
        let page = format!("commands/{command}.md");
        assert!(overview.contains(&page), "docs/cli.md does not lead to {page}");
        let page = text(&format!("docs/{page}"));
        let shows = blocks(&page).iter().any(|block| block.language == "text" && block.behind_commands);
        assert!(shows, "an example with its output is missing");
        for section in ["\n## An example", "\n## Exit codes and errors", "\n## See also"] {
            assert!(page.contains(section), "{section:?} is missing");
        }
    });
}

/// The headings of a help page and the long names of its options; the names of commands below `Commands`.
fn help_page(arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let output = esnsim().args(arguments).output().expect("the command runs");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    let help = String::from_utf8(output.stdout).expect("help is text");
    let heading = |line: &str| line.strip_suffix(':').filter(|name| !name.contains(' ')).map(str::to_string);
    let option = |line: &str| {
        let (_, rest) = line.split_at_checked(6).filter(|(margin, _)| margin.trim_end().len() <= 5)?;
        let name = rest.strip_prefix("--")?.split([' ', '=']).next()?;
        Some(format!("--{name}"))
    };
    (help.lines().filter_map(heading).collect(), help.lines().filter_map(option).collect())
}

/// The commands that the overview lists.
fn commands() -> Vec<String> {
    let output = esnsim().arg("-h").output().expect("the command runs");
    let help = String::from_utf8(output.stdout).expect("help is text");
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_string).collect()
}

#[test]
fn the_page_of_the_command_line_has_every_command_group_and_option() {
    let page = text("docs/cli.md");
    let rows: Vec<Vec<&str>> = page.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let mut missing = Vec::new();
    for command in commands() {
        let word = format!("`{command}`");
        if !rows.iter().any(|row| row.get(1).is_some_and(|cell| *cell == word)) {
            missing.push(command.clone());
        }
        let (groups, options) = help_page(&[&command, "--help"]);
        // Exit codes and columns are named by other tables; those of groups have the command in the last column.
        let of_command = |row: &&Vec<&str>| row.len() == 5 && row[3].contains(&word);
        let known = |group: &str| rows.iter().filter(of_command).any(|row| row[1] == group);
        let general = ["Arguments", "General", "Options"];
        missing.extend(groups.iter().filter(|g| !general.contains(&g.as_str())).filter(|g| !known(g)).cloned());
        let named = |option: &String| {
            let cell = format!("`{option}`");
            *option == "--help" || rows.iter().filter(of_command).any(|row| row[2].contains(&cell))
        };
        missing.extend(options.iter().filter(|option| !named(option)).map(|option| format!("{command} {option}")));
    }
    assert!(missing.is_empty(), "docs/cli.md lacks {missing:#?}");
}

#[test]
fn the_page_of_the_command_line_names_what_short_help_leaves_out() {
    let page = text("docs/cli.md");
    let (opening, _) = page.split_once("\n| command |").expect("the table of commands is there");
    let mut missing = Vec::new();
    for command in commands() {
        let (_, shown) = help_page(&[&command, "-h"]);
        let (_, all) = help_page(&[&command, "--help"]);
        let unnamed = |option: &&String| !shown.contains(option) && !opening.contains(&format!("`{option}`"));
        missing.extend(all.iter().filter(unnamed).map(|option| format!("{command} {option}")));
    }
    assert!(missing.is_empty(), "the opening of docs/cli.md does not name {missing:#?}");
}

#[test]
fn what_is_shown_may_leave_out_a_part() {
    assert!(is_shown("30 points, 30 run in 2.5 s", "30 points, 30 run in … s"));
    assert!(is_shown("…fer3/conv2/Conv Conv", "…fer3/conv2/Conv Conv"));
    assert!(is_shown("a b c d", "a … c …") && is_shown("a b", "a b"));
    assert!(!is_shown("30 points, 29 run in 2.5 s", "30 points, 30 run in … s"));
    assert!(!is_shown("a b", "a") && !is_shown("a b c", "a … b"));
}
