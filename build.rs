//! Compiles the protos under `proto/` without a system `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["envoy/service/auth/v3/external_auth.proto"], ["proto"])?;
    tonic_prost_build::configure().build_server(false).build_client(true).build_transport(false).compile_fds(files)?;
    Ok(())
}
