//! Links that stop at what cannot be applied, and how they go on.

mod catalogue;
mod refusals;
