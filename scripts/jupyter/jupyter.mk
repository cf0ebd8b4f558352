# The Jupyter kernel and the lecture's notebook.

JUPYTER := build/jupyter

## jupyter-deps: install Jupyter's packages in build/jupyter, for the next targets (over the network)
.PHONY: jupyter-deps
jupyter-deps: $(JUPYTER)/complete

$(JUPYTER)/complete:
	$(call install_packages,python3-venv)
	$(call install_python,ipykernel jupyter_client nbclient nbformat)

# $(call jupyter,script): run a script with this build's program as the kernel.
define jupyter
$(call after,jupyter-deps,$(JUPYTER)/complete)
@MOONGLASS=$(PROGRAM) PYTHONDONTWRITEBYTECODE=1 $(JUPYTER)/bin/python $(1)
endef

## jupyter-install: register the kernel with Jupyter (after jupyter-deps), for this user or below JUPYTER_PREFIX
.PHONY: jupyter-install
jupyter-install: all
	$(call jupyter,scripts/jupyter/install.py $(if $(JUPYTER_PREFIX),--prefix $(JUPYTER_PREFIX)))

## notebook: run the lecture's notebook on MNIST and store its outputs in it (after jupyter-deps)
.PHONY: notebook
notebook: all
	$(call jupyter,scripts/jupyter/execute.py scripts/jupyter/lecture.ipynb \
	  $(if $(MOONGLASS_DATA),--data $(call quote,$(MOONGLASS_DATA))))

## test-jupyter: test the kernel through Jupyter's client, and the notebook in a clean home (after jupyter-deps)
.PHONY: test-jupyter
test-jupyter: all
	$(call jupyter,spec/jupyter/check.py)
