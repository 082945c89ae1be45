//! Single-producer single-consumer lanes of fixed-size slots, and the transaction that ties them together.
