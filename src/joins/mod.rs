//! What the Monitoring node and pxGrid say, joined: endpoints with all that is known of them,
//! who had an address and when, failures in groups, nodes with their load, sessions in groups,
//! TrustSec's policies by name.
//! Records in, records out: nothing is asked for or printed here, and everything that is held is
//! bounded.

pub mod address_holders;
pub mod address_periods;
pub mod egress_matrix;
pub mod endpoints;
pub mod failing_endpoints;
pub mod failure_facts;
pub mod failure_groups;
pub mod limits;
pub mod nodes;
pub mod session_groups;
pub mod trend;
