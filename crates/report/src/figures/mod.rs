//! Figures: SVG files, and pages of HTML that need nothing but a browser.
//!
//! The main functions are [`write_frontier_svgs`] and [`FrontierPage`] for a store, and [`write_run_page`] for
//! one run. A page is one file that holds its data, styles and script, and loads nothing else. Text out of files
//! reaches a page as JSON and is shown as text, never as HTML.

mod chart;
mod frontier_page;
mod frontier_svg;
mod gain_svg;
mod histogram;
mod landscape_svg;
mod page;
mod proxies_svg;
mod run_page;

pub use frontier_page::FrontierPage;
pub use frontier_svg::{figure_axes, write_frontier_svgs};
pub use gain_svg::{gain_svg, write_gain_svg};
pub use histogram::{AtOneCost, nearest_at_or_below};
pub use landscape_svg::{landscape_svg, write_landscape_svg};
pub use proxies_svg::{proxies_svg, write_proxies_svg};
pub use run_page::{RunFigures, write_run_page};

/// Up to so many points of a store are drawn one by one. Of more, those on a frontier are, and the others are counted in
/// the cells of a honeycomb.
pub const EVERY_POINT: u64 = 2000;
