//! Errors of the library in the words of the command line: which option mends them.

use esnsim::{Error, Need};

/// An error and its causes in one line.
pub fn message(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>().and_then(mended) {
        Some(text) => text,
        None => network::chain(error.as_ref()),
    }
}

/// The text of an error that an option mends.
fn mended(error: &Error) -> Option<String> {
    Some(match error {
        Error::NeedsGraph { path, need } => {
            let path = path.display();
            let needs = |what: &str| format!("{path}: it holds weights without a graph, and {what} needs one");
            match need {
                Need::Images => format!("{}; --architecture names it", needs("--images")),
                Need::Reestimation => format!("{}; --architecture names it", needs("--reestimate-bn")),
                Need::Onnx => format!(
                    "{}: --architecture names it; a name that ends in .safetensors or .npz takes the weights alone",
                    needs("ONNX")
                ),
            }
        }
        Error::NoStep { .. } => format!("{error}; --bits N quantizes such layers"),
        Error::NothingToDo => {
            "nothing to do: ask for --prune, --bits, a step rule, --find-step or --reestimate-bn".to_string()
        }
        Error::NoLayer { path, wanted, layers } => format!(
            "{}: --layer {wanted:?} is neither the name of a MAC layer nor one of 1 to {layers}; inspect lists them",
            path.display()
        ),
        Error::Lossy { path, .. } => {
            let text = error.to_string();
            let place = format!("{}: ", path.display());
            format!("{place}--strict: {}", text.strip_prefix(&place).unwrap_or(&text))
        }
        _ => return None,
    })
}
