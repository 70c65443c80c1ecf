//! Labs for tests.
