//! The sources: serial ports, recorded files, sensors of the board.
