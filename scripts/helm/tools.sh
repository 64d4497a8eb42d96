#!/bin/sh
# Builds helm, kubeconform and helm-docs from the Go module proxy into .tools/helm and prints that directory.
. "$(dirname -- "$0")/../common.sh"
helm=v3.22.0
kubeconform=v0.8.0
helm_docs=v1.14.2
tool helm "$helm $kubeconform $helm_docs"
need go "helm, kubeconform and helm-docs are built from their Go modules"
begin "5 minutes"

GOTOOLCHAIN=local CGO_ENABLED=0 GOBIN=$home/bin GOFLAGS=-buildvcs=false
export GOTOOLCHAIN CGO_ENABLED GOBIN GOFLAGS
# Installed by version, so that each is built by the versions that its own release names.
# helm takes charts for the Kubernetes that its own libraries are of, which only its Makefile tells it.
library=helm.sh/helm/v3
stamp="-X $library/internal/version.version=$helm"
for place in lint/rules chartutil; do
    stamp="$stamp -X $library/pkg/$place.k8sVersionMajor=1 -X $library/pkg/$place.k8sVersionMinor=35"
done
logged go install -p "${GO_P:-1}" -ldflags "-s -w $stamp" "$library/cmd/helm@$helm"
logged go install -p "${GO_P:-1}" -ldflags "-s -w" "github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform"
logged go install -p "${GO_P:-1}" -ldflags "-s -w" "github.com/norwoodj/helm-docs/cmd/helm-docs@$helm_docs"
logged "$home/bin/helm" version --short
logged "$home/bin/kubeconform" -v
logged "$home/bin/helm-docs" --help
finish
