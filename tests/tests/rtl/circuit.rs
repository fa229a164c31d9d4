//! The circuit under Icarus Verilog.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::image::Image;

/// The files of the circuit, without its testbench.
pub const SYNTHESIZABLE: [&str; 5] = ["plane_encoder.sv", "position.sv", "pe.sv", "row.sv", "mac_array.sv"];

/// The sources of the circuit and its testbench, by file name.
pub struct Circuit {
    files: Vec<(&'static str, String)>,
}

impl Circuit {
    pub fn read(folder: &Path) -> Self {
        let names = SYNTHESIZABLE.into_iter().chain(["testbench.sv"]);
        let read = |name| (name, fs::read_to_string(folder.join(name)).expect("the circuit is in the repository"));
        Self { files: names.map(read).collect() }
    }

    /// Puts a fault in.
    pub fn replace(&mut self, file: &str, from: &str, to: &str) {
        let (_, text) = self.files.iter_mut().find(|(name, _)| *name == file).expect("a file of the circuit");
        assert!(text.contains(from), "{file} has no `{from}`");
        *text = text.replacen(from, to, 1);
    }

    /// Compiles a circuit of `[rows, elements a row]` and starts it on the layers.
    pub fn start(&self, [rows, pes]: [usize; 2], images: &[Image]) -> Simulation {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for (name, text) in &self.files {
            fs::write(at(name), text).expect("a temporary folder is writable");
        }
        let layers = images.iter().enumerate().map(|(n, image)| image.write(&at(&format!("layer{n}"))) + "\n");
        fs::write(at("list"), layers.collect::<String>()).expect("a temporary folder is writable");

        let most = |index: usize| images.iter().map(|image| image.words()[index]).max().unwrap_or(0).max(1);
        let sizes = [("ROWS", rows), ("PES", pes), ("WEIGHTS", most(0)), ("FILTERS", most(1)), ("INPUTS", most(2))];
        let compiled = Command::new("iverilog")
            .args(["-g2012", "-Wall", "-s", "testbench"])
            .args(sizes.map(|(name, value)| format!("-Ptestbench.{name}={value}")))
            .arg("-o")
            .arg(at("program"))
            .args(self.files.iter().map(|(name, _)| at(name)))
            .output()
            .expect("iverilog was found");
        let told = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success() && told.is_empty(), "iverilog: {told}");
        Simulation::start(folder)
    }
}

/// A simulation at work; ended when dropped.
pub struct Simulation {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _folder: TempDir,
}

impl Simulation {
    fn start(folder: TempDir) -> Self {
        let mut child = Command::new("vvp")
            .arg("-n")
            .arg(folder.path().join("program"))
            .arg(format!("+list={}", folder.path().join("list").display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("vvp comes with iverilog");
        let output = child.stdout.take().expect("it is piped");
        Self { child, lines: BufReader::new(output).lines(), _folder: folder }
    }

    /// The next line that the testbench prints; none at its end.
    pub fn line(&mut self) -> Option<String> {
        self.lines.next().map(|line| line.expect("the testbench prints ASCII"))
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // It may have ended by itself, and a test that failed must not leave it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
