/* What the manifests of the tests must know of FVP Base RevC. */
#define PARTITION(offset) (0x07300000 + (offset))
#define NORMAL_MEMORY(offset) 0x0 (0x80000000 + (offset))
#define CLOCK 0x1c170000
#define CONTEXTS 8
