/* What the manifests of the tests must know of QEMU virt. */
#define PARTITION(offset) (0x0e300000 + (offset))
#define NORMAL_MEMORY(offset) 0x0 (0x40000000 + (offset))
#define CLOCK 0x09010000
#define CONTEXTS 4
