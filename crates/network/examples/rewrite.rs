//! Reads network files and writes each again into a folder, so that other programs can compare the two:
//! `rewrite FOLDER NETWORK...`. What cannot be read or written is named, and the others go on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use network::onnx::write::{WriteOptions, write};
use network::{Network, ReadOptions};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: rewrite FOLDER NETWORK...");
        return ExitCode::from(2);
    };
    let mut code = ExitCode::SUCCESS;
    for path in arguments {
        match rewrite(&path, &folder) {
            Ok(notes) => notes.iter().for_each(|note| println!("{}: note: {note}", path.display())),
            Err(error) => {
                println!("{error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn rewrite(path: &Path, folder: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let network = Network::read(path, &ReadOptions::default())?;
    let name = path.file_name().ok_or("expected the path of a file")?;
    // Made in memory first: a file is not cut off where it cannot be written.
    let mut bytes = Vec::new();
    let notes = write(&network, &WriteOptions::default(), &mut bytes)?;
    std::io::Write::write_all(&mut File::create(folder.join(name))?, &bytes)?;
    Ok(notes)
}
