//! Istio: the example's own objects and what `render` prints, through a real API server and a real istiod, in stock Envoys.

mod example;
mod mesh;
mod mutual;
mod outage;
mod traps;
mod world;
