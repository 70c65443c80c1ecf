//! Misbehaving servers for tests.
