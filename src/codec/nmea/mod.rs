//! NMEA 0183: sentences of positioning receivers, and the fix that the sentences of one moment make together.
//!
//! Written from the public descriptions of the sentences (<https://gpsd.gitlab.io/gpsd/NMEA.html>); units and fields
//! are as given there.

mod epoch;
mod sentence;

pub use epoch::{Epoch, Fix};
pub use sentence::{Gga, Gll, Gsa, Gsv, NmeaError, Rmc, Sentence, Vtg, Zda, parse};
