/* docs/isa.md is what the tables say. `test_g9_doc --update` writes it. */
#include "isa/isa.h"
#include "tests/unit/check.h"

#include <stdlib.h>

#define PATH TCC_SOURCE_DIR "/docs/isa.md"

int main(int argc, char **argv)
{
    IsaText t = {0};
    isa_print_doc(&t);
    FILE *f;
    if (argc > 1 && !strcmp(argv[1], "--update") && (f = fopen(PATH, "w"))) {
        fwrite(t.s, 1, t.n, f);
        fclose(f);
    }
    char *have = calloc(1, t.n + 2);
    f = fopen(PATH, "r");
    size_t n = f ? fread(have, 1, t.n + 1, f) : 0;
    if (f) fclose(f);
    if (!CHECK(n == t.n && !memcmp(have, t.s, n)))
        printf("docs/isa.md is not what the tables say: run test_g9_doc --update\n");
    for (int i = 0; i < G9_COUNT; i++) CHECK(strstr(t.s, isa_row[i].semantics) || strchr(isa_row[i].semantics, '|'));
    free(have);
    isa_text_free(&t);
    return check_done();
}
