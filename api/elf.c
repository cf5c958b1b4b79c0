/* elf: whether a shared library can be handed to the dynamic linker, which believes whatever a file says. A library of
 * ours ends with a seal, its length and a sum over its bytes; of any other (a user may have linked or stripped it) the
 * parts that its headers name have to be there. */
#include "api/emit.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SEAL "tensorcc-seal "

enum { SEAL_BYTES = 49 };

static uint64_t sum_of(const char *s, size_t n)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h;
}

static void print_seal(char to[SEAL_BYTES + 1], const char *bytes, size_t n)
{
    snprintf(to, SEAL_BYTES + 1, "\n" SEAL "%016zx %016" PRIx64 "\n", n, sum_of(bytes, n));
}

void elf_seal(Arena *mem, char **bytes, size_t *n)
{
    char *sealed = arena_alloc(mem, *n + SEAL_BYTES + 1);
    memcpy(sealed, *bytes, *n);
    print_seal(sealed + *n, *bytes, *n);
    *bytes = sealed;
    *n += SEAL_BYTES;
}

static bool within(uint64_t at, uint64_t size, uint64_t n) { return at <= n && size <= n - at; }

static bool program_fits(const char *bytes, const Elf64_Ehdr *h, uint64_t n)
{
    if (h->e_phentsize != sizeof(Elf64_Phdr) || !within(h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr), n)) return false;
    for (int i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, bytes + h->e_phoff + (size_t)i * sizeof p, sizeof p);
        if (!within(p.p_offset, p.p_filesz, n)) return false;
    }
    return true;
}

static bool sections_fit(const char *bytes, const Elf64_Ehdr *h, uint64_t n)
{
    if (!h->e_shoff) return true;
    if (h->e_shentsize != sizeof(Elf64_Shdr) || !within(h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr), n)) return false;
    for (int i = 0; i < h->e_shnum; i++) {
        Elf64_Shdr s;
        memcpy(&s, bytes + h->e_shoff + (size_t)i * sizeof s, sizeof s);
        if (s.sh_type != SHT_NOBITS && s.sh_type != SHT_NULL && !within(s.sh_offset, s.sh_size, n)) return false;
    }
    return true;
}

const char *elf_damage(const char *bytes, size_t n)
{
    Elf64_Ehdr h;
    char seal[SEAL_BYTES + 1];
    if (n < sizeof h || memcmp(bytes, ELFMAG, SELFMAG)) return "it is no shared library";
    memcpy(&h, bytes, sizeof h);
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_type != ET_DYN)
        return "it is no shared library for this kind of machine";
    const char *end = n > SEAL_BYTES ? bytes + n - SEAL_BYTES : NULL;
    if (end && !memcmp(end + 1, SEAL, strlen(SEAL))) {
        print_seal(seal, bytes, n - SEAL_BYTES);
        return memcmp(end, seal, SEAL_BYTES) ? "it is damaged: its bytes are not the ones that were written" : NULL;
    }
    return program_fits(bytes, &h, n) && sections_fit(bytes, &h, n) ? NULL : "it is damaged: parts that its header names are not there";
}
