# The commands of this repository. `make help` lists them.
# Everything that is brought along (Envoy, an issuer that is not ours, cargo-deny) goes to .tools, which git ignores.

export PATH := $(CURDIR)/.tools/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test test-interop test-helm test-gateways test-series helm-docs fuzz bench bench-peers bench-check flame lint audit clean-tools

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Show credence at work behind a real Envoy; KEEP=1 leaves it running and prints what to try
	@scripts/envoy.sh >/dev/null
	cargo build --bin credence --example demo
	@KEEP=$(KEEP) cargo run --quiet --example demo

test: ## Run every test, the ones with a real Envoy, a real Redis and a foreign issuer included; ARGS= goes to cargo test
	@scripts/envoy.sh >/dev/null
	@scripts/redis.sh >/dev/null
	@scripts/oidc-provider.sh >/dev/null
	@scripts/interop/dex.sh >/dev/null || true # a machine without Go leaves it out, and its tests say so
	@scripts/test.sh $(ARGS)

test-interop: ## Run credence against every real issuer, Kubernetes, SPIRE and Keycloak too: brings them first, 20 minutes once
	@scripts/oidc-provider.sh >/dev/null
	@scripts/interop/dex.sh >/dev/null
	@scripts/interop/keycloak.sh >/dev/null
	@scripts/interop/kubernetes.sh >/dev/null
	@scripts/interop/spire.sh >/dev/null
	@scripts/interop/otelcol.sh >/dev/null
	@CI=true INTEROP=true scripts/test.sh --test interop -- --include-ignored $(ARGS)

test-helm: ## Hold the chart against helm, kubeconform, a real API server and Prometheus: brings them first, 25 minutes once
	@scripts/helm/tools.sh >/dev/null
	@scripts/helm/schemas.sh >/dev/null
	@scripts/helm/prometheus.sh >/dev/null
	@scripts/helm/hadolint.sh >/dev/null
	@scripts/interop/kubernetes.sh >/dev/null
	@scripts/test.sh --test chart $(ARGS)

test-series: ## Send a million made-up tokens (or TOKENS) to credence: none may make a series; takes some minutes
	@TOKENS=$(or $(TOKENS),1000000) scripts/test.sh --release --test life series:: $(ARGS)

test-gateways: ## Hold the examples against Envoy Gateway and Istio, both real: brings them first, 25 minutes once
	@scripts/envoy.sh >/dev/null
	@scripts/gateways/envoy-gateway.sh >/dev/null
	@scripts/gateways/istio.sh >/dev/null
	@scripts/interop/kubernetes.sh >/dev/null
	@scripts/test.sh --test gateways $(ARGS)

helm-docs: ## Write helm/credence/README.md anew out of values.yaml
	@scripts/helm/tools.sh >/dev/null
	.tools/helm/bin/helm-docs --chart-search-root helm --sort-values-order file --skip-version-footer

bench: ## Measure a decision against a null server and print the goals; ARGS="--quick" a minute, "--help" the rest
	@scripts/envoy.sh >/dev/null
	cargo bench --bench load -- $(ARGS)

bench-peers: ## Measure other authorizers on the same tokens: OPA-Envoy and jwt_authn, Authorino and Oathkeeper where they are
	@scripts/envoy.sh >/dev/null
	@scripts/bench/peers.sh
	cargo bench --bench load -- --rows peers --out $(CURDIR)/target/bench/peers $(ARGS)

flame: ## Draw where the time goes, into docs/performance-flame.svg (needs perf)
	@scripts/bench/flame.sh

bench-check: ## Prove that the bench notices wrong answers, short answers and a second server on the port
	cargo bench --bench load -- --self-check

fuzz: ## Hold the reader of questions against prost and Envoy's types, over MUTATIONS (5000000) messages from SEED (5)
	@MUTATIONS=$(or $(MUTATIONS),5000000) SEED=$(or $(SEED),5) cargo test --lib \
	  --config 'profile.test.package.credence.opt-level=2' wire::tests::differential -- --nocapture --test-threads=1

lint: ## Format, clippy and docs without warnings, licences, bans and sources of dependencies
	cargo fmt --all --check
	cargo clippy --all-targets --quiet -- -D warnings
	cargo clippy --test chart --test gateways --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --quiet
	@scripts/tools.sh
	cargo deny --log-level error check bans licenses sources

audit: ## Known vulnerabilities in dependencies (needs the advisory database from the network)
	@scripts/tools.sh
	cargo deny check advisories

clean-tools: ## Remove what was brought along
	rm -rf .tools
