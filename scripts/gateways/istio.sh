#!/bin/sh
# Builds Istio's control plane (pilot-discovery) from the Go module proxy, lays it into .tools/istio together with the
# definitions of Istio's objects, and prints that directory.
. "$(dirname -- "$0")/../common.sh"
# Istio's tags are not what Go calls versions, so its releases are known by their commit. This one is of the 1.30 line.
commit=v0.0.0-20260423205519-b01690e6db7d
tool istio "1.30-${commit##*-}"
need go "istiod is built from its Go module"
begin "9 minutes"

istio=istio.io/istio
printf 'module gateways.test/istio\n' >"$build/go.mod"
cd "$build"
logged go mod download "$istio@$commit"
module=$(go list -m -f '{{.Dir}}' "$istio@$commit")
{
    echo "module gateways.test/istio"
    grep -E '^(go|godebug) ' "$module/go.mod"
    echo "require $istio $commit"
} >go.mod
# The checksum database does not know everything that Istio builds on; Istio's own go.sum does, in a module that it knows.
cp "$module/go.sum" go.sum
chmod u+w go.sum
cd "$root"

CGO_ENABLED=0
# Istio's own builds leave these validators out too.
tags=disable_pgv
export CGO_ENABLED
go_build pilot-discovery "$istio/pilot/cmd/pilot-discovery"
logged "$home/bin/pilot-discovery" discovery --help
cp "$module/manifests/charts/base/files/crd-all.gen.yaml" "$home/definitions.yaml"
chmod u+w "$home/definitions.yaml"
finish
