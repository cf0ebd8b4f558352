# The lecture's scripts, and their pictures.

## demo: train the deep autoencoder on MNIST and leave its pictures in out/deep
.PHONY: demo
demo: $(B)/moonglass
	$(B)/moonglass scripts/deep.lua

## experiments: run all scripts of the lecture; out/index.html shows their pictures and figures
.PHONY: experiments
experiments: all
	$(B)/moonglass scripts/experiments.lua $(EXPERIMENTS)

## pictures: copy the pictures of scripts/README.md from what `make experiments` made; draw those of speed and scaling
PICTURES := denoising/denoised features/map spirals/net-regions compression/curve sparse_coding/atoms \
            memorise/curves variational/samples
.PHONY: pictures
pictures: all
	for p in $(PICTURES); do cp out/$$p.png scripts/pictures/$$(echo $$p | tr / -).png || exit 1; done
	$(B)/moonglass scripts/bench/picture.lua
	$(B)/moonglass scripts/scaling/bench.lua --from scripts/scaling/recorded.csv --picture scripts/scaling/scaling.png
