mod golden;
mod laws;
mod malformed;
pub(crate) mod strategies;
