# Tests with other programs, packages and systems.

# ---- hosts ----

# Programs that contain a Lua 5.4. prosody and dnsmasq-base-lua are tested only if they are installed already: prosody's
# package starts a server, and dnsmasq-base-lua replaces dnsmasq-base.
HOST_PACKAGES := lighttpd lighttpd-modules-lua curl python3-venv gringo gnuplot-nox mle neomutt
HOSTS_PYTHON  := build/hosts-venv

## deps-hosts: install what test-hosts needs (Debian packages; lupa from PyPI into build/hosts-venv, over the network)
.PHONY: deps-hosts
deps-hosts:
	$(call install_packages,$(HOST_PACKAGES))
	@$(MAKE) --no-print-directory $(HOSTS_PYTHON)/complete

$(HOSTS_PYTHON)/complete:
	$(call install_python,lupa numpy)

## test-hosts: train and predict in other people's programs: lighttpd, Python's lupa, and more (after deps-hosts)
.PHONY: test-hosts
test-hosts: export PATH := $(HERE)/$(HOSTS_PYTHON)/bin:$(PATH)
test-hosts: all
	$(call after,deps-hosts,$(HOSTS_PYTHON)/complete)
	$(call run_tests,spec/other_hosts/lupa_test.py,--pattern=_host spec/other_hosts)

# ---- systems ----

SYSTEMS ?= trixie

## deps-systems: install what test-systems needs (a Debian package: debootstrap)
.PHONY: deps-systems
deps-systems:
	$(call install_packages,debootstrap)

## test-systems: run README's two commands in a fresh Debian 13, print their costs (SYSTEMS='bookworm trixie': in each)
.PHONY: test-systems
test-systems:
	@sh spec/systems/debian.sh $(SYSTEMS)

# ---- formats ----

INTEROP := build/interop

## interop-deps: install PyTorch, ONNX, its runtime and safetensors in build/interop (over the network)
.PHONY: interop-deps
interop-deps: $(INTEROP)/complete

$(INTEROP)/complete:
	$(call install_python,torch==2.13.0 numpy onnx onnxruntime safetensors)

## test-interop: exchange ONNX, safetensors and NPY files with ONNX Runtime, PyTorch and numpy (after interop-deps)
.PHONY: test-interop
test-interop: all
	$(call after,interop-deps,$(INTEROP)/complete)
	@$(INTEROP)/bin/python spec/interop/check.py $(B)/moonglass
