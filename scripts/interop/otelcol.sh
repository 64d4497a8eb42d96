#!/bin/sh
# Builds a Collector of OpenTelemetry from the Go module proxy into .tools/otelcol and prints that directory. It takes OTLP over gRPC and
# HTTP, and writes what it got to standard error.
. "$(dirname -- "$0")/../common.sh"
tool otelcol 0.162.0
need go "the Collector is built from its Go modules"
begin "4 minutes"

cat >"$build/go.mod" <<MOD
module interop.test/otelcol

go 1.25

require (
	go.opentelemetry.io/collector/exporter/debugexporter v$version
	go.opentelemetry.io/collector/otelcol v$version
	go.opentelemetry.io/collector/receiver/otlpreceiver v$version
)
MOD
cat >"$build/main.go" <<'GO'
// A Collector with one receiver and one exporter.
package main

import (
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func main() {
	receivers, exporters := otlpreceiver.NewFactory(), debugexporter.NewFactory()
	factories := func() (otelcol.Factories, error) {
		return otelcol.Factories{
			Receivers: map[component.Type]receiver.Factory{receivers.Type(): receivers},
			Exporters: map[component.Type]exporter.Factory{exporters.Type(): exporters},
			Telemetry: otelconftelemetry.NewFactory(),
		}, nil
	}
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelcol", Version: "interop"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory()},
			},
		},
	})
	if command.Execute() != nil {
		os.Exit(1)
	}
}
GO
CGO_ENABLED=0
export CGO_ENABLED
go_build otelcol interop.test/otelcol
logged "$home/bin/otelcol" --version
finish
