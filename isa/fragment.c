/* fragment: where the elements of matrix fragments lie, as a formula over warp size, shape and element size.
 *
 * A register of the 32 virtual lanes holds an 8 x (4 per) patch, `per` elements of 32 / per bits to a lane: lane 4 g +
 * t has row g (of B: column g), and of the other direction the elements t per to t per + per - 1. Patches of A go down
 * the rows first, then along k; patches of B go along k first, then along n. A patch of D is 8x8: lane 4 g + t has row
 * g, columns 2 t and 2 t + 1, in one register when they have 16 bits and in two when they have 32; patches go down the
 * rows first. For a warp of 32 and m16n8 this is the layout that people know. */
#include "isa/isa_priv.h"

static int blocks(int n, int by) { return (n + by - 1) / by; }

static int virtual_registers(IsaFragment f, IsaShape s, int bits)
{
    int per = 32 / bits;
    switch (f) {
    case IFR_A: return blocks(s.m, 8) * blocks(s.k, 4 * per);
    case IFR_B: return blocks(s.n, 8) * blocks(s.k, 4 * per);
    default: return blocks(s.m, 8) * blocks(s.n, 8) * (bits == 32 ? 2 : 1);
    }
}

int isa_fragment_registers(IsaFragment f, IsaShape s, int bits, int warp)
{
    return (virtual_registers(f, s, bits) * 32 + warp - 1) / warp;
}

void isa_fragment_place(IsaFragment f, IsaShape s, int bits, int warp, int row, int column, int *reg, int *lane,
                        int *bit)
{
    int per = 32 / bits, i, v;
    if (f == IFR_D) {
        int patch = column / 8 * blocks(s.m, 8) + row / 8, j = column % 2;
        i = bits == 32 ? 2 * patch + j : patch;
        v = row % 8 * 4 + column % 8 / 2;
        *bit = bits == 32 ? 0 : 16 * j;
    } else {
        int k = f == IFR_A ? column : row, line = f == IFR_A ? row : column, at = k % (4 * per);
        i = f == IFR_A ? line / 8 + blocks(s.m, 8) * (k / (4 * per))
                       : k / (4 * per) + blocks(s.k, 4 * per) * (line / 8);
        v = line % 8 * 4 + at / per;
        *bit = at % per * bits;
    }
    int place = 32 * i + v;
    *reg = place / warp;
    *lane = place % warp;
}
