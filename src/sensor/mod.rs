//! The board's own sensors.
