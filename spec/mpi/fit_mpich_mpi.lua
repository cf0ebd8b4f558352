-- The same as fit_mpi.lua under MPICH, whose ranks wait busily: only as many as a small machine has cores.
-- ranks: 2
-- mpi: mpich
-- seconds: 300
dofile "spec/mpi/fit_mpi.lua"
