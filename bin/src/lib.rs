//! synapse-bin
