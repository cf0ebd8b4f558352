# Moonglass. `make help` lists the targets. They write only to build/, the demo also to out/. This file has the shared
# variables; the rules are in included files, each in the folder that it builds or tests.

.DEFAULT_GOAL := all

# Debian packages for building and the demo, and additional ones for developing. Nothing else comes from the network.
PACKAGES := gcc libc6-dev make pkg-config liblua5.4-dev libblis-serial-dev libpng-dev zlib1g-dev libjansson-dev \
            libedit-dev libcivetweb-dev lua-argparse lua-filesystem dataset-fashion-mnist
DEV_PACKAGES := lua5.4 lua-busted lua-check clang-format valgrind libc6-dbg tmux curl ca-certificates gnuplot-nox \
                g++ binutils luarocks abigail-tools doxygen lua-ldoc locales strace
# Both MPIs, and what their tests need: ip, which makes hosts with networks of their own.
MPI_PACKAGES := libopenmpi-dev openmpi-bin libmpich-dev mpich iproute2

CC         ?= cc
LUA        ?= lua5.4
PYTHON     ?= python3
PKG_CONFIG ?= pkg-config
PREFIX     ?= /usr/local
# Sanitizers, e.g. SAN=address,undefined; they have a separate build folder.
SAN        ?=
B          := build$(if $(SAN),/san)

# The path of the tree may contain any characters: rules use relative names, commands quote the absolute path.
comma := ,
quote  = '$(subst ','\'',$(1))'
HERE  := $(CURDIR)
BUILD  = $(if $(filter /%,$(firstword $(B))),$(B),$(HERE)/$(B))

# A recipe line that begins with $(call say,CC,file) prints "CC file" instead of the command. V=1 prints commands.
V     ?=
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
hush   = $(if $(filter 1,$(V)),,@)
say    = $(hush)$(if $(hush),$(if $(silent),,echo $(call quote,$(1) $(2)) && ))

include scripts/packages.mk

ifeq ($(DEPS),)

include csrc/build.mk csrc/install.mk csrc/abi.mk csrc/mpi/mpi.mk
include scripts/scripts.mk scripts/hosts/hosts.mk scripts/jupyter/jupyter.mk scripts/bench/bench.mk
include scripts/playground/playground.mk scripts/anomaly/anomaly.mk scripts/scaling/scaling.mk
include lua/doc/doc.mk
# fuzz.mk comes before test.mk, whose prerequisites use its variables and are expanded when they are read.
include spec/fuzz/fuzz.mk spec/test.mk spec/checkers.mk spec/coverage/coverage.mk spec/gates/gates.mk
include spec/lint.mk spec/others.mk spec/mpi/test_mpi.mk

## help: list the targets
.PHONY: help
help:
	@sed -n 's/\$$\$$/$$/; s/^## \([a-z-]*\): \(.*\)/  \1\t\2/p' $(filter Makefile %.mk,$(MAKEFILE_LIST)) | expand -t 18

## clean: remove build/
.PHONY: clean
clean:
	rm -rf build

endif
