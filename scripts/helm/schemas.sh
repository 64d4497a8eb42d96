#!/bin/sh
# Brings what Kubernetes and the operators around it accept, from their Go modules, into .tools/helm-schemas and prints that
# directory: the OpenAPI document of each Kubernetes version, and the definitions of the objects of others.
. "$(dirname -- "$0")/../common.sh"
kubernetes="1.30.14 1.33.5 1.35.4"
prometheus_operator=v0.89.0
cert_manager=v1.18.2
tool helm-schemas "$kubernetes $prometheus_operator $cert_manager"
need go "the schemas are in Go modules"
begin "2 minutes"

GOTOOLCHAIN=local
export GOTOOLCHAIN
# The directory of a module: `module NAME@VERSION`.
module() {
    (cd "$build" && go mod download -json "$1" 2>&1) | tee -a "$home/setup.log" |
        sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p'
}
# Copies files of a module to the directory: `take NAME@VERSION DIRECTORY FILE…`.
take() {
    from=$(module "$1")
    [ -n "$from" ] || fail "the Go module proxy does not serve $1: $(grep Error "$home/setup.log")"
    to=$home/$2
    shift 2
    mkdir -p "$to"
    for file; do
        logged cp "$from/$file" "$to/"
    done
    chmod -R u+w "$to"
}
for version in $kubernetes; do
    take "k8s.io/kubernetes@v$version" "$version" api/openapi-spec/swagger.json
done
crds=example/prometheus-operator-crd/monitoring.coreos.com
take "github.com/prometheus-operator/prometheus-operator@$prometheus_operator" definitions \
    "${crds}_servicemonitors.yaml" "${crds}_podmonitors.yaml" "${crds}_prometheusrules.yaml"
take "github.com/cert-manager/cert-manager@$cert_manager" definitions deploy/crds/crd-certificates.yaml
finish
