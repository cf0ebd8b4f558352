# The lecture's scripts, and their pictures.

## demo: train the deep autoencoder on MNIST and leave its pictures in out/deep
.PHONY: demo
demo: $(B)/moonglass
	$(B)/moonglass scripts/deep.lua

## experiments: run all scripts of the lecture one after the other; out/index.html has their pictures and figures
.PHONY: experiments
experiments: all
	$(B)/moonglass scripts/experiments.lua $(EXPERIMENTS)

## pictures: put the README's selection of what `make experiments` has left into scripts/pictures
PICTURES := denoising/denoised features/map spirals/net-regions compression/curve sparse_coding/atoms memorise/curves
.PHONY: pictures
pictures:
	for p in $(PICTURES); do cp out/$$p.png scripts/pictures/$$(echo $$p | tr / -).png || exit 1; done
