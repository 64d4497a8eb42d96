//! The program: see [`credence`].
fn main() {}
