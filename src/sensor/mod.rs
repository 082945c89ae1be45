//! The board's own sensors.

mod temperature;

pub use temperature::{TemperatureSensor, temperatures};
