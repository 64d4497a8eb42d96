#!/bin/sh
# Builds SPIRE's server, agent and OIDC discovery provider from the Go module proxy into .tools/spire
# and prints that directory.
. "$(dirname -- "$0")/../common.sh"
tool spire 1.15.2
need go "SPIRE is built from its Go module"
need gcc "SPIRE's data store is linked with SQLite"
begin "11 minutes"

# The proxy lacks one version of the client of an upstream authority that is not used here; the one before it has the same calls.
cat >"$build/go.mod" <<MOD
module interop.test/spire

go 1.26.4

require github.com/spiffe/spire v$version

replace github.com/Keyfactor/ejbca-go-client-sdk => github.com/Keyfactor/ejbca-go-client-sdk v1.0.2
MOD
CGO_ENABLED=1
export CGO_ENABLED
for program in cmd/spire-server cmd/spire-agent support/oidc-discovery-provider; do
    go_build "${program##*/}" "github.com/spiffe/spire/$program" "-X github.com/spiffe/spire/pkg/common/version.gittag=$version"
    logged "$home/bin/${program##*/}" -version
done
finish
