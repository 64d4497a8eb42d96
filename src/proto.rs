//! The messages of Envoy's external authorization API and of the OpenTelemetry protocol, generated from `proto/`.
//!
//! In: nothing. Out: types that mirror the wire. Generated code is the only code here, and the only place where
//! the house's lints make exceptions.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code")]

/// The `FileDescriptorSet` of these messages, encoded: for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `google.rpc`
pub mod google {
    /// `google.rpc`
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

/// The OpenTelemetry protocol, as far as traces are written.
pub mod otlp {
    tonic::include_proto!("opentelemetry.otlp");
}

/// `envoy.*`
pub mod envoy {
    /// `envoy.config.core.v3`
    pub mod config {
        /// `envoy.config.core`
        pub mod core {
            /// `envoy.config.core.v3`
            pub mod v3 {
                tonic::include_proto!("envoy.config.core.v3");
            }
        }
    }
    /// `envoy.type.v3`
    pub mod r#type {
        /// `envoy.type.v3`
        pub mod v3 {
            tonic::include_proto!("envoy.r#type.v3");
        }
    }
    /// `envoy.service.auth.v3`
    pub mod service {
        /// `envoy.service.auth`
        pub mod auth {
            /// `envoy.service.auth.v3`
            pub mod v3 {
                tonic::include_proto!("envoy.service.auth.v3");
            }
        }
    }
}
