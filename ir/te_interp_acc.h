/* te_interp_acc: the accumulators of a reduction, one set a lane; shared by te_interp_reduce.c (which terms, in which
 * order), te_interp_accum.c (native, and integers in both modes) and te_interp_accum_bound.c (floats with bounds). */
#ifndef TCC_IR_TE_INTERP_ACC_H
#define TCC_IR_TE_INTERP_ACC_H

#include "ir/te_interp_priv.h"

typedef struct Ragged { /* a range that differs by lane */
    int64_t *lo, *extent, *index;
} Ragged;

struct Acc {
    const Expr *e;
    const Reduce *red;
    DType t;   /* of the body: the accumulator's */
    int lanes; /* 1 when the terms lie along the lanes (series), else one accumulator a lane */
    bool series;
    bool bounds;    /* float in check mode: te_interp_accum_bound.c */
    int p;          /* partials */
    int64_t places; /* argmax, argmin: 1; topk: the slots */
    uint64_t deps;
    bool lost; /* a range was undecided: nothing is known of the result */

    int64_t count;       /* terms so far, excluded ones too */
    int64_t *lane_count; /* by lane, once ranges differ by lane and partials need it; else NULL */
    bool per_lane;

    /* part[partial][lane] held values; for argmax and topk best[lane][place], where[lane][place] */
    void *part, *scratch;
    int64_t *where;
    int64_t room; /* places that part and where have */
    double *off;  /* integers in check mode: how far the result may be off, by lane; NULL in native mode */

    /* floats in check mode, by lane (argmax and topk: [lane][place]) */
    double *sum, *size, *err, *terms, *high, *low, *first, *last;
    bool inexact;  /* some term had a bound */
    bool products; /* terms entered as unrounded products */
    bool online;   /* the sum of exp(x - m) terms: may have been rescaled */
    int pass;      /* argmax, topk: 1 ranks, 2 finds who else could hold a place */

    Ragged *ragged;  /* by variable of the reduction */
    int64_t **tuple; /* series: by variable, by lane */
    int64_t *digit;  /* series: where the variables are */
    int pending, level;
};

/* What enters: the lanes of the current mask, from the body's value. opt[l]: the term may or may not count; NULL: all
 * do. */
void acc_begin(Run *r, Acc *a);
void acc_term(Run *r, Acc *a, const uint8_t *opt);
void acc_finish(Run *r, Acc *a, Val *out);
void acc_place(Run *r, Acc *a, int64_t place, Val *value, Val *index); /* topk */

void bound_acc_begin(Run *r, Acc *a);
void bound_acc_term(Run *r, Acc *a, const uint8_t *opt);
void bound_acc_finish(Run *r, Acc *a, Val *out);
void bound_acc_place(Run *r, Acc *a, int64_t place, Val *value, Val *index);
void *acc_more(Run *r, void *was, int64_t *room, int64_t places); /* 8 bytes a place */

static inline bool acc_ranks(const Acc *a)
{
    return a->red->op == RED_ARGMAX || a->red->op == RED_ARGMIN || a->red->op == RED_TOPK;
}

#endif
