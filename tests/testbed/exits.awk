# exits.awk - the histograms of KVM's trace points as `what<TAB>key<TAB>count`, smallest first in each
# group as the kernel sorts them, then each group's total; SVM exit codes (AMD APM vol. 2, appendix C) and KVM's user-space
# exit reasons by name.
BEGIN {
    split("96 INTR 97 NMI 98 SMI 99 INIT 100 VINTR 101 CR0_SEL 110 RDTSC 112 PUSHF 114 CPUID 115 RSM " \
          "116 IRET 117 INTn 118 INVD 119 PAUSE 120 HLT 121 INVLPG 122 INVLPGA 123 IOIO 124 MSR " \
          "126 FERR_FREEZE 127 SHUTDOWN 128 VMRUN 129 VMMCALL 135 RDTSCP 137 WBINVD 138 MONITOR " \
          "139 MWAIT 141 XSETBV 0 CR0_READ 3 CR3_READ 4 CR4_READ 16 CR0_WRITE 19 CR3_WRITE " \
          "20 CR4_WRITE 24 CR8_WRITE 1024 NPF 1025 AVIC_INCOMPLETE_IPI 1026 AVIC_UNACCELERATED", s, " ")
    for (i = 1; i in s; i += 2) svm[s[i]] = s[i + 1]
    split("0 UNKNOWN 2 IO 3 HYPERCALL 5 HLT 6 MMIO 7 IRQ_WINDOW_OPEN 8 SHUTDOWN 9 FAIL_ENTRY 10 INTR " \
          "17 INTERNAL_ERROR 24 SYSTEM_EVENT 26 IOAPIC_EOI 29 X86_RDMSR 30 X86_WRMSR", u, " ")
    for (i = 1; i in u; i += 2) user[u[i]] = u[i + 1]
    split("READ_UNSATISFIED READ WRITE", mmio, " ")
    OFS = "\t"
}
/^== / { what = $2; next }
/^\{/ {
    count = $0; sub(/.*hitcount: */, "", count); sub(/[^0-9].*/, "", count)
    key = $0; sub(/^\{ */, "", key); sub(/ *\} *hitcount.*/, "", key); gsub(/ *: */, ":", key); gsub(/ *, */, " ", key)
    if (what == "kvm_exit") { sub(/exit_reason:/, "", key); key = (key in svm) ? svm[key] : key }
    if (what == "kvm_userspace_exit") { sub(/reason:/, "", key); key = (key in user) ? user[key] : key }
    if (what == "kvm_mmio") { split(key, p, "[ :]"); sub(/type:[0-9]+/, mmio[p[2] + 1], key) }
    if (what == "kvm_pio") { sub(/rw:0/, "IN", key); sub(/rw:1/, "OUT", key) }
    print what, key, count
    total[what] += count
}
END { for (w in total) print w, "total", total[w] }
