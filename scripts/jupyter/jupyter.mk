# The Jupyter kernel and the lecture's notebook.

JUPYTER := build/jupyter

## jupyter-deps: install ipykernel and what runs notebooks in build/jupyter, for what follows (over the network)
.PHONY: jupyter-deps
jupyter-deps: $(JUPYTER)/complete

$(JUPYTER)/complete:
	$(call install_packages,python3-venv)
	$(call install_python,ipykernel jupyter_client nbclient nbformat)

# $(call jupyter,script): run that script, with this build's program as the kernel's.
define jupyter
$(call after,jupyter-deps,$(JUPYTER)/complete)
@MOONGLASS=$(PROGRAM) PYTHONDONTWRITEBYTECODE=1 $(JUPYTER)/bin/python $(1)
endef

## jupyter-install: tell Jupyter of the kernel (after jupyter-deps): for this user, or below JUPYTER_PREFIX
.PHONY: jupyter-install
jupyter-install: all
	$(call jupyter,scripts/jupyter/install.py $(if $(JUPYTER_PREFIX),--prefix $(JUPYTER_PREFIX)))

## notebook: run the lecture's notebook on MNIST, and store in it what its cells show (after jupyter-deps)
.PHONY: notebook
notebook: all
	$(call jupyter,scripts/jupyter/execute.py scripts/jupyter/lecture.ipynb \
	  $(if $(MOONGLASS_DATA),--data $(call quote,$(MOONGLASS_DATA))))

## test-jupyter: the kernel through Jupyter's client, and the lecture's notebook in a clean home (after jupyter-deps)
.PHONY: test-jupyter
test-jupyter: all
	$(call jupyter,spec/jupyter/check.py)
