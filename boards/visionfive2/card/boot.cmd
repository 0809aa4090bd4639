# Skerry. Mainline U-Boot runs this (as boot.scr) where it finds no extlinux.conf that works. It has set
# devtype, devnum, distro_bootpart and prefix. The archive comes last: booti wants its size.
echo Skerry by boot.scr
setenv skerry_disk "${devtype} ${devnum}:${distro_bootpart}"
setenv bootargs @APPEND@
setenv skerry_tree ${fdtcontroladdr}
if test -n "${fdtfile}" && load ${skerry_disk} ${fdt_addr_r} ${prefix}dtbs/${fdtfile}; then
    setenv skerry_tree ${fdt_addr_r}
fi
if load ${skerry_disk} ${kernel_addr_r} ${prefix}Image; then
    if load ${skerry_disk} ${ramdisk_addr_r} ${prefix}bootfs.cpio; then
        booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${skerry_tree}
    fi
fi
