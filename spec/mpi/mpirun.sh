#!/bin/sh
# Start a command under an MPI: sh spec/mpi/mpirun.sh openmpi|mpich RANKS command [argument ...]
#
# All that the launchers need on a machine for tests stands here: root in a container, more ranks than cores, no copy
# between processes by ptrace, which containers refuse, and no rank bound to a core. A value that is set already stays.
# And what leaves the word to us when a rank ends: --quiet, and no killing of all ranks by MPICH's launcher before they
# can say which one it was.
#
#   MPI_HOSTS="node1 node2"   hosts, one rank on each in turn; between hosts TCP over eth0 alone
#   MPI_AGENT=program         what the launcher runs instead of ssh: program HOST command ...
#   MPI_PASS="NAME ..."       variables for the ranks on other hosts (MPICH passes all)
set -u
[ $# -ge 3 ] || { echo "usage: mpirun.sh openmpi|mpich RANKS command [argument ...]" >&2; exit 2; }
library=$1 ranks=$2
shift 2

# Ranks that wait give their core to others, but only where there are more ranks than cores: it costs time.
[ "$ranks" -le "$(nproc)" ] || : "${OMPI_MCA_mpi_yield_when_idle:=1}"

openmpi() {
  : "${OMPI_ALLOW_RUN_AS_ROOT:=1}" "${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM:=1}" "${OMPI_MCA_rmaps_base_oversubscribe:=1}"
  : "${OMPI_MCA_btl_vader_single_copy_mechanism:=none}" "${OMPI_MCA_hwloc_base_binding_policy:=none}"
  export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe
  export OMPI_MCA_btl_vader_single_copy_mechanism OMPI_MCA_hwloc_base_binding_policy OMPI_MCA_mpi_yield_when_idle
  if [ -n "${MPI_HOSTS:-}" ]; then
    list=
    for host in $MPI_HOSTS; do list=$list${list:+,}$host:99; done
    for name in ${MPI_PASS:-}; do set -- -x "$name" "$@"; done
    set -- --host "$list" --map-by node --mca plm_rsh_agent "$MPI_AGENT" --mca pml ob1 --mca btl tcp,self \
      --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 "$@"
  fi
  exec mpirun.openmpi --quiet -n "$ranks" "$@"
}

mpich() {
  if [ -n "${MPI_HOSTS:-}" ]; then
    list=
    for host in $MPI_HOSTS; do list=$list${list:+,}$host:1; done
    : "${UCX_TLS:=tcp,self,sm}" "${UCX_NET_DEVICES:=eth0}"
    export UCX_TLS UCX_NET_DEVICES
    set -- -hosts "$list" -iface eth0 -launcher rsh -launcher-exec "$MPI_AGENT" "$@"
  fi
  exec mpiexec.mpich -disable-auto-cleanup -n "$ranks" "$@"
}

case $library in
  openmpi) command -v mpirun.openmpi >/dev/null && openmpi "$@" ;;
  mpich) command -v mpiexec.mpich >/dev/null && mpich "$@" ;;
  *) echo "mpirun.sh: expected openmpi or mpich, not '$library'" >&2; exit 2 ;;
esac
echo "mpirun.sh: $library is not installed; run make deps-mpi" >&2
exit 127
