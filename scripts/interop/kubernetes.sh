#!/bin/sh
# Builds the Kubernetes API server and the etcd it stores in, both from the Go module proxy, into .tools/kubernetes
# and prints that directory.
. "$(dirname -- "$0")/../common.sh"
minor=35.4
tool kubernetes "1.$minor"
need go "the API server is built from its Go module"
begin "8 minutes"

# A released k8s.io/kubernetes names its own libraries by the folders they lie in; as modules they are versions 0.MINOR.
printf 'module interop.test/kubernetes\n' >"$build/go.mod"
mod=$(cd "$build" && GOFLAGS=-mod=mod go list -m -f '{{.GoMod}}' "k8s.io/kubernetes@v$version" 2>>"$home/setup.log") ||
    fail "the Go module proxy does not serve k8s.io/kubernetes@v$version: $(tail -n 3 "$home/setup.log")"
{
    echo "module interop.test/kubernetes"
    grep -E '^(go|godebug) ' "$mod"
    echo "require k8s.io/kubernetes v$version"
    sed -n 's#^[[:space:]]*\([^ ]*\) => ./staging/.*#replace \1 => \1 v0.'"$minor"'#p' "$mod"
} >"$build/go.mod"

CGO_ENABLED=0
export CGO_ENABLED
stamp=k8s.io/component-base/version
go_build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver \
    "-X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*} -X $stamp.gitTreeState=clean"
logged "$home/bin/kube-apiserver" --version
# The etcd that this Kubernetes is tested with: the module graph has chosen it.
go_build etcd go.etcd.io/etcd/server/v3
logged "$home/bin/etcd" --version
finish
