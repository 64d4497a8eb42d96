#!/bin/sh
# Builds Envoy Gateway from the Go module proxy into .tools/envoy-gateway, with the definitions of its Kubernetes objects in
# `definitions`, and prints that directory.
. "$(dirname -- "$0")/../common.sh"
release=v1.9.1
tool envoy-gateway "$release definitions"
need go "Envoy Gateway is built from its Go module"
begin "8 minutes"

GOTOOLCHAIN=local CGO_ENABLED=0 GOBIN=$home/bin GOFLAGS=-buildvcs=false
export GOTOOLCHAIN CGO_ENABLED GOBIN GOFLAGS
# Installed by version, so that it is built with the versions that its own release names.
module=github.com/envoyproxy/gateway
stamp="-X $module/internal/cmd/version.envoyGatewayVersion=$release"
logged go install -p "${GO_P:-1}" -ldflags "-s -w $stamp" "$module/cmd/envoy-gateway@$release"
logged "$home/bin/envoy-gateway" version

# The module has them as templates of a chart, whose only expressions say whether a file is wanted at all.
templates=$(cd "$build" && go mod download -json "$module@$release" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
templates=$templates/charts/gateway-crds-helm/templates
[ -d "$templates" ] || fail "the module $module@$release has no charts/gateway-crds-helm/templates"
mkdir -p "$home/definitions"
for template in "$templates"/standard-gatewayapi-crds.yaml "$templates"/generated/*.yaml; do
    sed '/^{{.*}}$/d' "$template" >"$home/definitions/${template##*/}"
done
finish
