//! Compiles the protos under `proto/` without a system `protoc`.

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["envoy/service/auth/v3/external_auth.proto"], ["proto"])?;
    // For server reflection: the descriptors as bytes.
    let descriptors = std::path::PathBuf::from(std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(descriptors, files.encode_to_vec())?;
    tonic_prost_build::configure().build_server(false).build_client(true).build_transport(false).compile_fds(files)?;
    // What is sent to a collector is no service of ours, and not described to anybody.
    let otlp = protox::compile(["opentelemetry/otlp.proto"], ["proto"])?;
    tonic_prost_build::configure().compile_fds(otlp)?;
    Ok(())
}
