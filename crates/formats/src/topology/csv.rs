//! Reading the table. Cells are separated by commas, or by tabs where the header has no comma, and never quoted; a line may
//! end with a separator.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use network::{NetworkError, Note, NoteKind, and_more};

use super::{Form, Row, Topology};

/// A row has about 60 bytes.
const MAX_BYTES: u64 = 1 << 24;
/// Characters of a cell that are shown in a message.
const SHOWN: usize = 40;

/// Headings of each column, in letters and digits of lower case.
const NAME: &[&str] = &["layername", "layer", "name", "l"];
const CONV: [(&str, &[&str]); 6] = [
    ("IFMAP Height", &["ifmapheight", "ifmaph"]),
    ("IFMAP Width", &["ifmapwidth", "ifmapw"]),
    ("Filter Height", &["filterheight", "filterh"]),
    ("Filter Width", &["filterwidth", "filterw"]),
    ("Channels", &["channels", "channel", "numchannels"]),
    ("Num Filter", &["numfilter", "numfilters"]),
];
const STRIDE: &[&str] = &["strides", "stride"];
const STRIDES: [(&str, &[&str]); 2] =
    [("Stride Height", &["strideheight", "strideh"]), ("Stride Width", &["stridewidth", "stridew"])];
const GEMM: [(&str, &[&str]); 3] = [("M", &["m"]), ("N", &["n"]), ("K", &["k"])];

pub(super) fn read(path: &Path) -> Result<Topology, NetworkError> {
    let io = |source| NetworkError::Io { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        let problem = format!("it has more than {MAX_BYTES} bytes; a topology has one short row a layer");
        return Err(invalid(path, "file".to_string(), problem));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        invalid(path, format!("byte {}", e.utf8_error().valid_up_to()), "it is no text in UTF-8".into())
    })?;
    parse(path, &text)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Topology, NetworkError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let separator = separator(text);
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, cells(line, separator)));
    let mut lines = lines.by_ref().filter(|(_, cells)| !cells.is_empty());
    let (line, header) =
        lines.next().ok_or_else(|| invalid(path, "file".to_string(), "it is empty; expected a header".to_string()))?;
    let columns = Columns::find(&header).map_err(|problem| invalid(path, format!("line {line}"), problem))?;
    let row = |(line, cells): (usize, Vec<&str>)| {
        columns.row(line, &cells).map_err(|problem| invalid(path, format!("line {line}"), problem))
    };
    let (titles, lines): (Vec<_>, Vec<_>) = lines.partition(|(_, cells)| cells.len() == 1);
    let rows = lines.into_iter().map(row).collect::<Result<Vec<Row>, _>>()?;
    if rows.is_empty() {
        return Err(invalid(path, "file".to_string(), "it has a header and no rows".to_string()));
    }
    let mut topology = Topology { path: path.to_path_buf(), rows, notes: Vec::new() };
    topology.notes.extend(columns.unused);
    topology.notes.extend(titles_note(&titles));
    topology.notes.extend(uneven(&topology.rows));
    Ok(topology)
}

/// What stands between the cells of a table: what its first line has.
fn separator(text: &str) -> char {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if first.contains('\t') && !first.contains(',') { '\t' } else { ',' }
}

/// The trimmed cells of a line, without empty ones at its end.
fn cells(line: &str, separator: char) -> Vec<&str> {
    let line = line.trim().trim_end_matches(|c: char| c == separator || c.is_whitespace());
    if line.is_empty() { Vec::new() } else { line.split(separator).map(str::trim).collect() }
}

/// Where the columns are.
struct Columns {
    name: usize,
    layout: Layout,
    /// What is said of columns that are not read.
    unused: Option<Note>,
}

enum Layout {
    /// Sizes in the order of [`CONV`], and the stride along both axes.
    Conv([usize; 6], [usize; 2]),
    /// In the order of [`GEMM`].
    Gemm([usize; 3]),
}

impl Columns {
    fn find(header: &[&str]) -> Result<Self, String> {
        let plain = |cell: &&str| cell.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let mut headings: Vec<String> = header.iter().map(plain).collect();
        name_height(&mut headings);
        let at = |aliases: &[&str]| headings.iter().position(|heading| aliases.contains(&heading.as_str()));
        let column = |&(name, aliases): &(&str, &[&str])| at(aliases).ok_or_else(|| missing(name, header));
        let name = at(NAME).ok_or_else(|| missing("Layer name", header))?;
        let layout = match (at(GEMM[0].1), at(STRIDE)) {
            (Some(_), _) => Layout::Gemm(each(&GEMM, column)?),
            (None, Some(stride)) => Layout::Conv(each(&CONV, column)?, [stride; 2]),
            (None, None) if at(STRIDES[0].1).is_none() => {
                each(&CONV, column)?;
                return Err(missing("Strides", header));
            }
            (None, None) => Layout::Conv(each(&CONV, column)?, each(&STRIDES, column)?),
        };
        let read: Vec<usize> = match &layout {
            Layout::Conv(sizes, strides) => [&[name], &sizes[..], &strides[..]].concat(),
            Layout::Gemm(sizes) => [&[name], &sizes[..]].concat(),
        };
        let left: Vec<String> =
            (0..header.len()).filter(|i| !read.contains(i)).map(|i| format!("{:?}", shown(header[i]))).collect();
        let unused = (!left.is_empty()).then(|| {
            let left = left.join(", ");
            let text = format!("topology: columns that are not read (weights say what is zero, and costs are those of one image): {left}");
            Note::new(NoteKind::LeftOut, text)
        });
        Ok(Self { name, layout, unused })
    }

    fn row(&self, line: usize, cells: &[&str]) -> Result<Row, String> {
        let name = cells.get(self.name).copied().unwrap_or_default();
        if name.is_empty() {
            return Err("it has no layer name".to_string());
        }
        let size = |what: &str, column: usize| size(what, cells.get(column).copied().unwrap_or_default());
        let form = match &self.layout {
            Layout::Gemm([m, n, k]) => {
                Form::Gemm { positions: size("M", *m)?, filters: size("N", *n)?, depth: size("K", *k)? }
            }
            Layout::Conv(columns, strides) => {
                let mut sizes = [0; 6];
                for ((found, (what, _)), column) in sizes.iter_mut().zip(&CONV).zip(columns) {
                    *found = size(what, *column)?;
                }
                let [height, width, kernel_height, kernel_width, channels, filters] = sizes;
                let stride = [size("Strides", strides[0])?, size("Strides", strides[1])?];
                Form::Conv { input: [height, width], kernel: [kernel_height, kernel_width], channels, filters, stride }
            }
        };
        Ok(Row { name: name.to_string(), line, form })
    }
}

/// Tables of SCALE-Sim's own say "IFMAP Width" twice: the height comes first, as in all others.
fn name_height(headings: &mut [String]) {
    let [(_, heights), (_, widths), ..] = CONV;
    let has = |names: &[&str], heading: &String| names.contains(&heading.as_str());
    let twice: Vec<usize> = (0..headings.len()).filter(|&index| has(widths, &headings[index])).collect();
    if let ([first, _], false) = (twice.as_slice(), headings.iter().any(|heading| has(heights, heading))) {
        headings[*first] = heights[0].to_string();
    }
}

/// The columns of all headings.
fn each<const N: usize>(
    headings: &[(&str, &[&str]); N],
    column: impl Fn(&(&str, &[&str])) -> Result<usize, String>,
) -> Result<[usize; N], String> {
    let mut found = [0; N];
    for (found, heading) in found.iter_mut().zip(headings) {
        *found = column(heading)?;
    }
    Ok(found)
}

fn missing(column: &str, header: &[&str]) -> String {
    format!(
        "the header has no column {column:?}; expected \"Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter \
         Width, Channels, Num Filter, Strides\" or \"Layer, M, N, K\", found {:?}",
        shown(&header.join(", "))
    )
}

fn size(what: &str, cell: &str) -> Result<usize, String> {
    let found = if cell.is_empty() { "nothing".to_string() } else { format!("{:?}", shown(cell)) };
    let size = cell.parse().ok().filter(|&size| size > 0);
    size.ok_or_else(|| format!("{what} is {found}; expected a whole number, at least 1"))
}

/// The beginning of a text.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// A note on lines of one cell: tables of several networks have their titles so.
fn titles_note(titles: &[(usize, Vec<&str>)]) -> Option<Note> {
    let (line, cells) = titles.first()?;
    let more = and_more(titles.len() - 1);
    let title = shown(cells[0]);
    let text = format!("topology: line {line}, {title:?}{more}: a name without sizes is a title and no layer");
    Some(Note::new(NoteKind::LeftOut, text))
}

/// A note on inputs that strides do not divide: SCALE-Sim adds a position at their end, a convolution does not.
fn uneven(rows: &[Row]) -> Option<Note> {
    let is_uneven = |row: &&Row| match row.form {
        Form::Conv { input, kernel, stride, .. } => {
            (0..2).any(|axis| input[axis].checked_sub(kernel[axis]).is_some_and(|rest| rest % stride[axis] != 0))
        }
        Form::Gemm { .. } => false,
    };
    let mut uneven = rows.iter().filter(is_uneven);
    let first = uneven.next()?;
    let more = and_more(uneven.count());
    let text = format!(
        "topology: layer {:?}{more}: the stride does not divide IFMAP less filter; positions are rounded down as a \
         convolution does, SCALE-Sim rounds them up",
        shown(&first.name)
    );
    Some(Note::new(NoteKind::Assumed, text))
}

fn invalid(path: &Path, place: String, problem: String) -> NetworkError {
    NetworkError::Invalid { path: path.to_path_buf(), place, problem }
}
