//! The circuit in a simulator.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::image::Image;

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
    pub fn start(&self, simulator: Simulator, [rows, pes]: [usize; 2], images: &[Image]) -> Simulation {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for (name, text) in &self.files {
            fs::write(at(name), text).expect("a temporary folder is writable");
        }
        let layers = images.iter().enumerate().map(|(n, image)| image.write(&at(&format!("layer{n}"))) + "\n");
        fs::write(at("list"), layers.collect::<String>()).expect("a temporary folder is writable");

        let most = |index: usize| images.iter().map(|image| image.words()[index]).max().unwrap_or(0).max(1);
        let sizes = [("ROWS", rows), ("PES", pes), ("WEIGHTS", most(0)), ("FILTERS", most(1)), ("INPUTS", most(2))];
        let (mut compiler, run) = simulator.commands(folder.path(), &sizes);
        let compiled = compiler.args(self.files.iter().map(|(name, _)| at(name))).output().expect("it was found");
        let told = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success() && told.is_empty(), "{simulator:?}: {told}");
        Simulation::start(run, folder)
    }
}

/// What simulates: Icarus compiles in a tenth of a second and runs some 30,000 PE-cycles a second, Verilator compiles in
/// seven seconds and runs some two million.
#[derive(Clone, Copy, Debug)]
pub enum Simulator {
    Icarus,
    Verilator,
}

impl Simulator {
    /// The compiler, which still needs the files, and the compiled program.
    fn commands(self, folder: &Path, sizes: &[(&str, usize)]) -> (Command, Command) {
        let parameters = |prefix: &str| sizes.iter().map(|(n, v)| format!("{prefix}{n}={v}")).collect::<Vec<_>>();
        match self {
            Self::Icarus => {
                let mut compiler = Command::new("iverilog");
                compiler.args(["-g2012", "-Wall", "-s", "testbench"]).args(parameters("-Ptestbench."));
                compiler.arg("-o").arg(folder.join("program"));
                let mut run = Command::new("vvp");
                run.arg("-n").arg(folder.join("program"));
                (compiler, run)
            }
            Self::Verilator => {
                let mut compiler = Command::new("verilator");
                compiler.args(["--binary", "--timing", "-Wall", "-j", "2", "--top-module", "testbench"]);
                compiler.args(parameters("-G")).arg("--Mdir").arg(folder.join("objects"));
                (compiler, Command::new(folder.join("objects/Vtestbench")))
            }
        }
    }
}

/// A simulation at work; ended when dropped.
pub struct Simulation {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _folder: TempDir,
}

impl Simulation {
    fn start(mut run: Command, folder: TempDir) -> Self {
        let mut child = run
            .arg(format!("+list={}", folder.path().join("list").display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was compiled above");
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
