//! Serial ports: settings, opening, stable names.
