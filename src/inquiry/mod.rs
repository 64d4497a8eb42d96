//! x
//! In: Out: never
