//! The segment: one sealed memfd that holds every ring, counter and state cell of a system.
