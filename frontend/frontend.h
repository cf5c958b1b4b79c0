/* frontend: from `.te` text to TE IR (lexer, parser, formatter, semantic analysis). The language is specified in
 * docs/language.md. */
#ifndef TCC_FRONTEND_FRONTEND_H
#define TCC_FRONTEND_FRONTEND_H

#include "frontend/ast.h"
#include "ir/te.h"

/* ---- lex.c, parse.c: the whole file; always a file, with the statements that could be read, however many errors were
 * reported. ------- */
AstFile *fe_parse(Arena *mem, const Source *src, Diags *diags);

/* ---- fmt.c: canonical text of a file that parsed without errors, comments kept; formatting twice changes nothing.
 * ------------------- */
void fe_format(Text *out, const AstFile *f);

/* ---- sema*.c: one op, checked and typed. consts: values given by --const as text (NAME, VALUE), may be empty.
 * ------------------------ NULL after errors. All dims are dynamic (-1) in the result. Every function of the file is
 * checked even if the op does not use it. */
typedef struct FeConst {
    const char *name, *value;
} FeConst;
TeOp *fe_check(Arena *mem, const AstFile *f, const AstOp *op, int nconsts, const FeConst *consts, Diags *diags);

#endif
