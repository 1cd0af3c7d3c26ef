#!/bin/sh
# Runs a board's ELF in QEMU, decodes its defmt log, and exits with the firmware's code. cargo calls it as the runner.
#
#   qemu.sh BOARD ELF       BOARD: mps2-an521 or virt
#
# Environment: DIVVY_ICOUNT=1    QEMU counts instructions, 1024 ns each: the cores take even turns, and each must
#                                get its share of the work
#              DIVVY_TIMEOUT=N   end QEMU after N seconds (default 120)
# Exit code: the firmware's (0: everything agreed, 1: something did not); 2: usage, or a program is missing;
#            3: the log could not be decoded; 124: time ran out.

say() { printf 'qemu.sh: %s\n' "$*" >&2; }

[ $# -eq 2 ] || { say "usage: qemu.sh mps2-an521|virt ELF"; exit 2; }
board=$1 elf=$2
[ -f "$elf" ] || { say "no such file: $elf; build the firmware first (cargo xtask firmware --board $board)"; exit 2; }
case $board in
    mps2-an521) qemu=qemu-system-arm machine="-machine mps2-an521" ;;
    virt) qemu=qemu-system-riscv32 machine="-machine virt -smp 4 -m 32M -bios none" ;;
    *) say "unknown board $board; there are mps2-an521 and virt"; exit 2 ;;
esac

PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
for program in "$qemu" defmt-print timeout; do
    command -v "$program" >/dev/null || { say "$program is not installed; remedy: cargo xtask setup"; exit 2; }
done

semihosting=enable=on,target=native,arg=$board
icount=
if [ "${DIVVY_ICOUNT:-0}" = 1 ]; then
    icount="-icount shift=10,sleep=off,align=off"
    semihosting=$semihosting,arg=icount
fi

# The pipeline's two exit codes come back through descriptor 3, the log goes past them through descriptor 4.
codes=$(
    {
        {
            # Unquoted on purpose: these are lists of options.
            timeout "${DIVVY_TIMEOUT:-120}" "$qemu" $machine -display none -monitor none -serial none \
                $icount -semihosting-config "$semihosting" -kernel "$elf" </dev/null 3>&-
            printf 'run=%s ' $? >&3
        } | {
            defmt-print -e "$elf" --log-format '{s}' stdin >&4 3>&-
            printf 'decode=%s ' $? >&3
        }
    } 3>&1
) 4>&1

run=2 decode=2
eval "$codes"
[ "$run" -ne 124 ] || say "$board did not finish within ${DIVVY_TIMEOUT:-120} s (DIVVY_TIMEOUT)"
if [ "$run" -eq 0 ] && [ "$decode" -ne 0 ]; then
    say "defmt-print could not decode the log; remedy: cargo xtask setup (it needs version 1.2)"
    exit 3
fi
exit "$run"
