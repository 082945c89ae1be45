//! The demonstration: instruments on pseudo terminals, and faults on purpose.
