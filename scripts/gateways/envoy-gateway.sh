#!/bin/sh
# Builds Envoy Gateway from the Go module proxy into .tools/envoy-gateway and prints that directory.
. "$(dirname -- "$0")/../common.sh"
tool envoy-gateway v1.9.1
need go "Envoy Gateway is built from its Go module"
begin "8 minutes"

GOTOOLCHAIN=local CGO_ENABLED=0 GOBIN=$home/bin GOFLAGS=-buildvcs=false
export GOTOOLCHAIN CGO_ENABLED GOBIN GOFLAGS
# Installed by version, so that it is built with the versions that its own release names.
module=github.com/envoyproxy/gateway
stamp="-X $module/internal/cmd/version.envoyGatewayVersion=$version"
logged go install -p "${GO_P:-1}" -ldflags "-s -w $stamp" "$module/cmd/envoy-gateway@$version"
logged "$home/bin/envoy-gateway" version
finish
