# Installing packages: Debian's, and Python's into folders below build/.

DEPS_LOG := build/deps.log

# $(call install_packages,packages): install the missing ones. apt-get's output goes to a file and is shown if it fails.
define install_packages
@set -e; missing=; \
for p in $(1); do \
  dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' installed$$' || missing="$$missing $$p"; \
done; \
if [ -z "$$missing" ]; then echo "$@: all packages are there"; exit 0; fi; \
if ! command -v apt-get >/dev/null; then \
  echo "$@: no apt-get here. Install your system's equivalents of these Debian packages:" >&2; \
  echo "  $(strip $(1))" >&2; exit 1; \
fi; \
root=; \
if [ "$$(id -u)" != 0 ]; then \
  command -v sudo >/dev/null || { echo "$@: needs root or sudo. As root: apt-get install$$missing" >&2; exit 1; }; \
  root=sudo; \
fi; \
mkdir -p $(dir $(DEPS_LOG)); \
echo "$@: apt-get, which writes to $(DEPS_LOG), installs$$missing"; \
$$root apt-get update >$(DEPS_LOG) 2>&1 || \
  echo "$@: apt-get update failed; using the old package lists" >&2; \
$$root env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y --no-install-recommends -o APT::Keep-Downloaded-Packages=false $$missing >>$(DEPS_LOG) 2>&1 || \
  { tail -n 40 $(DEPS_LOG) >&2; echo "$@: apt-get install failed, see $(DEPS_LOG)" >&2; exit 1; }
endef

# $(call install_python,packages): install into a Python environment in the folder of the target, the file "complete".
# PyTorch is installed first and separately, so that no other package chooses its build.
pip = $(@D)/bin/python -m pip install --quiet --disable-pip-version-check
define install_python
$(PYTHON) -m venv --clear $(@D)
$(addprefix $(pip) ,$(filter torch==%,$(1)))
$(pip) $(filter-out torch==%,$(1))
touch $@
endef

# $(call after,target,file): stop unless the file is there, which the target makes.
after = @test -e $(2) || { echo "$@: run make $(1) first" >&2; exit 1; }

## deps: install what building and the demo need (Debian packages, by apt-get)
.PHONY: deps
deps:
	$(call install_packages,$(PACKAGES))

## deps-dev: install what developing needs besides: the tests, lint, docs, every figure (Debian packages)
.PHONY: deps-dev
deps-dev:
	$(call install_packages,$(PACKAGES) $(DEV_PACKAGES))

## deps-mpi: install both MPIs and what their tests need (Debian packages)
.PHONY: deps-mpi
deps-mpi:
	$(call install_packages,$(MPI_PACKAGES))

# `make deps test` also installs what the tests need.
ifneq ($(and $(filter deps,$(MAKECMDGOALS)),$(filter test,$(MAKECMDGOALS))),)
deps: deps-dev
endif

# `make deps demo`: compilers and libraries are found when the Makefile is read. So the targets after deps run in a
# separate make, on all cores unless -j was given.
DEPS := $(filter deps deps-dev deps-mpi,$(MAKECMDGOALS))
ifneq ($(DEPS),)
.NOTPARALLEL:
AFTER_DEPS := $(filter-out $(DEPS),$(MAKECMDGOALS))
.PHONY: $(AFTER_DEPS)
$(AFTER_DEPS): $(DEPS)
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$$(nproc)) $@
endif
