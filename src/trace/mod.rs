//! Counters, histograms and log records of every worker, in the segment.
