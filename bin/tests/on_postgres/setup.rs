//! Setting up, refusing, leaving, and being idle.

mod idle;
mod leave;
mod refuse;
mod reload;
