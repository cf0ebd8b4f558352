-- The same as equal_mpi.lua under MPICH, whose ranks wait busily: only as many as a small machine has cores.
-- ranks: 2
-- mpi: mpich
-- seconds: 300
dofile "spec/mpi/equal_mpi.lua"
