# `make demo` shows it, `make test` proves it. Both install what is missing first (deploy/setup.sh) and say so.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help setup demo render test lint bench soak

help:
	@echo 'make demo    three ISPs on this machine, with FreeRADIUS; Ctrl-C stops it, ARGS=--fresh starts over'
	@echo 'make test    everything that must hold before a change lands'
	@echo 'make lint    format, clippy, schema, contract, dependencies'
	@echo 'make bench   the API beside PostgreSQL doing the same statements; ARGS=--quick takes ten minutes'
	@echo 'make render  the program that typesets documents, without which there are no PDFs; demo and test build it too'
	@echo 'make soak    the kill and cancellation storms, long'

setup:
	@deploy/setup.sh --test

demo:
	@deploy/setup.sh
	@$(CARGO) build -p trunkline-api
	@exec deploy/demo.sh $(TARGET)/debug/trunkline demo $(ARGS)

render:
	@deploy/render.sh

test: setup
	@deploy/test.sh

lint: setup
	@deploy/test.sh lint

bench:
	@deploy/setup.sh
	@$(CARGO) build --release --locked --workspace --bins
	@deploy/render.sh
	@$(TARGET)/release/trunkline-bench --write bench/RESULTS.md $(ARGS)

soak: setup
	TRUNKLINE_SOAK=1 TRUNKLINE_STORM_REQUESTS=1000000 $(CARGO) test --locked --workspace --test suite -- --nocapture storm kill soak fuzz lives $(ARGS)
