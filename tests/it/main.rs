//! Integration tests.
mod pxgrid_client;
