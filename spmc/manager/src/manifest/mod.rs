//! From bytes to configuration; at boot only.
