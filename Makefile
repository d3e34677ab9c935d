# Two commands set up everything: `make demo` and `make test`. Each needs only Python 3.11 or 3.12 and make.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
export UV_PYTHON_DOWNLOADS = never
export UV_COMPILE_BYTECODE = 1
# pip trusts the system's certificates where it is told to, uv only so: networks that inspect TLS need it.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/cert.pem /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt),true,false)

.PHONY: help demo test fast lint bench kafka reference setup clean
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.uv/bin/uv:
	$(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

.venv/.synced: pyproject.toml uv.lock $(filter .uv/bin/uv,$(UV))
	@echo "making the environment in .venv, once: 115 packages, 1.3 GB on disk; a minute or two on most machines"
	$(UV) sync --frozen --quiet --python $(PYTHON) && touch $@

setup: .venv/.synced ## make the environment (the other targets do it themselves)

demo: .venv/.synced ## a simulated warehouse day through the whole pipeline; no broker, no root
	@$(RUN) takt demo

# Three workers for two processors: tests with Kafka wait for a third of their time. The order is that of tests/conftest_effort.py.
test: .venv/.synced ## lint, types, import rules and the whole test suite
	$(MAKE) --no-print-directory lint
	$(RUN) pytest -n 3 --dist loadgroup --no-loadscope-reorder

fast: .venv/.synced ## the suite without its slow and Kafka tests, with a tenth of the random examples
	$(RUN) pytest -n 2 --dist loadgroup -m 'not slow and not kafka'

lint: .venv/.synced ## ruff, mypy strict, import-linter
	$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy && $(RUN) lint-imports

kafka: .venv/.synced ## a real Apache Kafka on port 9092, in the foreground (needs Java 17 and Maven)
	$(RUN) python -m deploy.kafka.broker

bench: .venv/.synced ## the standard job against plain Bytewax and a DuckDB batch query
	$(RUN) python -m benchmarks.standard_job

reference: .venv/.synced ## write docs/reference from the code
	$(RUN) python -m flows.reference

clean: ## remove the environment and everything the demo wrote
	rm -rf .venv .uv var .mypy_cache .pytest_cache .ruff_cache .hypothesis
