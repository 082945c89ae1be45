//! From a TOML file to a graph; every error points into the file.
//!
//! Two steps: the parsed file is walked by hand (`table`), because only so every value keeps its place in the text; what
//! it says becomes the nodes of a [`Graph`](crate::pipeline::Graph), built by the same constructors that a library user
//! calls. What only the graph as a whole can know (units, cycles, memory) comes back as a
//! [`GraphError`](crate::pipeline::GraphError) and is [explained](SourceMap::explain) at its place in the file.

mod error;
mod frame;
mod load;
mod sinks;
mod sources;
mod stages;
mod supervision;
mod table;
mod value;

pub use error::{ConfigError, Problem};
pub use load::{Config, ControlSettings, SourceMap, load, parse};
