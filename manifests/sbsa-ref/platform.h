/* What the manifests of the tests must know of QEMU sbsa-ref. */
#define PARTITION(offset) (0x20300000 + (offset))
#define NORMAL_MEMORY(offset) 0x100 (offset)
#define CLOCK 0x60010000
#define CONTEXTS 8
