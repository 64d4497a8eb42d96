#!/bin/sh
# Builds the OpenID provider dex from the Go module proxy into .tools/dex and prints that directory.
# Its tagged v2 releases cannot be imported as Go modules; this is the newest commit that the proxy serves under the plain path.
. "$(dirname -- "$0")/../common.sh"
tool dex v0.0.0-20230804184036-a9d1fd31c329
need go "dex is built from its Go module"
need gcc "dex is linked with SQLite"
begin "2 minutes"

cat >"$build/go.mod" <<MOD
module interop.test/dex

go 1.25

require (
	github.com/dexidp/dex $version
	github.com/dexidp/dex/api/v2 v2.4.0
)
MOD
# The public checksum database has no record of this one module, so what it has to be is written down here.
cat >"$build/go.sum" <<SUM
github.com/dexidp/dex $version h1:y86PLEHr+sm6OyWS37VGPcGBaj+u51lltfrLPCcg3KA=
github.com/dexidp/dex $version/go.mod h1:YakYzHHcygyboa3c7Zkd8XRiMG1nPSKaexbmbNifmmA=
SUM
GONOSUMDB=github.com/dexidp/dex
CGO_ENABLED=1
export GONOSUMDB CGO_ENABLED
go_build dex github.com/dexidp/dex/cmd/dex "-X main.version=${version##*-}"
logged "$home/bin/dex" version
finish
